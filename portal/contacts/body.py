"""A contact as the object of the source document, and the exact bytes of it that a webhook carries."""

from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from portal.database.tables import Base
from portal.models import Contact
from portal.rules.folding import fold
from portal.rules.payload import CAMPAIGN, CONTACT, MESSAGE, PERSON, build_payload, encode_body

DEFAULT_CAMPAIGN = "Geral"  # where a contact belongs that comes without a campaign
# What tells a contact apart within its campaign, the first that is known deciding.
MATCH_FIELDS = ("linkedin_public_id", "email")


def freeze_body(contact: Contact) -> bytes:
    """The exact bytes that tell a CRM about this contact as it is now."""
    return encode_body(payload_of(contact))


def payload_of(contact: Contact) -> dict[str, Any]:
    """The object of the source document for this contact as it is now."""
    return build_payload(
        contact=values_of(contact, CONTACT),
        contact_owner=values_of(contact.owner, PERSON),
        campaign=values_of(contact.campaign, CAMPAIGN),
        messages=[values_of(message, MESSAGE) for message in contact.messages],
        timezone=ZoneInfo(contact.company.timezone),
    )


def values_of(row: Base, names: Sequence[str]) -> dict[str, Any]:
    """What a row has in these columns."""
    return {name: getattr(row, name) for name in names}


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
