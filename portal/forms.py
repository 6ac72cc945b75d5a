"""What people type into pages: the fields, and what is wrong with them in the reader's language."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import (
    DateTimeLocalField,
    EmailField,
    Field,
    HiddenField,
    IntegerField,
    PasswordField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional

from portal.accounts import MAX_PASSWORD_LENGTH, MIN_PASSWORD_LENGTH
from portal.contact_items import DATE_FIELDS, TEXT_FIELDS, InvalidContact
from portal.i18n import LANGUAGES
from portal.models import ROLES, Contact, User

required = DataRequired(_l("Preencha este campo."))


any_text = InputRequired(_l("Preencha este campo."))
"""For passwords: spaces count."""


MOST_DAYS = 3650


def strip(value: str | None) -> str | None:
    """Without outer spaces; nothing at all is None."""
    return (value or "").strip() or None


def text_of(field: StringField) -> str:
    """What a valid field that must be filled holds."""
    return field.data or ""


def at_most(length: int) -> Length:
    return Length(max=length, message=_l("São no máximo %(max)d caracteres."))


def new_password_field(label: Any) -> PasswordField:
    return PasswordField(
        label,
        [any_text, Length(MIN_PASSWORD_LENGTH, MAX_PASSWORD_LENGTH, _l("Use de %(min)d a %(max)d caracteres."))],
        description=_l("De 8 a 128 caracteres. Uma frase comprida é melhor do que símbolos difíceis de lembrar."),
        render_kw={"autocomplete": "new-password", "minlength": MIN_PASSWORD_LENGTH, "maxlength": MAX_PASSWORD_LENGTH},
    )


class LogInForm(FlaskForm):
    email = EmailField(_l("E-mail"), [required, at_most(254)], render_kw={"autocomplete": "username"})
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


def current_password_field() -> PasswordField:
    return PasswordField(_l("Senha atual"), [any_text], render_kw={"autocomplete": "current-password"})


class ChangePasswordForm(FlaskForm):
    current = current_password_field()
    password = new_password_field(_l("Senha nova"))


def code_field(label: Any) -> StringField:
    keys = {"autocomplete": "one-time-code", "inputmode": "numeric", "spellcheck": "false"}
    return StringField(label, [required, at_most(20)], render_kw=keys)


class CodeForm(FlaskForm):
    code = code_field(_l("Código de 6 dígitos"))


class TurnOnForm(FlaskForm):
    secret = HiddenField(validators=[any_text])
    """Encrypted, so that the page cannot choose it."""
    code = code_field(_l("Código que o aplicativo mostra"))
    current = current_password_field()


class TurnOffForm(FlaskForm):
    current = current_password_field()


def days_field(label: Any, description: Any) -> IntegerField:
    return IntegerField(
        label,
        [any_text, NumberRange(1, MOST_DAYS, _l("São de %(min)d a %(max)d dias."))],
        description=description,
        render_kw={"inputmode": "numeric"},
    )


class RetentionForm(FlaskForm):
    keep_bodies_days = days_field(
        _l("Conteúdos e respostas, em dias"),
        _l("O que foi enviado e o que o CRM respondeu. Depois disso uma entrega não pode mais ser reenviada."),
    )
    keep_log_days = days_field(
        _l("Registro de entregas, em dias"), _l("Quando, para onde e com que resultado, sem o conteúdo.")
    )
    keep_audit_days = days_field(_l("Auditoria, em dias"), _l("Quem fez o quê no portal."))

    def validate_keep_log_days(self, field: IntegerField) -> None:
        if field.data and self.keep_bodies_days.data and field.data < self.keep_bodies_days.data:
            raise ValidationError(_l("O registro não pode durar menos do que os conteúdos que estão nele."))


class TokenForm(FlaskForm):
    label = StringField(
        _l("Para que serve"),
        [required, at_most(100)],
        filters=[strip],
        description=_l("Um nome para reconhecer o token depois, como “n8n” ou “planilha do financeiro”."),
        render_kw={"autocomplete": "off"},
    )
    user = SelectField(
        _l("Em nome de quem"),
        coerce=int,
        description=_l("O token pode o mesmo que esta pessoa, e o que ele fizer fica registrado em nome dela."),
    )

    def offer(self, people: Sequence[User]) -> None:
        """The people who may log in."""
        self.user.choices = [SelectChoice(each.id, f"{each.name}, {ROLE_WORDS[each.role or '']}") for each in people]


ACCOUNT_WORDS: Mapping[str, Any] = {
    "too_common": _l("Esta senha está entre as primeiras que alguém tentaria. Escolha outra."),
    "taken": _l("Alguém já entra no portal com este e-mail."),
    "not_an_email": _l("Este não é um endereço de e-mail válido."),
    "last_admin": _l("Esta é a única pessoa que administra a empresa. Antes, torne outra pessoa administradora."),
}
"""What the problems of `InvalidAccount` mean."""


class WebhookForm(FlaskForm):
    url = StringField(
        _l("URL de destino"),
        [required, at_most(4000)],
        filters=[strip],
        description=_l("O endereço que o seu CRM ou a sua automação criou para receber webhooks."),
        render_kw={"inputmode": "url", "autocomplete": "off", "spellcheck": "false", "placeholder": "https://"},
    )


def text_field(label: Any, name: str, **render_kw: str) -> StringField:
    return StringField(label, [at_most(TEXT_FIELDS[name])], filters=[strip], render_kw=render_kw or None)


def date_field(label: Any) -> DateTimeLocalField:
    return DateTimeLocalField(
        label,
        [Optional()],  # a browser sends a date that is not filled in as an empty text
        format=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"],
        render_kw={"step": "1"},
    )


class ContactForm(FlaskForm):
    """Every field of the body that a person may set; dates are in the company's time zone."""

    name = StringField(_l("Nome"), [required, at_most(300)], filters=[strip])
    campaign = StringField(_l("Campanha"), [required, at_most(200)], filters=[strip], render_kw={"list": "campanhas"})
    owner = SelectField(_l("Responsável"))
    linkedin_public_id = text_field(_l("Identificador no LinkedIn"), "linkedin_public_id", placeholder="maria-silva")
    role = text_field(_l("Cargo"), "role")
    current_company = text_field(_l("Empresa atual"), "current_company")
    current_company_link = text_field(_l("Endereço da empresa"), "current_company_link", inputmode="url")
    location = text_field(_l("Localização"), "location")
    email = EmailField(_l("E-mail"), [at_most(TEXT_FIELDS["email"])], filters=[strip])
    phone = text_field(_l("Telefone"), "phone", inputmode="tel")
    invite_date = date_field(_l("Convite enviado em"))
    accept_date = date_field(_l("Convite aceito em"))
    collect_date = date_field(_l("Inserido no sistema em"))
    reply_date = date_field(_l("Respondeu em"))
    skills = TextAreaField(
        _l("Competências"), description=_l("Uma por linha; depois de um ponto e vírgula, quantos confirmaram.")
    )
    experiences = TextAreaField(
        _l("Experiências"), description=_l("Uma por linha; depois de um ponto e vírgula, o endereço da empresa.")
    )

    def validate_skills(self, field: Field) -> None:
        for number, (_skill, count) in enumerate(read_lines(field.data), 1):
            if count and not (count.isascii() and count.isdecimal()):
                raise ValidationError(_l("Linha %(number)d: depois do ponto e vírgula vai um número.", number=number))

    def offer(self, people: Sequence[User]) -> None:
        """The people a contact may belong to."""
        self.owner.choices = [SelectChoice(person.email, f"{person.name} ({person.email})") for person in people]

    def show(self, contact: Contact, zone: ZoneInfo) -> None:
        """Fill the fields with a contact as it is."""
        for name in TEXT_FIELDS:
            self[name].data = getattr(contact, name)
        for name in DATE_FIELDS:
            moment: datetime | None = getattr(contact, name)
            self[name].data = moment.astimezone(zone) if moment else None
        self.campaign.data = contact.campaign.name
        self.owner.data = contact.owner.email
        self.skills.data = write_lines(contact.skills, "skill", "endorsements")
        self.experiences.data = write_lines(contact.experiences, "experience", "company_link")

    def item(self, contact_id: int | None) -> dict[str, Any]:
        """The form in the body's shape, as `contacts.save_contact` takes it."""
        facts: dict[str, Any] = {name: self[name].data for name in (*TEXT_FIELDS, *DATE_FIELDS)}
        facts["skills"] = [
            {"skill": skill, "endorsements": int(count) if count else None}
            for skill, count in read_lines(self.skills.data)
        ]
        facts["experiences"] = [
            {"experience": experience, "company_link": link} for experience, link in read_lines(self.experiences.data)
        ]
        if contact_id is None:
            # What was left empty says nothing: the contact may exist already, under this LinkedIn id or e-mail.
            facts = {name: value for name, value in facts.items() if value}
        else:
            facts["id"] = contact_id
        return {"contact": facts, "campaign": {"name": self.campaign.data}, "contact_owner": {"email": self.owner.data}}

    def blame(self, error: InvalidContact) -> None:
        """Show at its field what the use case refused."""
        name = error.field.removeprefix("contact.").partition(".")[0]
        message = INVALID_WORDS.get(error.problem, _l("Este valor não pode ser salvo."))
        field = getattr(self, name, self.name)
        field.errors = [*field.errors, message]


INVALID_WORDS: Mapping[str, Any] = {
    "required": _l("Preencha este campo."),
    "too_long": _l("O texto é longo demais."),
    "surrogate": _l("O texto tem um caractere quebrado, que nenhum sistema consegue ler. Digite-o de novo."),
    "not_a_count": _l("O número de confirmações não é válido."),
    "not_a_date": _l("Esta data não é válida."),
}


def read_lines(text: str | None) -> list[tuple[str, str | None]]:
    """`first; second` of each line that is not empty, the second None when there is none."""
    lines = [line.rpartition(";") if ";" in line else (line, "", "") for line in (text or "").splitlines()]
    return [(first.strip(), second.strip() or None) for first, _, second in lines if first.strip()]


def write_lines(items: Sequence[Mapping[str, Any]], first: str, second: str) -> str:
    """The reverse of `read_lines`."""
    return "\n".join(
        f"{item[first] or ''}; {item[second]}" if item.get(second) is not None else str(item[first] or "")
        for item in items
    )
