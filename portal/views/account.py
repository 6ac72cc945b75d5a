"""One's own account: name, language, e-mail, password and second factor; anybody chooses the language of the pages."""

from datetime import timedelta

import segno
from flask import Response, abort, flash, make_response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_login import current_user

from portal.database.db import db
from portal.forms.fields import said, text_of
from portal.forms.people import ChangeEmailForm, ChangePasswordForm, ProfileForm, TurnOffForm, TurnOnForm
from portal.i18n import LANGUAGE_COOKIE, LANGUAGES
from portal.mail import MailError
from portal.models import User
from portal.notices.telling import explain_error
from portal.people import emails, links, passwords, second_factor, users
from portal.runtime import runtime
from portal.views.auth import open_link
from portal.web import access, sessions
from portal.web.link_mail import link_to, send_link, tell_old_address
from portal.web.redirects import back_or, done, see_other, told

YEAR = timedelta(days=365)

bp = access.Pages("account", __name__)


@bp.get("/account", access="member")
def index() -> ResponseReturnValue:
    return page()


@bp.post("/account", access="member")
def save() -> ResponseReturnValue:
    form = ProfileForm()
    if not form.validate_on_submit():
        return page(profile=form), 422
    users.change_profile(db.session, own_user(), **said(form) | {"timezone": form.timezone.data or None})
    db.session.commit()
    flash(_("Alterações salvas."), "success")
    return remember_language(see_other(url_for(".index")), form.language.data)


@bp.post("/account/password", access="member")
def change_password() -> ResponseReturnValue:
    """Change the password of somebody who knows the present one. Every other session ends."""
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
    return told(_("Senha trocada. As sessões em outros aparelhos terminaram."), "success", url_for(".index"))


@bp.post("/account/email", access="member")
def ask_for_email() -> ResponseReturnValue:
    """Mail a link to the new address. The reader confirms the address by opening it."""
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
        words = _("O e-mail não foi enviado. %(reason)s Nada mudou.", reason=explain_error(str(error)))
        return told(words, "error", url_for(".index"))
    words = _("Enviamos um link a %(email)s. O seu e-mail muda quando você o abre e confirma.", email=recipient)
    return told(words, "success", url_for(".index"))


@bp.route("/account/email/<token>", methods=["GET", "POST"], access="member")
def confirm_email(token: str) -> ResponseReturnValue:
    """Take the address that the link was sent to. It works for the person it was made for, logged in."""
    link = open_link(token, purpose="email")
    if link.user_id != current_user.id:
        abort(404)
    if request.method == "GET":
        return render_template("account/confirm_email.html", email=link.email)
    user = own_user()
    try:
        old = emails.confirm(db.session, link, actor=access.current_actor())
    except passwords.InvalidAccount as error:
        db.session.rollback()
        return told(error.sentence, "error", url_for(".index"))
    sessions.begin(user)
    tell_old_address(user, old)
    return told(_("E-mail trocado. As sessões em outros aparelhos terminaram."), "success", url_for(".index"))


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
    return remember_language(back_or(url_for("home.index")), chosen)


def remember_language(answer: ResponseReturnValue, language: str) -> Response:
    """The answer, with a cookie by which the browser keeps the language for a year."""
    response, secure = make_response(answer), runtime().settings.secure_cookies
    response.set_cookie(LANGUAGE_COOKIE, language, max_age=YEAR, httponly=True, samesite="Lax", secure=secure)
    return response


@bp.get("/account/second-factor", access="member")
def show_second_factor() -> ResponseReturnValue:
    """Explain it, and show a secret to scan. The secret counts once a code proves that it was scanned."""
    if current_user.totp_secret is not None:
        return turn_off_page(TurnOffForm(formdata=None))
    secret = sessions.kept_draft() or sessions.keep_draft(second_factor.new_secret())
    return scan_page(TurnOnForm(formdata=None), secret)


@bp.post("/account/second-factor", access="member")
def turn_on() -> ResponseReturnValue:
    form, secret = TurnOnForm(), sessions.kept_draft()
    if current_user.totp_secret is not None:
        return see_other(url_for(".show_second_factor"))
    if secret is None:
        words = _("Esta chave perdeu a validade. Escaneie a nova.")
        return told(words, "warning", url_for(".show_second_factor"))
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return scan_page(form, secret), 422
    user, actor, code = own_user(), access.current_actor(), text_of(form.code)
    if not second_factor.turn_on(db.session, user, code, secret=secret, vault=runtime().vault, actor=actor):
        form.code.errors = [_("Este código não confere. Veja se o relógio do celular está certo e digite o próximo.")]
        return scan_page(form, secret), 422
    codes = second_factor.make_recovery_codes(db.session, user, actor=actor)
    sessions.begin(user)
    flash(_("Verificação em duas etapas ligada. Da próxima vez, o portal pede também o código."), "success")
    return render_template("account/recovery_codes.html", codes=codes)


@bp.post("/account/second-factor/codes", access="member")
def make_codes() -> ResponseReturnValue:
    """Make new recovery codes for somebody who knows the password. They are shown this once."""
    form = TurnOffForm()
    if current_user.totp_secret is None:
        return see_other(url_for(".show_second_factor"))
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return turn_off_page(TurnOffForm(formdata=None), form), 422
    codes = second_factor.make_recovery_codes(db.session, own_user(), actor=access.current_actor())
    db.session.commit()
    return render_template("account/recovery_codes.html", codes=codes)


@bp.post("/account/second-factor/remove", access="member")
def turn_off() -> ResponseReturnValue:
    form = TurnOffForm()
    if not form.validate_on_submit() or not sessions.is_confirmed(form.current):
        return turn_off_page(form), 422
    second_factor.turn_off(db.session, own_user(), actor=access.current_actor())
    return done(_("Verificação em duas etapas desligada."), url_for(".index"))


def turn_off_page(form: TurnOffForm, renewal: TurnOffForm | None = None) -> str:
    """The page that tells how many recovery codes are left, makes new ones, and turns the second factor off."""
    left = len(own_user().recovery_hashes or [])
    renewal = renewal or TurnOffForm(formdata=None)
    renewal.current.id = "senha-codigos"
    return render_template("account/turn_off.html", form=form, renewal=renewal, left=left)


def scan_page(form: TurnOnForm, secret: str) -> str:
    app_address = second_factor.app_address(secret, current_user.email)
    return render_template(
        "account/turn_on.html",
        form=form,
        app_address=app_address,
        image=segno.make(app_address, error="m").svg_data_uri(light="#fff", border=3, omitsize=True),
        secret=" ".join(secret[start : start + 4] for start in range(0, len(secret), 4)),
    )
