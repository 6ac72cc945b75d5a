"""Into the outbox and back into it: what people and use cases do with deliveries, in their own transaction."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import uuid_utils
from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, not_, or_, select, update
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningUpdate

from portal.database.driver import Statement
from portal.database.inserting import Inserts, given_values, insert_selected, insert_together, insert_values
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key, moment
from portal.models import OPEN_STATUSES, Delivery
from portal.outbox.bell import CALLED, CHANNEL, DUE
from portal.outbox.claims import CLAIM_COLUMNS, ENDPOINT_COLUMNS, Claim, delivery, delivery_body, endpoint, target_of
from portal.rules.payload import encode_body, sample_payload

_newer = delivery.alias("newer")
_told = rows_of("told", id=Key)
SUPERSEDE = Statement(
    update(delivery)
    .where(
        within(delivery.c.contact_id, select(_told.c.id)),
        delivery.c.status == "pending",
        delivery.c.attempt_count > 0,
    )
    .values(status="superseded")  # when it was due stays: what superseded it may be taken back
)
ENQUEUED = (
    *("webhook_id", "company_id", "contact_id", "campaign_id", "owner_id", "trigger", "next_trigger", "actor"),
    *("interest_level", "previous_level", "status", "next_attempt_at", "created_at"),
)
_columns = given_values(delivery, ENQUEUED, attempt_count=0, tries=0, has_body=True, is_purged=False)
ENQUEUE = insert_values(delivery, **_columns)
_body = given("body", delivery_body.c.content.type)
_made_id = given("webhook_id", delivery.c.webhook_id.type)
_just_made = select(delivery.c.id).where(delivery.c.webhook_id == _made_id).scalar_subquery()
STORE_BODY = insert_values(delivery_body, delivery_id=_just_made, content=_body)
# What PostgreSQL does for both, calling the workers besides: a round trip takes as long as what it brings.
_made = insert_selected(delivery, **_columns).returning(delivery.c.id, delivery.c.webhook_id).cte("made")
_its_body = select(_made.c.id, _body).where(_made.c.webhook_id == _made_id)
ENQUEUE_AND_CALL = Statement(
    insert(delivery_body)
    .from_select(["delivery_id", "content"], _its_body)
    .returning(func.pg_notify(CHANNEL, "").label("called"))
)


def new_webhook_id() -> str:
    """A delivery's public id, sent as `webhook-id`: a UUIDv7 with a prefix."""
    return f"msg_{uuid_utils.uuid7().hex}"


def enqueue(
    session: Session,
    company_id: int,
    rows: Sequence[Mapping[str, Any]],
    *,
    trigger: str,
    actor: str,
    now: datetime,
    new_contacts: Collection[int] = (),
    beside: Inserts | None = None,
) -> list[str]:
    """Put bodies into the outbox, due at once and in this order, and supersede what waits for a retry.

    Each row has `contact_id`, `campaign_id`, `owner_id`, `interest_level`, `previous_level` and `body`. Nothing waits
    of `new_contacts`, which this transaction made. What is `beside` is inserted at once with them. Returns the public
    ids of the deliveries.
    """
    connection, beside = session.connection(), beside or {}
    if not rows:
        insert_together(connection, beside)
        return []
    shared = {
        "company_id": company_id,
        "trigger": trigger,
        "next_trigger": trigger,
        "actor": actor,
        "status": "pending",
        "next_attempt_at": now,
        "created_at": now,
    }
    _supersede_waiting(connection, {row["contact_id"] for row in rows}.difference(new_contacts))
    values = [{**shared, **row, "webhook_id": new_webhook_id()} for row in rows]
    if connection.dialect.name == "postgresql":
        insert_together(connection, {**beside, ENQUEUE_AND_CALL: values})
        session.info.setdefault(DUE, CALLED)
    else:
        insert_together(connection, {**beside, ENQUEUE: values, STORE_BODY: values})
        session.info[DUE] = True
    return [row["webhook_id"] for row in values]


def store_bodies(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the `body` of each delivery that has just been made, by its `webhook_id`."""
    STORE_BODY.run_many(connection, rows)


def enqueue_test(
    connection: Connection, *, company_id: int, url: str, actor: str, now: datetime, lease: timedelta
) -> Claim:
    """Record a test send that the caller is about to make itself: claimed from the start, never retried."""
    sample = sample_payload()
    target = connection.execute(select(*ENDPOINT_COLUMNS).where(endpoint.c.company_id == company_id)).one()
    values = {
        "webhook_id": new_webhook_id(),
        "company_id": company_id,
        "trigger": "test",
        "next_trigger": "test",
        "actor": actor,
        "next_actor": actor,
        "interest_level": sample["contact"]["interest_level"],
        "status": "sending",
        "attempt_count": 1,
        "lease_token": secrets.token_hex(16),
        "lease_expires_at": now + lease,
        "created_at": now,
    }
    connection.execute(insert(delivery).values(values))
    store_bodies(connection, [{"webhook_id": values["webhook_id"], "body": encode_body(sample)}])
    made = select(*CLAIM_COLUMNS).where(delivery.c.webhook_id == values["webhook_id"])
    row = connection.execute(made).one()
    lease_held = {name: values[name] for name in ("lease_token", "lease_expires_at")}
    return Claim(**row._mapping, **lease_held, **target_of(target, now=now, url=url))


def resend(session: Session, row: Delivery, *, actor: str, now: datetime, seen_attempts: int | None = None) -> bool:
    """Make a delivery due again at once, with a fresh budget of tries. Returns whether that changed anything.

    Nothing changes while it is being sent or is due already; nor when `seen_attempts` (what the person who asked saw)
    is no longer the number of attempts: so a double click sends once.
    """
    statement = _begin_again(actor, now).where(delivery.c.id == row.id)
    if seen_attempts is not None:
        statement = statement.where(delivery.c.attempt_count == seen_attempts)
    if session.execute(statement).first() is None:
        return False
    session.expire(row)
    session.info[DUE] = True
    return True


def resend_many(
    session: Session, company_id: int, seen: Sequence[tuple[int, int]], *, actor: str, now: datetime
) -> int:
    """Do what `resend` does to many: each a delivery's id and the attempts it had when somebody asked for this.

    Returns how many of them that changed.
    """
    changed = 0
    for attempts in sorted({attempts for _, attempts in seen}):
        ids = [key for key, number in seen if number == attempts]
        these = (delivery.c.company_id == company_id, delivery.c.id.in_(ids), delivery.c.attempt_count == attempts)
        changed += len(session.execute(_begin_again(actor, now).where(*these)).all())
    if changed:
        session.info[DUE] = True
    return changed


def _begin_again(actor: str, now: datetime) -> ReturningUpdate[Any]:
    """Makes deliveries due at once, but for those that are being sent, are due already, or have no body any more."""
    # Who asked at the same moment may have read the clock a little later: what was made due by hand is due already.
    was_made_due = and_(delivery.c.next_trigger == "manual", delivery.c.tries == 0)
    waits = and_(delivery.c.status == "pending", delivery.c.next_attempt_at > now, not_(was_made_due))
    may_go = or_(delivery.c.status.not_in(OPEN_STATUSES), waits)
    return (
        update(delivery)
        .where(may_go, delivery.c.has_body)
        .values(status="pending", tries=0, next_attempt_at=now, next_trigger="manual", next_actor=actor)
        .returning(delivery.c.id)
    )


def _supersede_waiting(connection: Connection, contact_ids: Collection[int]) -> None:
    """A newer state of these contacts exists: what waits for a retry is no longer worth bringing."""
    if contact_ids:
        SUPERSEDE.run(connection, told=[(number,) for number in sorted(contact_ids)])


def take_back(session: Session, delivery_id: int, *, now: datetime) -> bool:
    """Cancel a delivery that no worker has had in hand; what it superseded waits again. Returns whether it did that."""
    # What is being settled ends first: it may be superseded by the one that is about to be cancelled.
    contact = select(delivery.c.contact_id).where(delivery.c.id == delivery_id).scalar_subquery()
    older = (delivery.c.contact_id == contact, delivery.c.id < delivery_id, delivery.c.status.in_(OPEN_STATUSES))
    session.execute(select(delivery.c.id).where(*older).order_by(delivery.c.id).with_for_update())
    never_claimed = (delivery.c.id == delivery_id, delivery.c.status == "pending", delivery.c.attempt_count == 0)
    cancelled = session.execute(
        update(delivery)
        .where(*never_claimed)
        .values(status="cancelled", next_attempt_at=None)
        .returning(delivery.c.contact_id, delivery.c.previous_level)
    )
    taken = cancelled.first()
    if taken is None:
        return False
    # What a removal of the address cancelled in between was never taken back: its level is not the one before.
    tells_the_level_before = or_(
        delivery.c.former_contact_id.is_not(None), delivery.c.interest_level == taken.previous_level
    )
    session.execute(
        update(delivery)
        .where(
            *(delivery.c.contact_id == taken.contact_id, delivery.c.id < delivery_id, delivery.c.has_body),
            *(delivery.c.status == "superseded", ~_is_followed_before(delivery_id), tells_the_level_before),
        )
        .values(status="pending", next_attempt_at=func.coalesce(delivery.c.next_attempt_at, moment(now)))
    )
    session.info[DUE] = True
    return True


def _is_followed_before(delivery_id: int) -> ColumnElement[bool]:
    """Whether there is another between a delivery and that one, which tells the same and was not taken back."""
    tells_the_same = or_(
        _newer.c.former_contact_id.is_(None), _newer.c.former_contact_id == delivery.c.former_contact_id
    )
    return exists().where(
        *(_newer.c.contact_id == delivery.c.contact_id, _newer.c.id > delivery.c.id, _newer.c.id < delivery_id),
        *(_newer.c.status != "cancelled", tells_the_same),
    )


def move_deliveries(session: Session, from_contact_id: int, to_contact_id: int) -> int:
    """Give a contact's deliveries to another, which it is merged into. Returns how many there were.

    Nothing else of them changes: what waits goes out as it is, in the order in which all were made, and one that is
    being sent ends as ever. They tell the CRM of the number in their bodies, not of the contact that has them now.
    """
    moved = session.connection().execute(
        update(delivery)
        .where(delivery.c.contact_id == from_contact_id)
        .values(
            contact_id=to_contact_id, former_contact_id=func.coalesce(delivery.c.former_contact_id, from_contact_id)
        )
    )
    return moved.rowcount


def cancel_waiting(session: Session, company_id: int) -> int:
    """Cancel what waits for a company's endpoint. Returns how many deliveries that were."""
    return _cancel(session, delivery.c.company_id == company_id)


def cancel_contacts(session: Session, contact_ids: Collection[int]) -> int:
    """Cancel what waits of these contacts. Returns how many deliveries that were."""
    return _cancel(session, delivery.c.contact_id.in_(contact_ids))


def _cancel(session: Session, wanted: ColumnElement[bool]) -> int:
    waiting = update(delivery).where(wanted, delivery.c.status == "pending")
    return session.connection().execute(waiting.values(status="cancelled", next_attempt_at=None)).rowcount


def waiting_count(session: Session, company_id: int) -> int:
    """How many deliveries of a company are still on their way."""
    return (
        session.scalar(
            select(func.count()).where(Delivery.company_id == company_id, Delivery.status.in_(OPEN_STATUSES))
        )
        or 0
    )


def waiting_count_of(session: Session, contact_id: int) -> int:
    """How many deliveries of a contact are still on their way."""
    is_open = Delivery.status.in_(OPEN_STATUSES)
    return session.scalar(select(func.count()).where(Delivery.contact_id == contact_id, is_open)) or 0
