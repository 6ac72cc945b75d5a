"""Files of contacts that the portal wrote itself: read to the letter, so that one comes back in and changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from portal.contacts.checking import DATE_FIELDS
from portal.contacts.table import UnreadableCell, fields_of, item_of
from portal.importing.dates import read_date
from portal.importing.reading import MAX_CELL
from portal.rules.formulas import unguard

KIND = "portal"


def is_own(header: Sequence[str]) -> bool:
    """Whether a table with these columns is one of ours, in whatever order they stand."""
    return fields_of(header) is not None


def read_own(header: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """A row in the body's shape, and the cells that do not hold what their column does: its path, and the text.

    A spreadsheet that saved the file again may have written its dates in another way, and its blanks as spaces.
    """
    paths = fields_of(header) or []
    texts = [unguard(cell) for cell in cells]
    said = {path: text for path, text in zip(paths, texts, strict=False) if text.strip()}
    refused = []
    for path, text in list(said.items()):
        if len(text) >= MAX_CELL:
            refused.append((path, said.pop(path)))
        elif path in DATE_FIELDS:
            said[path] = _as_written(text)
    while True:
        try:
            return item_of(said), refused
        except UnreadableCell as error:
            refused.append((error.field, said.pop(error.field)))


def _as_written(text: str) -> str:
    """The date as our tables write it; as it stands when it is none, for who checks it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        found = read_date(text)
        return found.isoformat(sep=" ") if found else text
    return text
