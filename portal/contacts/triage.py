"""Triage: one contact at a time of those that match a filter, by name; whoever has read one classifies it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from flask_babel import lazy_gettext as _l
from sqlalchemy import select
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.company.refusals import Refusal
from portal.contacts.classifying import ContactGone, classify
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import count_contacts, get_contact, read_contacts
from portal.contacts.saved import Saved
from portal.models import Classification, Contact


class Overtaken(Refusal):
    """Somebody else set another level while the contact was being read."""

    code = "overtaken"
    words = _l("O nível deste contato mudou enquanto você lia.")
    advice = _l("Nada foi salvo: confira, e escolha de novo se for o caso.")

    def __init__(self, last: Classification | None) -> None:
        super().__init__()
        self.last = last

    @property
    def sentence(self) -> str:
        if self.last is None:
            return f"{self.words} {self.advice}"
        by = {"who": self.last.actor, "level": self.last.new_level}
        chose, took = _l("%(who)s escolheu o nível %(level)s.", **by), _l("%(who)s tirou o nível.", **by)
        return f"{self.words} {chose if self.last.new_level else took} {self.advice}"


@dataclass(frozen=True)
class Turn:
    """A contact whose turn it is."""

    contact: Contact
    left: int  # how many are to come, with this one: up to one more than `COUNT_CAP`
    previous_id: int | None  # the one before it


def meant(asked: ContactFilter) -> ContactFilter:
    """What is gone through: contacts without a level, unless the filter says a level or what the CRM has."""
    said = (asked.level, asked.replied, asked.state, asked.sync, asked.warning, asked.data_changed, asked.reached)
    return asked if any(said) else replace(asked, level="none")


def find_next(session: Session, company_id: int, wanted: ContactFilter, *, after_ids: Sequence[int]) -> Turn | None:
    """The turn of the next contact that matches, after the first of those that is still there, or None."""
    before = next(filter(None, (get_contact(session, company_id, after_id) for after_id in after_ids)), None)
    found = read_contacts(session, company_id, wanted, after=_place(before), limit=1)
    return turn_of(session, found[0], wanted, previous_id=before.id if before else None) if found else None


def turn_of(session: Session, contact: Contact, wanted: ContactFilter, *, previous_id: int | None = None) -> Turn:
    """The turn of this contact, whether it matches any more or not."""
    company_id, place = contact.company_id, _place(contact)
    if previous_id is None:
        before = read_contacts(session, company_id, wanted, after=place, limit=1, is_back=True)
        previous_id = before[0].id if before else None
    return Turn(contact, count_contacts(session, company_id, wanted, after=place) + 1, previous_id)


def choose(session: Session, actor: Actor, contact_id: int, level: int | None, *, seen_at: datetime | None) -> Saved:
    """Classify a contact whose last classification was seen to be of that moment. The caller commits.

    Raises Overtaken when somebody set another level since, InvalidContact and ContactGone.
    """
    held = select(Contact.classified_at, Contact.interest_level).where(
        Contact.company_id == actor.company_id, Contact.id == contact_id
    )
    now = session.execute(held.with_for_update()).first()
    if now is None:
        raise ContactGone(contact_id)
    if now.classified_at != seen_at and now.interest_level != level:
        last = select(Classification).where(Classification.contact_id == contact_id).order_by(Classification.id.desc())
        raise Overtaken(session.scalars(last.limit(1)).first())
    return classify(session, actor, contact_id, level)


def _place(contact: Contact | None) -> tuple[str, int] | None:
    return (contact.search_name, contact.id) if contact is not None else None
