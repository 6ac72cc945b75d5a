"""A contact, as a form."""

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
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import Optional

from portal.contacts.checking import DATE_FIELDS, TEXT_FIELDS, InvalidContact
from portal.forms.fields import at_most, required, strip
from portal.models import Contact, User


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
        """The form in the body's shape, as `check_item` takes it."""
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


NOTE_WORDS: Mapping[str, Any] = {
    "not_an_email": _l("O e-mail não foi salvo: o que foi digitado não é um endereço."),
    "not_a_profile": _l(
        "O LinkedIn não foi salvo: o que foi digitado não é um perfil, como linkedin.com/in/maria-silva."
    ),
    "marks_removed": _l("Caracteres invisíveis foram tirados do nome."),
}
"""What was left out or mended when a contact was saved, by its problem."""


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
