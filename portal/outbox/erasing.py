"""Forgetting what deliveries carried. The rows stay: they prove that something was sent, when, and with what result."""

from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES
from portal.outbox.job import attempt, delivery

NO_CONTENT: dict[str, Any] = {"detail": None, "request_headers": [], "response_headers": [], "response_body": None}
"""An attempt's columns without what was sent and answered."""


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
