"""An object in the body's shape, checked: from what somebody sent to the values that a contact's columns take.

Nothing here knows the database: what comes in by page, API or file is refused before a transaction begins.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from portal.models import LEVELS
from portal.rules.identity import clean_text, email_address, has_marks, linkedin_id, says_nothing
from portal.rules.payload import DATES, UnencodableText, check_text, is_storable

TEXT_FIELDS = {
    "name": 300,
    "linkedin_public_id": 200,
    "current_company": 300,
    "current_company_link": 2000,
    "role": 300,
    "location": 300,
    "email": 254,
    "phone": 100,
}
TEXT_PATHS = tuple((field, f"contact.{field}", length) for field, length in TEXT_FIELDS.items())
# What tells a contact apart, with what reads it and the problem of a text that names nobody.
IDENTITIES = {"linkedin_public_id": (linkedin_id, "not_a_profile"), "email": (email_address, "not_an_email")}
DATE_FIELDS = DATES
# What may be said of a contact: by columns, its level and the e-mail of its owner.
SAYABLE = (*TEXT_FIELDS, *DATE_FIELDS, "skills", "experiences", "interest_level", "owner_email")
SAME = object()  # a contact's level when nothing is said about it
MAX_ITEMS = 2000  # skills, experiences or messages of one contact
MAX_TEXT = 20_000  # characters of one message or description
MAX_SENDER = 300  # characters of who wrote a message
MAX_THREAD = 500_000  # characters of all messages of one contact together
MAX_LIST = 100_000  # characters of all skills of one contact together, and of all experiences


class InvalidContact(ValueError):
    """A contact cannot be saved as given. `field` is the path in the body's shape, `problem` a stable code.

    `place` is the contact's place in its list, `most` what there may be of something too long.
    """

    def __init__(self, field: str, problem: str, *, place: int = 0, most: int | None = None) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem, self.place, self.most = field, problem, place, most

    def at(self, place: int) -> "InvalidContact":
        """The same of the contact in this place of a list."""
        return InvalidContact(self.field, self.problem, place=place, most=self.most)


class RefusedItems(InvalidContact):
    """Some contacts of a list cannot be saved as given: the first thing wrong with them, and `every` one."""

    def __init__(self, every: Sequence[InvalidContact]) -> None:
        first = every[0]
        super().__init__(first.field, first.problem, place=first.place, most=first.most)
        self.every = every


@dataclass(frozen=True, slots=True)
class OwnerItem:
    """A contact's owner: told apart by the e-mail, in lower case."""

    email: str
    name: str | None


@dataclass(frozen=True, slots=True)
class ContactItem:
    """What is to be set on a contact, in the types of its columns. What is absent or None stays as it is."""

    contact_id: Any
    # Columns by name: texts, aware datetimes, `skills`, `experiences`.
    facts: dict[str, Any] = dataclasses.field(default_factory=dict)
    owner: OwnerItem | None = None
    campaign: str | None = None
    campaign_facts: dict[str, Any] = dataclasses.field(default_factory=dict)  # `description`, when it was given
    messages: list[dict[str, Any]] | None = None  # `sender_name`, `message`, `date`, `pending` of each, in order
    level: Any = SAME  # 1, 2, 3, None to remove it, or `SAME`
    notes: tuple[InvalidContact, ...] = ()  # what was left out or mended; it refuses nothing
    ordinal: int = 0  # which one it means of several contacts that only a name and a company tell
    # What entries before it in the same list said of the same person, as `said` names it.
    told: frozenset[str] = frozenset()
    told_line: int = 0  # where the first of them stands
    # The number that the contact had in a file of ours: it counts where the contact there is the same person.
    likely_id: int | None = None

    @property
    def said(self) -> dict[str, Any]:
        """What it fills, of `SAYABLE`."""
        said = {name: each for name, each in self.facts.items() if each}
        if self.level is not SAME and self.level is not None:
            said["interest_level"] = self.level
        if self.owner is not None:
            said["owner_email"] = self.owner.email
        return said

    def beyond_told(self, held: Mapping[str, Any]) -> tuple["ContactItem", Mapping[str, Any]]:
        """What a further entry of a person adds to those before it, and what it says otherwise than `held`.

        The first one counts: else a list that comes again would change such a person to and fro. A text in other
        capitals says the same.
        """
        otherwise = {
            name: each
            for name, each in self.said.items()
            if name in self.told and each != held[name] and str(each).casefold() != str(held[name]).casefold()
        }
        added = dataclasses.replace(
            self,
            facts={name: each for name, each in self.facts.items() if name not in self.told},
            owner=None if "owner_email" in self.told else self.owner,
            level=SAME if "interest_level" in self.told else self.level,
        )
        return added, otherwise

    @property
    def is_named_only(self) -> bool:
        """Whether only a name and a company tell whom it means."""
        return self.contact_id is None and not any(self.facts.get(name) for name in IDENTITIES)

    @property
    def is_level_only(self) -> bool:
        """Whether nothing but the level of a known contact is to be set."""
        return self == ContactItem(self.contact_id, level=self.level)


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
        if not isinstance(text := given.get(field), str):
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
        moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidContact(field, "not_a_date") from error
    if not MINYEAR < moment.year < MAXYEAR:  # in some time zone it is a day that no calendar has
        raise InvalidContact(field, "not_a_date")
    return moment
