"""Personal data: erasing one person, so that what is left proves what was sent and says nothing about them (LGPD)."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload, undefer

from portal import audit, clock, importing, outbox
from portal.audit import Actor
from portal.database.db import Base
from portal.models import Classification, Contact, Delivery, InspectedRequest, Task, TaskBlock
from portal.rules.verdict import decode
from portal.tasks import store

ERASED = "erased"
"""Why a task ended that would have brought the person back."""
READ_AT_ONCE = 20
"""Rows in memory at a time of those that may be large."""
OVERLAP = 2000
"""Characters of a piece of text that are looked at again with the next: nothing that tells a person is longer."""


BEFORE, AFTER = r"(?<![\w.+-])", r"(?![\w-])"
"""Around a text that is no part of a longer one: `ana@example.com` is not found in `mariana@example.com`."""


@dataclass(frozen=True)
class Erased:
    """What an erasure touched: the deliveries that stay as proof, and the tasks that it ended."""

    deliveries: int
    tasks: int


class Traces:
    """What tells a person in texts that nobody took apart, such as files: name, e-mail, LinkedIn id, telephone.

    Each also as JSON and as addresses write it; a name may be spread over two cells.
    """

    def __init__(self, contact: Contact) -> None:
        texts = [text for text in (contact.name, contact.email, contact.linkedin_public_id, contact.phone) if text]
        forms = {form.casefold() for text in texts for form in (text, json.dumps(text)[1:-1], quote(text))}
        spread = (r"\W{1,5}".join(map(re.escape, form.split())) for form in sorted(forms))
        self._pattern = re.compile("|".join(rf"{BEFORE}{words}{AFTER}" for words in spread))

    def are_in(self, text: str) -> bool:
        return self._pattern.search(text.casefold()) is not None

    def are_in_any(self, pieces: Iterable[str]) -> bool:
        """Whether the text in these pieces holds a trace, also where two of them meet."""
        end = ""
        for piece in pieces:
            if self.are_in(end + piece):
                return True
            end = piece[-OVERLAP:]
        return False


def erase_contact(session: Session, contact: Contact, *, actor: str, ip: str | None = None) -> Erased:
    """Erase a contact and what is kept about the person. The caller commits, and then calls `db.empty_log`.

    Gone are the contact with its messages and classifications, the bodies and answers of its deliveries, its cells in
    the reports of imports, and what the company's own test address received about it. What waited to be sent is
    cancelled. An import under way that holds the person would bring them back, so it ends. Deliveries and attempts
    stay, without data; so do the answers kept for repeated calls, which are numbers.
    """
    traces, company_id, contact_id = Traces(contact), contact.company_id, contact.id
    # 1. Tasks come first: who works on one holds its row before a contact's.
    ended = _end_tasks(session, company_id, traces)
    _blank_tasks(session, company_id, traces)
    # 2. Nobody classifies the contact from here on.
    session.execute(select(Contact.id).where(Contact.id == contact_id).with_for_update())
    deliveries = outbox.forget_contact(session, contact_id)
    session.execute(delete(Contact).where(Contact.id == contact_id))
    _forget_inspected(session, company_id, traces)
    audit.record(session, Actor(company_id, actor, ip), "contact.erased", subject=str(contact_id))
    session.flush()
    return Erased(deliveries, ended)


def export_contact(session: Session, contact: Contact, *, now: datetime) -> dict[str, Any]:
    """Everything that is kept about one person, as plain values: what the person may ask for. Times are RFC 3339."""
    history = select(Classification).where(Classification.contact_id == contact.id).order_by(Classification.id)
    deliveries = (
        select(Delivery)
        .where(Delivery.contact_id == contact.id)
        .order_by(Delivery.id)
        .options(undefer(Delivery.body), selectinload(Delivery.attempts))
    )
    return {
        "exported_at": now.isoformat(),
        "contact": _columns_of(contact, without=("company_id", "search_name", "search_text")),
        "campaign": contact.campaign.name,
        "owner": {"name": contact.owner.name, "email": contact.owner.email},
        "messages": [_columns_of(message, without=("contact_id",)) for message in contact.messages],
        "classifications": [_columns_of(row, without=("company_id", "contact_id")) for row in session.scalars(history)],
        "deliveries": [
            _columns_of(row, without=("id", "company_id", "contact_id", "lease_token", "lease_expires_at"))
            | {"attempts": [_columns_of(attempt, without=("id", "delivery_id")) for attempt in row.attempts]}
            for row in session.scalars(deliveries)
        ],
    }


def _columns_of(row: Base, *, without: Collection[str]) -> dict[str, Any]:
    names = [column.name for column in row.__table__.columns if column.name not in without]
    return {name: _plain(getattr(row, name)) for name in names}


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return decode(value) if isinstance(value, bytes) else value


def _end_tasks(session: Session, company_id: int, traces: Traces) -> int:
    """End the open tasks that hold the person, and drop such drafts. Returns how many were ended."""
    query = select(Task).where(Task.company_id == company_id, Task.status.in_(("draft", *store.OPEN)))
    holding = [row for row in session.scalars(query.order_by(Task.id)) if _holds(session, row, traces)]
    now = clock.utcnow()
    return sum(not store.discard(session, row) and store.end(session, row, reason=ERASED, now=now) for row in holding)


def _holds(session: Session, row: Task, traces: Traces) -> bool:
    if traces.are_in(json.dumps(row.arguments)):
        return True
    return row.kind == importing.KIND and traces.are_in_any(importing.read_text(session.connection().engine, row))


def _blank_tasks(session: Session, company_id: int, traces: Traces) -> None:
    """Take the person out of what the company's tasks were asked, and out of what they reported."""
    for row in session.scalars(select(Task).where(Task.company_id == company_id)):
        if traces.are_in(json.dumps(row.arguments)):
            row.arguments = _blank(row.arguments, traces)
    of_company = select(Task.id).where(Task.company_id == company_id, Task.kind == importing.KIND)
    findings = select(TaskBlock).where(TaskBlock.part == "finding", TaskBlock.task_id.in_(of_company))
    for block in session.scalars(findings.execution_options(yield_per=READ_AT_ONCE)):
        blanked = importing.blank_findings(block.data, traces.are_in)
        if blanked != block.data:
            block.data = blanked


def _blank(value: Any, traces: Traces) -> Any:
    """The same structure, without the texts that tell the person."""
    if isinstance(value, dict):
        return {name: _blank(inner, traces) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blank(inner, traces) for inner in value]
    return "" if isinstance(value, str) and traces.are_in(value) else value


def _forget_inspected(session: Session, company_id: int, traces: Traces) -> None:
    query = select(InspectedRequest).where(InspectedRequest.company_id == company_id)
    for received in session.scalars(query.execution_options(yield_per=READ_AT_ONCE)):
        if traces.are_in(received.body.decode(errors="replace")):
            session.delete(received)
