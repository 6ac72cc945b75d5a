"""What a batch holds in memory: its contacts, what hangs on them, and how their levels change."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

# Facts of a contact that are no news to the CRM when they change alone (so are its level and its messages).
UNTOLD = frozenset({"collect_date"})
NEXT_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CompanyRecord:
    """The company of a batch; `is_configured` says whether there is an address to tell its CRM at."""

    id: int
    timezone: str
    is_configured: bool


@dataclass(slots=True, eq=False)
class CampaignRecord:
    id: int | None
    name: str
    description: str | None = None
    is_changed: bool = False


@dataclass(slots=True, eq=False)
class PersonRecord:
    id: int | None
    name: str
    email: str


@dataclass(slots=True, eq=False)
class ContactRecord:
    """A contact in memory: its columns, and what hangs on it. Its `id` is None until it is written."""

    values: dict[str, Any]
    campaign: CampaignRecord
    owner: PersonRecord
    messages: list[dict[str, Any]] = field(default_factory=list)
    is_changed: bool = False
    is_classified: bool = False
    has_new_messages: bool = False
    is_frozen: bool = False  # whether its body was frozen in this batch
    places: Sequence[tuple[str, str]] = ()  # where it is found, once it is known; `Known.add`

    def mark_changed(self, now: datetime) -> None:
        """A field of its body that is told changes: after what this batch froze, though the moment is the same."""
        self.values["data_changed_at"] = now + NEXT_MOMENT if self.is_frozen else now
        self.is_changed = True

    def freeze(self, now: datetime) -> "ContactRecord":
        """A copy of the contact as it is at this moment: nothing of it changed later, whatever the clock said then."""
        changed_at = self.values["data_changed_at"]
        if changed_at is not None and changed_at > now:
            self.values["data_changed_at"], self.is_changed = now, True
        self.is_frozen = True
        return ContactRecord(dict(self.values), self.campaign, self.owner, self.messages)


@dataclass(slots=True)
class Change:
    """A classification, with the contact as it was at that moment when the CRM is to be told."""

    record: ContactRecord
    old: int | None
    new: int | None
    frozen: ContactRecord | None
    description: str | None  # the campaign's, at that moment
    delivery_id: str | None = None  # the public id of the delivery that tells the CRM, once it is written
