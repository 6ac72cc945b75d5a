"""One's own account: name, language, password, and leaving everywhere."""

from flask import Blueprint, flash, make_response, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms import ACCOUNT_WORDS, ChangePasswordForm, ProfileForm, text_of
from portal.models import User
from portal.people import passwords, users
from portal.views.language import remember_language
from portal.web import access, sessions
from portal.web.redirects import see_other

bp = Blueprint("account", __name__, url_prefix="/account")


@bp.get("")
@access.member
def index() -> ResponseReturnValue:
    return page()


@bp.post("")
@access.member
def save() -> ResponseReturnValue:
    form = ProfileForm()
    if not form.validate_on_submit():
        return page(profile=form), 422
    current_user.name, current_user.locale = text_of(form.name), form.language.data
    current_user.timezone = form.timezone.data or None
    db.session.commit()
    flash(_("Alterações salvas."), "success")
    return remember_language(make_response(see_other(url_for(".index"))), form.language.data)


@bp.post("/password")
@access.member
def change_password() -> ResponseReturnValue:
    """Another password, for whoever knows the present one. Every other session ends."""
    form = ChangePasswordForm()
    if not form.validate_on_submit():
        return page(password=form), 422
    if not sessions.is_confirmed(form.current):
        form.current.errors = [_("A senha atual não confere.")]
        return page(password=form), 422
    user = db.session.get_one(User, current_user.id)
    try:
        users.change_password(db.session, user, text_of(form.password), actor=access.current_actor())
    except passwords.InvalidAccount as error:
        form.password.errors = [ACCOUNT_WORDS[error.problem]]
        return page(password=form), 422
    sessions.begin(user)
    flash(_("Senha trocada. As sessões em outros aparelhos terminaram."), "success")
    return see_other(url_for(".index"))


def page(*, profile: ProfileForm | None = None, password: ChangePasswordForm | None = None) -> str:
    language, timezone = current_user.locale or str(get_locale()), current_user.timezone or ""
    stored = {"name": current_user.name, "language": language, "timezone": timezone}
    return render_template(
        "account/index.html",
        profile=profile or ProfileForm(formdata=None, **stored),
        password=password or ChangePasswordForm(formdata=None),
    )
