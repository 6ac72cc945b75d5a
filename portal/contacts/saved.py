"""What holds for a batch that comes from a file, and what became of each item of a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from portal.contacts.items import InvalidContact

# What changed of a contact, by the names of its columns, `campaign`, `owner` and `messages`: before and after.
Differences = Mapping[str, tuple[Any, Any]]


@dataclass(frozen=True, kw_only=True)
class FileRules:
    """What holds for the contacts of a file, and for no others."""

    keeps_levels: bool = True  # a level that was not set by a file stays as it is
    updates_elsewhere: bool = False  # who is in another campaign is changed there, and not added to this one
    adds_messages: bool = False  # its messages are added to a contact's thread, and do not replace it


@dataclass(slots=True, kw_only=True)
class Saved:
    """What became of one item: an error, or what was done to which contact."""

    error: InvalidContact | None = None
    contact_id: int | None = None
    created: bool = False
    changed: bool = False
    classified: bool = False
    previous_level: int | None = None
    classified_at: datetime | None = None
    delivery_id: str | None = None  # the public id of the delivery that tells the CRM
    notes: tuple[InvalidContact, ...] = ()  # what was left out or mended
    differences: Differences = field(default_factory=dict)  # of a contact that existed
    saved_at: datetime | None = None  # None when nothing was written
    # The other campaign that has this person, of a file's contact that its own campaign does not have.
    elsewhere: str | None = None
    # Another contact of the same name and e-mail, whose LinkedIn id differs from that of this new one.
    alike_id: int | None = None
    is_level_kept: bool = False  # the file's level was not taken, since somebody had set another
    lost_messages: int = 0  # a thread holds a number of messages: so many old ones left it, or found no room
    # What a further row of a file says of a person otherwise than one above it did: it was left out.
    otherwise: Mapping[str, Any] = field(default_factory=dict)
    # The item names somebody who was merged into this contact: it only added what the contact lacked.
    is_former: bool = False

    @property
    def sent(self) -> bool:
        return self.delivery_id is not None
