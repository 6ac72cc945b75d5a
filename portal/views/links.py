"""Links that work once: the first set-up, an invitation, a new password. Each leads into the portal."""

from flask import abort, make_response, request
from flask.typing import ResponseReturnValue

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import NewPasswordForm, SetUpForm
from portal.models import AccessLink, User
from portal.people import links, passwords, users
from portal.runtime import runtime
from portal.views.auth import enter
from portal.web import access, proxied
from portal.web.errors import render_error
from portal.web.presentation import show_form

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
    link, user = open_link_of_user(token, purpose="invitation")
    form = NewPasswordForm()
    if form.validate_on_submit() and sets_password(form, link, user):
        return enter(user)
    return show_form("auth/invitation.html", form, user=user)


@bp.route("/reset/<token>", methods=["GET", "POST"], access="public")
def reset(token: str) -> ResponseReturnValue:
    """Choose another password, by a link that an admin made or a mail brought."""
    link, user = open_link_of_user(token, purpose="reset")
    form = NewPasswordForm()
    if form.validate_on_submit() and sets_password(form, link, user):
        return enter(user)
    return show_form("auth/reset.html", form, user=user)


def open_link(token: str, *, purpose: str) -> AccessLink:
    link = links.find_link(db.session, token, purpose=purpose)
    if link is None:
        cause = links.why_closed(db.session, token, purpose=purpose)
        abort(make_response(render_error(cause, code=410), 410) if cause else 404)
    return link


def open_link_of_user(token: str, *, purpose: str) -> tuple[AccessLink, User]:
    link = open_link(token, purpose=purpose)
    return link, access.or_404(link.user)


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
