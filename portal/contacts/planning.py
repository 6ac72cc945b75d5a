"""What a batch does to its contacts, worked out in memory, item by item, before it is written."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple

from portal import clock
from portal.contacts.body import DEFAULT_CAMPAIGN, search_columns
from portal.contacts.items import SAME, ContactItem, InvalidContact
from portal.contacts.known import Known
from portal.contacts.matching import former_keys
from portal.contacts.records import UNTOLD, CampaignRecord, Change, ContactRecord, PersonRecord
from portal.contacts.saved import FileRules, Saved
from portal.contacts.threads import add_messages
from portal.contacts.writing import WRITTEN
from portal.rules.payload import CONTACT


class Plan(NamedTuple):
    """What one item does, as far as it is known before it is written."""

    record: ContactRecord
    result: Saved
    change: Change | None
    alike: ContactRecord | None

    def written(self) -> Saved:
        """What the item did, with the numbers of what was written."""
        result, values = self.result, self.record.values
        result.contact_id = values["id"]
        if self.change:
            result.classified_at, result.delivery_id = values["classified_at"], self.change.delivery_id
        if self.alike:
            result.alike_id = self.alike.values["id"]
        return result


class Batch:
    """Works through the items, on the contacts in memory."""

    def __init__(self, known: Known, company_id: int, *, is_sending: bool, rules: FileRules | None) -> None:
        self._known = known
        self._company_id = company_id
        self._is_sending = is_sending
        self._rules = rules
        self.now: datetime = clock.utcnow()
        self.new: list[ContactRecord] = []
        self.changes: list[Change] = []

    def plan(self, given: ContactItem) -> Plan | InvalidContact:
        """Do to the contacts in memory what one item asks for."""
        record = self._known.find(given.contact_id)
        if given.contact_id is not None and record is None:
            return InvalidContact("contact.id", "unknown")
        name = given.campaign or (record.campaign.name if record else DEFAULT_CAMPAIGN)
        campaign = self._known.campaigns.get(name) or CampaignRecord(None, name)
        record = record or self._known.match(campaign, given)
        other = self._known.match(None, given) if record is None and self._rules else None
        elsewhere = other.campaign.name if other else None
        if other is not None and self._rules and self._rules.updates_elsewhere:
            record, campaign, given = other, other.campaign, replace(given, campaign_facts={})
        is_former = record is not None and given.contact_id is None and self._known.is_former(record, given)
        if record is not None and is_former:
            given = self._without_former(record, given)
        otherwise: Mapping[str, Any] = {}
        if record is not None and self._rules and given.told and given.likely_id is None:
            given, otherwise = given.beyond_told({**record.values, "owner_email": record.owner.email})
        if record is None and "name" not in given.facts:
            return InvalidContact("contact.name", "required")
        self._known.campaigns[campaign.name] = campaign
        is_new = record is None
        record = record or self._begin(campaign)
        differences = self._apply(record, campaign, given)
        alike = self._known.find_alike(record, given) if is_new and self._rules else None
        lost = self._set_messages(record, given, differences, is_former=is_former)
        record.is_changed = record.is_changed or bool(differences)
        previous, is_level_kept = record.values["interest_level"], self._keeps_level(record, given.level)
        change = None if is_level_kept else self._classify(record, given.level)
        is_changed, is_classified = bool(differences) and not is_new, change is not None
        result = Saved(
            created=is_new,
            changed=is_changed,
            classified=is_classified,
            previous_level=previous,
            notes=(*given.notes, InvalidContact("contact", "merged_away")) if is_former else given.notes,
            differences=differences if is_changed else {},
            saved_at=self.now if is_new or is_changed or is_classified else None,
            elsewhere=elsewhere,
            is_level_kept=is_level_kept,
            lost_messages=lost,
            otherwise=otherwise,
            is_former=is_former,
        )
        return Plan(record, result, change, alike)

    def _without_former(self, record: ContactRecord, given: ContactItem) -> ContactItem:
        """What an item about somebody who was merged into the contact adds to it: messages, a level, what it lacks.

        The level of a file counts only where the contact has none: the file may name the contact itself, too.
        """
        held, former = record.values, former_keys(record.values["merged"])
        facts = {name: each for name, each in given.facts.items() if not held[name] and (name, each) not in former}
        takes_level = self._rules is None or held["interest_level"] is None
        return replace(given, facts=facts, owner=None, level=given.level if takes_level else SAME)

    def _begin(self, campaign: CampaignRecord) -> ContactRecord:
        values: dict[str, Any] = dict.fromkeys((*CONTACT, *WRITTEN))
        values.update(company_id=self._company_id, collect_date=self.now, created_at=self.now, updated_at=self.now)
        values.update(skills=[], experiences=[], is_level_imported=False)
        record = ContactRecord(values, campaign, self._known.default_owner)
        self.new.append(record)
        return record

    def _apply(self, record: ContactRecord, campaign: CampaignRecord, given: ContactItem) -> dict[str, tuple[Any, Any]]:
        """Set what the item gives. Returns what that changed of the contact."""
        if given.campaign_facts.get("description", campaign.description) != campaign.description:
            self._describe(campaign, given.campaign_facts["description"])
        owner = self._owner(given) or record.owner
        facts = {name: value for name, value in given.facts.items() if record.values[name] != value}
        differences: dict[str, tuple[Any, Any]] = {name: (record.values[name], value) for name, value in facts.items()}
        if campaign is not record.campaign:
            differences["campaign"] = (record.campaign.name, campaign.name)
        if owner is not record.owner:
            differences["owner"] = (record.owner.email, owner.email)
        if differences:
            self._known.leave_out(record)
            record.values.update(facts)
            record.values.update(search_columns(record.values))
            if facts.keys() - UNTOLD or campaign is not record.campaign or owner is not record.owner:
                record.mark_changed(self.now)
            record.campaign, record.owner = campaign, owner
            self._known.add(record)
        return differences

    def _set_messages(
        self, record: ContactRecord, given: ContactItem, differences: dict[str, Any], *, is_former: bool
    ) -> int:
        """Set the messages that the item gives, or add those of a file and of who was merged into the contact.

        Returns how many there was no room for.
        """
        if given.messages is None:
            return 0
        messages, lost = given.messages, 0
        if is_former or (self._rules is not None and self._rules.adds_messages):
            messages, lost = add_messages(record.messages, given.messages)
        if messages != record.messages:
            differences["messages"] = (len(record.messages), len(messages))
            record.messages, record.has_new_messages = messages, True
        return lost

    def _describe(self, campaign: CampaignRecord, description: str | None) -> None:
        campaign.description, campaign.is_changed = description, True
        for record in (*self._known.by_id.values(), *self.new):
            if record.campaign is campaign:
                record.mark_changed(self.now)

    def _owner(self, given: ContactItem) -> PersonRecord | None:
        if given.owner is None:
            return None
        person = PersonRecord(None, given.owner.name or given.owner.email, given.owner.email)
        return self._known.people.setdefault(given.owner.email, person)

    def _keeps_level(self, record: ContactRecord, level: Any) -> bool:
        """Whether a file says another level than somebody chose, and that one stays; having none was chosen too."""
        if self._rules is None or not self._rules.keeps_levels or level in (SAME, record.values["interest_level"]):
            return False
        return record.values["classified_at"] is not None and not record.values["is_level_imported"]

    def _classify(self, record: ContactRecord, level: Any) -> Change | None:
        old = record.values["interest_level"]
        if level is SAME or level == old:
            return None
        record.values.update(interest_level=level, classified_at=self.now, is_level_imported=self._rules is not None)
        record.is_classified = True
        frozen = record.freeze(self.now) if level is not None and self._is_sending else None
        change = Change(record, old, level, frozen, record.campaign.description)
        self.changes.append(change)
        return change
