"""What a row says and a contact cannot hold: it is taken out, or cut, and the rest enters."""

import json
from typing import Any

from portal.contacts.items import InvalidContact

# The last names of what is left out where it is too long: a part of it would be of somebody else, or lead elsewhere.
NEVER_CUT = frozenset(("linkedin_public_id", "email", "phone", "current_company_link", "company_link"))
# What an item of a list is about: without it nothing of the item enters.
SUBJECTS = frozenset(("message", "skill", "experience"))


MOST_MENDED = 20  # parts of one contact, each of which has it looked at anew; then a list goes as a whole


def leave_out(item: dict[str, Any], error: InvalidContact, *, mended: int) -> str:
    """Take what was refused out of the item, or cut it, as it was done `mended` times before.

    Returns what it said. Raises the error for what it needs.
    """
    if error.field in ("", "contact", "contact.id", "contact.name") and error.problem != "too_long":
        raise error
    holder, name = _find(item, error, is_whole=mended >= MOST_MENDED)
    said = holder.pop(name)
    if error.problem == "too_long" and isinstance(said, str) and name not in NEVER_CUT:
        holder[name] = said[: error.most]
    return as_text(said)


def _find(item: dict[str, Any], error: InvalidContact, *, is_whole: bool) -> tuple[Any, Any]:
    """What holds that which was refused, and its name or place there: an owner goes whole, an item with its subject."""
    *way, last = error.field.split(".")
    if way[:1] == ["contact_owner"]:
        return item, "contact_owner"
    if len(way) > 1 and is_whole:
        way, last = way[:-2], way[-2]
    elif len(way) > 1 and last in SUBJECTS and error.problem != "too_long":
        last = way.pop()
    holder: Any = item
    for step in way:
        holder = holder[int(step)] if isinstance(holder, list) else holder[step]
    return holder, int(last) if isinstance(holder, list) else last


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
