"""Classifying a contact: the dated fact and the delivery that tells the CRM, in one transaction."""

from dataclasses import dataclass

from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.orm import Session

from portal import clock, outbox
from portal.company.endpoint import is_configured
from portal.contacts.body import freeze_body
from portal.models import LEVELS, Classification, Contact, Delivery


class ContactGone(LookupError):
    """The contact was erased meanwhile."""


class UnknownLevel(ValueError):
    """The interest level is 1, 2 or 3, or nothing."""


@dataclass(frozen=True)
class Classified:
    """What a classification did: the level before, and the delivery it made, if it made one."""

    previous_level: int | None
    delivery: Delivery | None


def classify(session: Session, contact: Contact, level: int | None, *, actor: str) -> Classified:
    """Set a contact's interest level, and enqueue the webhook when the rule asks for one.

    It does when a level is set for the first time or changed; not when the same level is saved again, when it is
    removed, or when the company has no address configured (spec, section 2). The caller commits. Raises UnknownLevel
    and ContactGone.
    """
    if level is not None and level not in LEVELS:
        raise UnknownLevel(level)
    try:
        session.refresh(contact, ["interest_level"], with_for_update=True)
    except InvalidRequestError as error:
        raise ContactGone(contact.id) from error
    previous = contact.interest_level
    if level == previous:
        return Classified(previous, None)
    now = clock.utcnow()
    contact.interest_level, contact.classified_at, contact.updated_at = level, now, now
    session.add(
        Classification(
            company_id=contact.company_id,
            contact_id=contact.id,
            old_level=previous,
            new_level=level,
            actor=actor,
            created_at=now,
        )
    )
    if level is None or not is_configured(session, contact.company_id):
        return Classified(previous, None)
    delivery = outbox.enqueue(
        session,
        contact,
        body=freeze_body(contact),
        previous_level=previous,
        trigger="classification",
        actor=actor,
        now=now,
    )
    return Classified(previous, delivery)
