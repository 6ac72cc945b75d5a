"""A line of a JSON file: a contact in the shape of the webhook's body, as the API takes it."""

import json
from collections.abc import Collection, Iterator
from typing import Any, NoReturn

from portal.contacts.items import InvalidContact
from portal.importing.cells import Note
from portal.rules.payload import CAMPAIGN, CONTACT, EXPERIENCE, PERSON, SKILL

MESSAGE = ("sender_name", "message", "date", "pending_message")
# The members of the body, and what the API's answers say of a contact beside it.
BODY = ("contact", "contact_owner", "campaign", "messages", "sync", "warning", "data_changed", "crm_url")


def read_object(line: str) -> tuple[dict[str, Any], list[Note]]:
    """The item of a line, without what says nothing or belongs to no body, of which a note tells.

    Raises InvalidContact for what is no object with a contact.
    """
    try:
        item = json.loads(line, object_pairs_hook=_make_object, parse_constant=_refuse_constant)
    except InvalidContact:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidContact("", "not_json") from error
    if not isinstance(item, dict) or not isinstance(item.get("contact"), dict):
        raise InvalidContact("contact", "not_an_object")
    foreign = _take_out_foreign(item)
    owner = item.get("contact_owner")
    if isinstance(owner, dict) and not owner.get("email") and not owner.get("name"):
        del item["contact_owner"]
    if item["contact"].get("interest_level") is None:
        item["contact"].pop("interest_level", None)  # no level is no order to remove one
    said = json.dumps(foreign, ensure_ascii=False)
    return item, [Note("", "unknown_fields", None, said)] if foreign else []


def _take_out_foreign(item: dict[str, Any]) -> dict[str, Any]:
    """Take the members out that the body does not have. Returns those that say something, by their path."""
    foreign: dict[str, Any] = {}
    for path, part, known in _parts(item):
        for name in [name for name in part if name not in known]:
            said = part.pop(name)
            if said not in (None, "", [], {}):
                foreign[f"{path}{name}"] = said
    return foreign


def _parts(item: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Collection[str]]]:
    """The objects of an item that are of their kind, each with its path and the members that the body has there."""
    yield "", item, BODY
    contact = item["contact"]
    objects: list[tuple[str, Any, Collection[str]]] = [
        ("contact.", contact, CONTACT),
        ("contact_owner.", item.get("contact_owner"), PERSON),
        ("campaign.", item.get("campaign"), CAMPAIGN),
    ]
    for path, parts, known in (
        ("contact.skills", contact.get("skills"), SKILL),
        ("contact.experiences", contact.get("experiences"), EXPERIENCE),
        ("messages", item.get("messages"), MESSAGE),
    ):
        listed = enumerate(parts if isinstance(parts, list) else ())
        objects += [(f"{path}.{place}.", part, known) for place, part in listed]
    yield from (each for each in objects if isinstance(each[1], dict))


def _make_object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    """Raises InvalidContact for an object that has one member twice."""
    made = dict(members)
    if len(made) < len(members):
        raise InvalidContact("", "repeated_field")
    return made


def _refuse_constant(name: str) -> NoReturn:
    """NaN and the infinities are Python's idea, not JSON's."""
    raise ValueError(name)
