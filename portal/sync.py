"""Does the CRM know what we know? A contact's level now, against the last level that was delivered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, exists, select
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES, Contact, Delivery

LOOK_BACK = 2000
"""Deliveries of a status that are looked at, so that a long log stays as quick as a short one."""


@dataclass(frozen=True)
class Backlog:
    """What the CRM has not learned: contacts, how many of them of level 3, how many on their way, and since when."""

    contacts: int
    high: int
    waiting: int
    since: datetime | None

    @property
    def failed(self) -> int:
        """Contacts that will not arrive by themselves any more."""
        return self.contacts - self.waiting


def states_of(session: Session, contacts: Sequence[Contact]) -> dict[int, str]:
    """By contact id: `in_sync`, `waiting`, `out_of_sync` or `never_sent`.

    A level that was removed is not told to the CRM (spec, section 2), so it waits for nothing.
    """
    rows = session.execute(
        select(Delivery.contact_id, Delivery.status, Delivery.interest_level, Delivery.delivered_at)
        .where(Delivery.contact_id.in_([contact.id for contact in contacts]))
        .order_by(Delivery.id)
    ).all()
    sent, on_their_way = set(), set()
    known: dict[int | None, tuple[datetime, int | None]] = {}
    for contact_id, status, level, delivered_at in rows:
        sent.add(contact_id)
        if status in OPEN_STATUSES:
            on_their_way.add(contact_id)
        if delivered_at is not None and (contact_id not in known or delivered_at >= known[contact_id][0]):
            known[contact_id] = (delivered_at, level)
    states = {}
    for contact in contacts:
        if contact.id not in sent:
            states[contact.id] = "never_sent"
        elif contact.interest_level is None or known.get(contact.id, (None, None))[1] == contact.interest_level:
            states[contact.id] = "in_sync"
        else:
            states[contact.id] = "waiting" if contact.id in on_their_way else "out_of_sync"
    return states


def backlog_of(session: Session, company_id: int) -> Backlog:
    """The contacts whose newest delivery has not arrived, among the newest `LOOK_BACK` deliveries of each status."""
    rows = [
        row for status in (*OPEN_STATUSES, "failed") for row in session.execute(_newest_not_arrived(company_id, status))
    ]
    return Backlog(
        contacts=len(rows),
        high=sum(level == 3 for _, level, _ in rows),
        waiting=sum(status in OPEN_STATUSES for status, _, _ in rows),
        since=min((created_at for _, _, created_at in rows), default=None),
    )


def _newest_not_arrived(company_id: int, status: str) -> Select[str, int | None, datetime]:
    latest = (
        select(Delivery)
        .where(Delivery.company_id == company_id, Delivery.status == status, Delivery.contact_id.is_not(None))
        .order_by(Delivery.id.desc())
        .limit(LOOK_BACK)
        .subquery()
    )
    newer = exists().where(Delivery.contact_id == latest.c.contact_id, Delivery.id > latest.c.id)
    return select(latest.c.status, latest.c.interest_level, latest.c.created_at).where(~newer)
