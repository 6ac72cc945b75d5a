"""Recording what came of the attempts: a row each, and the delivery's next state while its lease still holds."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Integer,
    ScalarSelect,
    String,
    Table,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    null,
    select,
    update,
)

from portal.database.db import Key, UTCDateTime
from portal.database.driver import Statement, by_index, given, rows_of, within
from portal.models import OPEN_STATUSES, Attempt, Contact
from portal.outbox.claims import CLAIM_COLUMNS, LEASE_EXPIRED, Claim, delivery, endpoint
from portal.outbox.counting import count_attempts
from portal.outbox.shapes import flag_changed, remember
from portal.rules.circuit import Circuit, after_failed_probe, after_failure, after_success
from portal.rules.retry import RetrySchedule
from portal.webhook import Outcome

attempt: Table = Attempt.__table__  # type: ignore[assignment]
contact: Table = Contact.__table__  # type: ignore[assignment]

CIRCUIT_COLUMNS = tuple(field.name for field in fields(Circuit))
DEFAULT_FIRST_PAUSE = timedelta(seconds=30)
SAYS_NOTHING = ("interrupted", "internal_error")
"""Reasons that say nothing about the receiver."""

OUTCOME_COLUMNS = tuple(field.name for field in fields(Outcome) if field.name in attempt.c)


def _last_delivered(column: Column[Any]) -> ScalarSelect[Any]:
    """That fact of the delivery which a contact's receiver took last."""
    of_contact = select(column).where(delivery.c.contact_id == contact.c.id, delivery.c.delivered_at.is_not(None))
    return of_contact.order_by(delivery.c.delivered_at.desc(), delivery.c.id.desc()).limit(1).scalar_subquery()


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
    ),
)

HOLD_CONTACTS = Statement(
    select(contact.c.id)
    .where(within(contact.c.id, select(_told.c.id)))
    .order_by(contact.c.id)
    .with_for_update(key_share=True)
)
"""Contacts are held before their deliveries, as by everybody who holds both."""
MOVE_ON = Statement(
    update(delivery)
    .where(
        by_index(delivery.c.id, select(_settled.alias("each").c.id)),
        delivery.c.id == _settled.c.id,
        delivery.c.lease_token == _settled.c.token,  # which only stands in what is being sent
        delivery.c.body.is_not(None),
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
    .returning(delivery.c.id, delivery.c.attempt_count, delivery.c.status)
)
"""Deliveries' next states, each written only while the lease is the one it was sent under; says which were.

One that failed and whose contact has a newer one on its way is not tried again.
"""
STILL_THERE = Statement(
    select(delivery.c.id)
    .where(within(delivery.c.id, select(_told.c.id)), delivery.c.body.is_not(None))
    .order_by(delivery.c.id)
    .with_for_update()
)
"""Those of some deliveries that were not erased, held: whoever erases one comes before, or empties what is added."""
RECORD = Statement(
    insert(attempt).values(
        {column.name: given(column.name, column.type) for column in attempt.c if column.name != "id"}
    )
)
TELL_CONTACTS = Statement(
    update(contact)
    .where(within(contact.c.id, select(_told.c.id)))
    .values(
        delivered_level=_last_delivered(delivery.c.interest_level),
        delivered_warning=_last_delivered(delivery.c.warning),
    )
)
"""What the CRM learned last, whichever delivery that was: an old one can be sent again after a newer one."""
TOLD_COLUMNS = (*CIRCUIT_COLUMNS, "last_success_at", "last_failure_at", "answer_shape")
_endpoints = select(*(endpoint.c[name] for name in ("id", "company_id", "url", *TOLD_COLUMNS))).where(
    within(endpoint.c.company_id, select(_told.c.id))
)
ENDPOINTS_OF = Statement(_endpoints)
HOLD_ENDPOINTS = Statement(_endpoints.order_by(endpoint.c.company_id).with_for_update())
TELL_ENDPOINT = Statement(
    update(endpoint)
    .where(endpoint.c.id == given("key", Key))
    .values({name: given(name, endpoint.c[name].type) for name in TOLD_COLUMNS})
)
ABANDONED = Statement(
    select(
        *(*CLAIM_COLUMNS, delivery.c.lease_token, delivery.c.lease_expires_at),
        func.coalesce(endpoint.c.url, "").label("url"),
        func.coalesce(and_(endpoint.c.state == "failing", delivery.c.trigger != "test"), false()).label("is_probe"),
    )
    .outerjoin(endpoint, endpoint.c.company_id == delivery.c.company_id)
    .where(LEASE_EXPIRED)
    .limit(500)
    .with_for_update(skip_locked=True, of=delivery)
)
"""What workers held that died, as their claims."""
FRESH = timedelta(seconds=1)
"""What an endpoint's last success may be behind: one after the other is not worth a write each."""


@dataclass(frozen=True)
class Rules:
    """What decides a delivery's next state besides its outcome."""

    schedule: RetrySchedule
    now: datetime
    jitter: Callable[[], float]
    """A number from 0 to 1, drawn anew for each retry."""

    @property
    def first_pause(self) -> timedelta:
        """The pause before a failing endpoint is first probed: the one before a first retry."""
        return self.schedule.delays[1] if len(self.schedule.delays) > 1 else DEFAULT_FIRST_PAUSE


def settle(connection: Connection, results: Sequence[tuple[Claim, Outcome]], rules: Rules) -> None:
    """Record a batch of outcomes: an attempt each, and the next state of those whose lease is still theirs."""
    if not results:
        return
    if held := _contacts_told(results):
        HOLD_CONTACTS.run(connection, told=held)
    results = [(claim, flag_changed(claim, outcome)) for claim, outcome in results]
    settled = [_next_state(*result, rules) for result in sorted(results, key=_place)]
    moved = MOVE_ON.all(connection, settled=settled, now=rules.now)
    status_of = {(row.id, row.attempt_count): row.status for row in moved}
    mine = [each for each in results if _place(each) in status_of]
    late = _late(connection, [each for each in results if _place(each) not in status_of])
    attempts = [_attempt_values(*each, late=is_late) for some, is_late in ((mine, False), (late, True)) for each in some]
    if attempts:
        RECORD.run_many(connection, attempts)
    if not mine:
        return
    if told := _contacts_told(mine):  # a late answer changes nothing: what was settled since stays so
        TELL_CONTACTS.run(connection, told=told)
    _record_at_endpoints(connection, mine, rules)
    count_attempts(connection, [(*each, status_of[_place(each)]) for each in mine])


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
    """Those whose lease had gone to another; what is not there any more was erased, and leaves nothing."""
    if not results:
        return []
    rows = STILL_THERE.all(connection, told=_ids(claim.delivery_id for claim, _ in results))
    ids = {row.id for row in rows}
    return [each for each in results if each[0].delivery_id in ids]


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
    kept = {name: getattr(outcome, name) for name in OUTCOME_COLUMNS}
    if outcome.detail is not None:
        # It may quote a receiver: PostgreSQL stores no NUL, and neither database a lone surrogate.
        kept["detail"] = outcome.detail.replace("\0", "\ufffd").encode(errors="replace").decode()
    return kept | {
        "delivery_id": claim.delivery_id,
        "number": claim.number,
        "trigger": claim.trigger,
        "actor": claim.actor,
        "late": late,
    }


def _record_at_endpoints(connection: Connection, results: Sequence[tuple[Claim, Outcome]], rules: Rules) -> None:
    """What the attempts say about their endpoints.

    Tests say nothing, nor does what went to an address that is no longer the endpoint's, nor what never reached out.
    """
    telling: dict[int, list[tuple[Claim, Outcome]]] = {}
    for claim, outcome in results:
        if not claim.is_test and outcome.reason not in SAYS_NOTHING:
            telling.setdefault(claim.company_id, []).append((claim, outcome))
    if not telling:
        return
    # Looked at before they are held: two workers whose deliveries to one endpoint go well never wait for each other.
    rows = ENDPOINTS_OF.all(connection, told=_ids(telling))
    changing = [row.company_id for row in rows if _endpoint_after(row, telling[row.company_id], rules) is not None]
    held = HOLD_ENDPOINTS.all(connection, told=_ids(changing)) if changing else []
    for row in held:
        facts = _endpoint_after(row, telling[row.company_id], rules)
        if facts is None:
            continue
        TELL_ENDPOINT.run(connection, key=row.id, **facts)
        if row.state == "failing" and facts["state"] == "active":
            release_waiting(connection, row.company_id, now=rules.now)


def _endpoint_after(row: Any, told: Sequence[tuple[Claim, Outcome]], rules: Rules) -> dict[str, Any] | None:
    """An endpoint's columns after these results; None when there is nothing to write."""
    before = Circuit(**{name: getattr(row, name) for name in CIRCUIT_COLUMNS})
    here = [(claim, outcome) for claim, outcome in told if claim.url == row.url]
    after = _fold(before, here, rules)
    succeeded = any(outcome.delivered for _, outcome in here)
    failed = not all(outcome.delivered for _, outcome in here)
    is_fresh = row.last_success_at is not None and row.last_success_at > rules.now - FRESH
    shapes = remember(row.answer_shape, [outcome.shape for _, outcome in here])
    if not (failed or after != before or shapes != row.answer_shape or (succeeded and not is_fresh)):
        return None
    return {name: getattr(after, name) for name in CIRCUIT_COLUMNS} | {
        "last_success_at": rules.now if succeeded else row.last_success_at,
        "last_failure_at": rules.now if failed else row.last_failure_at,
        "answer_shape": shapes,
    }


def _fold(circuit: Circuit, results: Sequence[tuple[Claim, Outcome]], rules: Rules) -> Circuit:
    for claim, outcome in results:
        if outcome.delivered:
            circuit = after_success(circuit)
            continue
        now, first_pause, retry_after = rules.now, rules.first_pause, outcome.retry_after
        circuit = after_failure(
            circuit, claim.delivery_id, reason=outcome.reason, now=now, first_pause=first_pause, retry_after=retry_after
        )
        if claim.is_probe:
            circuit = after_failed_probe(circuit, now=now, first_pause=first_pause, retry_after=retry_after)
    return circuit


def release_waiting(connection: Connection, company_id: int, *, now: datetime) -> None:
    """The endpoint is back: everything that waits is due now, level 3 first, by a microsecond for each level."""
    for level in (3, 2, 1):
        connection.execute(
            update(delivery)
            .where(
                delivery.c.company_id == company_id,
                delivery.c.status == "pending",
                delivery.c.interest_level == level,
            )
            .values(next_attempt_at=now + timedelta(microseconds=3 - level))
        )
