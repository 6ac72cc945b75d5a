"""What tasks work on, kept beside them in blocks; and work cut into the chunks that a worker does."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any

from sqlalchemy import Engine, delete, func, insert, select, update
from sqlalchemy.orm import Session

from portal import audit
from portal.audit import Actor
from portal.database.db import reading
from portal.models import Task
from portal.tasks import store
from portal.tasks.store import ASIDE, INPUT, Chunk, Done, TaskClaim, TaskError, block

BLOCK_BYTES = 256 * 1024
# Does the work on some numbers, in the caller's transaction, and says what it did. Raises TaskError.
Part = Callable[[Session, TaskClaim, Sequence[int]], Counter[str] | Done]
# Does a little, in the caller's transaction; says what it counted, and whether there is more of it to do.
Step = Callable[[Session], tuple[Counter[str], bool]]


def queue_numbers(
    session: Session,
    actor: Actor,
    kind: str,
    numbers: Sequence[int],
    *,
    action: str,
    subject: str | None = None,
    width: int = 1,
    arguments: dict[str, Any] | None = None,
) -> Task:
    """A task on these numbers, `width` for each thing; without any it is done at once. The caller commits.

    The audit log keeps who asked for it, as `action`, unless there is nothing to do; `subject` is how many things.
    """
    total = len(numbers) // width
    if total:
        audit.record(session, actor, action, subject=subject or str(total))
    row = store.create(session, actor, kind, total=total, arguments=arguments)
    packed = pack_numbers(numbers)
    store_input(session, row.id, (packed[at : at + BLOCK_BYTES] for at in range(0, len(packed), BLOCK_BYTES)))
    store.start(session, row)
    if not numbers:
        row.status, row.started_at, row.finished_at = "done", row.created_at, row.created_at
    return row


def numbers_of(engine: Engine, claim: TaskClaim) -> "array[int]":
    """The numbers that a task works on. Raises TaskError when they are gone."""
    numbers = array("q", read_numbers(engine, claim.task_id, INPUT))
    if not numbers:
        raise TaskError("gone")
    return numbers


def pack_numbers(numbers: Iterable[int]) -> bytes:
    """The numbers as a block, for `read_numbers`."""
    return array("q", numbers).tobytes()


def read_numbers(engine: Engine, task_id: int, part: str) -> Iterator[int]:
    """The numbers of one part, in order, a block at a time."""
    for data in read_blocks(engine, task_id, part):
        yield from array("q", data)


def cut_numbers(engine: Engine, claim: TaskClaim, size: int, part: Part, *, width: int = 1) -> Iterator[Chunk]:
    """Chunks of `size` things each, from the task's position on. Raises TaskError when the numbers are gone."""
    numbers = numbers_of(engine, claim)
    for position in range(claim.position, len(numbers) // width, size):
        yield partial(_do_part, claim, part, numbers[position * width : (position + size) * width].tolist(), width)


def _do_part(claim: TaskClaim, part: Part, numbers: Sequence[int], width: int, session: Session) -> Done:
    done = part(session, claim, numbers)
    return done if isinstance(done, Done) else Done(moved=len(numbers) // width, counts=+done)


def cut_steps(steps: Iterable[Step]) -> Iterator[Chunk]:
    """Chunks of work whose length nobody knows: each step is done until there is no more of it, then the next."""
    for step in steps:
        has_more = True

        def do(session: Session, step: Step = step) -> Done:
            nonlocal has_more
            counts, has_more = step(session)
            return Done(moved=1, counts=+counts)

        while has_more:
            yield do


def store_input(session: Session, task_id: int, pieces: Iterable[bytes]) -> None:
    """Keep what the task is to work on; it goes when the task ends."""
    for number, piece in enumerate(pieces):
        session.execute(insert(block).values(task_id=task_id, part=INPUT, number=number, data=piece))


def replace_input(session: Session, task_id: int, pieces: Iterable[bytes]) -> None:
    """Work on something else from here on. The first input is set aside, and stays until the task starts or ends."""
    of_task = block.c.task_id == task_id
    is_aside = select(block.c.number).where(of_task, block.c.part == ASIDE).limit(1)
    if session.execute(is_aside).first() is None:
        session.execute(update(block).where(of_task, block.c.part == INPUT).values(part=ASIDE))
    session.execute(delete(block).where(of_task, block.c.part == INPUT))
    store_input(session, task_id, pieces)


def first_input(engine: Engine, task_id: int) -> Iterator[bytes]:
    """The blocks of what the task was given first."""
    aside = read_blocks(engine, task_id, ASIDE)
    first = next(aside, None)
    yield from read_blocks(engine, task_id, INPUT) if first is None else chain([first], aside)


def drop_aside(session: Session, task_id: int) -> None:
    """Forget what was set aside."""
    session.execute(delete(block).where(block.c.task_id == task_id, block.c.part == ASIDE))


def input_size(session: Session, task_id: int) -> int:
    """How many bytes the input has."""
    size = select(func.sum(func.length(block.c.data))).where(block.c.task_id == task_id, block.c.part == INPUT)
    return session.execute(size).scalar() or 0


def read_blocks(engine: Engine, task_id: int, part: str) -> Iterator[bytes]:
    """The blocks of one part in order, each read in a transaction of its own."""
    last = -1
    while True:
        query = select(block).where(block.c.task_id == task_id, block.c.part == part, block.c.number > last)
        with reading(), engine.connect() as connection:
            row = connection.execute(query.order_by(block.c.number).limit(1)).first()
        if row is None:
            return
        last = row.number
        yield row.data
