"""What the company's CRM was told of its contacts. Another CRM, or another account of the same, knows nothing of it."""

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.models import Contact
from portal.outbox import hold_company
from portal.working_models import CrmRecord


def was_told(session: Session, company_id: int) -> bool:
    """Whether the CRM confirmed the level of any contact."""
    told = exists().where(Contact.company_id == company_id, Contact.delivered_level.is_not(None))
    return bool(session.scalar(select(told)))


def begin_anew(session: Session, actor: Actor) -> None:
    """Another CRM takes the place: no contact is in sync with it. Sends nothing. The caller commits.

    Every contact is locked first, as when a delivery is settled. So what is on its way to the former CRM is either
    settled before, or sees the caller's change of the endpoint. What the former CRM said stays for the report.
    """
    hold_company(session, actor.company_id)
    of_company = select(Contact.id, Contact.delivered_level).where(Contact.company_id == actor.company_id)
    held = session.execute(of_company.order_by(Contact.id).with_for_update()).all()
    count = sum(contact.delivered_level is not None for contact in held)
    told = update(Contact).where(Contact.company_id == actor.company_id, Contact.delivered_level.is_not(None))
    unsaid = told.values(delivered_level=None, delivered_frozen_at=None)
    session.execute(unsaid.execution_options(synchronize_session=False))
    forget_records(session, actor.company_id)
    audit.record(session, actor, "webhook.crm_changed", subject=str(count))


def forget_records(session: Session, company_id: int) -> None:
    """Forget where contacts are found in the CRM: in another one, the same ids open records of somebody else."""
    of_company = select(Contact.id).where(Contact.company_id == company_id)
    session.execute(delete(CrmRecord).where(CrmRecord.contact_id.in_(of_company)))
