"""Does the CRM know what we know? A contact's level now, against the last level that was delivered; and mending it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, case, exists, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal import clock, outbox
from portal.contacts import freeze_body
from portal.endpoints import is_configured
from portal.models import OPEN_STATUSES, Contact, Delivery

SYNC_STATES = ("in_sync", "waiting", "out_of_sync", "never_sent")
BATCH_SIZE = 50
"""Contacts that one transaction brings in sync: other writers wait for no more."""
PAUSE_SECONDS = 0.03
"""Between two transactions. SQLite keeps no queue: without it, who wants to write meets the lock taken every time."""
LOOK_BACK = 2000
"""Deliveries of a status that are looked at, so that a long log stays as quick as a short one."""

_was_sent = exists().where(Delivery.contact_id == Contact.id).correlate(Contact)
_known_level = (
    select(Delivery.interest_level)
    .where(Delivery.contact_id == Contact.id, Delivery.delivered_at.is_not(None))
    .order_by(Delivery.delivered_at.desc(), Delivery.id.desc())
    .limit(1)
    .correlate(Contact)
    .scalar_subquery()
)
"""What the CRM learned last, whichever delivery that was: an old one can be sent again after a newer one."""
_coming_level = (
    select(Delivery.interest_level)
    .where(Delivery.contact_id == Contact.id, Delivery.status.in_(OPEN_STATUSES))
    .order_by(Delivery.id.desc())
    .limit(1)
    .correlate(Contact)
    .scalar_subquery()
)
"""What the CRM will learn last of what is on its way, since a contact's deliveries go out in order."""
_state = case(
    # The cases stand in this order because most contacts are in sync, and each look costs a list of all of them.
    (_known_level == Contact.interest_level, "in_sync"),
    (_coming_level == Contact.interest_level, "waiting"),
    (~_was_sent, "never_sent"),
    (Contact.interest_level.is_(None), "in_sync"),  # a removed level is not told to the CRM (spec, section 2)
    else_="out_of_sync",
)
_is_to_be_sent = and_(Contact.interest_level.is_not(None), _state.in_(("out_of_sync", "never_sent")))


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
    """By contact id: `in_sync`, `waiting`, `out_of_sync` or `never_sent` (spec, section 9)."""
    ids = [contact.id for contact in contacts]
    return dict(session.execute(select(Contact.id, _state).where(Contact.id.in_(ids))).all())


def is_in_state(company_id: int, state: str) -> ColumnElement[bool]:
    """The condition that a contact of the company, as `Contact`, is in that state: the rule of `states_of` in SQL."""
    if state == "waiting":  # few are on their way: the database begins with those
        is_open = and_(Delivery.company_id == company_id, Delivery.status.in_(OPEN_STATUSES))
        return and_(Contact.id.in_(select(Delivery.contact_id).where(is_open)), _state == state)
    if state == "out_of_sync":  # without a level nobody is: most of the cost is spared
        return and_(Contact.interest_level.is_not(None), _state == state)
    return _state == state


def find_out_of_sync(session: Session, company_id: int) -> Sequence[int]:
    """The contacts that `bring_in_sync` has something to send for, level 3 first: out of sync, or classified and never
    sent. It reads every contact, so the caller has no transaction open that others wait for.
    """
    query = select(Contact.id).where(Contact.company_id == company_id, _is_to_be_sent)
    return session.scalars(query.order_by(Contact.interest_level.desc(), Contact.id)).all()


def batches(contact_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    """As many contacts at a time as `bring_in_sync` should be given. The caller commits before it asks for more."""
    for start in range(0, len(contact_ids), BATCH_SIZE):
        if start:
            clock.sleep(PAUSE_SECONDS)
        yield contact_ids[start : start + BATCH_SIZE]


def bring_in_sync(session: Session, company_id: int, contact_ids: Sequence[int], *, actor: str) -> int:
    """Enqueue one delivery, with the latest state, for each of the company's contacts that still needs one.

    What is on its way, or arrived meanwhile, is left alone, so asking twice sends once. Nothing is enqueued while the
    company has no address. The caller commits. Returns how many deliveries that made.
    """
    if not is_configured(session, company_id):
        return 0
    # 1. Hold the contacts, in one order, so that nobody classifies them meanwhile.
    of_company = select(Contact.id).where(Contact.company_id == company_id, Contact.id.in_(contact_ids))
    held = session.scalars(of_company.order_by(Contact.id).with_for_update()).all()
    # 2. Only a look that begins after that sees what was committed before.
    rows = session.execute(
        select(Contact, _known_level)
        .where(Contact.id.in_(held), _is_to_be_sent)
        .order_by(Contact.interest_level.desc(), Contact.id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
        .options(selectinload(Contact.messages))
        .execution_options(populate_existing=True)
    ).all()
    now = clock.utcnow()
    for contact, known_level in rows:
        outbox.enqueue(
            session,
            contact,
            body=freeze_body(contact),
            previous_level=known_level,
            trigger="sync",
            actor=actor,
            now=now,
        )
    return len(rows)


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
