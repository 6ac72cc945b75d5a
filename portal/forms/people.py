"""People and access: logging in, invitations, one's own account, the second factor."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs

from portal.forms.fields import TimezoneField, any_text, email_field, line_field, new_password_field
from portal.i18n import LANGUAGES
from portal.models import ROLES


class LogInForm(FlaskForm):
    email = email_field(_l("E-mail"), "username", autofocus=True)
    password = PasswordField(_l("Senha"), [any_text], render_kw={"autocomplete": "current-password"})


class ForgottenForm(FlaskForm):
    email = email_field(_l("E-mail"), "username")


class SetUpForm(FlaskForm):
    company = line_field(_l("Nome da empresa"), 200, autocomplete="organization")
    name = line_field(_l("Seu nome"), 200, autocomplete="name")
    email = email_field(_l("Seu e-mail"), "username")
    password = new_password_field(_l("Senha"))


class NewPasswordForm(FlaskForm):
    password = new_password_field(_l("Senha"))


ROLE_WORDS: Mapping[str, Any] = {"admin": _l("Administrador"), "member": _l("Membro")}


def role_field() -> SelectField:
    return SelectField(
        _l("Papel"),
        choices=[SelectChoice(role, ROLE_WORDS[role]) for role in ROLES],
        default="member",
        description=_l("Membros classificam contatos e veem as entregas. Administradores também configuram o portal."),
    )


class InvitationForm(FlaskForm):
    name = line_field(_l("Nome"), 200, autocomplete="off")
    email = email_field(_l("E-mail"), "off")
    role = role_field()


class RoleForm(FlaskForm):
    role = role_field()


class ProfileForm(FlaskForm):
    name = line_field(
        _l("Nome"),
        200,
        description=_l("Vai também para o CRM, nos contatos pelos quais você é responsável."),
        autocomplete="name",
    )
    language = SelectField(_l("Idioma"), choices=[SelectChoice(code, word) for code, word in LANGUAGES.items()])
    timezone = TimezoneField(
        _l("Fuso horário"),
        description=_l(
            "O fuso dos horários nas páginas. O que vai para o CRM segue o fuso da empresa. Para mudar, apague e "
            "digite o nome da cidade; vazio, vale o da empresa."
        ),
        render_kw={"placeholder": _l("O da empresa")},
    )


def current_password_field() -> PasswordField:
    return PasswordField(_l("Senha atual"), [any_text], render_kw={"autocomplete": "current-password"})


class ChangePasswordForm(FlaskForm):
    current = current_password_field()
    password = new_password_field(_l("Senha nova"))


class ChangeEmailForm(FlaskForm):
    email = email_field(_l("E-mail novo"), "email")
    current = current_password_field()


class OtherEmailForm(FlaskForm):
    email = email_field(_l("E-mail"), "off")


def code_field(label: Any, **more: Any) -> StringField:
    return line_field(label, 40, autocomplete="one-time-code", inputmode="numeric", spellcheck="false", **more)


class CodeForm(FlaskForm):
    code = code_field(_l("Código de 6 dígitos"), autofocus=True)


class TurnOnForm(FlaskForm):
    code = code_field(_l("Código que o aplicativo mostra"))
    current = current_password_field()


class TurnOffForm(FlaskForm):
    current = current_password_field()
