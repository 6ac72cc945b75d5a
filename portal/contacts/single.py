"""Saving one contact."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from portal import clock
from portal.contacts.body import BODY_FIELDS, DEFAULT_CAMPAIGN, MATCH_FIELDS, search_columns
from portal.contacts.checking import InvalidContact, OwnerItem, check_item
from portal.contacts.listing import find_campaign, get_contact
from portal.models import Campaign, Company, Contact, Message, User


@dataclass(frozen=True)
class Saved:
    """A contact as it was saved, and whether it is new."""

    contact: Contact
    created: bool


def save_contact(session: Session, company: Company, item: Mapping[str, Any], *, default_owner: User) -> Saved:
    """Make a contact, or change the one that `item` matches; the interest level is not touched here.

    `item` has the body's shape (`contact_items.check_item`). Matched by `contact.id`, else by `linkedin_public_id`,
    else by `email`, both within the campaign. Raises InvalidContact. `contact_batch` does the same for many at once.
    """
    given = check_item(item, ZoneInfo(company.timezone))
    # One after the other within a company: two that hold the same new contact would both make it.
    session.execute(select(Company.id).where(Company.id == company.id).with_for_update(key_share=True))
    contact = _find_by_id(session, company, given.contact_id) if given.contact_id is not None else None
    name = given.campaign or (contact.campaign.name if contact else DEFAULT_CAMPAIGN)
    campaign = _campaign(session, company, name, given.campaign_facts)
    contact = contact or _find_in_campaign(session, campaign, given.facts)
    created = contact is None
    now = clock.utcnow()
    if contact is None:
        if "name" not in given.facts:
            raise InvalidContact("contact.name", "required")
        contact = Contact(company=company, company_id=company.id, collect_date=now, created_at=now)
        contact.skills, contact.experiences, contact.messages = [], [], []
        contact.owner = default_owner
    contact.campaign = campaign
    if given.owner is not None:
        contact.owner = _person(session, company, given.owner)
    for field, value in given.facts.items():
        setattr(contact, field, value)
    for column, text in search_columns({field: getattr(contact, field) for field in BODY_FIELDS}).items():
        setattr(contact, column, text)
    if given.messages is not None:
        contact.messages = [Message(**message) for message in given.messages]
    contact.updated_at = now
    session.add(contact)
    session.flush()
    return Saved(contact, created)


def _find_by_id(session: Session, company: Company, contact_id: Any) -> Contact:
    found = get_contact(session, company.id, contact_id) if isinstance(contact_id, int) else None
    if found is None:
        raise InvalidContact("contact.id", "unknown")
    return found


def _find_in_campaign(session: Session, campaign: Campaign, facts: Mapping[str, Any]) -> Contact | None:
    for field in MATCH_FIELDS:
        if value := facts.get(field):
            query = select(Contact).where(Contact.campaign_id == campaign.id, getattr(Contact, field) == value)
            found = session.scalars(query.order_by(Contact.id).limit(1)).first()
            if found is not None:
                return found
    return None


def _campaign(session: Session, company: Company, name: str, facts: Mapping[str, Any]) -> Campaign:
    """The campaign by its name, made when it is new."""
    campaign = find_campaign(session, company.id, name)
    if campaign is None:
        campaign = Campaign(company_id=company.id, name=name)
        session.add(campaign)
    for field, value in facts.items():
        setattr(campaign, field, value)
    session.flush()
    return campaign


def _person(session: Session, company: Company, given: OwnerItem) -> User:
    """The person by e-mail; an unknown one becomes a person without log-in."""
    person = session.scalars(select(User).where(User.company_id == company.id, User.email == given.email)).first()
    if person is None:
        name = given.name or given.email
        person = User(company_id=company.id, name=name, email=given.email, created_at=clock.utcnow())
        session.add(person)
        session.flush()
    return person
