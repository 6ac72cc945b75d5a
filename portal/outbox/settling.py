"""Recording what came of the attempts: a row each, and the delivery's next state while its lease still holds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    Connection,
    ScalarSelect,
    Table,
    and_,
    bindparam,
    exists,
    false,
    func,
    insert,
    select,
    update,
)

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


# The statements of the way that every delivery goes are built once: building them costs more than running them.
_newer = delivery.alias("newer")

_told: BindParameter[Any] = bindparam("contact_ids", expanding=True)
HOLD_CONTACTS = (
    select(contact.c.id).where(contact.c.id.in_(_told)).order_by(contact.c.id).with_for_update(key_share=True)
)
"""Contacts are held before their deliveries, as by everybody who holds both."""
LEASES = (
    select(delivery.c.id, delivery.c.status, delivery.c.lease_token)
    .where(delivery.c.id.in_(bindparam("ids", expanding=True)), delivery.c.body.is_not(None))
    .order_by(delivery.c.id)
    .with_for_update()
)
OVERTAKEN = select(delivery.c.id).where(
    delivery.c.id.in_(bindparam("ids", expanding=True)),
    exists().where(
        _newer.c.contact_id == delivery.c.contact_id,
        _newer.c.id > delivery.c.id,
        _newer.c.status.in_(OPEN_STATUSES),
    ),
)
RECORD = insert(attempt)
MOVED_COLUMNS = (
    "status",
    "reason",
    "warning",
    "tries",
    "next_attempt_at",
    "next_trigger",
    "next_actor",
    "lease_token",
    "lease_expires_at",
)
MOVE_ON = (
    update(delivery)
    .where(delivery.c.id == bindparam("key"), delivery.c.lease_token == bindparam("held_token"))
    .values(
        {name: bindparam(name) for name in MOVED_COLUMNS}
        | {"delivered_at": func.coalesce(bindparam("settled_delivered_at"), delivery.c.delivered_at)}
    )
)
"""A delivery's next state, written only while the lease is the one it was sent under."""
TELL_CONTACTS = (
    update(contact)
    .where(contact.c.id.in_(_told))
    .values(
        delivered_level=_last_delivered(delivery.c.interest_level),
        delivered_warning=_last_delivered(delivery.c.warning),
    )
)
"""What the CRM learned last, whichever delivery that was: an old one can be sent again after a newer one."""
ENDPOINT_OF = select(endpoint).where(endpoint.c.company_id == bindparam("of_company")).with_for_update()
TOLD_COLUMNS = (*CIRCUIT_COLUMNS, "last_success_at", "last_failure_at", "answer_shape")
TELL_ENDPOINT = (
    update(endpoint).where(endpoint.c.id == bindparam("key")).values({name: bindparam(name) for name in TOLD_COLUMNS})
)
ABANDONED = (
    select(
        *CLAIM_COLUMNS,
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
        connection.execute(HOLD_CONTACTS, {"contact_ids": held})
    leases = _leases(connection, [claim for claim, _ in results])
    # What is not there any more was erased.
    results = [(claim, flag_changed(claim, outcome)) for claim, outcome in results if claim.delivery_id in leases]
    mine = [(claim, outcome) for claim, outcome in results if leases[claim.delivery_id] == claim.lease_token]
    if results:
        late = [leases[claim.delivery_id] != claim.lease_token for claim, _ in results]
        values = [_attempt_values(*result, late=is_late) for result, is_late in zip(results, late, strict=True)]
        connection.execute(RECORD, values)
    if not mine:
        return
    overtaken = _with_newer_open(connection, [claim for claim, outcome in mine if not outcome.delivered])
    states = [_next_state(claim, outcome, rules, claim.delivery_id in overtaken) for claim, outcome in mine]
    connection.execute(MOVE_ON, states)
    if told := _contacts_told(mine):  # a late answer changes nothing: what was settled since stays so
        connection.execute(TELL_CONTACTS, {"contact_ids": told})
    _record_at_endpoints(connection, mine, rules)
    count_attempts(connection, [(*result, state["status"]) for result, state in zip(mine, states, strict=True)])


def recover(connection: Connection, rules: Rules, *, lease: timedelta) -> int:
    """End the leases of workers that died while sending: the try becomes `interrupted`, the delivery is due again.

    Returns how many there were. The receiver may have got them: the same id and bytes go again. What was sent to a
    failing endpoint was its probe, but for what was still under way when it began to fail: neither costs a try.
    """
    rows = connection.execute(ABANDONED, {"now": rules.now}).all()
    claims = [Claim(**row._mapping) for row in rows]
    died = [(claim, Outcome.interrupted(url=claim.url, started_at=claim.lease_expires_at - lease)) for claim in claims]
    settle(connection, died, rules)
    return len(died)


def _contacts_told(results: Sequence[tuple[Claim, Outcome]]) -> list[int]:
    """The contacts that the CRM learned of, in one order."""
    return sorted(
        {claim.contact_id for claim, outcome in results if outcome.delivered and claim.contact_id is not None}
    )


def _leases(connection: Connection, claims: Sequence[Claim]) -> dict[int, str | None]:
    """The lease token of each of those deliveries that are not erased; None when it is not being sent."""
    rows = connection.execute(LEASES, {"ids": [claim.delivery_id for claim in claims]})
    return {row.id: row.lease_token if row.status == "sending" else None for row in rows}


def _with_newer_open(connection: Connection, claims: Sequence[Claim]) -> set[int]:
    """The ids of those deliveries whose contact has a newer one on its way."""
    if not claims:
        return set()
    return set(connection.execute(OVERTAKEN, {"ids": [claim.delivery_id for claim in claims]}).scalars())


def _next_state(claim: Claim, outcome: Outcome, rules: Rules, is_overtaken: bool) -> dict[str, Any]:
    """The columns of a delivery after this outcome, with the key and the token that guard their UPDATE."""
    status, due_at, tries = "failed", None, claim.tries + 1
    if outcome.delivered:
        status = "delivered"
    elif is_overtaken:
        status = "superseded"
    elif claim.is_probe and not outcome.final:
        status, due_at, tries = "pending", rules.now + rules.first_pause, claim.tries
    elif not claim.is_test and not outcome.final:
        delay = rules.schedule.next_delay(tries, retry_after=outcome.retry_after, jitter=rules.jitter())
        if delay is not None:
            status, due_at = "pending", rules.now + (timedelta(0) if outcome.reason == "interrupted" else delay)
    return {
        "key": claim.delivery_id,
        "held_token": claim.lease_token,
        "status": status,
        "reason": outcome.reason,
        "warning": outcome.warning,
        "tries": tries,
        "next_attempt_at": due_at,
        "next_trigger": "retry",
        "next_actor": None,
        "lease_token": None,
        "lease_expires_at": None,
        "settled_delivered_at": rules.now if outcome.delivered else None,
    }


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
    for company_id, told in sorted(telling.items()):  # in one order, so that two workers never wait for each other
        row = connection.execute(ENDPOINT_OF, {"of_company": company_id}).one()
        before = Circuit(**{name: row._mapping[name] for name in CIRCUIT_COLUMNS})
        here = [(claim, outcome) for claim, outcome in told if claim.url == row.url]
        after = _fold(before, here, rules)
        succeeded = any(outcome.delivered for _, outcome in here)
        failed = not all(outcome.delivered for _, outcome in here)
        is_fresh = row.last_success_at is not None and row.last_success_at > rules.now - FRESH
        shapes = remember(row.answer_shape, [outcome.shape for _, outcome in here])
        if failed or after != before or shapes != row.answer_shape or (succeeded and not is_fresh):
            facts = {name: getattr(after, name) for name in CIRCUIT_COLUMNS}
            facts["last_success_at"] = rules.now if succeeded else row.last_success_at
            facts["last_failure_at"] = rules.now if failed else row.last_failure_at
            facts["answer_shape"] = shapes
            connection.execute(TELL_ENDPOINT, facts | {"key": row.id})
        if before.state == "failing" and after.state == "active":
            release_waiting(connection, company_id, now=rules.now)


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
