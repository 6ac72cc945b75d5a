"""What a CRM answered, as far as it says where a contact is found there. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.company.endpoint import get_endpoint
from portal.models import Attempt, Contact, Delivery, Exchange
from portal.rules.crm_link import build_address, find, places_of, read_answer
from portal.working_models import CrmRecord

LOOK_BACK = 20
"""Answers that are looked through for one that says something."""


DELIVERIES_LOOKED_AT = 5000
"""A company's latest deliveries among which such an answer is looked for."""


@dataclass(frozen=True)
class Example:
    """An answer of the CRM: whose delivery it was, and what could be an id in it, by its pointer."""

    webhook_id: str
    places: dict[str, str]


def find_example(session: Session, actor: Actor) -> Example | None:
    """The last answer that was accepted, also to a test, and that holds something that could be an id.

    The audit log keeps who looks at it, as at any delivery's content.
    """
    example = _find_example(session, actor.company_id)
    if example:
        audit.note_once_a_day(session, actor, "delivery.viewed", subject=example.webhook_id)
    return example


def _find_example(session: Session, company_id: int) -> Example | None:
    newest = select(Delivery.id).where(Delivery.company_id == company_id).order_by(Delivery.id.desc())
    floor = session.scalar(newest.offset(DELIVERIES_LOOKED_AT).limit(1)) or 0
    of_company = _answers(Delivery.webhook_id).where(Delivery.company_id == company_id, Delivery.id > floor)
    for webhook_id, body in session.execute(of_company.order_by(Delivery.id.desc(), Attempt.id.desc())):
        if places := places_of(read_answer(body)):
            return Example(webhook_id, places)
    return None


def crm_address_of(session: Session, contact: Contact) -> str | None:
    """Where the contact is found in the CRM, by the last answer that says so; None when nobody said how to tell."""
    return crm_addresses_of(session, contact.company_id, [contact]).get(contact.id)


def crm_addresses_of(session: Session, company_id: int, contacts: Sequence[Contact]) -> dict[int, str]:
    """The same of many contacts of a company, by their numbers.

    What was answered before somebody said where to look was not kept: it is read as long as the answer is stored.
    """
    endpoint = get_endpoint(session, company_id)
    if endpoint.link_template is None:
        return {}
    pointer = endpoint.link_pointer or ""
    kept = select(CrmRecord.contact_id, CrmRecord.value).where(
        CrmRecord.contact_id.in_([contact.id for contact in contacts]), CrmRecord.pointer == pointer
    )
    values: dict[int, str | None] = {row.contact_id: row.value for row in session.execute(kept)}
    for contact in contacts:
        if contact.id not in values and contact.delivered_frozen_at is not None:
            values[contact.id] = _said_of(session, contact.id, pointer)
    addresses = {key: build_address(endpoint.link_template, value) for key, value in values.items() if value}
    return {key: address for key, address in addresses.items() if address}


def _said_of(session: Session, contact_id: int, pointer: str) -> str | None:
    """What the last stored answer says there that says anything."""
    own = _answers(Delivery.id).where(Delivery.contact_id == contact_id, Delivery.former_contact_id.is_(None))
    for _, body in session.execute(own.order_by(Delivery.delivered_at.desc(), Attempt.id.desc())):
        value = find(read_answer(body), pointer)
        if value is not None:
            return value
    return None


def _answers(*facts: Any) -> Select[Any]:
    """Accepted answers of JSON, with a fact of each."""
    columns: Sequence[Any] = (*facts, Exchange.response_body)
    query = select(*columns).select_from(Delivery).join(Attempt, Attempt.delivery_id == Delivery.id)
    query = query.join(Exchange, Exchange.attempt_id == Attempt.id)
    return query.where(Delivery.delivered_at.is_not(None), Attempt.reason == "ok_json").limit(LOOK_BACK)
