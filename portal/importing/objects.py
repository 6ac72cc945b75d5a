"""A line of a JSON file: a contact in the shape of the webhook's body, as the API takes it."""

import json
from typing import Any

from portal.contacts.checking import InvalidContact


def read_object(line: str) -> dict[str, Any]:
    """The item of a line, without what says nothing. Raises InvalidContact for what is no object with a contact."""
    try:
        item = json.loads(line, object_pairs_hook=_make_object)
    except InvalidContact:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidContact("", "not_json") from error
    if not isinstance(item, dict) or not isinstance(item.get("contact"), dict):
        raise InvalidContact("contact", "not_an_object")
    owner = item.get("contact_owner")
    if isinstance(owner, dict) and not owner.get("email") and not owner.get("name"):
        del item["contact_owner"]
    if item["contact"].get("interest_level") is None:
        item["contact"].pop("interest_level", None)  # no level is no order to remove one
    return item


def _make_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises InvalidContact for an object that has one member twice."""
    made = dict(members)
    if len(made) < len(members):
        raise InvalidContact("", "repeated_field")
    return made
