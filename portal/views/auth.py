"""Coming in and going out: log-in, with a code where somebody asks for one; links that work once; and log-out.

The links: the first set-up, an invitation, and a new password, for which anybody may ask. Each leads in.
"""

import logging

from flask import abort, flash, make_response, redirect, render_template, request, session, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user, logout_user

from portal.database.db import db
from portal.forms.fields import said, text_of
from portal.forms.people import CodeForm, ForgottenForm, LogInForm, NewPasswordForm, SetUpForm
from portal.i18n import ngettext
from portal.models import AccessLink, User
from portal.people import links, logging_in, passwords, second_factor, users
from portal.runtime import runtime
from portal.web import access, link_mail, proxied, sessions
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
        typed = text_of(form.code)
        is_recovery = second_factor.is_recovery_code(typed)
        if accepted:
            sessions.begin(user)
            if is_recovery:
                flash_recovered(len(user.recovery_hashes or []))
            return see_other(wanted_page() or url_for("home.index"))
        db.session.commit()
        form.code.errors = [explain_code(typed)]
    return show_form("auth/code.html", form)


def explain_code(typed: str) -> str:
    """Why a code is not accepted, by what it looks like, and what to do."""
    if second_factor.is_recovery_code(typed):
        return str(_("Este código de recuperação não vale, ou já foi usado. Digite outro."))
    if second_factor.is_app_code(typed):
        return str(_("Este código não vale. Espere o próximo e tente de novo."))
    return str(_("O código do aplicativo tem 6 números, e o de recuperação, 20. Digite um dos dois por inteiro."))


def flash_recovered(left: int) -> None:
    words = _("Você entrou com o seu último código de recuperação.")
    if left:
        words = ngettext(
            "Você entrou com um código de recuperação; resta %(num)s.",
            "Você entrou com um código de recuperação; restam %(num)s.",
            left,
        )
    mend = _("Se perdeu o celular, desligue a verificação em duas etapas em Minha conta e ligue-a com o aparelho novo.")
    flash(f"{words} {mend}", "warning")


@bp.post("/logout", access="member")
def log_out() -> ResponseReturnValue:
    """End this session, and every other of the same person: a copied cookie is worth nothing afterwards."""
    passwords.end_sessions(current_user)
    db.session.commit()
    logout_user()
    session.clear()
    return see_other(url_for("auth.log_in", left="yes" if proxied.named_email() else None))


def enter_proxied(email: str) -> ResponseReturnValue:
    """Let in whom a trusted proxy has logged in, if the portal knows them. The proxy sees to a second factor."""
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


@bp.route("/setup/<token>", methods=["GET", "POST"], access="public")
def set_up(token: str) -> ResponseReturnValue:
    link = open_link(token, purpose="setup")
    form = SetUpForm()
    if form.is_submitted() and (refusal := proxied.refusal_of(text_of(form.email))):
        form.form_errors.append(refusal)
    elif form.validate_on_submit():
        try:
            return enter(users.set_up(db.session, link, **said(form), vault=runtime().vault, ip=request.remote_addr))
        except passwords.InvalidAccount as error:
            db.session.rollback()
            form[error.field].errors = [error.sentence]
    return show_form("auth/set_up.html", form)


@bp.route("/invitation/<token>", methods=["GET", "POST"], access="public")
def accept_invitation(token: str) -> ResponseReturnValue:
    """Choose the first password."""
    return choose_password(token, "invitation")


@bp.route("/reset/<token>", methods=["GET", "POST"], access="public")
def reset(token: str) -> ResponseReturnValue:
    """Choose another password, by a link that an admin made or a mail brought."""
    return choose_password(token, "reset")


def choose_password(token: str, purpose: str) -> ResponseReturnValue:
    link = open_link(token, purpose=purpose)
    form, user = NewPasswordForm(), access.or_404(link.user)
    if form.is_submitted() and (refusal := proxied.refusal_of(user.email)):
        form.form_errors.append(refusal)
    elif form.validate_on_submit():
        try:
            links.choose_password(db.session, link, user, text_of(form.password), ip=request.remote_addr)
            return enter(user)
        except passwords.InvalidAccount as error:
            form.password.errors = [error.sentence]
    return show_form(f"auth/{purpose}.html", form, user=user)


@bp.get("/forgotten", access="public")
def forgotten() -> ResponseReturnValue:
    """The page by which people who forgot the password ask for a link. Without a mail server it says whom to ask."""
    return render_template(
        "auth/forgotten.html",
        form=ForgottenForm(formdata=None),
        can_mail=link_mail.is_possible(),
        is_sent="sent" in request.args,
    )


@bp.post("/forgotten", access="public")
def ask_for_link() -> ResponseReturnValue:
    """Mail a link, if somebody logs in with the address. The answer is the same if nobody does."""
    form, ip = ForgottenForm(), request.remote_addr or ""
    if not link_mail.is_possible():
        return see_other(url_for(".forgotten"))
    if not form.validate_on_submit():
        return render_template("auth/forgotten.html", form=form, can_mail=True), 422
    email = text_of(form.email).strip().lower()
    try:
        logging_in.count_guess(db.session, f"forgotten by {email}", ip=ip)
    except logging_in.TooManyFailures:
        abort(429)
    db.session.commit()
    answer = make_response(see_other(url_for(".forgotten", sent="yes")))
    link_mail.mail_reset_after(answer, email, ip=ip)
    return answer


def open_link(token: str, *, purpose: str) -> AccessLink:
    link = links.find_link(db.session, token, purpose=purpose)
    if link is None:
        cause = links.why_closed(db.session, token, purpose=purpose)
        abort(make_response(render_error(cause, code=410), 410) if cause else 404)
    return link
