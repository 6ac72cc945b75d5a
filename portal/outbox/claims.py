"""Lending due deliveries to workers: claim with a lease and its token, give back, and recover from the dead."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, exists, func, select, update

from portal.models import OPEN_STATUSES
from portal.outbox.job import Job, delivery, endpoint, job_of


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
    """
    jobs: list[Job] = []
    for target in _endpoints_with_due(connection, now):
        room = min(limit - len(jobs), per_endpoint - held.get(target.company_id, 0))
        if room > 0:
            jobs += _claim_of(connection, target, now=now, lease=lease, limit=room)
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


def lease_expired(now: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.status == "sending", delivery.c.lease_expires_at <= now)


def _due(company_id: Any, now: datetime) -> ColumnElement[bool]:
    return and_(delivery.c.company_id == company_id, delivery.c.status == "pending", delivery.c.next_attempt_at <= now)


def _endpoints_with_due(connection: Connection, now: datetime) -> Sequence[Row[Any]]:
    """The endpoints that may be sent to and have something due, in an order that differs each time."""
    return connection.execute(
        select(endpoint)
        .where(
            endpoint.c.url.is_not(None), endpoint.c.state == "active", exists().where(_due(endpoint.c.company_id, now))
        )
        .order_by(func.random())
    ).all()


def _claim_of(connection: Connection, target: Row[Any], *, now: datetime, lease: timedelta, limit: int) -> list[Job]:
    older = delivery.alias("older")
    older_open = exists().where(
        older.c.contact_id == delivery.c.contact_id, older.c.id < delivery.c.id, older.c.status.in_(OPEN_STATUSES)
    )
    due = _due(target.company_id, now)
    chosen = connection.execute(
        select(delivery.c.id)
        .where(due, ~older_open)
        .order_by(delivery.c.next_attempt_at, delivery.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).scalars()
    rows = connection.execute(
        update(delivery)
        .where(delivery.c.id.in_(list(chosen)), due)
        .values(
            status="sending",
            attempt_count=delivery.c.attempt_count + 1,
            lease_token=secrets.token_hex(16),
            lease_expires_at=now + lease,
        )
        .returning(*delivery.c)
    ).all()
    old_secret = target.old_secret if target.old_secret_until and target.old_secret_until > now else None
    jobs = [job_of(row, url=target.url, secret=target.secret, old_secret=old_secret) for row in rows]
    return sorted(jobs, key=lambda job: job.delivery_id)
