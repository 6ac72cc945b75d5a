"""What a row says and a contact cannot hold: it is taken out, or cut, and the rest enters."""

import json
from typing import Any

from portal.contacts.checking import TEXT_FIELDS, InvalidContact

# Texts that are cut where they are too long, rather than left out.
CUT = {f"contact.{name}": TEXT_FIELDS[name] for name in ("name", "current_company", "role", "location")} | {
    "campaign.name": 200
}


def leave_out(item: dict[str, Any], error: InvalidContact) -> str:
    """Take what was refused out of the item, or cut it. Returns what it said. Raises the error for what it needs."""
    if error.field in ("", "contact", "contact.id", "contact.name") and error.problem != "too_long":
        raise error
    part, _, rest = error.field.partition(".")
    name = rest.partition(".")[0]
    held = item[part] if part in ("contact", "campaign") and name else item
    said = held.pop(name if held is not item else part)
    if error.problem == "too_long" and error.field in CUT:
        held[name] = said[: CUT[error.field]]
    return as_text(said)


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
