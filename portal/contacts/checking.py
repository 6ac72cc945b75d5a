"""An object in the body's shape, checked: from what somebody sent to the values that a contact's columns take.

Nothing here knows the database: what comes in by page, API or file is refused before a transaction begins.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.contacts.items import (
    DATE_FIELDS,
    IDENTITIES,
    MAX_ITEMS,
    MAX_LIST,
    MAX_SENDER,
    MAX_TEXT,
    MAX_THREAD,
    SAME,
    TEXT_PATHS,
    ContactItem,
    InvalidContact,
    OwnerItem,
)
from portal.models import LEVELS
from portal.rules.identity import clean_text, has_marks, says_nothing
from portal.rules.payload import UnencodableText, check_text, is_storable


def check_item(item: Mapping[str, Any], zone: ZoneInfo) -> ContactItem:
    """Check an object in the body's shape: `contact`, `contact_owner`, `campaign`, `messages`.

    A key that is absent says nothing; dates are texts in `zone` or aware datetimes. Raises InvalidContact.
    """
    facts, owner, campaign = _part(item, "contact"), _part(item, "contact_owner"), _part(item, "campaign")
    messages = item.get("messages")
    notes: list[InvalidContact] = []
    return ContactItem(
        contact_id=facts.get("id"),
        facts=_facts(facts, zone, notes),
        owner=_owner(owner) if owner else None,
        campaign=clean_text(_text(campaign.get("name"), "campaign.name", 200) or "") or None,
        campaign_facts=(
            {"description": _text(campaign["description"], "campaign.description", MAX_TEXT)}
            if "description" in campaign
            else {}
        ),
        messages=_each(messages, "messages", zone, _message, most=MAX_THREAD) if messages is not None else None,
        level=check_level(facts["interest_level"]) if "interest_level" in facts else SAME,
        notes=tuple(notes),
    )


def find_problems(item: Mapping[str, Any], zone: ZoneInfo) -> list[InvalidContact]:
    """All that `check_item` refuses of an object: first what it raises, then what else each field raises alone."""
    found: dict[str, InvalidContact] = {}
    for part in (item, *_fields_alone(item)):
        try:
            check_item(part, zone)
        except InvalidContact as error:
            found.setdefault(error.field, error)
    return list(found.values())


def _fields_alone(item: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, part in item.items():
        if name in ("contact", "campaign") and isinstance(part, Mapping):
            yield from ({name: {field: value}} for field, value in part.items())
        else:
            yield {name: part}


def check_level(level: Any) -> int | None:
    """An interest level: 1, 2, 3 or None. Raises InvalidContact."""
    if level is not None and (type(level) is not int or level not in LEVELS):
        raise InvalidContact("contact.interest_level", "unknown_level")
    return level


def _part(item: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = {} if item.get(name) in (None, "") else item[name]
    if type(part) is not dict and not isinstance(part, Mapping):
        raise InvalidContact(name, "not_an_object")
    return part


def _facts(given: Mapping[str, Any], zone: ZoneInfo, notes: list[InvalidContact]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    told = _told(given, notes)
    for field, path, length in TEXT_PATHS:
        if field in told:
            facts[field] = _text(told[field], path, length)
    if "name" in facts and not facts["name"]:
        raise InvalidContact("contact.name", "required")
    for field in DATE_FIELDS:
        if field in given:
            facts[field] = _date(given[field], f"contact.{field}", zone)
    if "skills" in given:
        facts["skills"] = _each(given["skills"], "contact.skills", zone, _skill)
    if "experiences" in given:
        facts["experiences"] = _each(given["experiences"], "contact.experiences", zone, _experience)
    return facts


def _told(given: Mapping[str, Any], notes: list[InvalidContact]) -> dict[str, Any]:
    """The facts with name, LinkedIn id and e-mail as they are stored. What names nobody is left out."""
    told = dict(given)
    if isinstance(name := given.get("name"), str):
        told["name"] = clean_text(name)
        if has_marks(name):
            notes.append(InvalidContact("contact.name", "marks_removed"))
    for field, (read, problem) in IDENTITIES.items():
        text = given.get(field)
        if not isinstance(text, str):
            continue
        told[field] = read(text)
        if told[field] is None and text.strip():
            del told[field]
            if not says_nothing(text):
                notes.append(InvalidContact(f"contact.{field}", problem))
    return told


def _owner(given: Mapping[str, Any]) -> OwnerItem:
    email = _text(given.get("email"), "contact_owner.email", 254)
    email = _text((email or "").strip().lower(), "contact_owner.email", 254)  # lower case can be longer
    if not email:
        raise InvalidContact("contact_owner.email", "required")
    return OwnerItem(email, _text(given.get("name"), "contact_owner.name", 200))


def _skill(given: Mapping[str, Any], _zone: ZoneInfo) -> dict[str, Any]:
    endorsements = given.get("endorsements")
    if endorsements is not None and (type(endorsements) is not int or not 0 <= endorsements < 2**31):
        raise InvalidContact("endorsements", "not_a_count")
    return {"skill": _text(given.get("skill"), "skill", 300), "endorsements": endorsements}


def _experience(given: Mapping[str, Any], _zone: ZoneInfo) -> dict[str, Any]:
    return {
        "experience": _text(given.get("experience"), "experience", 1000),
        "company_link": _text(given.get("company_link"), "company_link", 2000),
    }


def _message(given: Mapping[str, Any], zone: ZoneInfo) -> dict[str, Any]:
    pending = given.get("pending_message")
    if pending not in (None, 0, 1):
        raise InvalidContact("pending_message", "not_a_flag")
    return {
        "sender_name": _text(given.get("sender_name"), "sender_name", MAX_SENDER) or "",
        "message": _text(given.get("message"), "message", MAX_TEXT) or "",
        "date": _date(given.get("date"), "date", zone),
        "pending": bool(pending),
    }


def characters_of(item: Mapping[str, Any]) -> int:
    """How many characters the texts of a skill, an experience or a message have."""
    return sum(len(value) for value in item.values() if isinstance(value, str))


def _each(
    given: Any,
    field: str,
    zone: ZoneInfo,
    check: Callable[[Mapping[str, Any], ZoneInfo], dict[str, Any]],
    *,
    most: int = MAX_LIST,
) -> list[dict[str, Any]]:
    """What `check` makes of each item of a list; what it refuses of one has the item's place in its path.

    All together have at most `most` characters.
    """
    if given is None:
        return []
    if not isinstance(given, list) or not all(type(item) is dict or isinstance(item, Mapping) for item in given):
        raise InvalidContact(field, "not_a_list")
    if len(given) > MAX_ITEMS:
        raise InvalidContact(field, "too_many", most=MAX_ITEMS)
    checked: list[dict[str, Any]] = []
    for place, item in enumerate(given):
        try:
            checked.append(check(item, zone))
        except InvalidContact as error:
            raise InvalidContact(f"{field}.{place}.{error.field}", error.problem, most=error.most) from error
    if sum(map(characters_of, checked)) > most:
        raise InvalidContact(field, "too_long", most=most)
    return checked


def _text(value: Any, field: str, length: int) -> str | None:
    if value is None or (type(value) is str and len(value) <= length and is_storable(value)):
        return value
    if not isinstance(value, str):
        raise InvalidContact(field, "not_a_text")
    try:
        check_text(value, field)
    except UnencodableText as error:
        raise InvalidContact(field, error.problem) from error
    if len(value) > length:
        raise InvalidContact(field, "too_long", most=length)
    return value


def _date(value: Any, field: str, zone: ZoneInfo) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidContact(field, "not_a_date") from error
    if not MINYEAR < moment.year < MAXYEAR:  # in some time zone it is a day that no calendar has
        raise InvalidContact(field, "not_a_date")
    return moment
