"""A second table below the first one, with other columns: its header is told, and no row of it becomes a contact."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from portal.contacts.items import InvalidContact
from portal.importing.footers import may_be_title
from portal.importing.headings import NAMES, Cells, Reader, is_read
from portal.importing.naming import MAYBE_NAMES, SURE_NAMES, by_name
from portal.importing.reading import Record
from portal.rules.identity import says_nothing


class Tables:
    """Which table of a file its rows belong to, told one after the other.

    `columns` are the fields of the first one, `names` its header in lower case.
    """

    def __init__(self, columns: Mapping[int, str], names: Sequence[str], readers: Sequence[Reader]) -> None:
        self._columns = columns
        self._names = names
        sure = [(field, read) for _, field, read, _ in readers]
        self._readers = sorted(sure, key=lambda each: each[0] != "email")  # what most rows have, and is told soonest
        self._is_other = self._is_named = False
        self._is_alone = True  # whether the row before said a name and nothing else
        self._has_short_names = False  # so far: somebody is called by a single word
        self.has_people = False  # so far: what is left out then is none that explains the columns

    def begin_again(self) -> None:
        """The header of the first table stands here once more."""
        self._is_other = False

    def find_header(self, record: Record, cells: Sequence[str], fields: Cells) -> str | None:
        """Why a row is no contact: it is a header, of the first table in other words or of another one.

        Raises InvalidContact for a row of another table. Where no name of its header is known, the first table goes on
        with a row that has something of a person in its column.
        """
        is_ours = any(is_read(field, read, text) for field, read in self._readers for _, text in fields.get(field, ()))
        self.has_people = self.has_people or is_ours
        if is_ours and not self._has_short_names:
            self._has_short_names = any(" " not in text for _, text in fields.get("name", ()))
        if is_ours and not (self._is_other and self._is_named):
            self._is_other = False
            return None
        if (found := self._begin(record, cells, fields)) is None and self._is_other:
            raise InvalidContact("", "of_other_table")
        return found

    def may_begin_part(self, cells: Sequence[str], fields: Cells) -> bool:
        """Whether somebody's row says a name alone, as none before it did, that is rather the title of those below."""
        was_alone, self._is_alone = self._is_alone, fields.keys() == {"name"} and sum(map(bool, cells)) == 1
        is_first = self._is_alone and not was_alone and self.has_people
        return is_first and may_be_title(fields["name"][0][1], has_short_names=self._has_short_names)

    def _begin(self, record: Record, cells: Sequence[str], fields: Cells) -> str | None:
        names = [text for field in NAMES for _, text in fields.get(field, ())]
        is_label = all(map(_field_called, names))
        if not (is_label or record.is_after_gap):
            return None
        filled = {column: cell for column, cell in enumerate(cells) if cell}
        named = {column: field for column, cell in filled.items() if (field := _field_called(cell))}
        is_named = is_label and len(named) > 1 and len(named) * 2 >= len(filled)
        is_odd = not self._is_other and all(map(_is_title, filled.values())) and self._is_unreadable(fields)
        if not (is_named or is_odd):
            return None
        self._is_named = is_named
        is_same = (self._is_called(column, cell) for column, cell in filled.items() if column in self._columns)
        self._is_other = not all(is_same)
        return "other_table" if self._is_other else "repeated_header"

    def _is_called(self, column: int, cell: str) -> bool:
        """Whether a name is the first table's for the column, or says the same field or another part of a name."""
        ours, field = self._columns[column], _field_called(cell)
        return cell.casefold() == self._names[column] or ours == field or {ours, field} <= set(NAMES)

    def _is_unreadable(self, fields: Cells) -> bool:
        """Whether a cell is not what its column holds, and says something."""
        return any(
            not says_nothing(text) and _read(read, text) is None
            for field, read in self._readers
            for _, text in fields.get(field, ())
        )


def _field_called(cell: str) -> str | None:
    """The field of a name; `Lead 12` is somebody's whose name is not known."""
    return None if _has_digits(cell) else by_name(cell, SURE_NAMES) or by_name(cell, MAYBE_NAMES)


def _is_title(cell: str) -> bool:
    return not cell[:1].islower() and not _has_digits(cell)


def _has_digits(cell: str) -> bool:
    return any(map(str.isdecimal, cell))


def _read(read: Callable[..., Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError:
        return None
