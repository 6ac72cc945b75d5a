"""Recording what came of the attempts: a row each, and the delivery's next state while its lease still holds."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    Connection,
    Integer,
    String,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    null,
    or_,
    select,
    tuple_,
    update,
)

from portal.database.driver import Hold, Statement, together
from portal.database.inserting import insert_into, insert_values
from portal.database.rows import by_index, given, rows_of, within
from portal.database.tables import Key, UTCDateTime
from portal.models import OPEN_STATUSES, Attempt, Contact, Exchange
from portal.outbox.arrivals import note_arrivals
from portal.outbox.claims import CLAIM_COLUMNS, LEASE_EXPIRED, Claim, delivery, endpoint
from portal.outbox.counting import count_attempts
from portal.outbox.records import keep_records
from portal.outbox.rules import Rules
from portal.outbox.shapes import flag_changed
from portal.outbox.telling import ask_endpoints, tell_endpoints
from portal.webhook import Outcome

attempt: Table = Attempt.__table__  # type: ignore[assignment]
contact: Table = Contact.__table__  # type: ignore[assignment]
exchange: Table = Exchange.__table__  # type: ignore[assignment]


_newer = delivery.alias("newer")
_told = rows_of("told", id=Key)
_settled = rows_of(
    "settled",
    id=Key,
    token=String(),
    status=String(),
    reason=String(),
    warning=String(),
    tries=Integer(),
    next_attempt_at=UTCDateTime(),
)
_is_delivered = _settled.c.status == "delivered"
_is_overtaken = and_(
    ~_is_delivered,
    exists().where(
        _newer.c.contact_id == delivery.c.contact_id,
        _newer.c.id > delivery.c.id,
        _newer.c.status.in_(OPEN_STATUSES),
        # That of a merged contact tells a receiver nothing of this one.
        or_(_newer.c.former_contact_id.is_(None), _newer.c.former_contact_id == delivery.c.former_contact_id),
    ),
)

# Contacts are held before their deliveries, as by everybody who holds both.
HOLD_CONTACTS = Hold(
    select(contact.c.id)
    .where(within(contact.c.id, select(_told.c.id)))
    .order_by(contact.c.id)
    .with_for_update(key_share=True)
)
# Deliveries' next states, each written only while the lease is the one it was sent under; says which were. One that
# failed and whose contact has a newer one on its way is not tried again.
MOVE_ON = Statement(
    update(delivery)
    .where(
        by_index(delivery.c.id, select(_settled.alias("each").c.id)),
        delivery.c.id == _settled.c.id,
        delivery.c.lease_token == _settled.c.token,  # which only stands in what is being sent
        delivery.c.has_body,
    )
    .values(
        status=case((_is_overtaken, "superseded"), else_=_settled.c.status),
        next_attempt_at=case((_is_overtaken, null()), else_=_settled.c.next_attempt_at),
        delivered_at=case((_is_delivered, given("now", UTCDateTime())), else_=delivery.c.delivered_at),
        next_trigger="retry",
        lease_token=null(),
        lease_expires_at=null(),
        next_actor=null(),
        **{name: _settled.c[name] for name in ("reason", "warning", "tries")},
    )
    .returning(*(delivery.c[name] for name in ("id", "attempt_count", "status", "contact_id", "former_contact_id")))
)
# Some deliveries, held, and whether their bodies were not erased: whoever erases one comes before, or empties what is
# added. Like all who hold deliveries here it leaves their keys free: who ends an outage holds the endpoint, and refers
# to them.
STILL_THERE = Statement(
    select(delivery.c.id, delivery.c.has_body)
    .where(within(delivery.c.id, select(_told.c.id)))
    .order_by(delivery.c.id)
    .with_for_update(key_share=True)
)
RECORD = insert_into(attempt)
_said = [column for column in exchange.c if column.name != "attempt_id"]
_UNSAID: dict[str, Any] = {"detail": None, "request_headers": (), "response_headers": (), "response_body": None}
_just_recorded = (
    select(func.max(attempt.c.id))
    .where(
        attempt.c.delivery_id == given("delivery_id", Key),
        attempt.c.number == given("number", Integer()),
        attempt.c.late == given("late", Boolean()),
    )
    .scalar_subquery()
)
# What was said at an attempt that was just recorded: the last of its number.
RECORD_SAID = insert_values(
    exchange, attempt_id=_just_recorded, **{column.name: given(column.name, column.type) for column in _said}
)
# What the CRM learned last, whichever delivery that was: an old one can be sent again after a newer one. That of a
# merged contact tells nothing of this one.
_last_delivered = (
    select(delivery.c.interest_level, delivery.c.created_at, delivery.c.warning)
    .where(
        delivery.c.contact_id == contact.c.id,
        delivery.c.former_contact_id.is_(None),
        delivery.c.delivered_at.is_not(None),
    )
    .order_by(delivery.c.delivered_at.desc(), delivery.c.id.desc())
    .limit(1)
    .scalar_subquery()
)
_known_to_crm = tuple_(contact.c.delivered_level, contact.c.delivered_frozen_at, contact.c.delivered_warning)
TELL_CONTACTS = Statement(
    update(contact).where(within(contact.c.id, select(_told.c.id))).values({_known_to_crm: _last_delivered})
)
# What workers held that died, as their claims.
ABANDONED = Statement(
    select(
        *(*CLAIM_COLUMNS, delivery.c.lease_token, delivery.c.lease_expires_at),
        func.coalesce(endpoint.c.url, "").label("url"),
        endpoint.c.crm_since,
        func.coalesce(and_(endpoint.c.state == "failing", delivery.c.trigger != "test"), false()).label("is_probe"),
    )
    .outerjoin(endpoint, endpoint.c.company_id == delivery.c.company_id)
    .where(LEASE_EXPIRED)
    .limit(500)
    .with_for_update(skip_locked=True, key_share=True, of=delivery)
)


def settle(connection: Connection, results: Sequence[tuple[Claim, Outcome]], rules: Rules) -> None:
    """Record a batch of outcomes: an attempt each, and the next state of those whose lease is still theirs."""
    if not results:
        return
    with together(connection):
        mine, endpoints = _record(connection, results, rules)
        if mine:
            tell_endpoints(connection, mine, endpoints, rules)


def _record(
    connection: Connection, results: Sequence[tuple[Claim, Outcome]], rules: Rules
) -> tuple[list[tuple[Claim, Outcome]], dict[int, Any]]:
    """Write all down but what it says of the endpoints. Returns these, and the results whose lease was still theirs."""
    if held := _contacts_told(results):
        HOLD_CONTACTS.run(connection, told=held)
    results = [(claim, flag_changed(claim, outcome)) for claim, outcome in results]
    settled = [_next_state(*result, rules) for result in sorted(results, key=_place)]
    if undelivered := _ids(claim.delivery_id for claim, outcome in results if not outcome.delivered):
        STILL_THERE.all(connection, told=undelivered)  # `MOVE_ON` then sees what whoever takes one back has left
    moving = MOVE_ON.ask(connection, settled=settled, now=rules.now)
    endpoints_of = ask_endpoints(connection, results)
    moved, endpoints = moving(), endpoints_of()
    states = {(row.id, row.attempt_count): row for row in moved}
    mine = [each for each in results if _place(each) in states]
    late = _late(connection, [each for each in results if _place(each) not in states])
    # A late answer changes nothing: what was settled since stays so. Nor does that of a CRM which another replaced, of
    # which the contacts held say whether it did: whoever replaces it holds them all.
    known = [each for each in mine if each[0].crm_since == endpoints[each[0].company_id].crm_since]
    heard = {_place(each) for each in known}
    if attempts := [_attempt_values(*each, late=_place(each) not in heard) for each in mine + late]:
        RECORD.run_many(connection, attempts)
        RECORD_SAID.run_many(connection, [each for each in attempts if any(each[column.name] for column in _said)])
    if not mine:
        return [], {}
    note_arrivals(connection, {row.contact_id for row in moved if row.status == "delivered"} - {None})
    if told := _contacts_told([each for each in known if states[_place(each)].former_contact_id is None]):
        TELL_CONTACTS.run(connection, told=told)
        keep_records(connection, known, endpoints)
    count_attempts(connection, [(*each, states[_place(each)].status) for each in mine])
    return mine, endpoints


def recover(connection: Connection, rules: Rules, *, lease: timedelta) -> int:
    """End the leases of workers that died while sending: the try becomes `interrupted`, the delivery is due again.

    Returns how many there were. The receiver may have got them: the same id and bytes go again. What was sent to a
    failing endpoint was its probe, but for what was still under way when it began to fail: neither costs a try.
    """
    rows = ABANDONED.all(connection, now=rules.now)
    claims = [Claim(**row._asdict()) for row in rows]
    died = [(claim, Outcome.interrupted(url=claim.url, started_at=claim.lease_expires_at - lease)) for claim in claims]
    settle(connection, died, rules)
    return len(died)


def _contacts_told(results: Sequence[tuple[Claim, Outcome]]) -> list[tuple[int]]:
    """The contacts that the CRM learned of."""
    return _ids(claim.contact_id for claim, outcome in results if outcome.delivered)


def _ids(numbers: Iterable[int | None]) -> list[tuple[int]]:
    """Numbers for `rows_of`, in one order."""
    return [(number,) for number in sorted({number for number in numbers if number is not None})]


def _place(result: tuple[Claim, Outcome]) -> tuple[int, int]:
    """The delivery and the number of the attempt: of those with one lease there is one."""
    return result[0].delivery_id, result[0].number


def _late(connection: Connection, results: Sequence[tuple[Claim, Outcome]]) -> list[tuple[Claim, Outcome]]:
    """Those whose lease had gone to another. Of what was erased meanwhile the facts stay, without what was said."""
    if not results:
        return []
    rows = STILL_THERE.all(connection, told=_ids(claim.delivery_id for claim, _ in results))
    unsaid: dict[int, dict[str, Any]] = {row.id: {} if row.has_body else _UNSAID for row in rows}
    return [
        (claim, outcome._replace(**unsaid[claim.delivery_id]))
        for claim, outcome in results
        if claim.delivery_id in unsaid
    ]


def _next_state(claim: Claim, outcome: Outcome, rules: Rules) -> tuple[Any, ...]:
    """What `MOVE_ON` takes: the key and the token that guard the row, and its state after this outcome."""
    status, due_at, tries = "failed", None, claim.tries + 1
    if outcome.delivered:
        status = "delivered"
    elif claim.is_probe and not outcome.final:
        status, due_at, tries = "pending", rules.now + rules.first_pause, claim.tries
    elif not claim.is_test and not outcome.final:
        delay = rules.schedule.next_delay(tries, retry_after=outcome.retry_after, jitter=rules.jitter())
        if delay is not None:
            status, due_at = "pending", rules.now + (timedelta(0) if outcome.reason == "interrupted" else delay)
    return claim.delivery_id, claim.lease_token, status, outcome.reason, outcome.warning, tries, due_at


def _attempt_values(claim: Claim, outcome: Outcome, *, late: bool) -> dict[str, Any]:
    """What `RECORD` and `RECORD_SAID` take, among other facts."""
    if outcome.detail is not None:
        # It may quote a receiver: PostgreSQL stores no NUL, and neither database a lone surrogate.
        outcome = outcome._replace(detail=outcome.detail.replace("\0", "\ufffd").encode(errors="replace").decode())
    return outcome._asdict() | {
        "delivery_id": claim.delivery_id,
        "number": claim.number,
        "trigger": claim.trigger,
        "actor": claim.actor,
        "late": late,
    }
