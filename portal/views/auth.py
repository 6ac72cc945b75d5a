"""Coming in and going out: log-in, with a code where somebody asks for one, and log-out."""

import logging

from flask import abort, flash, redirect, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, logout_user

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import CodeForm, LogInForm
from portal.models import User
from portal.people import logging_in, passwords, second_factor, users
from portal.runtime import runtime
from portal.web import access, proxied, sessions
from portal.web.errors import render_error
from portal.web.extensions import login_manager
from portal.web.presentation import show_form
from portal.web.redirects import is_local, page_of_form, see_other, this_page

bp = access.Pages("auth", __name__)
logger = logging.getLogger(__name__)


@login_manager.unauthorized_handler
def send_to_log_in() -> ResponseReturnValue:
    """Log in first, then go on to the page that was asked for, or that the form stood on: it keeps what was typed."""
    is_part = "HX-Request" in request.headers
    is_page = request.method == "GET" and not is_part
    wanted = this_page() if is_page else page_of_form()
    if not is_page:
        flash(_("A sessão terminou: entre de novo. Nada do que você enviou foi salvo ainda."), "warning")
    elif "_user_id" in session:
        flash(_("A sessão terminou: entre de novo."), "warning")
    target = url_for("auth.log_in", next=None if wanted == url_for("home.index") else wanted)
    return ("", 204, {"HX-Redirect": target}) if is_part else redirect(target, 302 if is_page else 303)


@bp.route("/login", methods=["GET", "POST"], access="public")
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(url_for("home.index"))
    if request.method == "GET" and "left" not in request.args and (email := proxied.named_email()):
        return enter_proxied(email)
    form = LogInForm()
    if form.is_submitted() and (refusal := proxied.refusal_of(text_of(form.email))):
        form.form_errors.append(refusal)
    elif form.validate_on_submit():
        try:
            log_in = logging_in.find_log_in(db.session, text_of(form.email), ip=request.remote_addr or "")
        except logging_in.TooManyFailures:
            abort(429)
        db.session.commit()  # it counts before it is proven, which takes a while: no transaction is open meanwhile
        password = text_of(form.password)
        user = logging_in.record_log_in(db.session, log_in, password=password, proven=log_in.proves(password))
        if user is not None:
            return enter(user)
        db.session.commit()
        form.form_errors.append(_("E-mail ou senha não conferem."))
    return show_form("auth/log_in.html", form, is_empty=users.is_empty(db.session), is_proxied=proxied.named_email())


@bp.route("/login/code", methods=["GET", "POST"], access="public")
def enter_code() -> ResponseReturnValue:
    """The second factor, for whoever has just proven the password."""
    user = sessions.proven_user()
    if user is None or user.totp_secret is None:
        return see_other(url_for(".log_in", next=wanted_page()))
    form = CodeForm()
    if form.validate_on_submit():
        ip = request.remote_addr or ""
        try:
            accepted = second_factor.accept_code(db.session, user, text_of(form.code), vault=runtime().vault, ip=ip)
        except logging_in.TooManyFailures:
            abort(429)
        if accepted:
            sessions.begin(user)
            return see_other(wanted_page() or url_for("home.index"))
        db.session.commit()
        if second_factor.is_recovery_code(form.code.data or ""):
            form.code.errors = [_("Este código de recuperação não vale, ou já foi usado. Digite outro.")]
        else:
            form.code.errors = [_("Este código não vale. Espere o próximo e tente de novo.")]
    return show_form("auth/code.html", form)


@bp.post("/logout", access="member")
def log_out() -> ResponseReturnValue:
    """End this session, and every other of the same person: a copied cookie is worth nothing afterwards."""
    passwords.end_sessions(current_user)
    db.session.commit()
    logout_user()
    session.clear()
    return see_other(url_for("auth.log_in", left="yes" if proxied.named_email() else None))


def enter_proxied(email: str) -> ResponseReturnValue:
    """Let in whom a trusted proxy has logged in, whose second factor is its affair, if the portal knows them."""
    user = logging_in.enter_proxied(db.session, email, ip=request.remote_addr)
    if user is None:
        logger.warning("The proxy names somebody who has no access.", extra={"action": "proxied_unknown"})
        known = logging_in.find_user(db.session, email)
        return render_error("proxied", code=403, email=email, has_password=bool(known and known.password_hash)), 403
    sessions.begin(user)
    return see_other(wanted_page() or url_for("home.index"))


def enter(user: User) -> ResponseReturnValue:
    """Let somebody in who has proven a password, or has just set one; a second factor is asked for first."""
    if user.totp_secret is not None:
        wanted = wanted_page()
        sessions.begin_proof(user)
        return see_other(url_for("auth.enter_code", next=wanted))
    sessions.begin(user)
    return see_other(wanted_page() or url_for("home.index"))


def wanted_page() -> str | None:
    """The page of the portal that was asked for before the log-in."""
    wanted = request.args.get("next")
    return wanted if wanted and is_local(wanted) else None
