"""Doing tasks: one thread of a worker that claims the oldest, does it chunk by chunk, and stops cleanly between two."""

import logging
from collections.abc import Callable, Mapping
from datetime import timedelta

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.database.db import AWAY, looking
from portal.outbox import DUE
from portal.tasks import store
from portal.tasks.store import Chunk, ComeBack, TaskClaim, TaskError, Work
from portal.worker.kinds import KINDS
from portal.worker.rounds import Round

LEASE = timedelta(seconds=30)  # how long a task waits for a worker that died; a chunk takes well under a second
LOOK_SECONDS = 5.0  # the longest sleep between two looks when no tick comes: somebody waits for a file to be examined
PAUSE_SECONDS = 0.02  # from one chunk written to the next, so that whoever waits for SQLite's one write lock gets it

logger = logging.getLogger(__name__)


class TaskRunner(Round):
    """Does the tasks of a database, one after the other. `on_due` is called when a chunk made deliveries due."""

    def __init__(self, engine: Engine, *, on_due: Callable[[], None], kinds: Mapping[str, Work] = KINDS) -> None:
        super().__init__("tasks")
        self._engine = engine
        self._on_due = on_due
        self._kinds = kinds

    def turn(self) -> float:
        return 0.0 if self.run_one() else LOOK_SECONDS

    def run_one(self) -> bool:
        """Claim one task and do it, to its end or until `stop`. Returns whether there was one."""
        now = clock.utcnow()
        with looking(self._engine) as connection:
            if not store.has_free(connection, now=now):
                return False
        with self._engine.begin() as connection:
            held = store.claim(connection, now=now, lease=LEASE)
        if held is None:
            return False
        try:
            self._do(held)
        except ComeBack:
            pass
        except TaskError as error:
            self._finish(held, error.reason)
        except AWAY:
            self._release(held)
            raise
        except Exception:
            logger.exception("A task failed.", extra={"action": "task_failed", "task_id": held.task_id})
            self._finish(held, "internal_error")
        return True

    def _do(self, held: TaskClaim) -> None:
        free_since = clock.monotonic() - PAUSE_SECONDS
        for chunk in self._kinds[held.kind](self._engine, held):
            self.pause(free_since + PAUSE_SECONDS - clock.monotonic())
            if self.is_stopping:
                self._release(held)
                return
            if not self._do_chunk(held, chunk):
                logger.warning("Another worker took the task.", extra={"action": "task_lost", "task_id": held.task_id})
                return
            free_since = clock.monotonic()
        self._finish(held, None)

    def _do_chunk(self, held: TaskClaim, chunk: Chunk) -> bool:
        """What the chunk does and the task's position, in one transaction, or nothing of it when the lease is lost."""
        with Session(self._engine) as session, session.begin():
            connection = session.connection()
            if not store.hold(connection, held, now=clock.utcnow(), lease=LEASE):
                return False
            store.record(connection, held, chunk(session))
        if session.info.pop(DUE, False):
            self._on_due()
        return True

    def _finish(self, held: TaskClaim, reason: str | None) -> None:
        with self._engine.begin() as connection:
            store.finish(connection, held, now=clock.utcnow(), reason=reason)
        facts = {"action": "task_ended", "task_id": held.task_id, "kind": held.kind, "reason": reason}
        logger.info("A task ended.", extra=facts)

    def _release(self, held: TaskClaim) -> None:
        """Give the task back; should even that fail, its lease ends by itself."""
        try:
            with self._engine.begin() as connection:
                store.release(connection, held)
        except AWAY as error:
            logger.warning("A task could not be given back: %s", error, extra={"action": "tasks_unreachable"})
