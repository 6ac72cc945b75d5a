"""Contacts: found within their company, made and changed through one door, and frozen into the body of a webhook.

The door is `save_contact`. It takes the body's own shape, as the API, an import and the form give it, so that a field
means the same whichever way it came in.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.contact_items import DATE_FIELDS, TEXT_FIELDS, InvalidContact, OwnerItem, check_item
from portal.models import Campaign, Company, Contact, Message, User
from portal.payload import (
    CampaignValues,
    ContactValues,
    ExperienceValues,
    MessageValues,
    PersonValues,
    SkillValues,
    build_payload,
    encode_body,
)

DEFAULT_CAMPAIGN = "Geral"
"""Where a contact belongs that comes without a campaign."""
MATCH_FIELDS = ("linkedin_public_id", "email")
"""What tells a contact apart within its campaign, the first that is known deciding."""
BODY_FIELDS = ("id", *TEXT_FIELDS, *DATE_FIELDS, "interest_level", "skills", "experiences")
"""A contact's columns that its body shows."""


@dataclass(frozen=True)
class Saved:
    """A contact as it was saved, and whether it is new."""

    contact: Contact
    created: bool


def get_contact(session: Session, company_id: int, contact_id: int) -> Contact | None:
    """The contact within its company, or None."""
    return session.scalars(
        select(Contact)
        .where(Contact.company_id == company_id, Contact.id == contact_id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
    ).one_or_none()


def find_campaign(session: Session, company_id: int, name: str) -> Campaign | None:
    """The company's campaign of that name, or None."""
    return session.scalars(select(Campaign).where(Campaign.company_id == company_id, Campaign.name == name)).first()


def select_contacts(
    company_id: int,
    *,
    search: str = "",
    campaign_id: int | None = None,
    owner_id: int | None = None,
    level: int | str | None = None,
) -> Select[Contact]:
    """The company's contacts that match, without an order. `level` is 1, 2, 3 or "none"."""
    query = select(Contact).where(Contact.company_id == company_id)
    if search.strip():
        query = query.where(Contact.search_text.contains(fold(search.strip()), autoescape=True))
    if campaign_id is not None:
        query = query.where(Contact.campaign_id == campaign_id)
    if owner_id is not None:
        query = query.where(Contact.owner_id == owner_id)
    if level is not None:
        query = query.where(Contact.interest_level.is_(None) if level == "none" else Contact.interest_level == level)
    return query


def fold(text: str) -> str:
    """The text without case and accents, for search and order."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()


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


def freeze_body(contact: Contact) -> bytes:
    """The exact bytes that tell a CRM about this contact as it is now."""
    return encode_body(payload_of(contact))


def payload_of(contact: Contact) -> dict[str, Any]:
    """The object of the source document for this contact as it is now."""
    return compose_payload(
        {name: getattr(contact, name) for name in BODY_FIELDS},
        owner=PersonValues(id=contact.owner.id, name=contact.owner.name, email=contact.owner.email),
        campaign=CampaignValues(
            id=contact.campaign.id, name=contact.campaign.name, description=contact.campaign.description
        ),
        messages=[
            MessageValues(
                sender_name=message.sender_name,
                message=message.message,
                date=message.date,
                pending_message=message.pending,
            )
            for message in contact.messages
        ],
        zone=ZoneInfo(contact.company.timezone),
    )


def compose_payload(
    facts: Mapping[str, Any],
    *,
    owner: PersonValues,
    campaign: CampaignValues,
    messages: Sequence[MessageValues],
    zone: ZoneInfo,
) -> dict[str, Any]:
    """The object of the source document from a contact's `BODY_FIELDS`, as its columns hold them."""
    plain = {name: value for name, value in facts.items() if name not in ("skills", "experiences")}
    return build_payload(
        contact=ContactValues(
            skills=[SkillValues(**skill) for skill in facts["skills"]],
            experiences=[ExperienceValues(**experience) for experience in facts["experiences"]],
            **plain,
        ),
        contact_owner=owner,
        campaign=campaign,
        messages=messages,
        timezone=zone,
    )


def search_columns(facts: Mapping[str, Any]) -> dict[str, str]:
    """What order and search go by, from a contact's name, e-mail, LinkedIn id and company."""
    name = fold(facts["name"])
    others = (facts.get(field) for field in ("email", "linkedin_public_id", "current_company"))
    return {"search_name": name[:300], "search_text": "\n".join([name, *(fold(each) for each in others if each)])}


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
