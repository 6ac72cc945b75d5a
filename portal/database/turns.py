"""Writers of one process take turns at SQLite's only lock.

Who waits within SQLite sleeps, longer each time; who waits here is woken when the lock becomes free. A turn only
shortens waits: SQLite's lock decides, and holds between processes.
"""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine


class Turn:
    """Which of an engine's connections may ask for the lock; a connection is the driver's."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        """Nobody has the turn: this is another process than the one whose writers had it."""
        self._lock = threading.Lock()
        self._holder: Any = None

    def take(self, connection: Any, *, at_most: float) -> bool:
        """Wait for the turn, so many seconds. Returns whether the connection has it now."""
        if not self._lock.acquire(timeout=at_most):
            return False
        self._holder = connection
        return True

    def give_back(self, connection: Any) -> None:
        """The connection's transaction is over; it need not have had the turn."""
        if self._holder is connection:
            self._holder = None
            self._lock.release()

    def end_with(self, engine: Engine) -> None:
        """Give a turn back however its transaction ends: by commit, by rollback, or with its connection."""
        dialect: Any = engine.dialect
        for way in ("do_commit", "do_rollback", "do_close"):
            setattr(dialect, way, self._ending(getattr(dialect, way)))

    def _ending(self, end: Callable[[Any], None]) -> Callable[[Any], None]:
        def end_turn(connection: Any) -> None:
            driver = getattr(connection, "driver_connection", connection)  # a pool's connection, or the driver's own
            try:
                end(connection)
            finally:
                self.give_back(driver)

        return end_turn
