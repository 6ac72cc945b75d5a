"""A contact as the object of the source document, and the exact bytes of it that a webhook carries."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from portal.contacts.checking import DATE_FIELDS, TEXT_FIELDS
from portal.models import Contact
from portal.rules.folding import fold
from portal.rules.payload import (
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


def search_name(name: str) -> str:
    """What order goes by, and what contacts of one name are found by."""
    return fold(name)[:300]


def search_columns(facts: Mapping[str, Any]) -> dict[str, str]:
    """What order and search go by, from a contact's name, e-mail, LinkedIn id and company."""
    name = fold(facts["name"])
    others = (facts.get(field) for field in ("email", "linkedin_public_id", "current_company"))
    return {
        "search_name": search_name(facts["name"]),
        "search_text": "\n".join([name, *(fold(each) for each in others if each)]),
    }
