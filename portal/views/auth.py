"""Coming in and going out: log-in, log-out, the first set-up, invitations, and the language of the pages."""

from flask import Blueprint, abort, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, login_user, logout_user

from portal import accounts, audit
from portal.db import db
from portal.extensions import login_manager
from portal.forms import ACCOUNT_WORDS, LogInForm, NewPasswordForm, SetUpForm, text_of
from portal.i18n import LANGUAGE_COOKIE, LANGUAGES
from portal.models import AccessLink, User
from portal.runtime import runtime
from portal.views import access
from portal.views.redirects import back_or, is_local, see_other

YEAR_SECONDS = 365 * 24 * 60 * 60

bp = Blueprint("auth", __name__)


@login_manager.unauthorized_handler
def send_to_log_in() -> ResponseReturnValue:
    """Log in first, then go on to the page that was asked for."""
    wanted = request.full_path.rstrip("?") if request.method == "GET" else None
    target = url_for("auth.log_in", next=None if wanted == "/" else wanted)
    if "HX-Request" in request.headers:
        return "", 401, {"HX-Redirect": url_for("auth.log_in")}
    return redirect(target)


@bp.route("/login", methods=["GET", "POST"])
@access.public
def log_in() -> ResponseReturnValue:
    if current_user.is_authenticated:
        return see_other(url_for("home.index"))
    form = LogInForm()
    if form.validate_on_submit():
        try:
            log_in = accounts.find_log_in(db.session, text_of(form.email), ip=request.remote_addr or "")
        except accounts.TooManyFailures:
            abort(429)
        db.session.rollback()  # proving a password takes a while, and on SQLite a transaction keeps others out
        password = text_of(form.password)
        user = accounts.record_log_in(db.session, log_in, password=password, proven=log_in.proves(password))
        if user is not None:
            return enter(user)
        db.session.commit()
        form.form_errors.append(_("E-mail ou senha não conferem."))
    page = render_template("auth/log_in.html", form=form, is_empty=accounts.is_empty(db.session))
    return page, 422 if form.errors else 200


@bp.post("/logout")
@access.member
def log_out() -> ResponseReturnValue:
    """End this session, and every other of the same person: a copied cookie is worth nothing afterwards."""
    current_user.session_version += 1
    db.session.commit()
    logout_user()
    session.clear()
    return see_other(url_for("auth.log_in"))


@bp.route("/setup/<token>", methods=["GET", "POST"])
@access.public
def set_up(token: str) -> ResponseReturnValue:
    link = open_link(token, purpose="setup")
    form = SetUpForm()
    if form.validate_on_submit():
        company = accounts.get_or_create_company(db.session, text_of(form.company), vault=runtime().vault)
        try:
            user = accounts.add_user(
                db.session,
                company,
                name=text_of(form.name),
                email=text_of(form.email),
                role="admin",
                password=text_of(form.password),
            )
        except accounts.InvalidAccount as error:
            db.session.rollback()
            form[error.field].errors = [ACCOUNT_WORDS[error.problem]]
        else:
            accounts.use_link(db.session, link)
            audit.record(db.session, company.id, actor=user.email, action="company.created", ip=request.remote_addr)
            return enter(user)
    return render_template("auth/set_up.html", form=form), 422 if form.errors else 200


@bp.route("/invitation/<token>", methods=["GET", "POST"])
@access.public
def accept_invitation(token: str) -> ResponseReturnValue:
    link = open_link(token, purpose="invitation")
    form = NewPasswordForm()
    user = link.user
    if user is None:
        abort(404)
    if form.validate_on_submit():
        accounts.set_password(user, text_of(form.password))
        accounts.use_link(db.session, link)
        audit.record(
            db.session, user.company_id, actor=user.email, action="invitation.accepted", ip=request.remote_addr
        )
        return enter(user)
    return render_template("auth/invitation.html", form=form, user=user), 422 if form.errors else 200


@bp.route("/reset/<token>", methods=["GET", "POST"])
@access.public
def reset(token: str) -> ResponseReturnValue:
    """Choose another password, by a link that an admin made or a mail brought."""
    link = open_link(token, purpose="reset")
    form = NewPasswordForm()
    user = link.user
    if user is None:
        abort(404)
    if form.validate_on_submit():
        accounts.set_password(user, text_of(form.password))
        accounts.use_link(db.session, link)
        audit.record(db.session, user.company_id, actor=user.email, action="password.reset", ip=request.remote_addr)
        return enter(user)
    return render_template("auth/reset.html", form=form, user=user), 422 if form.errors else 200


@bp.post("/language")
@access.public
def language() -> ResponseReturnValue:
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        abort(400)
    if current_user.is_authenticated:
        current_user.locale = chosen
        db.session.commit()
    response = make_response(back_or(url_for("home.index")))
    response.set_cookie(
        LANGUAGE_COOKIE,
        chosen,
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=runtime().settings.secure_cookies,
    )
    return response


def open_link(token: str, *, purpose: str) -> AccessLink:
    link = accounts.find_link(db.session, token, purpose=purpose)
    if link is None:
        abort(404)
    return link


def enter(user: User) -> ResponseReturnValue:
    """Begin a session of this user, in a cookie of its own, and commit."""
    db.session.commit()
    session.clear()
    session.permanent = True
    login_user(user)
    wanted = request.args.get("next")
    return see_other(wanted if wanted and is_local(wanted) else url_for("home.index"))
