"""Running an import: begun from a draft or here, and done in chunks, by a worker or by whoever holds it."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from itertools import islice

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.database.db import reading as read_only
from portal.importing.chunks import Pace, ReadRow, cut_into_chunks, read_row
from portal.importing.encoding import Blocks, FileProblem
from portal.importing.layout import read_rows
from portal.importing.mapping import remember
from portal.importing.order import KIND, Order
from portal.importing.rows import row_reader
from portal.models import Task
from portal.tasks import slices, store
from portal.tasks.store import Chunk, TaskClaim

# How long an import whose caller does it by itself stays its own between two chunks. Nobody else has the file.
HELD_HERE = timedelta(minutes=10)


def begin(session: Session, actor: Actor, draft: Task) -> Task:
    """Let the import begin that a draft asks for; a second click finds it begun."""
    if store.start(session, draft):
        slices.drop_aside(session, draft.id)
        remember(session, actor.company_id, Order.from_json(draft.arguments))
        audit.record(session, actor, "contacts.imported", subject=draft.arguments["filename"])
    return draft


def begin_here(session: Session, actor: Actor, order: Order, *, total: int) -> TaskClaim:
    """Note an import that its caller does by itself, from a file of its own, and hold it. The caller commits."""
    row = store.create(session, actor, KIND, total=total, arguments=order.as_json())
    begin(session, actor, row)
    return store.claim_this(session.connection(), row.id, now=clock.utcnow(), lease=HELD_HERE)


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """The chunks of an import that a worker holds, from its position on. Raises FileProblem."""
    blocks = partial(slices.read_blocks, engine, claim.task_id, store.INPUT)
    if next(blocks(), None) is None:
        raise FileProblem("gone")
    order = Order.from_json(claim.arguments)
    with read_only(), Session(engine) as session:
        reader = row_reader(session, claim.company_id, order)
    yield from cut_into_chunks(
        blocks, order, reader, actor=claim.actor, task_id=claim.task_id, position=claim.position, pace=Pace()
    )


def preview(session: Session, company_id: int, order: Order, *, blocks: Blocks, count: int) -> list[ReadRow]:
    """The first rows as they would be imported."""
    reader = row_reader(session, company_id, order)
    return [read_row(reader, record) for record in islice(filter(None, read_rows(blocks, order.layout)), count)]
