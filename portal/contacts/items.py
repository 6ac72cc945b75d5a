"""What somebody says of one contact, in the types of its columns, how much of it there may be, and what is refused."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from portal.rules.identity import email_address, linkedin_id
from portal.rules.payload import DATES

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
