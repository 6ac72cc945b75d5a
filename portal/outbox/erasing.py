"""Forgetting what deliveries carried. The rows stay: they prove that something was sent, when, and with what result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, or_, select, update
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES
from portal.outbox.claims import delivery, delivery_body
from portal.outbox.settling import attempt, exchange

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
    emptied = _empty(session, delivery.c.id.in_(aged), is_settled)
    answers = _forget_said(session, attempt.c.delivery_id.in_(aged), attempt.c.started_at < bodies_before)
    return Forgotten(rows[-1].id, len(emptied), answers, _count(gone))


def _empty(session: Session, *which: ColumnElement[bool]) -> Sequence[int]:
    """Delete deliveries' bodies, once their rows are held and say that there is none. Returns whose that were."""
    emptied = update(delivery).where(*which, delivery.c.has_body).values(has_body=False).returning(delivery.c.id)
    ids = session.scalars(emptied).all()
    session.execute(delete(delivery_body).where(delivery_body.c.delivery_id.in_(ids)))
    return ids


def _forget_said(session: Session, *which: ColumnElement[bool]) -> int:
    """Delete what was said at those attempts. Returns at how many that was."""
    return _count(
        session.execute(delete(exchange).where(exchange.c.attempt_id.in_(select(attempt.c.id).where(*which))))
    )


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
    _empty(session, of_contact)
    # 2. Their attempts, with those that were recorded meanwhile.
    _forget_said(session, attempt.c.delivery_id.in_(select(delivery.c.id).where(of_contact)))
    return _count(session.execute(update(delivery).where(of_contact).values(contact_id=None)))
