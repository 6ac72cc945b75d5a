"""Recording what came of the attempts: a row each, and the delivery's next state while its lease still holds."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, select, update

from portal.models import OPEN_STATUSES
from portal.outbox.claims import lease_expired
from portal.outbox.job import Job, attempt, delivery, endpoint, job_of
from portal.retry import RetrySchedule
from portal.webhook import Outcome


@dataclass(frozen=True)
class Rules:
    """What decides a delivery's next state besides its outcome."""

    schedule: RetrySchedule
    now: datetime
    jitter: Callable[[], float]
    """A number from 0 to 1, drawn anew for each retry."""


def settle(connection: Connection, results: Sequence[tuple[Job, Outcome]], rules: Rules) -> None:
    """Record a batch of outcomes: an attempt each, and the next state of those whose lease is still theirs."""
    if not results:
        return
    held = _held_leases(connection, [job for job, _ in results])
    mine = [(job, outcome) for job, outcome in results if (job.delivery_id, job.lease_token) in held]
    connection.execute(
        insert(attempt),
        [
            _attempt_values(job, outcome, late=(job.delivery_id, job.lease_token) not in held)
            for job, outcome in results
        ],
    )
    if mine:
        overtaken = _with_newer_open(connection, [job for job, outcome in mine if not outcome.delivered])
        _update(connection, [_next_state(job, outcome, rules, job.delivery_id in overtaken) for job, outcome in mine])
        _record_endpoint_facts(connection, mine, now=rules.now)


def recover(connection: Connection, rules: Rules, *, lease: timedelta) -> int:
    """End the leases of workers that died while sending: the try becomes `interrupted`, the delivery is due again.

    Returns how many there were. The receiver may have got them: the same id and bytes go again.
    """
    rows = connection.execute(
        select(delivery, endpoint.c.url, endpoint.c.secret)
        .outerjoin(endpoint, endpoint.c.company_id == delivery.c.company_id)
        .where(lease_expired(rules.now))
        .limit(500)
        .with_for_update(skip_locked=True, of=delivery)
    ).all()
    settle(
        connection,
        [
            (
                job_of(row, url=row.url or "", secret=row.secret, old_secret=None),
                Outcome.interrupted(url=row.url or "", started_at=row.lease_expires_at - lease),
            )
            for row in rows
        ],
        rules,
    )
    return len(rows)


def _update(connection: Connection, changes: Sequence[dict[str, Any]]) -> None:
    """Write the next states, each only while its lease is the one it was sent under."""
    values = {name: bindparam(name) for name in changes[0] if name in delivery.c}
    delivered_at = func.coalesce(bindparam("settled_delivered_at"), delivery.c.delivered_at)
    connection.execute(
        update(delivery)
        .where(delivery.c.id == bindparam("key"), delivery.c.lease_token == bindparam("held_token"))
        .values(**values, delivered_at=delivered_at),
        changes,
    )


def _held_leases(connection: Connection, jobs: Sequence[Job]) -> set[tuple[int, str]]:
    rows = connection.execute(
        select(delivery.c.id, delivery.c.lease_token)
        .where(delivery.c.id.in_([job.delivery_id for job in jobs]), delivery.c.status == "sending")
        .with_for_update()
    )
    return {(row.id, row.lease_token) for row in rows}


def _with_newer_open(connection: Connection, jobs: Sequence[Job]) -> set[int]:
    """The ids of those deliveries whose contact has a newer one on its way."""
    newer = delivery.alias("newer")
    rows = connection.execute(
        select(delivery.c.id).where(
            delivery.c.id.in_([job.delivery_id for job in jobs]),
            exists().where(
                newer.c.contact_id == delivery.c.contact_id,
                newer.c.id > delivery.c.id,
                newer.c.status.in_(OPEN_STATUSES),
            ),
        )
    )
    return set(rows.scalars())


def _next_state(job: Job, outcome: Outcome, rules: Rules, is_overtaken: bool) -> dict[str, Any]:
    """The columns of a delivery after this outcome, with the key and the token that guard their UPDATE."""
    status, due_at = "failed", None
    if outcome.delivered:
        status = "delivered"
    elif is_overtaken:
        status = "superseded"
    elif not job.is_test and not outcome.final:
        delay = rules.schedule.next_delay(job.tries + 1, retry_after=outcome.retry_after, jitter=rules.jitter())
        if delay is not None:
            status, due_at = "pending", rules.now + (timedelta(0) if outcome.reason == "interrupted" else delay)
    return {
        "key": job.delivery_id,
        "held_token": job.lease_token,
        "status": status,
        "reason": outcome.reason,
        "warning": outcome.warning,
        "tries": job.tries + 1,
        "next_attempt_at": due_at,
        "next_trigger": "retry",
        "next_actor": None,
        "lease_token": None,
        "lease_expires_at": None,
        "settled_delivered_at": rules.now if outcome.delivered else None,
    }


def _attempt_values(job: Job, outcome: Outcome, *, late: bool) -> dict[str, Any]:
    facts = asdict(outcome)
    kept = {column.name: facts[column.name] for column in attempt.c if column.name in facts}
    return kept | {
        "delivery_id": job.delivery_id,
        "number": job.number,
        "trigger": job.trigger,
        "actor": job.actor,
        "late": late,
    }


def _record_endpoint_facts(connection: Connection, results: Sequence[tuple[Job, Outcome]], *, now: datetime) -> None:
    """What the endpoint's page shows: last success, last failure, failures in a row. Tests do not count."""
    by_endpoint: dict[tuple[int, str], list[Outcome]] = {}
    for job, outcome in results:
        if not job.is_test:
            by_endpoint.setdefault((job.company_id, job.url), []).append(outcome)
    for (company_id, url), outcomes in by_endpoint.items():
        failed = [not outcome.delivered for outcome in outcomes]
        values: dict[str, Any] = {}
        if not all(failed):
            values |= {"last_success_at": now, "consecutive_failures": failed[::-1].index(False)}
        else:
            values["consecutive_failures"] = endpoint.c.consecutive_failures + len(failed)
        if any(failed):
            values["last_failure_at"] = now
        if any(outcome.reason == "gone" for outcome in outcomes):
            values |= {"state": "paused", "paused_reason": "gone"}
        connection.execute(
            update(endpoint).where(endpoint.c.company_id == company_id, endpoint.c.url == url).values(**values)
        )
