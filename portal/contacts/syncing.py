"""What the CRM does not know of the company's contacts: how many, why, and bringing it in sync."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, case, func, or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.company.endpoint import lock_configured, require_address
from portal.company.refusals import NoAddress, Refusal
from portal.contacts.body import freeze_body
from portal.contacts.listing import hold_contacts
from portal.contacts.standing import coming_level, has_old_data, is_behind, is_coming, is_data_coming
from portal.database.db import reading_apart
from portal.models import Contact, Delivery, Task
from portal.rules.verdict import DOUBTS
from portal.tasks import store
from portal.tasks.slices import cut_numbers, queue_numbers
from portal.tasks.store import TaskClaim, TaskError

KIND = "sync"
BATCH_SIZE = 50  # contacts that one transaction brings in sync: other writers wait for no more
LOOK_BACK = 2000  # contacts whose causes are counted

_is_to_be_sent = and_(is_behind, func.coalesce(coming_level, 0) != Contact.interest_level)
_has_data_to_be_sent = and_(Contact.interest_level.is_not(None), has_old_data, ~is_data_coming)
# A contact has a level, and the CRM does not know this level or these data, and will not by what waits.
lacks_something = or_(_is_to_be_sent, _has_data_to_be_sent)


class NoLevel(Refusal):
    """The contact has no level: the CRM is told of nobody without one (spec, section 2)."""

    code = "no_level"
    words = _l("Um contato sem nível não é enviado. Escolha um nível, e o CRM fica sabendo.")


@dataclass(frozen=True)
class Backlog:
    """The contacts whose level the CRM does not know, those of level 3, since when, and how many are on their way."""

    contacts: int = 0
    high: int = 0
    since: datetime | None = None
    waiting: int = 0

    @property
    def stuck(self) -> int:
        """Contacts that the CRM will not learn by itself: what `bring_in_sync` is for."""
        return self.contacts - self.waiting

    def beside(self, causes: "Sequence[Cause]") -> "Backlog":
        """What no cause explains: contacts whose delivery has no answer yet, and those that have none that failed."""
        waiting = max(0, self.waiting - sum(cause.contacts for cause in causes if cause.is_waiting))
        stuck = max(0, self.stuck - sum(cause.contacts for cause in causes if not cause.is_waiting))
        return Backlog(contacts=waiting + stuck, waiting=waiting)


@dataclass(frozen=True)
class Cause:
    """One reason for which contacts have not arrived: how many, and the newest delivery as an example of it."""

    status: str
    reason: str
    contacts: int
    delivery_id: int
    next_attempt_at: datetime | None  # the first of the next tries; None when nothing is tried any more

    @property
    def is_waiting(self) -> bool:
        return self.status == "pending"


def find_out_of_sync(session: Session, company_id: int) -> Sequence[int]:
    """The contacts that `bring_in_sync` sends, level 3 first: out of sync, or classified and never sent."""
    query = select(Contact.id).where(Contact.company_id == company_id, _is_to_be_sent)
    return session.scalars(query.order_by(Contact.interest_level.desc(), Contact.id)).all()


def count_out_of_sync(session: Session, company_id: int) -> dict[int, int]:
    """How many contacts `find_out_of_sync` finds, by level, the highest first."""
    query = select(Contact.interest_level, func.count()).where(Contact.company_id == company_id, _is_to_be_sent)
    by_level = query.group_by(Contact.interest_level).order_by(Contact.interest_level.desc())
    return {level: number for level, number in session.execute(by_level) if level is not None}


def send_current(session: Session, actor: Actor, contact_id: int) -> str | None:
    """Enqueue one delivery with the contact's current data, when the CRM has the old data or does not know the level.

    Only a person asks for this, never an edit. The caller commits. Returns the delivery's public id; None when the CRM
    has all of it, or it is on its way. Raises NoAddress and NoLevel.
    """
    has_level = Contact.company_id == actor.company_id, Contact.id == contact_id, Contact.interest_level.is_not(None)
    if session.scalar(select(Contact.id).where(*has_level)) is None:
        raise NoLevel
    sent = bring_in_sync(session, actor, [contact_id], lacks_something)
    if sent:
        audit.record(session, actor, "contact.sent", subject=str(contact_id))
    return next(iter(sent), None)


def send_current_of(session: Session, actor: Actor, contact_ids: Sequence[int]) -> int:
    """Do what `send_current` does to several; who has no level is left out. Returns how many deliveries that made."""
    sent = len(bring_in_sync(session, actor, contact_ids, lacks_something))
    if sent:
        audit.record(session, actor, "contacts.synced", subject=str(sent))
    return sent


def bring_in_sync(
    session: Session, actor: Actor, contact_ids: Sequence[int], needs: ColumnElement[bool] = _is_to_be_sent
) -> list[str]:
    """Enqueue one delivery, with the latest state, for each of the company's contacts that still needs one.

    What is on its way, or arrived meanwhile, is left alone, so asking twice sends once. The caller commits. Returns the
    deliveries' public ids. Raises NoAddress.
    """
    company_id = actor.company_id
    require_address(session, company_id)
    # 1. Hold the contacts, in one order, so that nobody classifies them meanwhile.
    held = hold_contacts(session, company_id, contact_ids)
    # 2. Only a look that begins after that sees what was committed before.
    contacts = session.scalars(
        select(Contact)
        .where(Contact.id.in_(held), needs)
        .order_by(Contact.interest_level.desc(), Contact.id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
        .options(selectinload(Contact.messages))
        .execution_options(populate_existing=True)
    ).all()
    now = clock.utcnow()
    rows = [_delivery_of(contact, now) for contact in contacts]
    return outbox.enqueue(session, company_id, rows, trigger="sync", actor=actor.email, now=now)


def _delivery_of(contact: Contact, now: datetime) -> dict[str, Any]:
    if contact.data_changed_at is not None and contact.data_changed_at > now:
        contact.data_changed_at = now  # the clock went back: what the body holds did not change after it
    return {
        "contact_id": contact.id,
        "campaign_id": contact.campaign_id,
        "owner_id": contact.owner_id,
        "interest_level": contact.interest_level,
        "previous_level": contact.delivered_level,
        "body": freeze_body(contact),
    }


def start(session: Session, actor: Actor) -> Task:
    """A task that brings the CRM in sync, or the one under way: asking twice sends once. Raises NoAddress.

    It ends the caller's transaction; the caller commits the task.
    """
    with reading_apart(session):
        contact_ids = find_out_of_sync(session, actor.company_id)
    lock_configured(session, actor.company_id)
    return store.find_open(session, actor.company_id, KIND) or prepare(session, actor, contact_ids)


def prepare(session: Session, actor: Actor, contact_ids: Sequence[int], kind: str = KIND) -> Task:
    """A task that brings these contacts in sync, or one of another `kind` that sends them. The caller commits."""
    return queue_numbers(session, actor, kind, contact_ids, action="contacts.synced")


def send_part(
    needs: ColumnElement[bool], session: Session, claim: TaskClaim, contact_ids: Sequence[int]
) -> Counter[str]:
    """Sends what some contacts need as a part of a task: how many were `sent` and needed nothing. Raises TaskError."""
    try:
        sent = len(bring_in_sync(session, claim.actor, contact_ids, needs))
    except NoAddress as refusal:
        raise TaskError(refusal.code) from refusal
    return Counter(sent=sent, unchanged=len(contact_ids) - sent)


work = partial(cut_numbers, size=BATCH_SIZE, part=partial(send_part, _is_to_be_sent))


def made_by(session: Session, task: Task) -> dict[str, int]:
    """The deliveries that such a task made, by status; `doubtful` are those delivered with words of an error."""
    if task.started_at is None:
        return {}
    is_doubtful = and_(Delivery.status == "delivered", Delivery.warning.in_(DOUBTS))
    became = case((is_doubtful, "doubtful"), else_=Delivery.status)
    query = select(became.label("became"), func.count()).where(
        Delivery.company_id == task.company_id,
        Delivery.created_at >= task.started_at,
        Delivery.created_at <= (task.finished_at or clock.utcnow()),
        Delivery.trigger == "sync",
        Delivery.actor == task.actor,
    )
    return dict(session.execute(query.group_by("became")).all())


def backlog_of(session: Session, company_id: int) -> Backlog:
    """What the CRM does not know of the company's contacts, by the rule of `standing`."""
    of_company = and_(Contact.company_id == company_id, is_behind)
    query = select(Contact.interest_level, func.count().label("number"), func.min(Contact.classified_at).label("since"))
    by_level = session.execute(query.where(of_company).group_by(Contact.interest_level)).all()
    if not by_level:
        return Backlog()
    return Backlog(
        contacts=sum(row.number for row in by_level),
        high=sum(row.number for row in by_level if row.interest_level == 3),
        since=min((row.since for row in by_level if row.since is not None), default=None),
        waiting=session.scalar(select(func.count()).select_from(Contact).where(of_company, is_coming)) or 0,
    )


def causes_of(session: Session, company_id: int) -> Sequence[Cause]:
    """Why the last deliveries of those contacts have not arrived: first what is not tried any more, then what holds
    back most. It looks at `LOOK_BACK` contacts: the page stays quick after a long outage.
    """
    last = select(func.max(Delivery.id)).where(Delivery.contact_id == Contact.id).correlate(Contact).scalar_subquery()
    of_company = and_(Contact.company_id == company_id, is_behind)
    behind = select(last.label("delivery_id")).select_from(Contact).where(of_company).limit(LOOK_BACK).subquery()
    counted = func.count(), func.max(Delivery.id), func.min(Delivery.next_attempt_at)
    query = (
        select(Delivery.status, Delivery.reason, *counted)
        .join(behind, Delivery.id == behind.c.delivery_id)
        .where(Delivery.reason.is_not(None), Delivery.status.in_(("pending", "failed", "cancelled")))
        .group_by(Delivery.status, Delivery.reason)
    )
    rows: Any = session.execute(query)
    return sorted((Cause(*row) for row in rows), key=lambda cause: (cause.is_waiting, -cause.contacts))
