"""Outages as the circuit sees them begin and end, each with the deliveries that it held up.

They are written in the transaction that changes the endpoint's state, by who holds the endpoint.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, Table, and_, exists, func, insert, literal, select, union, update

from portal.models import OPEN_STATUSES, Attempt
from portal.outbox.claims import delivery
from portal.webhook import Outcome
from portal.working_models import HeldDelivery, Outage

outage: Table = Outage.__table__  # type: ignore[assignment]
held_delivery: Table = HeldDelivery.__table__  # type: ignore[assignment]
attempt: Table = Attempt.__table__  # type: ignore[assignment]

# An outage begins when its first failure is known: that try began up to so long before.
LONGEST_TRY = timedelta(minutes=1)
FAILED_LOOKED_AT = 1000  # a company's latest failed deliveries that an outage may have ended


def begin_outage(connection: Connection, company_id: int, cause: Outcome, *, began_at: datetime) -> None:
    """The receiver takes nothing since then. An outage that lasts already goes on."""
    if _find_open(connection, company_id) is None:
        facts = {"reason": cause.reason, "status_code": cause.status_code}
        connection.execute(insert(outage).values(company_id=company_id, began_at=began_at, **facts))


def end_outage(connection: Connection, company_id: int, *, now: datetime, arrived: Sequence[int] = ()) -> str | None:
    """The outage is over, if there is one. `arrived` are the deliveries that showed it.

    Returns what it was, for the audit log: its time as ISO 8601 writes it, and how many deliveries it held up.
    """
    lasting = _find_open(connection, company_id)
    if lasting is None:
        return None
    outage_id, began_at = lasting
    of_company = select(delivery.c.id).where(delivery.c.company_id == company_id)
    latest_failed = (
        select(delivery.c.id)
        .where(delivery.c.company_id == company_id, delivery.c.status == "failed")
        .order_by(delivery.c.id.desc())
        .limit(FAILED_LOOKED_AT)
    )
    tried = and_(attempt.c.delivery_id == delivery.c.id, attempt.c.started_at >= began_at - LONGEST_TRY)
    found = union(
        of_company.where(delivery.c.status.in_(OPEN_STATUSES), delivery.c.trigger != "test"),
        of_company.where(delivery.c.id.in_(arrived)),
        of_company.where(delivery.c.id.in_(latest_failed), delivery.c.trigger != "test", exists().where(tried)),
    )
    # Each is held in place until the commit: the house-keeping may be about to delete some of them.
    kept = (
        select(literal(outage_id), delivery.c.id)
        .where(delivery.c.id.in_(found))
        .with_for_update(read=True, key_share=True)
    )
    connection.execute(insert(held_delivery).from_select(["outage_id", "delivery_id"], kept))
    counted = select(func.count()).where(held_delivery.c.outage_id == outage_id)
    held = connection.execute(counted).scalar_one()
    connection.execute(update(outage).where(outage.c.id == outage_id).values(ended_at=now, held=held))
    return f"{began_at:%Y-%m-%dT%H:%MZ}/{now:%Y-%m-%dT%H:%MZ} ({held})"


def _find_open(connection: Connection, company_id: int) -> tuple[int, datetime] | None:
    lasting = select(outage.c.id, outage.c.began_at).where(
        outage.c.company_id == company_id, outage.c.ended_at.is_(None)
    )
    row = connection.execute(lasting).first()
    return (row.id, row.began_at) if row is not None else None
