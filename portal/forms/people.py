"""People and access: logging in, invitations, one's own account, the second factor."""

from collections.abc import Mapping
from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import EmailField, PasswordField, SelectField, StringField
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs

from portal.forms.fields import TimezoneField, any_text, at_most, new_password_field, required, strip
from portal.i18n import LANGUAGES
from portal.models import ROLES


class LogInForm(FlaskForm):
    email = EmailField(
        _l("E-mail"), [required, at_most(254)], render_kw={"autocomplete": "username", "autofocus": True}
    )
    password = PasswordField(_l("Senha"), [any_text], render_kw={"autocomplete": "current-password"})


class ForgottenForm(FlaskForm):
    email = EmailField(_l("E-mail"), [required, at_most(254)], render_kw={"autocomplete": "username"})


class SetUpForm(FlaskForm):
    company = StringField(
        _l("Nome da empresa"),
        [required, at_most(200)],
        filters=[strip],
        render_kw={"autocomplete": "organization"},
    )
    name = StringField(_l("Seu nome"), [required, at_most(200)], filters=[strip], render_kw={"autocomplete": "name"})
    email = EmailField(_l("Seu e-mail"), [required, at_most(254)], render_kw={"autocomplete": "username"})
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
    name = StringField(_l("Nome"), [required, at_most(200)], filters=[strip], render_kw={"autocomplete": "off"})
    email = EmailField(_l("E-mail"), [required, at_most(254)], filters=[strip], render_kw={"autocomplete": "off"})
    role = role_field()


class RoleForm(FlaskForm):
    role = role_field()


class ProfileForm(FlaskForm):
    name = StringField(
        _l("Nome"),
        [required, at_most(200)],
        filters=[strip],
        description=_l("Vai também para o CRM, nos contatos pelos quais você é responsável."),
        render_kw={"autocomplete": "name"},
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
    email = EmailField(
        _l("E-mail novo"), [required, at_most(254)], filters=[strip], render_kw={"autocomplete": "email"}
    )
    current = current_password_field()


class OtherEmailForm(FlaskForm):
    email = EmailField(_l("E-mail"), [required, at_most(254)], filters=[strip], render_kw={"autocomplete": "off"})


def code_field(label: Any, **more: Any) -> StringField:
    keys = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false", **more}
    return StringField(label, [required, at_most(40)], render_kw=keys)


class CodeForm(FlaskForm):
    code = code_field(_l("Código de 6 dígitos"), autofocus=True)


class TurnOnForm(FlaskForm):
    code = code_field(_l("Código que o aplicativo mostra"))
    current = current_password_field()


class TurnOffForm(FlaskForm):
    current = current_password_field()
