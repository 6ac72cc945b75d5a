"""A contact as the row of a table and back, so that a file of ours comes back in and changes nothing.

Texts stand as they are stored. Lists (skills, experiences, messages) stand as JSON, in the body's shape. Times are in
the company's time zone, to the microsecond where they have one, and name their offset only where the clock shows an
hour twice.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.contacts.items import DATE_FIELDS, TEXT_FIELDS
from portal.models import Contact, Message

# The columns, by the path of what they hold in the body, with their titles in Portuguese and in English.
TITLES: Mapping[str, tuple[str, str]] = {
    "id": ("Número no portal", "Portal number"),
    "name": ("Nome completo", "Full name"),
    "linkedin_public_id": ("LinkedIn", "LinkedIn"),
    "role": ("Cargo", "Job title"),
    "current_company": ("Empresa", "Company"),
    "current_company_link": ("Endereço da empresa", "Company link"),
    "location": ("Localização", "Location"),
    "email": ("E-mail", "Email"),
    "phone": ("Telefone", "Phone"),
    "interest_level": ("Nível de interesse", "Interest level"),
    "campaign.name": ("Campanha", "Campaign"),
    "campaign.description": ("Descrição da campanha", "Campaign description"),
    "contact_owner.name": ("Responsável", "Owner"),
    "contact_owner.email": ("E-mail do responsável", "Owner email"),
    "invite_date": ("Convite enviado em", "Invited at"),
    "accept_date": ("Convite aceito em", "Accepted at"),
    "collect_date": ("Inserido no sistema em", "Collected at"),
    "reply_date": ("Respondeu em", "Replied at"),
    "skills": ("Competências", "Skills"),
    "experiences": ("Experiências", "Experiences"),
    "messages": ("Mensagens", "Messages"),
}
LINK = "crm_url"
# A column for reading, behind the others, of a company that opens contacts in its CRM. It is not taken back.
LINK_TITLES = ("Link no CRM", "Link in the CRM")


class UnreadableCell(ValueError):
    """A cell does not hold what its column does. `field` is the column's path in the body."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def titles_of(language: str, *, with_link: bool = False) -> list[str]:
    """The header row."""
    place = 0 if language.startswith("pt") else 1
    return [titles[place] for titles in (*TITLES.values(), *([LINK_TITLES] if with_link else []))]


def fields_of(header: Sequence[str]) -> list[str] | None:
    """The paths of a header row's columns, whatever their order; None when it is not the header of our table."""
    for place in (0, 1):
        paths = {titles[place]: path for path, titles in TITLES.items()}
        known = paths | ({LINK_TITLES[place]: LINK} if LINK_TITLES[place] in header else {})
        if len(header) == len(known) and known.keys() == set(header):
            return [known[title] for title in header]
    return None


def row_of(contact: Contact, zone: ZoneInfo) -> list[str]:
    """The cells of a contact, in the order of the columns."""
    cells: dict[str, str] = {
        "id": str(contact.id),
        **{name: getattr(contact, name) or "" for name in TEXT_FIELDS},
        **{name: _time(getattr(contact, name), zone) for name in DATE_FIELDS},
        "interest_level": str(contact.interest_level or ""),
        "campaign.name": contact.campaign.name,
        "campaign.description": contact.campaign.description or "",
        "contact_owner.name": contact.owner.name,
        "contact_owner.email": contact.owner.email,
        "skills": _list(contact.skills),
        "experiences": _list(contact.experiences),
        "messages": _list([_said(message, zone) for message in contact.messages]),
    }
    return [cells[path] for path in TITLES]


def item_of(said: Mapping[str, str]) -> dict[str, Any]:
    """The filled cells of such a row, by the paths of their columns, in the body's shape. Raises UnreadableCell."""
    item: dict[str, Any] = {"contact": {}}
    for path, cell in said.items():
        try:
            value = READERS.get(path, str)(cell)
        except ValueError as error:
            raise UnreadableCell(path) from error
        part, _, name = path.rpartition(".")
        if path == "messages":
            item[path] = value
        else:
            item.setdefault(part or "contact", {})[name] = value
    return item


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdecimal()):
        raise ValueError(cell)
    return int(cell)


def _read_list(cell: str) -> list[Any]:
    value = json.loads(cell)
    if not isinstance(value, list):
        raise ValueError(cell)
    return value


READERS: Mapping[str, Callable[[str], Any]] = {
    **dict.fromkeys(("id", "interest_level"), _number),
    **dict.fromkeys(("skills", "experiences", "messages"), _read_list),
}


def _time(moment: datetime | None, zone: ZoneInfo) -> str:
    if moment is None:
        return ""
    local = moment.astimezone(zone)
    is_sure = local.replace(fold=0) == moment
    return (local.replace(tzinfo=None) if is_sure else local).isoformat(sep=" ")


def _list(items: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(items, ensure_ascii=False) if items else ""


def _said(message: Message, zone: ZoneInfo) -> dict[str, Any]:
    return {
        "sender_name": message.sender_name,
        "message": message.message,
        "date": _time(message.date, zone) or None,
        "pending_message": int(message.pending),
    }
