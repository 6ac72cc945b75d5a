"""Mending what waits and cannot go as it is: without an address, or at a time that a clock ahead wrote."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, or_, select, true, update

from portal.outbox.claims import delivery, endpoint
from portal.rules.circuit import LONGEST_PAUSE

# What the clocks of two machines may differ by; receivers refuse signatures that are further off.
CLOCK_TOLERANCE = timedelta(minutes=5)


def cancel_strays(connection: Connection) -> None:
    """Cancel what waits without an address: it was being sent, or just being made, when the address was removed."""
    without = select(endpoint.c.company_id).where(endpoint.c.url.is_(None))
    connection.execute(
        update(delivery)
        .where(delivery.c.company_id.in_(without), delivery.c.status == "pending")
        .values(status="cancelled", next_attempt_at=None)
    )


def pull_forward(connection: Connection, *, now: datetime, longest: timedelta, lease: timedelta) -> None:
    """Mend what was written by a clock that ran ahead: nothing is due, leased or probed later than it can be.

    `longest` is the longest pause before a try; one before a probe is at most `LONGEST_PAUSE`. What is to go at once,
    never tried or re-sent, waits for no pause. A lease may be written by another machine, whose clock is off by less
    than `CLOCK_TOLERANCE`.
    """
    at_once = or_(delivery.c.attempt_count == 0, delivery.c.next_trigger == "manual")
    waits = delivery.c.status == "pending"
    for column, applies, bound in (
        (delivery.c.next_attempt_at, and_(waits, at_once), now),
        (delivery.c.next_attempt_at, waits, now + longest),
        (delivery.c.lease_expires_at, delivery.c.status == "sending", now + lease),
        (endpoint.c.next_probe_at, true(), now + LONGEST_PAUSE),
    ):
        is_ahead = column > bound + CLOCK_TOLERANCE
        connection.execute(update(column.table).where(applies, is_ahead).values({column.name: bound}))
