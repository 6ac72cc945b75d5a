"""Finding out what a file is, as a task: a file of the largest size keeps no request waiting.

What was sent is the task's input. The task becomes the draft of an import; where a workbook was sent, the table that it
came to is the draft's input, and the workbook stays beside it as long.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import IO

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.importing.encoding import FileProblem, check_bytes, detect_encoding, open_text
from portal.importing.layout import Examined
from portal.importing.mapping import recall
from portal.importing.order import KIND as IMPORT
from portal.importing.order import Order
from portal.importing.spreadsheet import Table, as_text_file, every_table
from portal.models import Task
from portal.tasks import slices, store
from portal.tasks.store import Chunk, Done, TaskClaim

KIND = "examination"
MOST_UNFINISHED = 20  # files of a company that wait or are being imported: each is kept whole until its end
OPENING = timedelta(minutes=5)  # the longest that opening a workbook takes, within one step
PIECE_CHARACTERS = 1_000_000


def receive(session: Session, actor: Actor, file: IO[bytes], *, user_id: int, filename: str) -> Task:
    """Keep a file for a worker to examine. Raises FileProblem for too many, and for what is none by its beginning."""
    if store.count_unfinished(session, actor.company_id, (KIND, IMPORT)) >= MOST_UNFINISHED:
        raise FileProblem("too_many_files")
    table = Table(file)
    check_bytes(next(table.blocks(), b""))
    arguments = {"user_id": user_id, "filename": filename}
    row = store.create(session, actor, KIND, total=table.size, arguments=arguments)
    slices.store_input(session, row.id, table.blocks())
    store.start(session, row)
    return row


def examine_again(
    session: Session, draft: Task, *, encoding: str | None = None, sheet: str | None = None, has_header: bool = True
) -> bool:
    """Let a worker examine the file of a draft again, as somebody says it is to be read. False when it is no draft.

    The draft comes back as it was, with the reason, where that cannot be.
    """
    order, size = Order.from_json(draft.arguments), slices.input_size(session, draft.id)
    before = {"arguments": draft.arguments, "total": draft.total}
    given = {"user_id": order.user_id, "filename": order.filename, "before": before}
    arguments = given | {"encoding": encoding, "sheet": sheet, "has_header": has_header}
    return store.requeue(session, draft, kind=KIND, arguments=arguments, total=size)


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """The chunks of an examination that a worker holds. Raises FileProblem."""
    yield partial(_hold_for_opening, claim)
    try:
        yield from _examine(engine, claim)
    except FileProblem as problem:
        if "before" not in claim.arguments:
            raise
        yield partial(_return_draft, claim, problem.reason)


def _examine(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    encoding, sheet = (claim.arguments.get(name) for name in ("encoding", "sheet"))
    with _sent_file(engine, claim.task_id) as file, as_text_file(file, sheet) as table:
        size, moved = Table(file).size, claim.position
        examination = table.examination(encoding, has_header=claim.arguments.get("has_header", True))
        for _ in examination:
            reached = max(moved, size * table.file.tell() // max(table.size, 1))
            yield partial(_move, reached - moved)  # nothing, where one that goes on begins at the first row again
            moved = reached
        yield partial(_become_draft, claim, table, examination.found)


def read_text(engine: Engine, row: Task) -> Iterator[str]:
    """The file of an import that has not ended, or of what prepares one, in pieces: of a workbook every sheet."""
    layout = row.arguments.get("layout")
    with _sent_file(engine, row.arguments.get("file", row.id)) as file:
        try:
            for table in every_table(file):
                encoding = layout["encoding"] if layout else detect_encoding(table.blocks)
                with open_text(table.blocks, encoding) as text:
                    while piece := text.read(PIECE_CHARACTERS):
                        yield piece
        except FileProblem:
            return  # what cannot be read is not imported either


@contextmanager
def _sent_file(engine: Engine, task_id: int) -> Iterator[IO[bytes]]:
    with tempfile.TemporaryFile() as file:
        file.writelines(slices.first_input(engine, task_id))
        yield file


def _hold_for_opening(claim: TaskClaim, session: Session) -> Done:
    store.hold(session.connection(), claim, now=clock.utcnow(), lease=OPENING)
    return Done(moved=0)


def _move(bytes_read: int, _: Session) -> Done:
    return Done(moved=bytes_read)


def _become_draft(claim: TaskClaim, table: Table, found: Examined, session: Session) -> Done:
    choices = {name: claim.arguments[name] for name in ("user_id", "filename")}
    order = recall(session, claim.company_id, Order.of(found, **choices))
    if table.sheet is not None:
        slices.replace_input(session, claim.task_id, table.blocks())
    store.become_draft(session.connection(), claim, kind=IMPORT, arguments=order.as_json(), total=found.total)
    return Done(moved=0)


def _return_draft(claim: TaskClaim, reason: str, session: Session) -> Done:
    before = claim.arguments["before"]
    arguments = before["arguments"] | {"problem": reason}
    store.become_draft(session.connection(), claim, kind=IMPORT, arguments=arguments, total=before["total"])
    return Done(moved=0)
