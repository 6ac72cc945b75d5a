"""Links that work once: the first set-up, an invitation, a new password, and asking for one. Each leads in."""

from flask import abort, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import ForgottenForm, NewPasswordForm, SetUpForm
from portal.models import AccessLink, User
from portal.people import links, logging_in, passwords, users
from portal.runtime import runtime
from portal.views.auth import enter
from portal.web import access, link_mail, proxied
from portal.web.errors import render_error
from portal.web.presentation import show_form
from portal.web.redirects import see_other

bp = access.Pages("links", __name__)


@bp.route("/setup/<token>", methods=["GET", "POST"], access="public")
def set_up(token: str) -> ResponseReturnValue:
    link = open_link(token, purpose="setup")
    form = SetUpForm()
    if form.is_submitted() and (refusal := proxied.refusal_of(text_of(form.email))):
        form.form_errors.append(refusal)
    elif form.validate_on_submit():
        try:
            user = users.set_up(
                db.session,
                link,
                company=text_of(form.company),
                name=text_of(form.name),
                email=text_of(form.email),
                password=text_of(form.password),
                vault=runtime().vault,
                ip=request.remote_addr,
            )
        except passwords.InvalidAccount as error:
            db.session.rollback()
            form[error.field].errors = [error.sentence]
        else:
            return enter(user)
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
    if form.validate_on_submit() and sets_password(form, link, user):
        return enter(user)
    return show_form(f"auth/{purpose}.html", form, user=user)


@bp.get("/forgotten", access="public")
def forgotten() -> ResponseReturnValue:
    """Who forgot the password asks for a link by e-mail; without a mail server the page says whom to ask."""
    return render_template(
        "auth/forgotten.html",
        form=ForgottenForm(formdata=None),
        can_mail=link_mail.is_possible(),
        is_sent="sent" in request.args,
    )


@bp.post("/forgotten", access="public")
def ask() -> ResponseReturnValue:
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


def sets_password(form: NewPasswordForm, link: AccessLink, user: User) -> bool:
    """Set the password that the form holds; when it is refused, the form says why."""
    if refusal := proxied.refusal_of(user.email):
        form.form_errors.append(refusal)
        return False
    try:
        links.choose_password(db.session, link, user, text_of(form.password), ip=request.remote_addr)
    except passwords.InvalidAccount as error:
        form.password.errors = [error.sentence]
        return False
    return True
