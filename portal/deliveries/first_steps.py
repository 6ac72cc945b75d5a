"""What a new company does first, and what of it is done: the list that stands where there are no figures yet."""

from dataclasses import dataclass

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal.company.endpoint import is_configured
from portal.company.knowledge import was_told
from portal.contacts.listing import has_contacts
from portal.models import Delivery


@dataclass(frozen=True)
class Step:
    """One of `address`, `test`, `contacts` and `delivery`."""

    name: str
    is_done: bool


def first_steps(session: Session, company_id: int) -> tuple[Step, ...]:
    """The steps in their order; none once a delivery that is no test has arrived, though the log may have lost it."""
    arrived = exists().where(Delivery.company_id == company_id, Delivery.status == "delivered")
    if session.scalar(select(arrived.where(Delivery.trigger != "test"))) or was_told(session, company_id):
        return ()
    return (
        Step("address", is_configured(session, company_id)),
        Step("test", bool(session.scalar(select(arrived.where(Delivery.trigger == "test"))))),
        Step("contacts", has_contacts(session, company_id)),
        Step("delivery", False),
    )
