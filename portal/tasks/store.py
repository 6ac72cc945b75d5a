"""Long work in the background: kept in the database, so that any worker can do it and go on where another one died.

A task is done in chunks. What a chunk changes and the task's new position are one transaction, which holds the task's
lease: a worker that was killed leaves a position that is true, and one that only slept too long changes nothing more.
Nothing here commits; the work itself is a `Work`, which `worker.task_runner` drives.
"""

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Engine,
    Select,
    Table,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from portal import clock
from portal.audit import Actor
from portal.database.driver import Statement
from portal.database.paging import count_rows
from portal.database.rows import given
from portal.database.tables import UTCDateTime, moment
from portal.models import Task
from portal.working_models import TaskBlock

MAX_TRIES = 5  # a task that kills its worker is not begun for ever
DRAFT_LIFETIME = timedelta(days=1)
REPORT_LIFETIME = timedelta(days=30)
# What a task works on, and what it was given before that became of it: both go when the task ends.
INPUT, ASIDE = "input", "aside"
OPEN = ("waiting", "running")  # a task in one of these states moves on by itself

task: Table = Task.__table__  # type: ignore[assignment]
block: Table = TaskBlock.__table__  # type: ignore[assignment]
_is_input = block.c.part.in_((INPUT, ASIDE))


@dataclass(frozen=True, kw_only=True)
class TaskClaim:
    """A task that a worker holds, as it was when it was claimed."""

    task_id: int
    company_id: int
    kind: str
    actor: Actor
    arguments: dict[str, Any]
    position: int
    lease_token: str


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a chunk did: how many things, what it counted, and what is to be kept of it, by the names of the lists."""

    moved: int
    counts: Counter[str] = field(default_factory=Counter)
    kept: Mapping[str, bytes] = field(default_factory=dict)


Chunk = Callable[[Session], Done]  # does its part in the caller's transaction
# Cuts a task into chunks, from its position on. Between two of them no transaction is open.
Work = Callable[[Engine, TaskClaim], Iterator[Chunk]]


class TaskError(Exception):
    """The task cannot be done at all. `reason` is a stable code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ComeBack(Exception):
    """The task has to wait for somebody: others go first, and it is gone on with when its lease ends."""


def create(
    session: Session, actor: Actor, kind: str, *, total: int = 0, arguments: dict[str, Any] | None = None
) -> Task:
    """A draft: a task that waits for somebody to start it."""
    row = Task(company_id=actor.company_id, actor=actor.email, kind=kind, status="draft", total=total)
    row.arguments, row.created_at = arguments or {}, clock.utcnow()
    session.add(row)
    session.flush()
    return row


def get_task(session: Session, company_id: int, kinds: str | Collection[str], task_id: int) -> Task | None:
    """The company's task, when it is of that kind or one of those, or None."""
    return session.scalars(_tasks_of(company_id, kinds).where(Task.id == task_id)).one_or_none()


def find_open(session: Session, company_id: int, kind: str) -> Task | None:
    """The company's newest task of that kind that waits or is being done, or None."""
    open_ones = _tasks_of(company_id, kind).where(Task.status.in_(OPEN))
    return session.scalars(open_ones.order_by(Task.id.desc()).limit(1)).first()


def count_unfinished(session: Session, company_id: int, kinds: Collection[str]) -> int:
    """How many of the company's tasks of those kinds wait to be started, or have not ended."""
    return count_rows(session, _tasks_of(company_id, kinds).where(Task.finished_at.is_(None)))


def recent_tasks(session: Session, company_id: int, kinds: str | Collection[str], *, limit: int = 20) -> Sequence[Task]:
    """The company's newest tasks of that kind, or of one of those."""
    return session.scalars(_tasks_of(company_id, kinds).order_by(Task.id.desc()).limit(limit)).all()


def start(session: Session, row: Task) -> bool:
    """Let a draft begin. Returns whether that changed anything: a second click finds it started."""
    return _leave_draft(session, row, update(task).values(status="waiting"))


def requeue(session: Session, row: Task, *, kind: str, arguments: dict[str, Any], total: int) -> bool:
    """Let a draft begin as a task of another kind, which ends as a draft again. Returns whether it was a draft."""
    values = {"status": "waiting", "kind": kind, "arguments": arguments, "total": total}
    return _leave_draft(session, row, update(task).values(values))


def become_draft(connection: Connection, held: TaskClaim, *, kind: str, arguments: dict[str, Any], total: int) -> None:
    """The task has prepared another one, which it becomes; it waits for somebody to start it, and is held no more."""
    values = {"kind": kind, "arguments": arguments, "total": total, "position": 0, "counts": {}, "started_at": None}
    _change(connection, held, **values, status="draft", tries=0, lease_token=None, lease_expires_at=None)


def discard(session: Session, row: Task) -> bool:
    """Forget a draft, with its input. Returns whether it still was one."""
    return _leave_draft(session, row, delete(task))


def claim(connection: Connection, *, now: datetime, lease: timedelta) -> TaskClaim | None:
    """Hold the oldest task that nobody works on; one that was begun too often without moving on is given up."""
    given_up = _ended(reason="interrupted", now=now)
    connection.execute(update(task).where(_free(now), task.c.tries >= MAX_TRIES).values(given_up))
    chosen = select(task.c.id).where(_free(now)).order_by(task.c.id).limit(1).with_for_update(skip_locked=True)
    task_id = connection.execute(chosen).scalar()
    if task_id is None:
        return None
    try:
        return claim_this(connection, task_id, now=now, lease=lease)
    except NoResultFound:  # another worker was faster
        return None


def claim_this(connection: Connection, task_id: int, *, now: datetime, lease: timedelta) -> TaskClaim:
    """Hold a task that nobody works on. Raises NoResultFound for another."""
    row = connection.execute(
        update(task)
        .where(task.c.id == task_id, _free(now))
        .values(
            status="running",
            tries=task.c.tries + 1,
            started_at=func.coalesce(task.c.started_at, moment(now)),
            lease_token=secrets.token_hex(16),
            lease_expires_at=now + lease,
        )
        .returning(task)
    ).one()
    facts = {name: getattr(row, name) for name in ("company_id", "kind", "arguments", "position", "lease_token")}
    return TaskClaim(task_id=row.id, actor=Actor(row.company_id, row.actor), **facts)


def has_free(connection: Connection, *, now: datetime) -> bool:
    """Whether there is a task to claim: a cheap look that takes no write lock."""
    return bool(HAS_FREE.all(connection, now=now)[0].has_any)


def hold(connection: Connection, held: TaskClaim, *, now: datetime, lease: timedelta) -> bool:
    """Begin a chunk's transaction: the lease is kept, and nobody else can take it until the end. False when lost."""
    return _change(connection, held, lease_expires_at=now + lease)


def record(connection: Connection, held: TaskClaim, done: Done) -> None:
    """Write down, in the transaction that `hold` began, how far the task is and what was found."""
    before = connection.execute(select(task.c.position, task.c.counts).where(task.c.id == held.task_id)).one()
    position, counts = before.position + done.moved, dict(Counter(before.counts) + done.counts)
    tries = 0 if done.moved else task.c.tries
    _change(connection, held, position=position, counts=counts, tries=tries)
    for part, data in done.kept.items():
        connection.execute(insert(block).values(task_id=held.task_id, part=part, number=position, data=data))


def release(connection: Connection, held: TaskClaim) -> None:
    """Give the task back, to be gone on with at once."""
    _change(connection, held, status="waiting", lease_token=None, lease_expires_at=None)


def finish(connection: Connection, held: TaskClaim, *, now: datetime, reason: str | None = None) -> None:
    """The task is done, or has failed for `reason`; its input goes."""
    if _change(connection, held, **_ended(reason=reason, now=now)):
        connection.execute(delete(block).where(block.c.task_id == held.task_id, _is_input))


def end(session: Session, row: Task, *, reason: str, now: datetime) -> bool:
    """Let an open task go no further, whoever is at it, and forget its input. Returns whether it still was open."""
    is_open = and_(task.c.id == row.id, task.c.status.in_(OPEN))
    changed = session.connection().execute(update(task).where(is_open).values(_ended(reason=reason, now=now)))
    if changed.rowcount:
        session.connection().execute(delete(block).where(block.c.task_id == row.id, _is_input))
    session.expire(row)
    return changed.rowcount == 1


def forget(connection: Connection, *, now: datetime) -> None:
    """Remove drafts that nobody started, and what old tasks left behind: files and rows hold personal data."""
    connection.execute(delete(task).where(task.c.status == "draft", task.c.created_at < now - DRAFT_LIFETIME))
    for is_meant, kept in ((_is_input, timedelta()), (~_is_input, REPORT_LIFETIME)):
        ended = select(task.c.id).where(task.c.finished_at < now - kept)
        connection.execute(delete(block).where(is_meant, block.c.task_id.in_(ended)))


def _tasks_of(company_id: int, kinds: str | Collection[str]) -> Select[Task]:
    wanted = [kinds] if isinstance(kinds, str) else list(kinds)
    return select(Task).where(Task.company_id == company_id, Task.kind.in_(wanted))


def _ended(*, reason: str | None, now: datetime) -> dict[str, Any]:
    status = "failed" if reason else "done"
    return {"status": status, "reason": reason, "finished_at": now, "lease_token": None, "lease_expires_at": None}


def _free(now: datetime | BindParameter[Any]) -> ColumnElement[bool]:
    return or_(task.c.status == "waiting", and_(task.c.status == "running", task.c.lease_expires_at <= now))


HAS_FREE = Statement(select(exists().where(_free(given("now", UTCDateTime()))).label("has_any")))


def _change(connection: Connection, held: TaskClaim, **values: Any) -> bool:
    mine = and_(task.c.id == held.task_id, task.c.lease_token == held.lease_token)  # which only stands in a running one
    return connection.execute(update(task).where(mine).values(values)).rowcount == 1


def _leave_draft(session: Session, row: Task, statement: Any) -> bool:
    changed = session.connection().execute(statement.where(task.c.id == row.id, task.c.status == "draft"))
    session.expire(row)
    return bool(changed.rowcount == 1)
