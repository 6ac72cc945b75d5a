"""When the CRM took what tells of contacts' levels: noted as it arrives, and kept when the log is not."""

from collections.abc import Collection

from sqlalchemy import Connection, Table, and_, func, or_, select, update

from portal.database.driver import Statement
from portal.database.rows import rows_of, within
from portal.database.tables import Key
from portal.models import Classification
from portal.outbox.claims import delivery

classification: Table = Classification.__table__  # type: ignore[assignment]

_told = rows_of("told", id=Key)
# What told of a contact that was merged into this one tells of that very classification alone.
_tells = or_(
    delivery.c.created_at == classification.c.created_at,
    and_(delivery.c.former_contact_id.is_(None), delivery.c.created_at > classification.c.created_at),
)
_first_arrival = (
    select(func.min(delivery.c.delivered_at))
    .where(delivery.c.contact_id == classification.c.contact_id, delivery.c.delivered_at.is_not(None), _tells)
    .scalar_subquery()
)
NOTE = Statement(
    update(classification)
    .where(
        within(classification.c.contact_id, select(_told.c.id)),
        # PostgreSQL would look for these through an index of all classifications, while it believes that they are few.
        and_(classification.c.new_level.is_not(None), classification.c.arrived_at.is_(None)).is_(True),
        _first_arrival.is_not(None),
    )
    .values(arrived_at=_first_arrival)
)


def note_arrivals(connection: Connection, contact_ids: Collection[int]) -> None:
    """Note of these contacts which levels have arrived. What was noted before stays."""
    if contact_ids:
        NOTE.run(connection, told=[(number,) for number in sorted(contact_ids)])
