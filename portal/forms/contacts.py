"""A contact, a campaign, and a note about why contacts do not arrive, as forms."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import (
    BooleanField,
    DateTimeLocalField,
    EmailField,
    Field,
    FieldList,
    Form,
    FormField,
    SelectField,
    StringField,
    TextAreaField,
    ValidationError,
)
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its stubs
from wtforms.validators import Optional

from portal.contacts.body import values_of
from portal.contacts.items import DATE_FIELDS, MAX_ITEMS, MAX_SENDER, MAX_TEXT, TEXT_FIELDS, InvalidContact
from portal.contacts.notes import MAX_NOTE
from portal.forms.fields import at_most, line_field, one_line_end, strip, text_area
from portal.forms.opened import OpenedForm, plain
from portal.models import Campaign, Contact, User
from portal.rules.payload import MESSAGE


def text_field(label: Any, name: str, **render_kw: str) -> StringField:
    return StringField(label, [at_most(TEXT_FIELDS[name])], filters=[strip], render_kw=render_kw or None)


def date_field(label: Any) -> DateTimeLocalField:
    return DateTimeLocalField(
        label,
        [Optional()],  # a browser sends a date that is not filled in as an empty text
        format=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M"],
        render_kw={"step": "1"},
    )


class MessageForm(Form):
    """A message of the thread. Emptying it removes it."""

    sender_name = StringField(_l("Quem escreveu"), [at_most(MAX_SENDER)], filters=[strip])
    date = date_field(_l("Quando"))
    message = TextAreaField(_l("Mensagem"), [at_most(MAX_TEXT)], filters=[strip])
    pending = BooleanField(_l("Ainda não enviada"))

    def said(self) -> dict[str, Any]:
        """What was typed."""
        return _as_typed({name: field.data for name, field in self._fields.items()})


class ContactForm(OpenedForm):
    """Every field of the body that a person may set; dates are in the company's time zone."""

    name = line_field(_l("Nome"), 300)
    campaign = line_field(_l("Campanha"), 200, list="campanhas")
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

    thread = FieldList(FormField(MessageForm), max_entries=MAX_ITEMS)

    def validate_skills(self, field: Field) -> None:
        for number, (_skill, count) in enumerate(read_lines(field.data), 1):
            if count and not (count.isascii() and count.isdecimal()):
                raise ValidationError(_l("Linha %(number)d: depois do ponto e vírgula vai um número.", number=number))

    def offer(self, people: Sequence[User]) -> None:
        """The people a contact may belong to."""
        self.owner.choices = [SelectChoice(person.email, f"{person.name} ({person.email})") for person in people]

    def show(self, contact: Contact, zone: ZoneInfo) -> None:
        """Fill the fields with a contact as it is."""
        for name, value in _shown(contact, zone).items():
            self[name].data = value
        for message in _thread(contact, zone)[-SHOWN_MESSAGES:]:
            self.thread.append_entry(message)
        self.open_with(saved_in(contact, zone))
        self.thread.append_entry()

    def held(self, name: str) -> Any:
        """What was typed; of the thread, the messages with a text."""
        if name != "thread":
            return super().held(name)
        return [entry.form.said() for entry in self.thread if entry.form.message.data]

    def tell_changed(self, name: str, value: Any) -> None:
        """Say it of the thread at its last message: all of them together changed."""
        if name == "thread":
            self._blame_thread(CHANGED_THREAD)
        else:
            super().tell_changed(name, value)

    def item(self, contact: Contact | None, zone: ZoneInfo) -> dict[str, Any]:
        """The form in the body's shape, as `check_item` takes it; of a contact that exists, what is not as was shown.

        What nobody touched says nothing, whatever a browser or the form does to spaces, line ends and seconds.
        """
        shown = _shown(contact, zone) if contact else {}
        said = {field.name: field.data for field in self if field.name in FIELDS and not _is_same(field, shown)}
        item: dict[str, Any] = {"contact": {name: read(said[name]) for name, read in READERS.items() if name in said}}
        if contact is None:
            # What was left empty says nothing: the contact may exist already, under this LinkedIn id or e-mail.
            item["contact"] = {name: value for name, value in item["contact"].items() if value}
        else:
            item["contact"]["id"] = contact.id
        if "campaign" in said:
            item["campaign"] = {"name": said["campaign"]}
        if "owner" in said:
            item["contact_owner"] = {"email": said["owner"]}
        return item | self._messages(contact, zone)

    def _messages(self, contact: Contact | None, zone: ZoneInfo) -> dict[str, Any]:
        """The whole thread, when somebody changed it. An entry without a text does not count."""
        if not self.thread.entries:  # what asks did not have the thread before it
            return {}
        before = _thread(contact, zone) if contact else []
        written, shown = self.held("thread"), before[-SHOWN_MESSAGES:]
        if written == [_as_typed(message) for message in shown]:
            return {}
        return {"messages": [_in_body(message) for message in (*before[: len(before) - len(shown)], *written)]}

    def blame(self, error: InvalidContact) -> None:
        """Show at its field what the use case refused; of all messages together at the last."""
        if error.field == "messages":
            self._blame_thread(_l("As mensagens passam de 2.000, ou de 500.000 caracteres: apague algumas."))
            return
        name = error.field.removeprefix("contact.").partition(".")[0]
        blame(getattr(self, name, self.name), error)

    def _blame_thread(self, words: Any) -> None:
        self.thread.errors = [words]
        for last in self.thread.entries[-1:]:
            last.form.message.errors = [*last.form.message.errors, words]


def blame(field: Field, error: InvalidContact) -> None:
    """Say at the field what the use case refused."""
    field.errors = [*field.errors, INVALID_WORDS.get(error.problem, _l("Este valor não pode ser salvo."))]


INVALID_WORDS: Mapping[str, Any] = {
    "required": _l("Preencha este campo."),
    "taken": _l("Já existe uma campanha com este nome."),
    "too_long": _l("O texto é longo demais."),
    "surrogate": _l("O texto tem um caractere quebrado, que nenhum sistema consegue ler. Digite-o de novo."),
    "not_a_count": _l("O número de confirmações não é válido."),
    "not_a_date": _l("Esta data não é válida."),
}


# What was left out or mended when a contact was saved, by its problem.
NOTE_WORDS: Mapping[str, Any] = {
    "not_an_email": _l("O e-mail não foi salvo: o que foi digitado não é um endereço."),
    "not_a_profile": _l(
        "O LinkedIn não foi salvo: o que foi digitado não é um perfil, como linkedin.com/in/maria-silva."
    ),
    "marks_removed": _l("Caracteres invisíveis foram tirados do nome."),
    "merged_away": _l("Esta pessoa foi unida a este contato: ele só recebeu o que tinha em branco."),
}


CHANGED_THREAD = _l(
    "Depois que você abriu esta página, as mensagens mudaram. Para trocar todas pelas que estão aqui, salve de novo."
)
SHOWN_MESSAGES = 30  # The form holds the last messages of a long thread. The others stay as they are.


# The form's fields that are facts of the contact, each with the function that reads the fact.
READERS: Mapping[str, Callable[[Any], Any]] = {
    **dict.fromkeys((*TEXT_FIELDS, *DATE_FIELDS), lambda value: value),
    "skills": lambda text: [
        {"skill": skill, "endorsements": int(count) if count else None} for skill, count in read_lines(text)
    ],
    "experiences": lambda text: [
        {"experience": experience, "company_link": link} for experience, link in read_lines(text)
    ],
}
FIELDS = (*READERS, "campaign", "owner")


def _shown(contact: Contact, zone: ZoneInfo) -> dict[str, Any]:
    """What the form's fields hold of a contact as it is."""
    return {
        **values_of(contact, tuple(TEXT_FIELDS)),
        **{name: _local(moment, zone) for name, moment in values_of(contact, DATE_FIELDS).items()},
        "campaign": contact.campaign.name,
        "owner": contact.owner.email,
        "skills": write_lines(contact.skills, "skill", "endorsements"),
        "experiences": write_lines(contact.experiences, "experience", "company_link"),
    }


def saved_in(contact: Contact, zone: ZoneInfo) -> dict[str, Any]:
    """What is saved of the contact, by the form's fields."""
    thread = [_as_typed(message) for message in _thread(contact, zone)[-SHOWN_MESSAGES:]]
    return {**_shown(contact, zone), "thread": thread}


def _thread(contact: Contact, zone: ZoneInfo) -> list[dict[str, Any]]:
    return [values_of(message, MESSAGE) | {"date": _local(message.date, zone)} for message in contact.messages]


def _local(moment: datetime | None, zone: ZoneInfo) -> datetime | None:
    return moment.astimezone(zone) if moment else None


def _is_same(field: Field, shown: Mapping[str, Any]) -> bool:
    return field.name in shown and plain(field.data) == plain(shown[field.name])


def _as_typed(message: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in message.items()}


def _in_body(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message in the body's shape."""
    return {name: value for name, value in message.items() if name != "pending"} | {
        "pending_message": int(message["pending"])
    }


def read_lines(text: str | None) -> list[tuple[str, str | None]]:
    """`first; second` of each line that is not empty, the second None when there is none."""
    lines = [line.rpartition(";") if ";" in line else (line, "", "") for line in (text or "").splitlines()]
    return [(first.strip(), second.strip() or None) for first, _, second in lines if first.strip()]


def write_lines(items: Sequence[Mapping[str, Any]], first: str, second: str) -> str:
    """The reverse of `read_lines`."""
    return "\n".join(_write_line(item[first] or "", item.get(second)) for item in items)


def _write_line(first: str, second: Any) -> str:
    if second is not None:
        return f"{first}; {second}"
    return f"{first};" if ";" in first else first


class CampaignForm(OpenedForm):
    """A campaign's name and description, which every body of its contacts has."""

    name = line_field(_l("Nome"), 200)
    description = text_area(_l("Descrição"), MAX_TEXT)

    def show(self, campaign: Campaign) -> None:
        """Fill the fields with a campaign as it is."""
        self.name.data, self.description.data = campaign.name, campaign.description
        self.open_with(self.saved_in(campaign))

    @staticmethod
    def saved_in(campaign: Campaign) -> dict[str, Any]:
        """What is saved of the campaign, by the form's fields."""
        return {"name": campaign.name, "description": campaign.description}

    def said(self, campaign: Campaign) -> dict[str, Any]:
        """The name and the description; one that nobody touched is the stored one, with its spaces and line ends."""
        is_same = self.description.data == one_line_end(strip(campaign.description))
        return {"name": self.name.data, "description": campaign.description if is_same else self.description.data}

    def blame(self, error: InvalidContact) -> None:
        """Show at its field what the use case refused."""
        blame(self.description if error.field == "campaign.description" else self.name, error)


class NoteForm(FlaskForm):
    text = text_area(_l("Nota"), MAX_NOTE)
