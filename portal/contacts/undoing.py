"""Undoing a level that was just set. Nothing is delayed for it: what no worker has claimed is taken back, as if it had
never been; what has left is set back as an ordinary reclassification, which the CRM is told of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from portal import clock, outbox
from portal.audit import Actor
from portal.contacts.items import ContactItem
from portal.contacts.listing import hold_contacts
from portal.contacts.reaching import note_repeats
from portal.contacts.saving import save_batch
from portal.models import Classification, Contact, Delivery

OFFERED = timedelta(seconds=10)  # how long undoing is offered
ACCEPTED = OFFERED + timedelta(seconds=5)  # how long it is accepted: a click takes its time to arrive


@dataclass(frozen=True)
class Undone:
    """What undoing did to which contacts."""

    taken_back: tuple[int, ...] = ()
    told: tuple[int, ...] = ()  # set back to the level before; the CRM is told
    # Without a level again: the CRM is not told of that, and keeps the level that it was sent.
    kept_by_crm: Mapping[int, int | None] = field(default_factory=dict)

    @property
    def contact_ids(self) -> list[int]:
        return [*self.taken_back, *self.told, *self.kept_by_crm]


def undo(session: Session, actor: Actor, contact_ids: Sequence[int], *, set_at: datetime) -> Undone:
    """Undo what the actor did to the levels of these contacts at that moment, a few seconds ago. The caller commits.

    A contact that has another level since, or was not classified by the actor then, is left alone.
    """
    if clock.utcnow() - set_at > ACCEPTED:
        return Undone()
    # 1. Contacts before deliveries, in one order, as by everybody who holds both.
    held = hold_contacts(session, actor.company_id, contact_ids)
    # 2. Only a look that begins after that sees what was committed before.
    changes = _last_changes(session, actor, held, set_at)
    left = {change.contact_id for change in changes if not _is_taken_back(session, change)}
    # 3. What has left is classified again, like everything.
    items = [ContactItem(each.contact_id, level=each.old_level) for each in changes if each.contact_id in left]
    told = tuple(item.contact_id for item in items if item.level is not None)
    kept = {each.contact_id: each.new_level for each in changes if each.contact_id in left and each.old_level is None}
    taken_back = tuple(each.contact_id for each in changes if each.contact_id not in left)
    note_repeats(session.connection(), taken_back)
    save_batch(session, actor, items)
    return Undone(taken_back, told, kept)


def _last_changes(
    session: Session, actor: Actor, contact_ids: Sequence[int], set_at: datetime
) -> Sequence[Classification]:
    """The classifications of that moment that are still their contacts' last."""
    of_contacts = select(func.max(Classification.id)).where(Classification.contact_id.in_(contact_ids))
    newest = Classification.id.in_(of_contacts.group_by(Classification.contact_id))
    is_meant = newest, Classification.actor == actor.email, Classification.created_at == set_at
    return session.scalars(select(Classification).where(*is_meant).order_by(Classification.contact_id)).all()


def _is_taken_back(session: Session, change: Classification) -> bool:
    """Take a classification and its delivery back, unless a worker has had the delivery in hand."""
    is_its = Delivery.contact_id == change.contact_id, Delivery.created_at == change.created_at
    delivery_id = session.scalar(select(Delivery.id).where(*is_its, Delivery.trigger == "classification"))
    if delivery_id is not None and not outbox.take_back(session, delivery_id, now=clock.utcnow()):
        return False
    before = select(func.max(Classification.created_at)).where(
        Classification.contact_id == change.contact_id, Classification.id < change.id
    )
    values = {"interest_level": change.old_level, "classified_at": before.scalar_subquery()}
    session.execute(update(Contact).where(Contact.id == change.contact_id).values(values))
    session.execute(delete(Classification).where(Classification.id == change.id))
    return True
