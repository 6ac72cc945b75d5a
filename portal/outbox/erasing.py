"""Forgetting what deliveries carried. The rows stay: they prove that something was sent, when, and with what result."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, exists, or_, select, text, tuple_, update
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES, UNPURGED
from portal.outbox.claims import delivery, delivery_body
from portal.outbox.settling import attempt, exchange

_newer = delivery.alias("newer")
# What a contact's CRM learned last: the fact is kept as long as the contact, or nobody knew any more that it was.
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


_is_settled = delivery.c.status.not_in(OPEN_STATUSES)
_place = tuple_(delivery.c.created_at, delivery.c.id)

Place = tuple[datetime, int]  # where a walk over deliveries is: when one was made, and its number
FIRST: Place = (datetime.min.replace(tzinfo=UTC), 0)


@dataclass(frozen=True)
class Forgotten:
    """What became of some deliveries: bodies and answers emptied, rows deleted; `last` is where the next ones begin.

    It is None when all were looked at.
    """

    last: Place | None
    bodies: int = 0
    answers: int = 0
    deliveries: int = 0


def forget_facts(
    session: Session, company_id: int, *, before: datetime, after: Place, looks: int, limit: int
) -> Forgotten:
    """Delete at most `limit` of the company's next deliveries that are too old, and of `looks` that are looked at.

    What contacts' CRM learned last stays, so that it is looked at each time. The database stops looking at the limit.
    """
    goes = (_is_settled & ~_is_last_word).label("goes")
    looked = _old(company_id, goes, before=before, after=after).limit(looks).subquery()
    going = session.execute(select(looked.c.created_at, looked.c.id).where(looked.c.goes).limit(limit)).all()
    end = _old(company_id, before=before, after=after).limit(1).offset(looks - 1)
    last = max(going) if len(going) == limit else session.execute(end).first()
    ids = [row.id for row in going]
    gone = session.execute(delete(delivery).where(delivery.c.id.in_(ids), _is_settled, ~_is_last_word))
    return Forgotten(_place_of(last), deliveries=_count(gone))


def forget_said(session: Session, company_id: int, *, before: datetime, after: Place, limit: int) -> Forgotten:
    """Empty what is too old of at most `limit` of the company's next deliveries of which something is left.

    What is on its way keeps its body, however old, and so does what is re-sent meanwhile.
    """
    chosen = _old(company_id, before=before, after=after).where(text(UNPURGED)).limit(limit)
    rows = session.execute(chosen).all()
    is_one = delivery.c.id.in_([row.id for row in rows])
    bodies = _empty(session, is_one, _is_settled)
    of_one = attempt.c.delivery_id.in_([row.id for row in rows])
    answers = _forget_said(session, of_one, attempt.c.started_at < before)
    has_answer = exists().where(attempt.c.delivery_id == delivery.c.id, exchange.c.attempt_id == attempt.c.id)
    session.execute(update(delivery).where(is_one, ~delivery.c.has_body, ~has_answer).values(is_purged=True))
    last = rows[-1] if len(rows) == limit else None
    return Forgotten(_place_of(last), len(bodies), answers)


def _place_of(row: Any) -> Place | None:
    return None if row is None else (row.created_at, row.id)


def _old(company_id: int, *more: ColumnElement[Any], before: datetime, after: Place) -> Select[Any]:
    """The places of the company's deliveries made before a moment, the oldest first, behind a place; and `more`."""
    is_old = delivery.c.company_id == company_id, delivery.c.created_at < before
    chosen = select(delivery.c.created_at, delivery.c.id, *more).where(*is_old, _place > after)
    return chosen.order_by(delivery.c.created_at, delivery.c.id)


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

    One that is being sent right now loses its lease with its body, so that of its result the facts alone are recorded.
    Returns how many deliveries there were.
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
    return _count(session.execute(update(delivery).where(of_contact).values(contact_id=None, is_purged=True)))
