"""A rehearsal: the import itself, done on a database of its own that holds what the file may touch, and forgotten.

So its counts are those that the import would come to now, by the same statements, and nothing is written anywhere else.
"""

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Engine, delete, insert, select
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.contacts.body import MATCH_FIELDS
from portal.contacts.candidates import load_known
from portal.contacts.items import ContactItem
from portal.contacts.known import Known
from portal.contacts.statements import contact_table, message_table
from portal.database.db import reading
from portal.database.scratch import scratch_engine
from portal.database.tables import Base
from portal.importing.chunks import cut_into_chunks
from portal.importing.encoding import Blocks, FileProblem
from portal.importing.missing import Comparison, find_earlier, link
from portal.importing.order import Order
from portal.importing.outcomes import REHEARSED
from portal.importing.rows import row_reader
from portal.models import Campaign, Classification, Company, Contact, Delivery, DeliveryBody, Endpoint, Task, User
from portal.tasks import slices, store
from portal.tasks.store import Chunk, Done, TaskClaim

KIND = "rehearse"


def queue(session: Session, actor: Actor, file: Task) -> Task:
    """A task that rehearses the import that a draft asks for. The caller commits."""
    row = store.create(session, actor, KIND, total=file.total, arguments=file.arguments | {"file": file.id})
    store.start(session, row)
    return row


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """A rehearsal as a task. One that goes on begins at the first row again, and keeps what is new.

    Raises FileProblem.
    """
    blocks, moved = partial(slices.read_blocks, engine, claim.arguments["file"], store.INPUT), 0
    for done in rehearse(engine, claim.actor, Order.from_json(claim.arguments), blocks):
        moved += done.moved
        is_new = moved > claim.position or not done.moved
        yield partial(_record, done if is_new else Done(moved=0))
    if next(blocks(), None) is None:  # it was discarded meanwhile
        raise FileProblem("gone")


def rehearse(engine: Engine, actor: Actor, order: Order, blocks: Blocks) -> Generator[Done, None, None]:
    """What each chunk of the import would do."""
    with reading(), Session(engine) as session:
        reader = row_reader(session, actor.company_id, order)
    scratch = _Scratch(engine, actor, order)
    try:
        for rows in cut_into_chunks(blocks, order, reader, actor=actor, task_id=REHEARSED):
            yield scratch.do(rows, rows.items)
    finally:
        scratch.close()


def _record(done: Done, _: Session) -> Done:
    return done


class _Scratch:
    """The database of one rehearsal. Its own rows are numbered from `REHEARSED` on; those below are copies."""

    def __init__(self, real: Engine, actor: Actor, order: Order) -> None:
        self._real = real
        self._company_id = actor.company_id
        self._own = scratch_engine(Base.metadata)
        with Session(self._own) as own, own.begin():
            self._begin_numbers(own)
            with reading(), Session(real) as session:
                for row, wanted in (
                    (Company, Company.id == actor.company_id),
                    (User, User.id == order.user_id),
                    (Endpoint, Endpoint.company_id == actor.company_id),
                ):
                    _copy_rows(session, own, row.__table__, wanted)
                self._earlier_id = find_earlier(session, actor.company_id, order, but=REHEARSED)
                _copy_rows(session, own, Task.__table__, Task.id == self._earlier_id)
                _copy_rows(session, own, link, link.c.task_id == self._earlier_id)

    def do(self, chunk: Chunk, items: Sequence[ContactItem]) -> Done:
        """What the chunk would do."""
        with reading(), Session(self._real) as session:
            known = load_known(session.connection(), self._company_id, items, everywhere=True, for_update=False)
        with Session(self._own) as own, own.begin():
            self._copy(own, known)
            if isinstance(chunk, Comparison):
                self._copy_earlier(own)
            done = chunk(own)
            own.execute(delete(DeliveryBody))  # bodies and deliveries would only take room
            own.execute(delete(Delivery))
            own.execute(delete(Classification))
        return done

    def close(self) -> None:
        self._own.dispose()

    def _copy(self, own: Session, known: Known) -> None:
        """Bring what the items may match or belong to, but for what came with an earlier chunk."""
        shared = {"company_id": self._company_id}
        now = clock.utcnow()
        people = [
            {"id": each.id, "name": each.name, "email": each.email, "session_version": 1, "created_at": now, **shared}
            for each in known.people.values()
        ]
        _add(own, User.__table__, people)
        campaigns = [
            {"id": each.id, "name": each.name, "description": each.description, **shared}
            for each in known.campaigns.values()
        ]
        _add(own, Campaign.__table__, campaigns)
        there = set(own.scalars(select(Contact.id).where(Contact.id.in_(known.by_id))))
        new = [record for number, record in known.by_id.items() if number not in there]
        _add(own, contact_table, [record.values for record in new])
        _add(
            own,
            message_table,
            [{"contact_id": record.values["id"], **each} for record in new for each in record.messages],
        )

    def _copy_earlier(self, own: Session) -> None:
        """Bring what tells the contacts of the earlier import apart, at the end: who is there by then stays."""
        told_by = [contact_table.c[name] for name in ("id", "company_id", *MATCH_FIELDS)]
        named = select(link.c.contact_id).where(link.c.task_id == self._earlier_id)
        wanted = select(*told_by).where(contact_table.c.id.in_(named)).execution_options(yield_per=1000)
        blank = _blank_contact()
        with reading(), Session(self._real) as session:
            for rows in session.execute(wanted).mappings().partitions():
                _add(own, contact_table, [{**blank, **row} for row in rows])

    def _begin_numbers(self, own: Session) -> None:
        """One row of nobody's in each table that gets new ones: SQLite counts on from the highest number."""
        now = clock.utcnow()
        shared = {"id": REHEARSED, "company_id": 0, "name": ""}
        _add(own, User.__table__, [{**shared, "email": "", "session_version": 1, "created_at": now}])
        _add(own, Campaign.__table__, [shared])
        _add(own, contact_table, [{**_blank_contact(), **shared}])


def _blank_contact() -> dict[str, Any]:
    """What a contact's row has to hold besides its number, its company and what it is told by."""
    now = clock.utcnow()
    texts = dict.fromkeys(("name", "search_name", "search_text"), "")
    lists: dict[str, Any] = {"skills": [], "experiences": []}
    times = {"created_at": now, "updated_at": now}
    return {"campaign_id": 0, "owner_id": 0, "is_level_imported": False, **texts, **lists, **times}


def _copy_rows(session: Session, own: Session, table: Any, wanted: ColumnElement[bool]) -> None:
    for rows in session.execute(select(table).where(wanted)).mappings().partitions(1000):
        _add(own, table, [dict(row) for row in rows])


def _add(own: Session, table: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Insert the rows, but for those that are there."""
    if rows:
        own.connection().execute(insert(table).prefix_with("OR IGNORE"), rows)
