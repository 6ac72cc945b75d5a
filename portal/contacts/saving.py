"""Many contacts at once: the rules of `contacts.save_contact` and `classification.classify`, by a few statements.

What the contacts of a batch may match is read first; the batch is then worked through in memory, in order, so that two
of its items match each other as two calls would; what came of it is written at the end.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.company.endpoint import is_configured
from portal.contacts.body import BODY_FIELDS, DEFAULT_CAMPAIGN, search_columns
from portal.contacts.checking import ContactItem, InvalidContact
from portal.contacts.records import CampaignRecord, Change, ContactRecord, Known, PersonRecord
from portal.contacts.writing import WRITTEN, write_batch
from portal.models import Company, User

SAME = object()
"""An item's level when it says nothing about it; None removes the level."""


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One contact to save, and the level it is to have: 1, 2, 3, None, or `SAME`."""

    contact: ContactItem
    level: Any = SAME


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of one item: an error, or what was done. `sent` says whether it made a delivery."""

    error: InvalidContact | None = None
    created: bool = False
    changed: bool = False
    classified: bool = False
    sent: bool = False


def save_batch(
    session: Session,
    company: Company,
    items: Sequence[BatchItem],
    *,
    default_owner: User,
    actor: str,
    is_sending: bool = True,
) -> list[BatchResult]:
    """Make or change contacts and classify them; one result an item, in their order. The caller commits.

    An item that is refused leaves the others as they are. Without `is_sending` levels are recorded and the CRM is not
    told.
    """
    # One batch of a company at a time: two that hold the same new contact would both make it.
    session.execute(select(Company.id).where(Company.id == company.id).with_for_update(key_share=True))
    known = Known(session.connection(), company.id, default_owner)
    given = [item.contact for item in items]
    has_levels = any(item.level is not SAME for item in items)
    known.load(given, with_messages=has_levels or any(item.messages is not None for item in given))
    batch = _Batch(known, company.id, is_sending=is_sending and has_levels and is_configured(session, company.id))
    results = [batch.plan(item) for item in items]
    write_batch(session, company, known, new=batch.new, changes=batch.changes, actor=actor, now=batch.now)
    return results


class _Batch:
    """Works through the items, on the contacts in memory."""

    def __init__(self, known: Known, company_id: int, *, is_sending: bool) -> None:
        self._known = known
        self._company_id = company_id
        self._is_sending = is_sending
        self.now: datetime = clock.utcnow()
        self.new: list[ContactRecord] = []
        self.changes: list[Change] = []

    def plan(self, item: BatchItem) -> BatchResult:
        """Do to the contacts in memory what one item asks for."""
        given = item.contact
        record = self._known.find(given.contact_id)
        if given.contact_id is not None and record is None:
            return BatchResult(error=InvalidContact("contact.id", "unknown"))
        name = given.campaign or (record.campaign.name if record else DEFAULT_CAMPAIGN)
        campaign = self._known.campaigns.get(name) or CampaignRecord(None, name)
        record = record or self._known.match(campaign, given)
        if record is None and "name" not in given.facts:
            return BatchResult(error=InvalidContact("contact.name", "required"))
        self._known.campaigns[name] = campaign
        is_new = record is None
        record = record or self._begin(campaign)
        is_changed = self._apply(record, campaign, given)
        change = self._classify(record, item.level)
        return BatchResult(
            created=is_new,
            changed=is_changed and not is_new,
            classified=change is not None,
            sent=change is not None and change.frozen is not None,
        )

    def _begin(self, campaign: CampaignRecord) -> ContactRecord:
        values: dict[str, Any] = dict.fromkeys((*BODY_FIELDS, *WRITTEN))
        values.update(company_id=self._company_id, collect_date=self.now, created_at=self.now, updated_at=self.now)
        values.update(skills=[], experiences=[])
        record = ContactRecord(values, campaign, self._known.default_owner)
        self.new.append(record)
        self._known.add(record)
        return record

    def _apply(self, record: ContactRecord, campaign: CampaignRecord, given: ContactItem) -> bool:
        """Set what the item gives. Returns whether that changed anything of the contact."""
        if given.campaign_facts.get("description", campaign.description) != campaign.description:
            campaign.description, campaign.is_changed = given.campaign_facts["description"], True
        owner = self._owner(given) or record.owner
        facts = {name: value for name, value in given.facts.items() if record.values[name] != value}
        is_changed = bool(facts) or campaign is not record.campaign or owner is not record.owner
        if is_changed:
            self._known.leave_out(record)
            record.values.update(facts)
            record.values.update(search_columns(record.values))
            record.campaign, record.owner = campaign, owner
            self._known.add(record)
        if given.messages is not None and given.messages != record.messages:
            record.messages, record.has_new_messages, is_changed = given.messages, True, True
        record.is_changed = record.is_changed or is_changed
        return is_changed

    def _owner(self, given: ContactItem) -> PersonRecord | None:
        if given.owner is None:
            return None
        person = PersonRecord(None, given.owner.name or given.owner.email, given.owner.email)
        return self._known.people.setdefault(given.owner.email, person)

    def _classify(self, record: ContactRecord, level: Any) -> Change | None:
        old = record.values["interest_level"]
        if level is SAME or level == old:
            return None
        record.values.update(interest_level=level, classified_at=self.now)
        record.is_changed = True
        frozen = None
        if level is not None and self._is_sending:
            frozen = ContactRecord(dict(record.values), record.campaign, record.owner, record.messages)
        change = Change(record, old, level, frozen, record.campaign.description)
        self.changes.append(change)
        return change
