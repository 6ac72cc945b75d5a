"""A person's session: how it begins, how long it lasts, and proving once more who is there.

It ends after eight hours without a request, after seven days in any case, and when the user's `session_version` moves.
"""

from datetime import timedelta

from flask import Flask, Request, Response, abort, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user, login_user
from sqlalchemy.orm import joinedload
from wtforms import PasswordField

from portal import clock
from portal.audit import Actor
from portal.database.db import db
from portal.models import User
from portal.people import logging_in
from portal.people.logging_in import may_log_in
from portal.runtime import runtime
from portal.vault import Purpose
from portal.web import proxied

IDLE_LIFETIME = timedelta(hours=8)
WHOLE_LIFETIME = timedelta(days=7)
CODE_LIFETIME = timedelta(minutes=5)  # how long after the password the second factor's code may come
NO_PASSWORD = _l(
    "Você ainda não tem senha no portal. Outro administrador, ou quem opera o portal, faz um link para criá-la."
)
DRAFT: Purpose = "second_factor_draft"
# How long somebody may take to scan a second factor's secret and type its first code.
DRAFT_LIFETIME = timedelta(minutes=15)


class CookieSessions(SecureCookieSessionInterface):
    """Flask's sessions in signed cookies. Where none comes in or goes out, nothing is made that signs or checks."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if "Cookie" in request.headers else self.session_class()

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if session or session.modified:
            super().save_session(app, session, response)
        elif session.accessed:
            response.vary.add("Cookie")


def begin(user: User) -> None:
    """Commit, and begin a session of this user in a cookie of its own: nothing of an earlier one stays.

    A trusted proxy that names the same e-mail now means this user from then on.
    """
    if proxied.named_email() == user.email:
        logging_in.keep_for_proxy(db.session, user)
    db.session.commit()
    session.clear()
    session.permanent = True
    session["since"] = seconds_now()
    login_user(user)


def begin_proof(user: User) -> None:
    """Commit, and note in a fresh cookie that this user knew the password, and no more than that."""
    db.session.commit()
    session.clear()
    session["proven"] = [user.get_id(), seconds_now()]


def proven_user() -> User | None:
    """Whose password was proven a moment ago, unless something ended all of the user's sessions since."""
    session_id, since = session.get("proven") or ("", 0)
    if seconds_now() - since > CODE_LIFETIME.total_seconds():
        return None
    return find_user(session_id)


def find_user(session_id: str) -> User | None:
    """Whose session that is, unless something ended all of the user's since: log-out, a new password, a lost role."""
    user_id, _, _ = session_id.partition(".")
    with_company = [joinedload(User.company)]
    user = db.session.get(User, int(user_id), options=with_company) if user_id.isdecimal() else None
    return user if user and user.get_id() == session_id and may_log_in(user) else None


def keep_draft(secret: str) -> str:
    """Keep sealed in the cookie the secret of a second factor that this user may turn on. Returns the secret."""
    sealed = runtime().vault.seal(secret, purpose=DRAFT, company_id=current_user.company_id)
    session["draft"] = [current_user.get_id(), sealed, seconds_now()]
    return secret


def kept_draft() -> str | None:
    """The secret that was kept for this user a while ago; None when there is none, or it is too old."""
    session_id, sealed, since = session.get("draft") or ("", "", 0)
    if session_id != current_user.get_id() or seconds_now() - since > DRAFT_LIFETIME.total_seconds():
        return None
    return runtime().vault.open(sealed, purpose=DRAFT, company_id=current_user.company_id)


def is_over() -> bool:
    """Whether the session has lasted as long as any may."""
    since = session.get("since", 0)
    return bool(seconds_now() - since >= WHOLE_LIFETIME.total_seconds())


def is_confirmed(field: PasswordField) -> bool:
    """Whether the field holds the password of whoever is logged in; else it says so. A wrong one counts as at log-in.

    Whom a proxy logs in may have no password.
    """
    email, company_id, ip = current_user.email, current_user.company_id, request.remote_addr or ""
    try:
        log_in = logging_in.find_log_in(db.session, email, ip=ip)
    except logging_in.TooManyFailures:
        abort(429)
    db.session.commit()  # it counts before it is proven, which takes a while: no transaction is open meanwhile
    is_right = log_in.proves(field.data or "")
    logging_in.record_confirmation(db.session, log_in, Actor(company_id, email, ip), proven=is_right)
    db.session.commit()
    if not is_right:
        field.errors = [_("A senha atual não confere.") if current_user.password_hash else NO_PASSWORD]
    return is_right


def seconds_now() -> int:
    return int(clock.utcnow().timestamp())
