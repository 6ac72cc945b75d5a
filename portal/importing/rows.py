"""From a row of the file to a contact in the body's shape, or to what is wrong with the row."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from portal.contacts.checking import DATE_FIELDS, ContactItem, InvalidContact, check_item
from portal.importing.layout import Layout
from portal.importing.reading import Record
from portal.rules.folding import fold

LEVEL_WORDS = {
    **dict.fromkeys(("1", "baixo", "baixa", "low"), 1),
    **dict.fromkeys(("2", "medio", "media", "medium"), 2),
    **dict.fromkeys(("3", "alto", "alta", "high"), 3),
}
PLAIN_FIELDS = ("phone", "current_company", "current_company_link", "role")
MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan",
            "feb fev",
            "mar",
            "apr abr",
            "may mai",
            "jun",
            "jul",
            "aug ago",
            "sep set",
            "oct out",
            "nov",
            "dec dez",
        ),
        1,
    )
    for name in names.split()
}
PROFILE = re.compile(r"linkedin\.com/(?:in|pub)/([^/?#\s]+)", re.IGNORECASE)
NAMED_MONTH = re.compile(r"^(\d{1,2})[ -](?:de )?([^\W\d_]{3})[^\W\d_]*\.?,?[ -](?:de )?(\d{4})$")
NUMBERS = re.compile(r"^(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:,? +(\d{1,2}):(\d{2})(?::(\d{2}))?)?$")
ISO = re.compile(r"^\d{4}-\d{2}-\d{2}([ T]\d{1,2}:\d{2}.*)?$")
EMAIL = re.compile(r"^[^\s@,;]+@[^\s@,;]+\.[^\s@,;]+$")
GUARDED = re.compile(r"^'(?=[=+\-@\t\r＝＋－＠])")
"""The mark that our own tables put before what a spreadsheet would take for a formula."""


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
        self._zone = zone
        self._campaign = campaign
        self._people = people

    def read(self, record: Record) -> ContactItem:
        """The contact and the level of one row. Raises InvalidContact."""
        if record.problem is not None:
            raise InvalidContact("", record.problem)
        if self._layout.delimiter is None:
            return self._read_json(record.cells[0])
        if any(cell.strip() for cell in record.cells[len(self._layout.header) :]):
            raise InvalidContact("", "extra_cells")
        return check_item(self._read_cells(record.cells), self._zone)

    def _read_json(self, line: str) -> ContactItem:
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
        return check_item(item, self._zone)

    def _read_cells(self, cells: Sequence[str]) -> dict[str, Any]:
        found = {name: self._first(cells, indexes) for name, indexes in self._fields.items()}
        given = {name: text for name, text in found.items() if text}
        facts: dict[str, Any] = {name: given[name] for name in PLAIN_FIELDS if name in given}
        facts["name"] = given.get("name") or _join(given, ("first_name", "last_name"), " ")
        if location := given.get("location") or _join(given, ("city", "state", "country"), ", "):
            facts["location"] = location
        if "email" in given:
            facts["email"] = read_email(given["email"], "contact.email")
        if "linkedin" in given:
            facts["linkedin_public_id"] = read_profile(given["linkedin"])
        for name in DATE_FIELDS:
            if name in given:
                facts[name] = read_date(given[name], f"contact.{name}")
        item: dict[str, Any] = {"contact": facts}
        if campaign := given.get("campaign") or self._campaign:
            item["campaign"] = {"name": campaign}
        if owner := self._owner(given):
            item["contact_owner"] = owner
        if "interest_level" in given:
            facts["interest_level"] = read_level(given["interest_level"])
        return item

    def _first(self, cells: Sequence[str], indexes: Iterable[int]) -> str:
        """The first of these cells that holds anything, on one line and without outer space."""
        for index in indexes:
            if index < len(cells) and (text := " ".join(GUARDED.sub("", cells[index].strip()).split())):
                return text
        return ""

    def _owner(self, given: Mapping[str, str]) -> dict[str, str | None] | None:
        name, email = given.get("owner_name"), given.get("owner_email")
        if name and not email and "@" in name:
            name, email = None, name
        if email:
            return {"email": read_email(email, "contact_owner.email"), "name": name}
        if not name:
            return None
        known = self._people.get(fold(name))
        if known is None:
            raise InvalidContact("contact_owner.name", "unknown_owner")
        return {"email": known, "name": name}


def read_level(text: str) -> int:
    """A level by its number or its word, in Portuguese or English. Raises InvalidContact."""
    level = LEVEL_WORDS.get(fold(text))
    if level is None:
        raise InvalidContact("contact.interest_level", "unknown_level")
    return level


def read_email(text: str, field: str) -> str:
    """The first address of a cell. Raises InvalidContact."""
    email = re.split(r"[,;\s]+", text.strip(" ,;"))[0]
    if not EMAIL.match(email):
        raise InvalidContact(field, "not_an_email")
    return email


def read_profile(text: str) -> str:
    """A profile's public id, from its address or as it is. Raises InvalidContact."""
    if found := PROFILE.search(text):
        return unquote(found[1])
    if "/" in text or " " in text:
        raise InvalidContact("contact.linkedin_public_id", "not_a_profile")
    return text


def read_date(text: str, field: str) -> datetime:
    """A date, with its time if it has one: `12 Mar 2024`, `12/03/2024 14:30` (the day first), or ISO 8601.

    Raises InvalidContact.
    """
    try:
        if found := NAMED_MONTH.match(text):
            return datetime(int(found[3]), MONTHS[fold(found[2])], int(found[1]))
        if found := NUMBERS.match(text):
            day, month, year, hour, minute, second = (int(part or 0) for part in found.groups())
            return datetime(year, month, day, hour, minute, second)
        if ISO.match(text):
            return datetime.fromisoformat(text)
    except (KeyError, ValueError):
        pass
    raise InvalidContact(field, "not_a_date")


def _join(given: Mapping[str, str], names: Sequence[str], between: str) -> str:
    return between.join(given[name] for name in names if name in given)
