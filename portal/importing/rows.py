"""From a row of the file to a contact in the body's shape, and what was doubtful about its cells.

A cell that cannot be read is left out with a note and never loses the contact. A row is bad only when it names nobody
or when its cells cannot be told apart.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.contacts.alike import Alike
from portal.contacts.checking import check_item
from portal.contacts.items import DATE_FIELDS, ContactItem, InvalidContact
from portal.importing.cells import (
    AFFIRMING,
    Note,
    is_hidden_name,
    is_rounded,
    put_name_together,
    put_phone_together,
    read_label,
    read_level,
    read_link,
    read_phone,
    read_site,
    read_text,
    split_mailbox,
    split_people,
)
from portal.importing.dates import read_date
from portal.importing.extras import TEXTS, note_cut_short, note_other_columns, note_others
from portal.importing.footers import find_reason
from portal.importing.formulas import without_formulas
from portal.importing.headings import NAMES, WITHIN_LINES, Cells, is_example_email
from portal.importing.naming import is_of_linkedin
from portal.importing.objects import read_object
from portal.importing.order import Order
from portal.importing.own import own_columns, path_of, read_own
from portal.importing.reading import Record
from portal.importing.refused import as_text, leave_out
from portal.importing.tables import Tables
from portal.models import Company, User
from portal.rules.folding import fold
from portal.rules.formulas import unguard
from portal.rules.identity import email_address, linkedin_id, public_id, says_nothing, shows_link

# Facts with the field of their columns, what reads a cell, and the problem of a cell that cannot be read.
READERS: Sequence[tuple[str, str, Callable[..., Any], str]] = (
    ("current_company_link", "current_company_link", read_site, "not_a_site"),
    ("phone", "phone", read_phone, "not_a_phone"),
    ("email", "email", email_address, "not_an_email"),
    ("linkedin_public_id", "linkedin", linkedin_id, "not_a_profile"),
    *((name, name, read_date, "not_a_date") for name in DATE_FIELDS),
    ("interest_level", "interest_level", read_level, "unknown_level"),
)
IDENTIFIERS = ("email", "linkedin", "phone")
SITE = "current_company_link"  # a cell of this column is hardly ever none: of whom a row tells it does not say
_Cell = tuple[int, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row comes to: a contact, or None for a row that is none, such as a total."""

    item: ContactItem | None
    notes: tuple[Note, ...] = ()


class RowReader:
    """Reads the rows of an order's file. `people` are the company's, by folded name; an e-mail of None is not certain.

    Owners have one of these e-mails; where there are none, any.
    """

    def __init__(
        self, order: Order, *, zone: ZoneInfo, people: Mapping[str, str | None], emails: Collection[str] | None = None
    ) -> None:
        layout, columns = order.layout, order.columns
        self._layout = layout
        self._columns = [(index, field) for index, field in enumerate(columns) if field is not None]
        self._names = [read_text(name).casefold() for name in layout.header]
        self._is_own = bool(columns) and columns == own_columns(layout.header)
        self._zone = zone
        self.campaign = order.campaign
        self._people = people
        self._emails = emails
        self.alike = Alike()
        self._line = 0
        self.header: Sequence[str] = layout.header
        self.month_first = frozenset(layout.month_first)
        self.texts = [name for name in TEXTS if name in columns]
        self.places = [name for name in ("city", "state", "country") if name in columns]
        self.has_campaigns = any(field == "campaign" and index in layout.filled for index, field in self._columns)
        self.has_owners = not {"owner_name", "owner_email"}.isdisjoint(columns)
        self.readers = [each for each in READERS if each[1] in columns]
        self._telling = [each for each in self.readers if each[1] != SITE]
        self._tables = Tables(dict(self._columns), self._names, self._telling)

    def read(self, record: Record) -> Reading:
        """The contact and the level of one row, with what was doubtful. Raises InvalidContact for a bad row."""
        if record.problem is not None:
            raise InvalidContact("", record.problem)
        self._line = record.line
        if self._layout.delimiter is None:
            return self._checked(*read_object(record.cells[0]), said_by=record.cells[0])
        if self._is_own:
            return self._read_own(record.cells)
        cells = [read_text(cell) for cell in record.cells]
        said_of = self._cells_of_fields(cells)
        is_at_top = record.line <= self._layout.header_line + WITHIN_LINES and not self._tables.has_people
        readers = self._telling if is_at_top else ()
        reason = "footer" if record.is_below else find_reason(cells, self._names, said_of, readers)
        if reason == "repeated_header":
            self._tables.begin_again()
        if reason := reason or self._tables.find_header(record, cells, said_of):
            said = " · ".join(filter(None, cells))
            return Reading(None, (Note("", reason, None, said),) if said else ())
        if any(cells[len(self._layout.header) :]):
            raise InvalidContact("", "extra_cells")
        row = _Row(self, *without_formulas(said_of), record.cells)
        if self._tables.may_begin_part(cells, said_of):
            row.notes.append(Note("contact.name", "perhaps_title", *said_of["name"][0]))
        return self._checked(row.item(), row.notes, said_by=cells)

    def _cells_of_fields(self, cells: Sequence[str]) -> Cells:
        said_of: dict[str, list[_Cell]] = {}
        for index, field in self._columns:
            if index < len(cells) and (cell := cells[index]):
                said_of.setdefault(field, []).append((index, cell))
        if "phone" in said_of and (areas := said_of.get("area_code")):
            said_of["phone"] = [(index, put_phone_together(areas, index, text)) for index, text in said_of["phone"]]
        return said_of

    def owner_of(self, name: str) -> str | None:
        """The e-mail of the person of the company who alone has this name."""
        return self._people.get(fold(name))

    def columns_of(self, field: str) -> list[int]:
        """The columns that hold this field."""
        return [index for index, each in self._columns if each == field]

    def _read_own(self, cells: Sequence[str]) -> Reading:
        item, refused = read_own(self._layout.header, cells)
        number = item["contact"].pop("id", None)
        if not item.get("contact_owner", {}).get("email"):
            item.pop("contact_owner", None)
        notes = [Note(path_of(column), problem, None, said) for column, problem, said in refused]
        reading = self._checked(item, notes, said_by=cells)
        return replace(reading, item=reading.item and replace(reading.item, likely_id=number))

    def _checked(self, item: dict[str, Any], notes: list[Note], *, said_by: Any) -> Reading:
        """The contact, without the values that are refused. Raises InvalidContact when it names nobody."""
        if is_hidden_name(item["contact"].get("name")):
            raise InvalidContact("contact.name", "name_hidden")
        if self.campaign is not None and not item.get("campaign"):
            item["campaign"] = {"name": self.campaign}
        while True:
            try:
                checked = check_item(item, self._zone)
            except InvalidContact as error:
                notes.append(Note(error.field, error.problem, None, leave_out(item, error, mended=len(notes))))
                continue
            for note in checked.notes:
                said = item["contact"].get(note.field.partition(".")[2])
                notes.append(Note(note.field, note.problem, None, as_text(said)))
            if checked.owner and self._emails is not None and checked.owner.email not in self._emails:
                notes.append(Note("contact_owner.email", "not_of_company", None, checked.owner.email))
                checked = replace(checked, owner=None)
            if first := self.alike.described_before(checked, self._line):
                said = checked.campaign_facts["description"]
                notes.append(Note("campaign.description", "described_before", None, said, first))
                checked = replace(checked, campaign_facts={})
            return Reading(self.alike.number(checked, said_by, self._line), tuple(notes))


class _Row:
    """One row under way."""

    def __init__(self, reader: RowReader, said_of: Cells, notes: list[Note], written: Sequence[str]) -> None:
        self._reader = reader
        self._said_of = said_of
        self._written = written
        self.notes = notes

    def item(self) -> dict[str, Any]:
        """The row in the body's shape."""
        facts: dict[str, Any] = {name: split_mailbox(self._text(name))[0] for name in self._reader.texts}
        whole, first, middle = map(self._text, NAMES[:-1])
        name = put_name_together(whole, first, middle, self._last_name())
        facts["name"], beside, more = split_people(name, self._text("email"))
        facts["location"] = facts.get("location") or ", ".join(filter(None, map(self._text, self._reader.places)))
        for name, field, read, problem in self._reader.readers:
            if field in self._said_of:
                facts[name] = self._first(field, read, problem)
        facts["email"] = facts.get("email") or email_address(beside)
        if more:
            self.notes.append(Note("contact.name", "first_of_several", None, more))
        else:
            self.notes += note_others(self._said_of, facts, beside)
        self.notes += note_other_columns(self._said_of)
        self.notes += note_cut_short(self._said_of, self._written)
        if is_example_email(facts.get("email")):
            self.notes.append(Note("contact.email", "example_email", None, facts["email"]))
        facts["linkedin_public_id"] = facts.get("linkedin_public_id") or self._linked_id()
        item: dict[str, Any] = {"contact": {name: value for name, value in facts.items() if value or name == "name"}}
        if campaign := self._text("campaign") or self._reader.campaign:
            item["campaign"] = {"name": campaign}
            self._reader.has_campaigns = True  # an import that is older than `Layout.filled` has no sign of it before
        elif self._reader.has_campaigns:
            self.notes.append(Note("campaign.name", "no_campaign", self._reader.columns_of("campaign")[0], ""))
        if description := self._text("campaign_description"):
            item.setdefault("campaign", {})["description"] = description
        if self._reader.has_owners and (owner := self._owner()):
            item["contact_owner"] = owner
        if "message" in self._said_of:
            item["messages"] = [self._message(column) for column, _ in self._said_of["message"]]
        return item

    def _message(self, column: int) -> dict[str, Any]:
        """A message with its lines as they are written, its date and its sender."""
        date, sender = (self._beside(column, field) for field in ("message_date", "message_sender"))
        text = unguard(self._written[column]).strip()
        sent_at = self._first("message_date", read_date, "not_a_date", cells=[date]) if date else None
        return {"message": text, "date": sent_at, "sender_name": read_label(sender[1]) if sender else None}

    def _beside(self, column: int, field: str) -> _Cell | None:
        """The cell that says more of a message: of as many columns as messages have the one in its place."""
        messages, more = (self._reader.columns_of(each) for each in ("message", field))
        place = messages.index(column) if len(more) == len(messages) else 0
        return next((cell for cell in self._said_of.get(field, ()) if cell[0] in more[place : place + 1]), None)

    def _text(self, field: str) -> str:
        found = self._said_of.get(field)
        return read_label(found[0][1]) if found else ""

    def _last_name(self) -> str:
        """The last name, which may stand in several columns."""
        return " ".join(dict.fromkeys(read_label(text) for _, text in self._said_of.get("last_name", ())))

    def _linked_id(self) -> str | None:
        """The profile that a name leads to."""
        names = (text for name in NAMES for _, text in self._said_of.get(name, ()))
        links = [text for text in names if text.startswith("=") or "(http" in text]
        return next(filter(None, map(linkedin_id, map(read_link, links))), None)

    def _first(self, field: str, read: Callable[..., Any], problem: str, *, cells: Sequence[_Cell] = ()) -> Any:
        """What the first of the field's cells that can be read says. A note tells of the first, where none can."""
        refused: Note | None = None
        said = cells or self._said_of.get(field, ())
        if len(said) > 1 and read is linkedin_id:  # some tools write a member's key beside the id that others know
            said = sorted(said, key=lambda cell: public_id(cell[1]) is None)
        for column, text in said:
            is_month_first = read is read_date and column in self._reader.month_first
            try:
                if read is linkedin_id and text.startswith("@") and not is_of_linkedin(self._reader.header[column]):
                    raise ValueError(text)
                found = read(text, month_first=True) if is_month_first else read(text)
            except ValueError:
                found = None
            if found is not None:
                return found
            is_link = field == "linkedin" and shows_link(text)
            is_unclear = field not in IDENTIFIERS and fold(text) in AFFIRMING
            if problem and (is_link or is_unclear or not says_nothing(text)):
                kind = "link_lost" if is_link else "rounded" if is_rounded(text) else problem
                refused = refused or Note(f"contact.{field}", kind, column, text)
        if refused:
            self.notes.append(refused)
        return None

    def _owner(self) -> dict[str, str | None] | None:
        name = self._text("owner_name")
        email = self._first("owner_email", email_address, "not_an_email")
        if name and not email and "@" in name:
            name, email = "", email_address(name)
        if not email and name:
            email = self._reader.owner_of(name)
            if email is None:
                self.notes.append(Note("contact_owner.name", "unknown_owner", None, name))
        return {"email": email, "name": name or None} if email else None


def row_reader(session: Session, company_id: int, order: Order) -> RowReader:
    """What reads the rows of a file for this company."""
    named = session.execute(select(User.name, User.email).where(User.company_id == company_id)).all()
    people: dict[str, str | None] = {}
    for name, email in named:
        people[fold(name)] = None if fold(name) in people else email
    emails = None if order.makes_owners else {email for _, email in named}
    zone = ZoneInfo(session.get_one(Company, company_id).timezone)
    return RowReader(order, zone=zone, people=people, emails=emails)
