"""Many contacts at once: the rules of `contacts.save_contact` and `classification.classify`, by a few statements.

What the contacts of a batch may match is read first; the batch is then worked through in memory, in order, so that two
of its items match each other as two calls would; what came of it is written at the end.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Table, bindparam, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from portal import clock, outbox
from portal.contact_items import ContactItem, InvalidContact
from portal.contacts import BODY_FIELDS, DEFAULT_CAMPAIGN, MATCH_FIELDS, compose_payload, search_name
from portal.endpoints import is_configured
from portal.models import Campaign, Classification, Company, Contact, Message, User
from portal.payload import CampaignValues, MessageValues, PersonValues, encode_body

contact_table: Table = Contact.__table__  # type: ignore[assignment]
message_table: Table = Message.__table__  # type: ignore[assignment]

SAME = object()
"""An item's level when it says nothing about it; None removes the level."""
WRITTEN = tuple(
    column.name for column in contact_table.columns if column.name not in ("id", "company_id", "created_at")
)
"""The columns that an update writes."""


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


@dataclass(slots=True, eq=False)
class _Campaign:
    id: int | None
    name: str
    description: str | None = None
    is_changed: bool = False


@dataclass(slots=True, eq=False)
class _Person:
    id: int | None
    name: str
    email: str


@dataclass(slots=True, eq=False)
class _Record:
    """A contact in memory: its columns, and what hangs on it. Its `id` is None until it is written."""

    values: dict[str, Any]
    campaign: _Campaign
    owner: _Person
    messages: list[dict[str, Any]] = field(default_factory=list)
    is_changed: bool = False
    has_new_messages: bool = False


@dataclass(slots=True)
class _Change:
    """A classification, with the contact as it was at that moment when the CRM is to be told."""

    record: _Record
    old: int | None
    new: int | None
    frozen: _Record | None


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
    batch = _Batch(session, company, default_owner, is_sending and is_configured(session, company.id))
    batch.load(items)
    results = [batch.plan(item) for item in items]
    batch.write(actor)
    return results


class _Batch:
    def __init__(self, session: Session, company: Company, default_owner: User, is_sending: bool) -> None:
        self._session = session
        self._connection = session.connection()
        self._company = company
        self._zone = ZoneInfo(company.timezone)
        self._now = clock.utcnow()
        self._is_sending = is_sending
        self._default_owner = _Person(default_owner.id, default_owner.name, default_owner.email)
        self._campaigns: dict[str, _Campaign] = {}
        self._people: dict[str, _Person] = {default_owner.email: self._default_owner}
        self._by_id: dict[int, _Record] = {}
        self._by_key: dict[tuple[_Campaign, str, str], list[_Record]] = {}
        self._new: list[_Record] = []
        self._changes: list[_Change] = []

    # --- reading ---

    def load(self, items: Sequence[BatchItem]) -> None:
        """Read all that the items may match or belong to."""
        given = [item.contact for item in items]
        emails = {item.owner.email for item in given if item.owner}
        self._load_people(User.email.in_(emails))
        ids = {item.contact_id for item in given if _is_key(item.contact_id)}
        rows = list(self._select(contact_table.c.id.in_(ids))) if ids else []
        self._load_campaigns(
            {item.campaign or DEFAULT_CAMPAIGN for item in given}, {row["campaign_id"] for row in rows}
        )
        rows += self._select_candidates(given)
        self._load_people(User.id.in_({row["owner_id"] for row in rows}))
        self._remember(rows)
        if any(item.messages is not None for item in given) or any(item.level is not SAME for item in items):
            self._load_messages()

    def _select(self, wanted: ColumnElement[bool]) -> Iterable[dict[str, Any]]:
        """Contacts of the company, locked as classification locks them."""
        query = select(contact_table).where(contact_table.c.company_id == self._company.id, wanted)
        rows = self._connection.execute(query.order_by(contact_table.c.id).with_for_update())
        return (dict(row) for row in rows.mappings())

    def _select_candidates(self, given: Sequence[ContactItem]) -> list[dict[str, Any]]:
        campaign_ids = [campaign.id for campaign in self._campaigns.values() if campaign.id is not None]
        rows: list[dict[str, Any]] = []
        for name in MATCH_FIELDS:
            values = {item.facts[name] for item in given if item.facts.get(name)}
            if values and campaign_ids:
                column = contact_table.c[name]
                rows += self._select(contact_table.c.campaign_id.in_(campaign_ids) & column.in_(values))
        return rows

    def _load_people(self, wanted: ColumnElement[bool]) -> None:
        query = select(User.id, User.name, User.email).where(User.company_id == self._company.id, wanted)
        for row in self._connection.execute(query):
            self._people.setdefault(row.email, _Person(row.id, row.name, row.email))

    def _load_campaigns(self, names: Collection[str], ids: Collection[int]) -> None:
        query = select(Campaign.id, Campaign.name, Campaign.description).where(
            Campaign.company_id == self._company.id, or_(Campaign.name.in_(names), Campaign.id.in_(ids))
        )
        for row in self._connection.execute(query):
            self._campaigns[row.name] = _Campaign(row.id, row.name, row.description)

    def _remember(self, rows: Iterable[dict[str, Any]]) -> None:
        campaigns = {campaign.id: campaign for campaign in self._campaigns.values()}
        people = {person.id: person for person in self._people.values()}
        for values in sorted(rows, key=lambda row: int(row["id"])):
            if values["id"] not in self._by_id:
                record = _Record(values, campaigns[values["campaign_id"]], people[values["owner_id"]])
                self._by_id[values["id"]] = record
                self._index(record)

    def _load_messages(self) -> None:
        query = select(message_table).where(message_table.c.contact_id.in_(self._by_id)).order_by(message_table.c.id)
        for row in self._connection.execute(query).mappings():
            message = {name: row[name] for name in ("sender_name", "message", "date", "pending")}
            self._by_id[row["contact_id"]].messages.append(message)

    # --- working through ---

    def plan(self, item: BatchItem) -> BatchResult:
        """Do to the contacts in memory what one item asks for."""
        given = item.contact
        record = self._by_id.get(given.contact_id) if _is_key(given.contact_id) else None
        if given.contact_id is not None and record is None:
            return BatchResult(error=InvalidContact("contact.id", "unknown"))
        name = given.campaign or (record.campaign.name if record else DEFAULT_CAMPAIGN)
        campaign = self._campaigns.get(name) or _Campaign(None, name)
        record = record or self._match(campaign, given)
        if record is None and "name" not in given.facts:
            return BatchResult(error=InvalidContact("contact.name", "required"))
        self._campaigns[name] = campaign
        is_new = record is None
        record = record or self._begin(campaign)
        was_changed, record.is_changed = record.is_changed, False
        self._apply(record, campaign, given)
        is_changed, record.is_changed = record.is_changed, record.is_changed or was_changed
        change = self._classify(record, item.level)
        return BatchResult(
            created=is_new,
            changed=is_changed and not is_new,
            classified=change is not None,
            sent=change is not None and change.frozen is not None,
        )

    def _match(self, campaign: _Campaign, given: ContactItem) -> _Record | None:
        for name in MATCH_FIELDS:
            if (value := given.facts.get(name)) and (found := self._by_key.get((campaign, name, value))):
                return found[0]
        return None

    def _begin(self, campaign: _Campaign) -> _Record:
        values: dict[str, Any] = dict.fromkeys((*BODY_FIELDS, *WRITTEN))
        values.update(company_id=self._company.id, collect_date=self._now, created_at=self._now)
        values.update(skills=[], experiences=[], updated_at=self._now)
        record = _Record(values, campaign, self._default_owner)
        self._new.append(record)
        return record

    def _apply(self, record: _Record, campaign: _Campaign, given: ContactItem) -> None:
        if given.campaign_facts.get("description", campaign.description) != campaign.description:
            campaign.description, campaign.is_changed = given.campaign_facts["description"], True
        owner = record.owner
        if given.owner is not None:
            name = given.owner.name or given.owner.email
            owner = self._people.setdefault(given.owner.email, _Person(None, name, given.owner.email))
        facts = {name: value for name, value in given.facts.items() if record.values[name] != value}
        if facts or campaign is not record.campaign or owner is not record.owner:
            self._unindex(record)
            record.values.update(facts)
            record.campaign, record.owner, record.is_changed = campaign, owner, True
            record.values["search_name"] = search_name(record.values["name"])
            self._index(record)
        if given.messages is not None and given.messages != record.messages:
            record.messages, record.has_new_messages, record.is_changed = given.messages, True, True

    def _classify(self, record: _Record, level: Any) -> _Change | None:
        old = record.values["interest_level"]
        if level is SAME or level == old:
            return None
        record.values["interest_level"], record.is_changed = level, True
        frozen = None
        if level is not None and self._is_sending:
            frozen = _Record(dict(record.values), record.campaign, record.owner, record.messages)
        change = _Change(record, old, level, frozen)
        self._changes.append(change)
        return change

    def _index(self, record: _Record) -> None:
        for name in MATCH_FIELDS:
            if value := record.values[name]:
                same = self._by_key.setdefault((record.campaign, name, value), [])
                same.append(record)
                same.sort(key=lambda each: each.values["id"] or float("inf"))  # the oldest is the one that is matched

    def _unindex(self, record: _Record) -> None:
        for name in MATCH_FIELDS:
            same = self._by_key.get((record.campaign, name, record.values[name] or ""), [])
            if record in same:
                same.remove(record)

    # --- writing ---

    def write(self, actor: str) -> None:
        """Write what changed: first what others refer to."""
        self._write_campaigns()
        self._write_people()
        records = [*self._by_id.values(), *self._new]
        for record in records:
            record.values.update(campaign_id=record.campaign.id, owner_id=record.owner.id)
        self._write_contacts()
        self._write_messages([record for record in records if record.has_new_messages])
        self._write_changes(actor)

    def _write_campaigns(self) -> None:
        for campaign in self._campaigns.values():
            facts = {"name": campaign.name, "description": campaign.description}
            if campaign.id is None:
                new = insert(Campaign).values(company_id=self._company.id, **facts).returning(Campaign.id)
                campaign.id = self._connection.execute(new).scalar_one()
            elif campaign.is_changed:
                self._connection.execute(update(Campaign).where(Campaign.id == campaign.id).values(facts))

    def _write_people(self) -> None:
        for person in self._people.values():
            if person.id is None:
                facts = {"name": person.name, "email": person.email, "created_at": self._now, "session_version": 1}
                new = insert(User).values(company_id=self._company.id, **facts).returning(User.id)
                person.id = self._connection.execute(new).scalar_one()

    def _write_contacts(self) -> None:
        if self._new:
            rows = [{name: value for name, value in record.values.items() if name != "id"} for record in self._new]
            new = insert(contact_table).returning(contact_table.c.id, sort_by_parameter_order=True)
            for record, contact_id in zip(self._new, self._connection.execute(new, rows).scalars(), strict=True):
                record.values["id"] = contact_id
        changed = [
            {**{name: record.values[name] for name in WRITTEN}, "updated_at": self._now, "b_id": contact_id}
            for contact_id, record in self._by_id.items()
            if record.is_changed
        ]
        if changed:
            columns = {name: bindparam(name) for name in WRITTEN}
            query = update(contact_table).where(contact_table.c.id == bindparam("b_id")).values(columns)
            self._connection.execute(query, changed)

    def _write_messages(self, records: Sequence[_Record]) -> None:
        ids = [record.values["id"] for record in records]
        rows = [{"contact_id": record.values["id"], **message} for record in records for message in record.messages]
        if ids:
            self._connection.execute(delete(message_table).where(message_table.c.contact_id.in_(ids)))
        if rows:
            self._connection.execute(insert(message_table), rows)

    def _write_changes(self, actor: str) -> None:
        if not self._changes:
            return
        shared = {"company_id": self._company.id, "actor": actor, "created_at": self._now}
        rows = [
            {"contact_id": change.record.values["id"], "old_level": change.old, "new_level": change.new, **shared}
            for change in self._changes
        ]
        self._connection.execute(insert(Classification.__table__), rows)  # type: ignore[arg-type]
        deliveries = [
            self._delivery(change, change.frozen, change.record.values["id"])
            for change in self._changes
            if change.frozen is not None
        ]
        trigger, now = "classification", self._now
        outbox.enqueue_many(self._session, self._company.id, deliveries, trigger=trigger, actor=actor, now=now)

    def _delivery(self, change: _Change, frozen: _Record, contact_id: int) -> dict[str, Any]:
        owner, campaign = frozen.owner, frozen.campaign
        body = compose_payload(
            {name: frozen.values[name] for name in BODY_FIELDS} | {"id": contact_id},
            owner=PersonValues(owner.id, owner.name, owner.email),
            campaign=CampaignValues(campaign.id, campaign.name, campaign.description),
            messages=[
                MessageValues(message["sender_name"], message["message"], message["date"], message["pending"])
                for message in frozen.messages
            ],
            zone=self._zone,
        )
        return {
            "contact_id": contact_id,
            "campaign_id": campaign.id,
            "owner_id": owner.id,
            "interest_level": change.new,
            "previous_level": change.old,
            "body": encode_body(body),
        }


def _is_key(value: Any) -> bool:
    return type(value) is int and 0 < value < 2**63
