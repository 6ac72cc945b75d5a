"""What the CRM accepted with a warning, and settling it: somebody looked there, and all is well."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, select, update
from sqlalchemy.orm import Session, aliased

from portal import audit
from portal.audit import Actor
from portal.contacts.standing import is_shown_as
from portal.database.rows import within
from portal.models import Contact, Delivery
from portal.rules.verdict import DOUBTS

_taken = aliased(Delivery)
# The delivery whose answer is the last that the CRM gave about a contact, as `outbox.settle` tells the contact.
_last_taken = (
    select(_taken.id)
    .where(_taken.contact_id == Contact.id, _taken.former_contact_id.is_(None), _taken.delivered_at.is_not(None))
    .order_by(_taken.delivered_at.desc(), _taken.id.desc())
    .limit(1)
    .correlate(Contact)
    .scalar_subquery()
)


@dataclass(frozen=True)
class Doubt:
    """A kind of warning: how many contacts have it, how many of their deliveries are left, and the newest, or 0."""

    warning: str
    contacts: int
    deliveries: int
    delivery_id: int


def doubts_of(session: Session, company_id: int) -> Sequence[Doubt]:
    """The company's contacts that are shown with a warning, by its kind, the most frequent first."""
    facts = func.count(), func.count(_last_taken), func.coalesce(func.max(_last_taken), 0)
    query = select(Contact.delivered_warning, *facts).where(
        Contact.company_id == company_id, is_shown_as("with_warning")
    )
    rows: Any = session.execute(query.group_by(Contact.delivered_warning))
    return sorted((Doubt(*row) for row in rows), key=lambda doubt: -doubt.contacts)


def is_open(session: Session, delivery: Delivery) -> bool:
    """Whether the contact's open warning is this delivery's: the last that the CRM took."""
    contact = delivery.contact
    if contact is None or None in (delivery.warning, contact.delivered_warning, contact.delivered_level):
        return False
    return session.scalar(select(_last_taken).where(Contact.id == delivery.contact_id)) == delivery.id


def is_open_answer(company_id: int) -> ColumnElement[bool]:
    """The condition that a contact of the company is shown with a warning because of this delivery's answer."""
    is_shown = Contact.company_id == company_id, is_shown_as("with_warning")
    of_shown = select(_last_taken).where(*is_shown).correlate(None)
    return and_(Delivery.warning.in_(DOUBTS), within(Delivery.__table__.c.id, of_shown))


def settle(
    session: Session,
    actor: Actor,
    *,
    contact_id: int | None = None,
    warning: str | None = None,
    seen_at: datetime | None = None,
) -> int:
    """Somebody looked into the CRM: the open warnings of one contact, or of one kind, are settled. Returns how many.

    What the CRM took after `seen_at` nobody has looked at: it stays open. The caller commits.
    """
    meant = [Contact.company_id == actor.company_id, Contact.delivered_warning.is_not(None)]
    meant.append(Contact.delivered_level.is_not(None))  # of the CRM before nothing is open
    if contact_id is not None:
        meant.append(Contact.id == contact_id)
    if warning is not None:
        meant.append(Contact.delivered_warning == warning)
    if seen_at is not None:
        meant.append(~exists().where(Delivery.contact_id == Contact.id, Delivery.delivered_at > seen_at))
    is_meant = and_(*meant)
    held = session.scalars(select(Contact.id).where(is_meant).order_by(Contact.id).with_for_update()).all()
    if held:
        settled = update(Contact).where(is_meant).values(delivered_warning=None)
        session.execute(settled.execution_options(synchronize_session=False))
        if contact_id is None:
            audit.record(session, actor, "warnings.settled", subject=f"{len(held)} {warning}")
        else:
            audit.record(session, actor, "warning.settled", subject=str(contact_id))
    return len(held)
