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
from portal.contacts.checking import ContactItem
from portal.contacts.reaching import note_repeats
from portal.contacts.saving import save_batch
from portal.models import Classification, Contact, Delivery

OFFERED = timedelta(seconds=10)
"""How long undoing is offered."""
ACCEPTED = OFFERED + timedelta(seconds=5)
"""How long it is accepted: a click takes its time to arrive."""


@dataclass(frozen=True)
class Undone:
    """What undoing did to which contacts."""

    taken_back: tuple[int, ...] = ()
    told: tuple[int, ...] = ()
    """Set back to the level before; the CRM is told."""
    kept_by_crm: Mapping[int, int | None] = field(default_factory=dict)
    """Without a level again: the CRM is not told of that, and keeps the level that it was sent."""

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
    of_company = select(Contact.id).where(Contact.company_id == actor.company_id, Contact.id.in_(contact_ids))
    held = session.scalars(of_company.order_by(Contact.id).with_for_update()).all()
    # 2. Only a look that begins after that sees what was committed before.
    changes = _last_changes(session, actor, held, set_at)
    left = {change.contact_id for change in changes if not _is_taken_back(session, change)}
    # 3. What has left is classified again, like everything.
    items = [ContactItem(each.contact_id, level=each.old_level) for each in changes if each.contact_id in left]
    told = tuple(each.contact_id for each in changes if each.contact_id in left and each.old_level is not None)
    kept = {each.contact_id: each.new_level for each in changes if each.contact_id in left and each.old_level is None}
    taken_back = tuple(each.contact_id for each in changes if each.contact_id not in left)
    note_repeats(session.connection(), taken_back)
    save_batch(session, actor, items)
    return Undone(taken_back, told, kept)


def _last_changes(
    session: Session, actor: Actor, contact_ids: Sequence[int], set_at: datetime
) -> Sequence[Classification]:
    """The classifications of that moment that are still their contacts' last."""
    newest = (
        select(func.max(Classification.id))
        .where(Classification.contact_id.in_(contact_ids))
        .group_by(Classification.contact_id)
    )
    return session.scalars(
        select(Classification)
        .where(Classification.id.in_(newest), Classification.actor == actor.email, Classification.created_at == set_at)
        .order_by(Classification.contact_id)
    ).all()


def _is_taken_back(session: Session, change: Classification) -> bool:
    """Take a classification and its delivery back, unless a worker has had the delivery in hand."""
    made = select(Delivery.id).where(
        Delivery.contact_id == change.contact_id,
        Delivery.trigger == "classification",
        Delivery.created_at == change.created_at,
    )
    delivery_id = session.scalar(made)
    if delivery_id is not None and not outbox.take_back(session, delivery_id, now=clock.utcnow()):
        return False
    before = select(func.max(Classification.created_at)).where(
        Classification.contact_id == change.contact_id, Classification.id < change.id
    )
    values = {"interest_level": change.old_level, "classified_at": before.scalar_subquery()}
    session.execute(update(Contact).where(Contact.id == change.contact_id).values(values))
    session.execute(delete(Classification).where(Classification.id == change.id))
    return True
