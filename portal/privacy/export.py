"""Everything that is kept about one person, for whoever asks for it (LGPD, access and portability), or of a company."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload, selectinload

from portal import audit
from portal.audit import Actor
from portal.database.tables import Base
from portal.models import Attempt, Classification, Contact, Delivery, Exchange
from portal.rules.verdict import decode
from portal.working_models import CrmRecord

# What a delivery has for the portal's own work.
OF_THE_PORTAL = ("id", "company_id", "contact_id", "lease_token", "lease_expires_at", "has_body", "is_purged")
BATCH = 50  # deliveries that are read at once


def export_contact(session: Session, actor: Actor, contact: Contact, *, now: datetime) -> dict[str, Any]:
    """Everything that is kept about one person but the deliveries, as plain values, times in RFC 3339.

    The audit log keeps who took it.
    """
    kept, contact_id = _all_about(session, contact, now=now), contact.id
    audit.note(session, actor, "contact.exported", subject=str(contact_id))
    return kept


def export_deliveries(
    session: Session, contact_id: int, *, after: int | None = None
) -> tuple[list[dict[str, Any]], int | None]:
    """The first deliveries about a person, or those after a number, in the same form; and the last one's number.

    None for that where no others follow.
    """
    query = select(Delivery).where(Delivery.contact_id == contact_id, Delivery.id > (after or 0)).order_by(Delivery.id)
    whole = query.options(joinedload(Delivery.stored_body), selectinload(Delivery.attempts))
    rows = session.scalars(whole.limit(BATCH)).all()
    told = [
        _columns_of(row, without=OF_THE_PORTAL)
        | {"body": _plain(row.body), "attempts": [_attempt(each) for each in row.attempts]}
        for row in rows
    ]
    return told, rows[-1].id if len(rows) == BATCH else None


def note_company_export(session: Session, actor: Actor) -> None:
    """Let the audit log keep who took the data of a company."""
    audit.note(session, actor, "company.exported")


def _all_about(session: Session, contact: Contact, *, now: datetime) -> dict[str, Any]:
    history = select(Classification).where(Classification.contact_id == contact.id).order_by(Classification.id)
    return {
        "exported_at": now.isoformat(),
        "contact": _columns_of(contact, without=("company_id", "search_name", "search_text")),
        "campaign": contact.campaign.name,
        "owner": {"name": contact.owner.name, "email": contact.owner.email},
        "crm_record": session.scalar(select(CrmRecord.value).where(CrmRecord.contact_id == contact.id)),
        "messages": [_columns_of(message, without=("contact_id",)) for message in contact.messages],
        "classifications": [_columns_of(row, without=("company_id", "contact_id")) for row in session.scalars(history)],
    }


def _attempt(row: Attempt) -> dict[str, Any]:
    said = row.exchange or Exchange(request_headers=[], response_headers=[])
    return _columns_of(row, without=("id", "delivery_id")) | _columns_of(said, without=("attempt_id",))


def _columns_of(row: Base, *, without: Collection[str]) -> dict[str, Any]:
    names = [column.name for column in row.__table__.columns if column.name not in without]
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return decode(value) if isinstance(value, bytes) else value
