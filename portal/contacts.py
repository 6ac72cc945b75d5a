"""Contacts: found within their company, made and changed through one door, and frozen into the body of a webhook.

The door is `save_contact`. It takes the body's own shape, as the API, an import and the form give it, so that a field
means the same whichever way it came in.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.models import Campaign, Company, Contact, Message, User
from portal.payload import (
    CampaignValues,
    ContactValues,
    ExperienceValues,
    MessageValues,
    PersonValues,
    SkillValues,
    UnencodableText,
    build_payload,
    check_text,
    encode_body,
)

TEXT_FIELDS = {
    "name": 300,
    "linkedin_public_id": 200,
    "current_company": 300,
    "current_company_link": 2000,
    "role": 300,
    "location": 300,
    "email": 254,
    "phone": 100,
}
DATE_FIELDS = ("invite_date", "accept_date", "collect_date", "reply_date")
MAX_ITEMS = 2000
"""Skills, experiences or messages of one contact."""
MAX_TEXT = 20_000
"""Characters of one message or description."""


class InvalidContact(ValueError):
    """A contact cannot be saved as given. `field` is the path in the body's shape, `problem` a stable code."""

    def __init__(self, field: str, problem: str) -> None:
        super().__init__(f"{field}: {problem}")
        self.field, self.problem = field, problem


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
        query = query.where(Contact.search_name.contains(fold(search.strip()), autoescape=True))
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

    `item` has the body's shape: `contact`, `contact_owner`, `campaign`, `messages`. A key that is absent leaves its
    field as it is; dates are texts in the company's time zone or aware datetimes. Matched by `contact.id`, else by
    `linkedin_public_id`, else by `email`, both within the campaign. Raises InvalidContact.
    """
    facts = item.get("contact") or {}
    contact = _find_by_id(session, company, facts["id"]) if facts.get("id") is not None else None
    campaign = _campaign(session, company, item.get("campaign"), current=contact.campaign if contact else None)
    contact = contact or _find_in_campaign(session, campaign, facts)
    created = contact is None
    now = clock.utcnow()
    if contact is None:
        contact = Contact(company=company, company_id=company.id, collect_date=now, created_at=now)
        contact.skills, contact.experiences, contact.messages = [], [], []
        contact.owner = default_owner
    contact.campaign = campaign
    if item.get("contact_owner"):
        contact.owner = _person(session, company, item["contact_owner"])
    _apply_facts(contact, facts, ZoneInfo(company.timezone))
    if item.get("messages") is not None:
        contact.messages = _messages(item["messages"], ZoneInfo(company.timezone))
    contact.updated_at = now
    session.add(contact)
    session.flush()
    return Saved(contact, created)


def freeze_body(contact: Contact) -> bytes:
    """The exact bytes that tell a CRM about this contact as it is now."""
    return encode_body(payload_of(contact))


def payload_of(contact: Contact) -> dict[str, Any]:
    """The object of the source document for this contact as it is now."""
    plain = {name: getattr(contact, name) for name in (*TEXT_FIELDS, *DATE_FIELDS, "interest_level")}
    return build_payload(
        contact=ContactValues(
            id=contact.id,
            skills=[SkillValues(**skill) for skill in contact.skills],
            experiences=[ExperienceValues(**experience) for experience in contact.experiences],
            **plain,
        ),
        contact_owner=PersonValues(id=contact.owner.id, name=contact.owner.name, email=contact.owner.email),
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
        timezone=ZoneInfo(contact.company.timezone),
    )


def _find_by_id(session: Session, company: Company, contact_id: Any) -> Contact:
    found = get_contact(session, company.id, contact_id) if isinstance(contact_id, int) else None
    if found is None:
        raise InvalidContact("contact.id", "unknown")
    return found


def _find_in_campaign(session: Session, campaign: Campaign, facts: Mapping[str, Any]) -> Contact | None:
    for field in ("linkedin_public_id", "email"):
        value = _text(facts.get(field), f"contact.{field}", TEXT_FIELDS[field])
        if value:
            query = select(Contact).where(Contact.campaign_id == campaign.id, getattr(Contact, field) == value)
            found = session.scalars(query.order_by(Contact.id).limit(1)).first()
            if found is not None:
                return found
    return None


def _campaign(
    session: Session, company: Company, given: Mapping[str, Any] | None, *, current: Campaign | None
) -> Campaign:
    """The campaign by its name, made when it is new; without one, the contact's own, or a general one."""
    given = given or {}
    name = _text(given.get("name"), "campaign.name", 200) or (current.name if current else "Geral")
    campaign = find_campaign(session, company.id, name)
    if campaign is None:
        campaign = Campaign(company_id=company.id, name=name)
        session.add(campaign)
    if "description" in given:
        campaign.description = _text(given["description"], "campaign.description", MAX_TEXT)
    session.flush()
    return campaign


def _person(session: Session, company: Company, given: Mapping[str, Any]) -> User:
    """The person by e-mail; an unknown one becomes a person without log-in."""
    email = _text(given.get("email"), "contact_owner.email", 254)
    email = _text((email or "").strip().lower(), "contact_owner.email", 254)  # lower case can be longer
    if not email:
        raise InvalidContact("contact_owner.email", "required")
    person = session.scalars(select(User).where(User.company_id == company.id, User.email == email)).first()
    if person is None:
        name = _text(given.get("name"), "contact_owner.name", 200) or email
        person = User(company_id=company.id, name=name, email=email, created_at=clock.utcnow())
        session.add(person)
        session.flush()
    return person


def _apply_facts(contact: Contact, facts: Mapping[str, Any], zone: ZoneInfo) -> None:
    for field, length in TEXT_FIELDS.items():
        if field in facts:
            setattr(contact, field, _text(facts[field], f"contact.{field}", length))
    if not contact.name:
        raise InvalidContact("contact.name", "required")
    contact.search_name = fold(contact.name)[:300]
    for field in DATE_FIELDS:
        if field in facts:
            setattr(contact, field, _date(facts[field], f"contact.{field}", zone))
    if "skills" in facts:
        contact.skills = _skills(facts["skills"])
    if "experiences" in facts:
        contact.experiences = _experiences(facts["experiences"])


def _skills(given: Any) -> list[dict[str, Any]]:
    skills = []
    for path, item in _items(given, "contact.skills"):
        endorsements = item.get("endorsements")
        if endorsements is not None and (type(endorsements) is not int or not 0 <= endorsements < 2**31):
            raise InvalidContact(f"{path}.endorsements", "not_a_count")
        skills.append({"skill": _text(item.get("skill"), f"{path}.skill", 300), "endorsements": endorsements})
    return skills


def _experiences(given: Any) -> list[dict[str, Any]]:
    return [
        {
            "experience": _text(item.get("experience"), f"{path}.experience", 1000),
            "company_link": _text(item.get("company_link"), f"{path}.company_link", 2000),
        }
        for path, item in _items(given, "contact.experiences")
    ]


def _messages(given: Any, zone: ZoneInfo) -> list[Message]:
    return [
        Message(
            sender_name=_text(item.get("sender_name"), f"{path}.sender_name", 300) or "",
            message=_text(item.get("message"), f"{path}.message", MAX_TEXT) or "",
            date=_date(item.get("date"), f"{path}.date", zone),
            pending=bool(item.get("pending_message")),
        )
        for path, item in _items(given, "messages")
    ]


def _items(given: Any, field: str) -> Sequence[tuple[str, Mapping[str, Any]]]:
    if given is None:
        return []
    if not isinstance(given, list) or not all(isinstance(item, Mapping) for item in given):
        raise InvalidContact(field, "not_a_list")
    if len(given) > MAX_ITEMS:
        raise InvalidContact(field, "too_many")
    return [(f"{field}.{index}", item) for index, item in enumerate(given)]


def _text(value: Any, field: str, length: int) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise InvalidContact(field, "not_a_text")
    try:
        check_text(value, field)
    except UnencodableText as error:
        raise InvalidContact(field, error.problem) from error
    if len(value) > length:
        raise InvalidContact(field, "too_long")
    return value


def _date(value: Any, field: str, zone: ZoneInfo) -> datetime | None:
    if value in (None, ""):
        return None
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone)
        return moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidContact(field, "not_a_date") from error
