"""From a row of the file to a contact in the body's shape, and what was doubtful about its cells.

A cell that cannot be read is left out with a note and never loses the contact. A row is bad only when it names nobody
or when its cells cannot be told apart.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.contacts.alike import Alike
from portal.contacts.checking import DATE_FIELDS, TEXT_FIELDS, ContactItem, InvalidContact, check_item
from portal.importing.cells import is_rounded, read_label, read_level, read_link, read_phone, read_text
from portal.importing.dates import read_date
from portal.importing.layout import Layout
from portal.importing.reading import Record
from portal.rules.folding import fold
from portal.rules.identity import clean_text, email_address, has_marks, linkedin_id, says_nothing

NAMES = ("name", "first_name", "middle_name", "last_name")
PLACES = ("city", "state", "country")
CUT = {f"contact.{name}": TEXT_FIELDS[name] for name in ("name", "current_company", "role", "location")} | {
    "campaign.name": 200
}
"""Texts that are cut where they are too long, rather than left out."""
FOOTER = re.compile(
    r"(?:(?:sub|grand )?tota(?:l|is|les)\b|\d+ (?:records?|registros?|contat|contacts?|rows?|linhas?|results?|leads?)"
    r"|confiden[ct]ial\b|copyright\b|©|\(c\)|(?:generated|gerado|generado|exported|exportado|created|criado) "
    r"(?:by|on|at|from|por|em|el|de)\b|powered by\b|pag(?:e|ina) \d|end of|fim do|(?:fonte|source|fuente):"
    r"|filtered by\b|filtros?:|as of \d)"
)
"""How the lines begin that reports put below their table."""


@dataclass(frozen=True, slots=True)
class Note:
    """A cell that was left out or mended: its field, what was wrong, its column if there is one, and what it said."""

    field: str
    problem: str
    column: int | None
    said: str


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row comes to: a contact, or None for a row that is none, such as a total."""

    item: ContactItem | None
    notes: tuple[Note, ...] = ()


class RowReader:
    """Reads the rows of one file. `people` are the company's, by folded name; an e-mail of None is not certain."""

    def __init__(
        self,
        layout: Layout,
        columns: Sequence[str | None],
        *,
        zone: ZoneInfo,
        campaign: str | None,
        people: Mapping[str, str | None],
    ) -> None:
        self._layout = layout
        self._fields: dict[str, list[int]] = {}
        for index, name in enumerate(columns):
            if name is not None:
                self._fields.setdefault(name, []).append(index)
        self._names = [read_text(name).casefold() for name in layout.header]
        self._zone = zone
        self._campaign = campaign
        self._people = people
        self._alike = Alike()

    def read(self, record: Record) -> Reading:
        """The contact and the level of one row, with what was doubtful. Raises InvalidContact for a bad row."""
        if record.problem is not None:
            raise InvalidContact("", record.problem)
        if self._layout.delimiter is None:
            return self._read_json(record.cells[0])
        cells = [read_text(cell) for cell in record.cells]
        if reason := "footer" if record.is_below else self._is_no_contact(record, cells):
            said = " · ".join(filter(None, cells))
            return Reading(None, (Note("", reason, None, said),) if said else ())
        if any(cells[len(self._layout.header) :]):
            raise InvalidContact("", "extra_cells")
        row = _Row(self, cells)
        return self._checked(row.item(), row.notes, said_by=cells)

    def cells_of(self, cells: Sequence[str], field: str) -> Iterator[tuple[int, str]]:
        """The filled cells of a field's columns."""
        return ((index, cells[index]) for index in self._fields.get(field, ()) if index < len(cells) and cells[index])

    def owner_of(self, name: str) -> str | None:
        """The e-mail of the person of the company who alone has this name."""
        return self._people.get(fold(name))

    def is_month_first(self, column: int) -> bool:
        return column in self._layout.month_first

    @property
    def header(self) -> Sequence[str]:
        return self._layout.header

    @property
    def campaign(self) -> str | None:
        return self._campaign

    def _is_no_contact(self, record: Record, cells: Sequence[str]) -> str | None:
        """Why the row is no contact: nothing in it is imported, it is the header again, or the foot of a report."""
        filled = [cell for cell in cells if cell]
        if not any(any(self.cells_of(cells, field)) for field in self._fields):
            return "no_contact"
        if len(filled) > 1 and [cell.casefold() for cell in cells] == self._names:
            return "repeated_header"
        is_foot = FOOTER.match(fold(filled[0])) and not any(
            any(self.cells_of(cells, each)) for each in ("email", "linkedin")
        )
        return "footer" if is_foot and (len(filled) == 1 or "total" in fold(filled[0])) else None

    def _read_json(self, line: str) -> Reading:
        try:
            item = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidContact("", "not_json") from error
        if not isinstance(item, dict) or not isinstance(item.get("contact"), dict):
            raise InvalidContact("contact", "not_an_object")
        if self._campaign is not None and not item.get("campaign"):
            item["campaign"] = {"name": self._campaign}
        owner = item.get("contact_owner")
        if isinstance(owner, dict) and not owner.get("email") and not owner.get("name"):
            del item["contact_owner"]
        if item["contact"].get("interest_level") is None:
            item["contact"].pop("interest_level", None)  # no level is no order to remove one
        return self._checked(item, [], said_by=line)

    def _checked(self, item: dict[str, Any], notes: list[Note], *, said_by: Any) -> Reading:
        """The contact, without the values that are refused. Raises InvalidContact when it names nobody."""
        while True:
            try:
                checked = check_item(item, self._zone)
            except InvalidContact as error:
                notes.append(Note(error.field, error.problem, None, _leave_out(item, error)))
                continue
            for note in checked.notes:
                said = item["contact"].get(note.field.partition(".")[2])
                notes.append(Note(note.field, note.problem, None, _said(said)))
            return Reading(self._alike.number(checked, said_by), tuple(notes))


class _Row:
    """One row under way."""

    def __init__(self, reader: RowReader, cells: Sequence[str]) -> None:
        self._reader = reader
        self._cells = cells
        self.notes: list[Note] = []

    def item(self) -> dict[str, Any]:
        """The row in the body's shape."""
        facts: dict[str, Any] = {"name": self._name()}
        for name in ("current_company", "role"):
            facts[name] = self._text(name)
        facts["location"] = self._text("location") or ", ".join(filter(None, map(self._text, PLACES)))
        facts["current_company_link"] = self._first("current_company_link", lambda text, _: read_link(text), "")
        facts["phone"] = self._first("phone", self._phone, "not_a_phone")
        facts["email"] = self._first("email", lambda text, _: email_address(text), "not_an_email")
        facts["linkedin_public_id"] = self._first("linkedin", lambda text, _: linkedin_id(text), "not_a_profile")
        for name in DATE_FIELDS:
            facts[name] = self._first(name, self._date, "not_a_date")
        facts["interest_level"] = self._first("interest_level", lambda text, _: read_level(text), "unknown_level")
        item: dict[str, Any] = {"contact": {name: value for name, value in facts.items() if value or name == "name"}}
        if campaign := self._text("campaign") or self._reader.campaign:
            item["campaign"] = {"name": campaign}
        if owner := self._owner():
            item["contact_owner"] = owner
        return item

    def _text(self, field: str) -> str:
        return next((read_label(text) for _, text in self._reader.cells_of(self._cells, field)), "")

    def _name(self) -> str:
        whole, first, middle, last = map(self._text, NAMES)
        if not whole:
            is_whole = last and fold(first).endswith(f" {fold(last)}")
            whole = first if is_whole else " ".join(filter(None, (first, middle, last)))
        if has_marks(whole):
            self.notes.append(Note("contact.name", "marks_removed", None, whole))
        return clean_text(whole)

    def _first(self, field: str, read: Callable[[str, int], Any], problem: str) -> Any:
        """What the first cell of the field that can be read says. A note tells of the first, where none can."""
        refused: Note | None = None
        for column, text in self._reader.cells_of(self._cells, field):
            try:
                found = read(text, column)
            except ValueError:
                found = None
            if found is not None:
                return found
            if not says_nothing(text):
                said = "rounded" if is_rounded(text) else problem
                refused = refused or Note(f"contact.{field}", said, column, text)
        if refused:
            self.notes.append(refused)
        return None

    def _phone(self, text: str, _: int) -> str | None:
        return None if is_rounded(text) else read_phone(text)

    def _date(self, text: str, column: int) -> datetime | None:
        return read_date(text, month_first=self._reader.is_month_first(column))

    def _owner(self) -> dict[str, str | None] | None:
        name = self._text("owner_name")
        email = self._first("owner_email", lambda text, _: email_address(text), "not_an_email")
        if name and not email and "@" in name:
            name, email = "", email_address(name)
        if not email and name:
            email = self._reader.owner_of(name)
            if email is None:
                self.notes.append(Note("contact_owner.name", "unknown_owner", None, name))
        return {"email": email, "name": name or None} if email else None


def _leave_out(item: dict[str, Any], error: InvalidContact) -> str:
    """Take what was refused out of the item, or cut it. Returns what it said. Raises the error for what it needs."""
    if error.field in ("", "contact", "contact.id", "contact.name") and error.problem != "too_long":
        raise error
    part, _, rest = error.field.partition(".")
    name = rest.partition(".")[0]
    held = item[part] if part in ("contact", "campaign") and name else item
    said = held.pop(name if held is not item else part)
    if error.problem == "too_long" and error.field in CUT:
        held[name] = said[: CUT[error.field]]
    return _said(said)


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
