"""What a new company does first, and what of it is done: the list that stands where there are no figures yet."""

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from portal.company.endpoint import is_configured
from portal.company.knowledge import was_told
from portal.contacts.listing import has_contacts
from portal.models import Contact, Delivery


def first_steps(session: Session, company_id: int) -> dict[str, bool]:
    """The steps in their order, with whether each is done; none once any delivery but a test has arrived."""
    arrived = exists().where(Delivery.company_id == company_id, Delivery.status == "delivered")
    if session.scalar(select(arrived.where(Delivery.trigger != "test"))) or was_told(session, company_id):
        return {}
    classified = exists().where(Contact.company_id == company_id, Contact.interest_level.is_not(None))
    return {
        "address": is_configured(session, company_id),
        "test": bool(session.scalar(select(arrived.where(Delivery.trigger == "test")))),
        "contacts": has_contacts(session, company_id),
        "level": bool(session.scalar(select(classified))),
    }
