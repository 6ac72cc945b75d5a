"""What a CRM answered, as far as it says where a contact is found there. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.company.endpoint import get_endpoint
from portal.deliveries.filtering import last_before_latest
from portal.egress import origin_of
from portal.models import Attempt, Contact, Delivery, Endpoint, Exchange
from portal.rules.crm_link import build_address, find, places_of, read_answer
from portal.working_models import CrmRecord

LOOK_BACK = 20  # answers that are looked through for one that says something
READ_AT_ONCE = 100  # of those answers, which may be 16 KiB each
DELIVERIES_LOOKED_AT = 5000  # a company's latest deliveries among which such an answer is looked for


@dataclass(frozen=True)
class Example:
    """An answer of the CRM: whose delivery it was, and what could be an id in it, by its pointer."""

    webhook_id: str
    places: dict[str, str]


def find_example(session: Session, actor: Actor) -> Example | None:
    """The last accepted answer, of a test too, with something like an id. The audit log keeps who looks at it."""
    floor = last_before_latest(session, actor.company_id, DELIVERIES_LOOKED_AT)
    endpoint = get_endpoint(session, actor.company_id)
    of_company = _accepted(endpoint, Delivery.webhook_id, Attempt.url, Exchange.response_body).join(Exchange)
    of_company = of_company.where(Delivery.company_id == actor.company_id, Delivery.id > (floor.id if floor else 0))
    latest = of_company.order_by(Delivery.id.desc(), Attempt.id.desc()).limit(LOOK_BACK)
    for webhook_id, url, body in session.execute(latest).all():
        if _is_of(endpoint, url) and (places := places_of(read_answer(body))):
            audit.note_once_a_day(session, actor, "delivery.viewed", subject=webhook_id)
            return Example(webhook_id, places)
    return None


def crm_address_of(session: Session, contact: Contact) -> str | None:
    """Where the contact is found in the CRM, by the last answer that says so; None when nobody said how to tell."""
    return crm_addresses_of(session, contact.company_id, [contact]).get(contact.id)


def crm_addresses_of(session: Session, company_id: int, contacts: Sequence[Contact]) -> dict[int, str]:
    """The same of many contacts of a company, by their numbers.

    Ids are kept from answers since somebody said where they stand; those of earlier answers are read from the log.
    """
    endpoint = get_endpoint(session, company_id)
    if endpoint.link_template is None:
        return {}
    pointer = endpoint.link_pointer or ""
    kept = select(CrmRecord.contact_id, CrmRecord.value).where(
        CrmRecord.contact_id.in_([contact.id for contact in contacts]), CrmRecord.pointer == pointer
    )
    values: dict[int, str] = {row.contact_id: row.value for row in session.execute(kept)}
    others = [each.id for each in contacts if each.id not in values and each.delivered_frozen_at is not None]
    if others:
        values |= _said_of(session, others, endpoint)
    addresses = {key: build_address(endpoint.link_template, value) for key, value in values.items() if value}
    return {key: address for key, address in addresses.items() if address}


def _said_of(session: Session, contact_ids: Sequence[int], endpoint: Endpoint) -> dict[int, str]:
    """The id of each contact in its last stored answer that has one. It reads all of them by one statement."""
    newest = Delivery.delivered_at.desc(), Attempt.id.desc()
    rank = func.row_number().over(partition_by=Delivery.contact_id, order_by=newest).label("rank")
    own = Delivery.contact_id.in_(contact_ids), Delivery.former_contact_id.is_(None)
    facts = Delivery.contact_id, Attempt.id.label("attempt_id"), Attempt.url, rank
    ranked = _accepted(endpoint, *facts).where(*own).subquery()
    answers = select(ranked.c.contact_id, ranked.c.url, Exchange.response_body).join(
        ranked, Exchange.attempt_id == ranked.c.attempt_id
    )
    answers = answers.where(ranked.c.rank <= LOOK_BACK).order_by(ranked.c.contact_id, ranked.c.rank)
    said: dict[int, str] = {}
    for contact_id, url, body in session.execute(answers, execution_options={"yield_per": READ_AT_ONCE}):
        is_asked = contact_id not in said and _is_of(endpoint, url)
        if is_asked and (value := find(read_answer(body), endpoint.link_pointer or "")) is not None:
            said[contact_id] = value
    return said


def _is_of(endpoint: Endpoint, url: str) -> bool:
    """Whether that address is of the CRM that is sent to now: the ids of another are of other records."""
    return endpoint.url is not None and origin_of(endpoint.url) == origin_of(url)


def _accepted(endpoint: Endpoint, *facts: Any) -> Select[Any]:
    """Facts of each attempt that the present CRM accepted with an answer in JSON.

    What was still on its way to the former CRM is recorded as late.
    """
    query = select(*facts).select_from(Delivery).join(Attempt, Attempt.delivery_id == Delivery.id)
    query = query.where(Delivery.delivered_at.is_not(None), Attempt.reason == "ok_json", ~Attempt.late)
    return query if endpoint.crm_since is None else query.where(Attempt.started_at >= endpoint.crm_since)
