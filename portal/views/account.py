"""One's own account: name, language, e-mail and password; anybody chooses the language of the pages."""

from flask import Response, abort, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms.fields import text_of
from portal.forms.people import ChangeEmailForm, ChangePasswordForm, ProfileForm
from portal.i18n import LANGUAGE_COOKIE, LANGUAGES
from portal.mail import MailError
from portal.models import AccessLink, User
from portal.notices.telling import explain_error
from portal.people import emails, links, passwords, users
from portal.runtime import runtime
from portal.views.links import open_link
from portal.web import access, sessions
from portal.web.link_mail import link_to, send_link, tell_old_address
from portal.web.redirects import back_or, see_other

YEAR_SECONDS = 365 * 24 * 60 * 60

bp = access.Pages("account", __name__)


@bp.get("/account", access="member")
def index() -> ResponseReturnValue:
    return page()


@bp.post("/account", access="member")
def save() -> ResponseReturnValue:
    form = ProfileForm()
    if not form.validate_on_submit():
        return page(profile=form), 422
    chosen = {"language": form.language.data, "timezone": form.timezone.data or None}
    users.change_profile(db.session, own_user(), name=text_of(form.name), **chosen)
    db.session.commit()
    flash(_("Alterações salvas."), "success")
    return remember_language(make_response(see_other(url_for(".index"))), form.language.data)


@bp.post("/account/password", access="member")
def change_password() -> ResponseReturnValue:
    """Another password, for whoever knows the present one. Every other session ends."""
    form = ChangePasswordForm()
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return page(password=form), 422
    user = own_user()
    try:
        users.change_password(db.session, user, text_of(form.password), actor=access.current_actor())
    except passwords.InvalidAccount as error:
        form.password.errors = [error.sentence]
        return page(password=form), 422
    sessions.begin(user)
    flash(_("Senha trocada. As sessões em outros aparelhos terminaram."), "success")
    return see_other(url_for(".index"))


@bp.post("/account/email", access="member")
def ask_for_email() -> ResponseReturnValue:
    """Mail a link to another address, which whoever is logged in confirms by it."""
    form = ChangeEmailForm()
    if not is_mailing():
        return see_other(url_for(".index"))
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return page(email=form), 422
    recipient = text_of(form.email)
    try:
        token = emails.ask(db.session, own_user(), recipient, actor=access.current_actor())
    except passwords.InvalidAccount as error:
        form.email.errors = [error.sentence]
        return page(email=form), 422
    db.session.commit()
    link = link_to("account.confirm_email", token)
    try:
        send_link(own_user(), link, purpose="email", recipient=recipient)
    except MailError as error:
        links.take_back(db.session, token)
        db.session.commit()
        flash(_("O e-mail não foi enviado. %(reason)s Nada mudou.", reason=explain_error(str(error))), "error")
    else:
        flash(
            _("Enviamos um link a %(email)s. O seu e-mail muda quando você o abre e confirma.", email=recipient),
            "success",
        )
    return see_other(url_for(".index"))


@bp.route("/account/email/<token>", methods=["GET", "POST"], access="member")
def confirm_email(token: str) -> ResponseReturnValue:
    """Take the address that the link was sent to. Who reads that mail has to be logged in as whom it was made for."""
    link = open_own_link_or_404(token)
    if request.method == "GET":
        return render_template("account/confirm_email.html", email=link.email)
    user = own_user()
    try:
        old = emails.confirm(db.session, link, actor=access.current_actor())
    except passwords.InvalidAccount as error:
        db.session.rollback()
        flash(error.sentence, "error")
        return see_other(url_for(".index"))
    sessions.begin(user)
    tell_old_address(user, old)
    flash(_("E-mail trocado. As sessões em outros aparelhos terminaram."), "success")
    return see_other(url_for(".index"))


def open_own_link_or_404(token: str) -> AccessLink:
    """The link, if whoever is logged in is the one whom it was made for."""
    link = open_link(token, purpose="email")
    if link.user_id != current_user.id:
        abort(404)
    return link


def own_user() -> User:
    """Whoever is logged in, as a row of the present transaction."""
    return db.session.get_one(User, current_user.id)


def is_mailing() -> bool:
    return runtime().settings.smtp_url is not None


def page(
    *,
    profile: ProfileForm | None = None,
    email: ChangeEmailForm | None = None,
    password: ChangePasswordForm | None = None,
) -> str:
    new_email = email or ChangeEmailForm(formdata=None)
    new_email.current.id = "senha-email"  # the page has another
    language, timezone = current_user.locale or str(get_locale()), current_user.timezone or ""
    stored = {"name": current_user.name, "language": language, "timezone": timezone}
    return render_template(
        "account/index.html",
        profile=profile or ProfileForm(formdata=None, **stored),
        email=new_email,
        password=password or ChangePasswordForm(formdata=None),
        is_mailing=is_mailing(),
    )


@bp.post("/language", access="public")
def choose_language() -> ResponseReturnValue:
    """The language of the pages, for anybody."""
    chosen = request.form.get("language", "")
    if chosen not in LANGUAGES:
        abort(400)
    if current_user.is_authenticated:
        current_user.locale = chosen
        db.session.commit()
    return remember_language(make_response(back_or(url_for("home.index"))), chosen)


def remember_language(response: Response, language: str) -> Response:
    """The answer, with a cookie by which the browser keeps the language."""
    response.set_cookie(
        LANGUAGE_COOKIE,
        language,
        max_age=YEAR_SECONDS,
        httponly=True,
        samesite="Lax",
        secure=runtime().settings.secure_cookies,
    )
    return response
