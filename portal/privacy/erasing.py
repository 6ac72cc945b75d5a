"""Personal data: erasing one person, so that what is left proves what was sent and says nothing about them (LGPD)."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.contacts.classifying import ContactGone
from portal.database.db import reading
from portal.database.tables import Base
from portal.database.upkeep import empty_log
from portal.importing import examining, outcomes, rehearsal
from portal.importing.order import KIND as IMPORT
from portal.models import Contact, Task
from portal.privacy import marks
from portal.privacy.traces import Traces
from portal.tasks import store
from portal.vault import Vault
from portal.working_models import InspectedRequest, TaskBlock

ERASED = "erased"  # why a task ended that would have brought the person back
FILE_KINDS = (examining.KIND, IMPORT, rehearsal.KIND)
UNDER_WAY = ("draft", *store.OPEN)

Place = tuple[type[Base], tuple[Any, ...]]  # a row that may name a person, by its table and its key


@dataclass(frozen=True)
class Erased:
    """What an erasure touched: the deliveries that stay as proof, and the tasks that it ended."""

    deliveries: int
    tasks: int


def erase_contact(session: Session, contact: Contact, actor: Actor, *, vault: Vault) -> Erased:
    """Erase a contact and what is kept about the person. The caller commits, and then calls `finish`.

    Gone are the contact with its messages and classifications, the bodies and answers of its deliveries, its cells in
    the reports of imports, and what the company's own test address received about it. What waited to be sent is
    cancelled; an import under way that holds the person ends. Deliveries and attempts stay, without data; so do the
    answers kept for repeated calls, which are numbers, and a mark of who was erased.

    Ends the caller's transaction first: files are searched while everybody else may write.
    """
    contact_id, search = contact.id, Search(session.get_bind().engine, contact.company_id, Traces(contact))
    session.rollback()
    search.look()
    while any(search.unseen(session)):  # what came meanwhile; nothing comes any more once this transaction is the last
        session.rollback()
        search.look()
    # 1. Tasks come first: who works on one holds its row before a contact's.
    ended = _forget_found(session, search)
    # 2. Nobody classifies the contact from here on.
    if session.scalar(select(Contact.id).where(Contact.id == contact_id).with_for_update()) is None:
        raise ContactGone(contact_id)
    deliveries = outbox.forget_contact(session, contact_id)
    marks.remember(session, session.get_one(Contact, contact_id), vault)
    session.execute(delete(Contact).where(Contact.id == contact_id))
    audit.record(session, actor, "contact.erased", subject=str(contact_id))
    session.flush()
    return Erased(deliveries, ended)


def finish(engine: Engine, instance: Path) -> bool:
    """What follows the commit of an erasure: its mark goes to the instance folder too, and SQLite's log is emptied.

    Returns whether nothing stood in the way; else the house-keeping does it within the hour.
    """
    marks.keep_beside(engine, instance)
    return empty_log(engine)


class Search:
    """Goes through all that may name a person beside the contact itself. No transaction of it keeps others waiting."""

    def __init__(self, engine: Engine, company_id: int, traces: Traces) -> None:
        self._engine = engine
        self._company_id = company_id
        self._traces = traces
        self._seen: set[Place] = set()
        # The rows that name the person, in the order of their tables, each with what is to stay of it.
        self.found: dict[Place, Any] = {}

    def unseen(self, session: Session) -> Iterator[Place]:
        """The company's rows that were not looked at yet."""
        tasks = select(Task.id).where(Task.company_id == self._company_id)
        imports = tasks.where(Task.kind.in_(FILE_KINDS))
        findings = select(TaskBlock.task_id, TaskBlock.part, TaskBlock.number).where(
            TaskBlock.part.not_in((store.INPUT, store.ASIDE)), TaskBlock.task_id.in_(imports)
        )
        received = select(InspectedRequest.id).where(InspectedRequest.company_id == self._company_id)
        for model, keys in ((Task, tasks), (TaskBlock, findings), (InspectedRequest, received)):
            places: list[Place] = [(model, tuple(row)) for row in session.execute(keys)]
            yield from (place for place in places if place not in self._seen)

    def look(self) -> None:
        """Look at what was not looked at yet, one row in memory at a time."""
        with reading():
            with Session(self._engine) as session:
                places = list(self.unseen(session))
            for model, key in places:
                with Session(self._engine) as session:
                    row: Any = session.get(model, key)
                if row is not None and (rest := self._rest_of(row)) is not row:
                    self.found[model, key] = rest
                self._seen.add((model, key))

    def _rest_of(self, row: Task | TaskBlock | InspectedRequest) -> Any:
        """What is to stay of a row that names the person; of another the row itself."""
        match row:
            case Task():
                return _blank(row.arguments, self._traces) if self._is_named_in(row) else row
            case TaskBlock():
                blanked = outcomes.blank_list(row.part, row.data, self._traces.are_in)
                return row if blanked == row.data else blanked
            case InspectedRequest():
                return None if self._traces.are_in(row.body.decode(errors="replace")) else row

    def _is_named_in(self, row: Task) -> bool:
        if self._traces.are_in(json.dumps(row.arguments)):
            return True
        is_file = row.kind in FILE_KINDS and row.status in UNDER_WAY
        return is_file and self._traces.are_in_any(examining.read_text(self._engine, row))


def _forget_found(session: Session, search: Search) -> int:
    """Take the person out of the rows that were found, and drop such drafts. Returns how many tasks that ended."""
    ended = 0
    for (model, key), rest in search.found.items():
        match row := session.get(model, key):
            case Task() if not store.discard(session, row):
                ended += store.end(session, row, reason=ERASED, now=clock.utcnow())
                row.arguments = rest
            case TaskBlock():
                row.data = rest
            case InspectedRequest():
                session.delete(row)
    return ended


def _blank(value: Any, traces: Traces) -> Any:
    """The same structure, without the texts that tell the person."""
    if isinstance(value, dict):
        return {name: _blank(inner, traces) for name, inner in value.items()}
    if isinstance(value, list):
        return [_blank(inner, traces) for inner in value]
    return "" if isinstance(value, str) and traces.are_in(value) else value
