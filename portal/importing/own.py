"""Files of contacts that the portal wrote itself: read to the letter, so that one comes back in and changes nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from portal.contacts.items import DATE_FIELDS
from portal.contacts.table import LINK, UnreadableCell, fields_of, item_of
from portal.importing.dates import read_date
from portal.importing.reading import MAX_CELL
from portal.rules.formulas import unguard

KIND = "portal"
# What an import calls a column of ours, where that is not the column's path in the body; None: nothing of it.
FIELDS: dict[str, str | None] = {
    "id": "portal_number",
    "linkedin_public_id": "linkedin",
    "campaign.name": "campaign",
    "campaign.description": "campaign_description",
    "contact_owner.name": "owner_name",
    "contact_owner.email": "owner_email",
    LINK: None,
}
PROBLEMS = {"id": "unknown", "interest_level": "unknown_level"}


def is_own(header: Sequence[str]) -> bool:
    """Whether a table with these columns is one of ours, in whatever order they stand."""
    return fields_of(header) is not None


def own_columns(header: Sequence[str]) -> tuple[str | None, ...]:
    """What the columns of such a table hold; nothing for another table."""
    return tuple(FIELDS.get(path, path) for path in fields_of(header) or ())


def path_of(column: str) -> str:
    """The path in the body of what such a column holds."""
    return column if "." in column or column == "messages" else f"contact.{column}"


def read_own(header: Sequence[str], cells: Sequence[str]) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """A row in the body's shape, and the cells that do not hold what their column does: path, problem and text of each.

    A spreadsheet that saved the file again may have written its dates in another way, and its blanks as spaces.
    """
    texts = zip(fields_of(header) or (), map(unguard, cells), strict=False)
    said = {path: text for path, text in texts if text.strip() and path != LINK}
    refused = [(path, "too_long", said.pop(path)) for path in list(said) if len(said[path]) >= MAX_CELL]
    for path in DATE_FIELDS:
        if path in said:
            said[path] = _as_written(said[path])
    while True:
        try:
            return item_of(said), refused
        except UnreadableCell as error:
            refused.append((error.field, PROBLEMS.get(error.field, "not_a_list"), said.pop(error.field)))


def _as_written(text: str) -> str:
    """The date as our tables write it; as it stands when it is none, for who checks it."""
    try:
        datetime.fromisoformat(text)
    except ValueError:
        found = read_date(text)
        return found.isoformat(sep=" ") if found else text
    return text
