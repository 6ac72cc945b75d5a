"""Forgetting what deliveries carried. The rows stay: they prove that something was sent, when, and with what result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Text, cast, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES
from portal.outbox.claims import delivery
from portal.outbox.settling import attempt

NO_CONTENT: dict[str, Any] = {"detail": None, "request_headers": [], "response_headers": [], "response_body": None}
"""An attempt's columns without what was sent and answered."""

_newer = delivery.alias("newer")
_is_last_word = (
    delivery.c.contact_id.is_not(None)
    & delivery.c.delivered_at.is_not(None)
    & delivery.c.former_contact_id.is_(None)
    & ~exists().where(
        _newer.c.contact_id == delivery.c.contact_id,
        _newer.c.former_contact_id.is_(None),
        or_(
            _newer.c.delivered_at > delivery.c.delivered_at,
            (_newer.c.delivered_at == delivery.c.delivered_at) & (_newer.c.id > delivery.c.id),
        ),
    )
)
"""What a contact's CRM learned last: the fact is kept as long as the contact, or nobody knew any more that it was."""
_has_content = or_(
    attempt.c.response_body.is_not(None), attempt.c.detail.is_not(None), cast(attempt.c.request_headers, Text) != "[]"
)


@dataclass(frozen=True)
class Forgotten:
    """What became of some deliveries: bodies and answers emptied, rows deleted; `last_id` is the last looked at."""

    last_id: int
    bodies: int
    answers: int
    deliveries: int


def forget_old(
    session: Session, company_id: int, *, after_id: int, limit: int, bodies_before: datetime, facts_before: datetime
) -> Forgotten | None:
    """Empty or delete what is too old of the company's next deliveries after `after_id`; None when all were looked at.

    What is on its way keeps its body, however old, and so does what is re-sent meanwhile.
    """
    rows = session.execute(
        select(delivery.c.id, delivery.c.created_at)
        .where(delivery.c.company_id == company_id, delivery.c.id > after_id)
        .order_by(delivery.c.id)
        .limit(limit)
    ).all()
    if all(row.created_at >= max(bodies_before, facts_before) for row in rows):
        return None
    is_settled = delivery.c.status.not_in(OPEN_STATUSES)
    old = [row.id for row in rows if row.created_at < facts_before]
    gone = session.execute(delete(delivery).where(delivery.c.id.in_(old), is_settled, ~_is_last_word))
    aged = [row.id for row in rows if row.created_at < bodies_before]
    emptied = session.execute(
        update(delivery).where(delivery.c.id.in_(aged), is_settled, delivery.c.body.is_not(None)).values(body=None)
    )
    answers = session.execute(
        update(attempt)
        .where(attempt.c.delivery_id.in_(aged), attempt.c.started_at < bodies_before, _has_content)
        .values(NO_CONTENT)
    )
    return Forgotten(rows[-1].id, _count(emptied), _count(answers), _count(gone))


def _count(result: Any) -> int:
    return int(result.rowcount)


def forget_contact(session: Session, contact_id: int) -> int:
    """Cancel what is open of a contact's deliveries, and forget the bodies and the answers of all of them.

    One that is being sent right now loses its lease with its body, so that its result is not recorded. Returns how many
    deliveries there were.
    """
    # 1. The deliveries: who settles one of them is waited for, and comes later finds no body.
    of_contact = delivery.c.contact_id == contact_id
    session.execute(
        update(delivery)
        .where(of_contact, delivery.c.status.in_(OPEN_STATUSES))
        .values(status="cancelled", next_attempt_at=None, lease_token=None, lease_expires_at=None)
    )
    ids = session.scalars(update(delivery).where(of_contact).values(body=None).returning(delivery.c.id)).all()
    # 2. Their attempts, with those that were recorded meanwhile.
    session.execute(
        update(attempt).where(attempt.c.delivery_id.in_(select(delivery.c.id).where(of_contact))).values(NO_CONTENT)
    )
    session.execute(update(delivery).where(of_contact).values(contact_id=None))
    return len(ids)
