"""Lending due deliveries to workers: claim with a lease and its token, give back, and recover from the dead."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, or_, select, true, update

from portal.circuit import LONGEST_PAUSE
from portal.models import OPEN_STATUSES
from portal.outbox.job import Job, delivery, endpoint, job_of

CLOCK_TOLERANCE = timedelta(minutes=5)
"""What the clocks of two machines may differ by; receivers refuse signatures that are further off."""


def claim(
    connection: Connection,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    per_endpoint: int,
    held: Mapping[int, int],
) -> list[Job]:
    """Lend at most `limit` due deliveries to the caller, who already holds `held` of each company.

    A contact's deliveries go out in order: none is lent while an older one of the same contact is open. Endpoints take
    turns, and the caller never holds more than `per_endpoint` of one, so that a long queue keeps nobody else waiting.
    Beside others it takes no more than half of what is left, so that there is room for one more endpoint.
    Of a failing endpoint one delivery is lent when its next probe is due, whenever that delivery itself is.
    """
    jobs: list[Job] = []
    targets = _endpoints_with_due(connection, now)
    has_others = len(targets) > 1 or any(held.values())
    for target in targets:
        if target.state == "failing":
            jobs += _claim_probe(connection, target, now=now, lease=lease)
            continue
        left = limit - len(jobs)
        share = max(left // 2, min(left, 1)) if has_others else left
        room = min(share, per_endpoint - held.get(target.company_id, 0))
        if room > 0:
            jobs += _claim_of(connection, target, delivery.c.next_attempt_at <= now, now=now, lease=lease, limit=room)
    return jobs


def has_due(connection: Connection, *, now: datetime) -> bool:
    """Whether anything may be claimed or recovered: a cheap look that takes no write lock."""
    return bool(_endpoints_with_due(connection, now)) or bool(
        connection.execute(select(exists().where(lease_expired(now)))).scalar()
    )


def release(connection: Connection, jobs: Sequence[Job]) -> None:
    """Give back claimed deliveries that were not sent: as if they had never been claimed."""
    for job in jobs:
        connection.execute(
            update(delivery)
            .where(delivery.c.id == job.delivery_id, delivery.c.lease_token == job.lease_token)
            .values(
                status="pending", attempt_count=delivery.c.attempt_count - 1, lease_token=None, lease_expires_at=None
            )
        )
    cancel_without_address(connection, {job.company_id for job in jobs})


def cancel_without_address(connection: Connection, company_ids: set[int]) -> None:
    """What was in a worker's hands when its company's address was removed waits for nothing any more."""
    if company_ids:
        without = select(endpoint.c.company_id).where(endpoint.c.company_id.in_(company_ids), endpoint.c.url.is_(None))
        connection.execute(
            update(delivery)
            .where(delivery.c.company_id.in_(without), delivery.c.status == "pending")
            .values(status="cancelled", next_attempt_at=None)
        )


def pull_forward(connection: Connection, *, now: datetime, longest: timedelta, lease: timedelta) -> None:
    """Mend what was written by a clock that ran ahead: nothing is due, leased or probed later than it can be.

    `longest` is the longest pause there is. What is to go at once, never tried or re-sent, waits for no pause. A lease
    may be written by another machine, whose clock is off by less than `CLOCK_TOLERANCE`.
    """
    latest = now + max(longest, LONGEST_PAUSE)
    at_once = or_(delivery.c.attempt_count == 0, delivery.c.next_trigger == "manual")
    waits = delivery.c.status == "pending"
    for column, applies, bound in (
        (delivery.c.next_attempt_at, and_(waits, at_once), now),
        (delivery.c.next_attempt_at, waits, latest),
        (delivery.c.lease_expires_at, delivery.c.status == "sending", now + lease),
        (endpoint.c.next_probe_at, true(), latest),
    ):
        is_ahead = column > bound + CLOCK_TOLERANCE
        connection.execute(update(column.table).where(applies, is_ahead).values({column.name: bound}))


def lease_expired(now: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.status == "sending", delivery.c.lease_expires_at <= now)


def _endpoints_with_due(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """The endpoints that may be sent to and have something due, in an order that differs each time."""
    pending = exists().where(delivery.c.company_id == endpoint.c.company_id, delivery.c.status == "pending")
    is_due = or_(
        and_(endpoint.c.state == "active", pending.where(delivery.c.next_attempt_at <= now)),
        and_(endpoint.c.state == "failing", endpoint.c.next_probe_at <= now, pending),
    )
    return connection.execute(select(endpoint).where(endpoint.c.url.is_not(None), is_due).order_by(func.random())).all()


def _claim_probe(connection: Connection, target: Row[Any], *, now: datetime, lease: timedelta) -> list[Job]:
    """One delivery to ask a failing endpoint with; until its lease ends nobody else asks."""
    won = connection.execute(
        update(endpoint)
        .where(endpoint.c.id == target.id, endpoint.c.next_probe_at == target.next_probe_at)
        .values(next_probe_at=now + lease)
        .returning(endpoint.c.id)
    ).first()
    if won is None:
        return []
    return _claim_of(connection, target, true(), now=now, lease=lease, limit=1)


def _claim_of(
    connection: Connection,
    target: Row[Any],
    is_due: ColumnElement[bool],
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
) -> list[Job]:
    older = delivery.alias("older")
    older_open = exists().where(
        older.c.contact_id == delivery.c.contact_id, older.c.id < delivery.c.id, older.c.status.in_(OPEN_STATUSES)
    )
    waiting = and_(delivery.c.company_id == target.company_id, delivery.c.status == "pending", is_due)
    chosen = connection.execute(
        select(delivery.c.id)
        .where(waiting, ~older_open)
        .order_by(delivery.c.next_attempt_at, delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    rows = connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(list(chosen)), waiting)
        .values(
            status="sending",
            attempt_count=delivery.c.attempt_count + 1,
            lease_token=secrets.token_hex(16),
            lease_expires_at=now + lease,
        )
        .returning(*delivery.c)
    ).all()
    old_secret = target.old_secret if target.old_secret_until and target.old_secret_until > now else None
    is_probe = target.state == "failing"
    jobs = [job_of(row, url=target.url, secret=target.secret, old_secret=old_secret, is_probe=is_probe) for row in rows]
    return sorted(jobs, key=lambda job: job.delivery_id)
