"""Writing what a batch did, each kind of row by one statement: first what others refer to."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Integer, and_, delete, func, insert, select, update
from sqlalchemy.orm import Session

from portal import outbox
from portal.audit import Actor
from portal.contacts.known import Known
from portal.contacts.reaching import note_new
from portal.contacts.records import Change, CompanyRecord, ContactRecord
from portal.contacts.statements import contact_table, message_table
from portal.database.driver import Statement
from portal.database.inserting import Inserts, given_values, insert_given, insert_into
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key
from portal.models import PLACE, Campaign, Classification, Contact, User
from portal.rules.payload import build_payload, encode_body

KEPT = ("id", "company_id", "created_at", "delivered_level", "delivered_frozen_at", "delivered_warning", "merged")
# The columns that an update writes.
WRITTEN = tuple(column.name for column in contact_table.columns if column.name not in KEPT)
INSERTED = ("company_id", "created_at", *WRITTEN)
_new = rows_of("new", place=Integer(), **{name: contact_table.c[name].type for name in INSERTED})
# Numbers rise in the order of the rows, which PostgreSQL need not return in that order.
INSERT = Statement(
    insert(contact_table)
    .from_select(INSERTED, select(*(_new.c[name] for name in INSERTED)).order_by(_new.c.place))
    .returning(contact_table.c.id)
)
# What SQLite does for the same, in a third of the time: it alone writes, and counts on from its last number.
INSERT_ONE = insert_given(contact_table, INSERTED)
ADD_ONE = Statement(insert(contact_table).values(given_values(contact_table, INSERTED)).returning(contact_table.c.id))
LAST = Statement(select(func.last_insert_rowid().label("id")))


def _update(*names: str) -> Statement:
    """Sets these columns of a contact. SQLite writes every index anew that has one of them."""
    values = {name: given(name, contact_table.c[name].type) for name in names}
    return Statement(update(contact_table).where(contact_table.c.id == given("id", Key)).values(values))


UPDATE = _update(*WRITTEN)
SET_LEVEL = _update("interest_level", "classified_at", "is_level_imported", "updated_at")
FORGET_MESSAGES = Statement(
    delete(message_table).where(within(message_table.c.contact_id, select(rows_of("told", id=Key).c.id)))
)
ADD_MESSAGE = insert_into(message_table)
ADD_CLASSIFICATION = insert_into(Classification.__table__)  # type: ignore[arg-type]


def write_batch(
    session: Session,
    company: CompanyRecord,
    known: Known,
    *,
    new: Sequence[ContactRecord],
    changes: Sequence[Change],
    actor: Actor,
    now: datetime,
) -> None:
    """Write new and changed contacts, what they belong to, their classifications and the deliveries of these."""
    connection = session.connection()
    _write_campaigns(session, connection, known, company.id)
    _write_people(connection, known, company.id, now)
    records = [*known.by_id.values(), *new]
    for record in records:
        record.values.update(campaign_id=record.campaign.id, owner_id=record.owner.id)
    _insert_contacts(connection, new)
    _update_contacts(connection, known, now)
    beside = {
        ADD_MESSAGE: _messages_of([record for record in records if record.has_new_messages]),
        ADD_CLASSIFICATION: _classifications_of(company.id, changes, actor=actor.email, now=now),
    }
    made = [record.values["id"] for record in new]
    _enqueue(session, company, changes, made, beside, actor=actor.email, now=now)
    levels = {(change.record.values["id"], change.old) for change in changes}
    note_new(connection, {number for number, old in levels if number in known.by_id or old is not None}, now=now)


def _write_campaigns(session: Session, connection: Connection, known: Known, company_id: int) -> None:
    for campaign in known.campaigns.values():
        facts = {"name": campaign.name, "description": campaign.description}
        if campaign.id is None:
            new = insert(Campaign).values(company_id=company_id, **facts).returning(Campaign.id)
            campaign.id = connection.execute(new).scalar_one()
        elif campaign.is_changed:
            others = and_(Contact.campaign_id == campaign.id, Contact.id.not_in(known.by_id))
            outbox.mark_changed(session, company_id, others)
            connection.execute(update(Campaign).where(Campaign.id == campaign.id).values(facts))


def _write_people(connection: Connection, known: Known, company_id: int, now: datetime) -> None:
    for person in known.people.values():
        if person.id is None:
            facts = {"name": person.name, "email": person.email, "created_at": now, "session_version": 1}
            new = insert(User).values(company_id=company_id, **facts).returning(User.id)
            person.id = connection.execute(new).scalar_one()


def _insert_contacts(connection: Connection, records: Sequence[ContactRecord]) -> None:
    if not records:
        return
    made: Sequence[int]
    if connection.dialect.name == "sqlite":
        INSERT_ONE.run_many(connection, [record.values for record in records])
        ((last,),) = LAST.all(connection)
        made = range(last - len(records) + 1, last + 1)
    elif len(records) == 1:
        made = [ADD_ONE.all(connection, **records[0].values)[0].id]
    else:
        rows = [(place, *map(record.values.__getitem__, INSERTED)) for place, record in enumerate(records)]
        made = sorted(row.id for row in INSERT.all(connection, new=rows))
    for record, contact_id in zip(records, made, strict=True):
        record.values["id"] = contact_id


def _update_contacts(connection: Connection, known: Known, now: datetime) -> None:
    """Write what changed of contacts that were there, of a classified one its level alone; forget old messages."""
    held = known.by_id.values()
    for record in held:
        if record.is_changed or record.is_classified:
            record.values["updated_at"] = now
    if changed := [record.values for record in held if record.is_changed]:
        UPDATE.run_many(connection, changed)
    if classified := [record.values for record in held if record.is_classified and not record.is_changed]:
        SET_LEVEL.run_many(connection, classified)
    if again := [(record.values["id"],) for record in held if record.has_new_messages]:
        FORGET_MESSAGES.run(connection, told=again)


def _messages_of(records: Sequence[ContactRecord]) -> list[dict[str, Any]]:
    return [{"contact_id": record.values["id"], **message} for record in records for message in record.messages]


def _classifications_of(
    company_id: int, changes: Sequence[Change], *, actor: str, now: datetime
) -> list[dict[str, Any]]:
    shared = {"company_id": company_id, "actor": actor, "created_at": now, "repeated_at": None, "arrived_at": None}
    rows = []
    for change in changes:
        place = {column: change.record.values[its] for column, its in PLACE.items()}
        rows.append({**shared, **place, "old_level": change.old, "new_level": change.new})
    return rows


def _enqueue(
    session: Session,
    company: CompanyRecord,
    changes: Sequence[Change],
    made: Sequence[int],
    beside: Inserts,
    *,
    actor: str,
    now: datetime,
) -> None:
    """Put the bodies of the classifications that are told into the outbox; the contacts `made` are new."""
    zone = ZoneInfo(company.timezone)
    told = [(change, change.frozen) for change in changes if change.frozen is not None]
    deliveries = [_delivery(change, frozen, zone) for change, frozen in told]
    ids = outbox.enqueue(
        session,
        company.id,
        deliveries,
        trigger="classification",
        actor=actor,
        now=now,
        new_contacts=made,
        beside=beside,
    )
    for (change, _), delivery_id in zip(told, ids, strict=True):
        change.delivery_id = delivery_id


def _delivery(change: Change, frozen: ContactRecord, zone: ZoneInfo) -> dict[str, Any]:
    contact_id, owner, campaign = change.record.values["id"], frozen.owner, frozen.campaign
    payload = build_payload(
        contact=frozen.values | {"id": contact_id},
        contact_owner={"id": owner.id, "name": owner.name, "email": owner.email},
        campaign={"id": campaign.id, "name": campaign.name, "description": change.description},
        messages=frozen.messages,
        timezone=zone,
    )
    return {
        "contact_id": contact_id,
        "campaign_id": campaign.id,
        "owner_id": owner.id,
        "interest_level": change.new,
        "previous_level": change.old,
        "body": encode_body(payload),
    }
