"""What the CRM knows of a contact may be the old data. Two moments say so: when a field of the contact's body
last changed (`data_changed_at`), and when the body was frozen that was delivered last (`delivered_frozen_at`).
"""

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from portal import clock
from portal.models import Company, Contact


def hold_company(session: Session, company_id: int) -> None:
    """Let nobody else make contacts or change campaigns of the company until the transaction ends."""
    session.execute(select(Company.id).where(Company.id == company_id).with_for_update(key_share=True))


def mark_changed(session: Session, company_id: int, which: ColumnElement[bool]) -> None:
    """Write down that a field of these contacts' bodies changes, before the caller writes the field where it stands.

    The company is held, as when contacts are made, and each of the contacts: a body that is frozen before this has an
    earlier moment, and one that is frozen after it waits for the caller's commit and has the new field.
    """
    hold_company(session, company_id)
    of_company = (Contact.company_id == company_id, which)
    session.scalars(select(Contact.id).where(*of_company).order_by(Contact.id).with_for_update()).all()
    changed = update(Contact).where(*of_company).values(data_changed_at=clock.utcnow())
    session.execute(changed.execution_options(synchronize_session=False))
