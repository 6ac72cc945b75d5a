"""Waking the workers right after a commit, so that a delivery does not wait for the next look.

A call only shortens a wait: a lost one costs a second, a false one a look. On SQLite, whose processes share a machine,
it is a datagram on loopback; each worker leaves its port as a file name in the instance folder. On PostgreSQL, whose
processes may be anywhere, it is NOTIFY, which the server sends when the transaction commits.
"""

import contextlib
import logging
import os
import select
import socket
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, scoped_session

from portal import clock
from portal.database.db import POOLED
from portal.database.driver import run_words
from portal.database.owning import make_folder

# Key in `Session.info`: this transaction makes a delivery due, so a worker should look once it is committed.
DUE = "outbox_due"
CALLED = "called"  # its value where PostgreSQL was told to call when this transaction commits
STALE_SECONDS = 60  # a port file that its worker has not touched for so long belongs to a worker that was killed

CHANNEL = "portal_due"
PROOF_SECONDS = 2.0  # for how long a call on trial may be under way
RETRY_SECONDS = 0.5  # before who hears nothing tries again

logger = logging.getLogger(__name__)


class Bell(Protocol):
    """Wakes every worker of the database."""

    def before_commit(self, session: Session) -> None:
        """Called in the transaction that makes a delivery due."""

    def after_commit(self) -> None:
        """Called when that transaction is committed."""


class Ear(Protocol):
    """A worker's side of the bell."""

    name: str  # tells this ear from every other of the machine

    def wait(self, timeout: float) -> bool:
        """Wait for a call, at most `timeout` seconds. Returns whether there was one."""

    def wake(self) -> None:
        """End the wait of whoever is to listen no more. From any thread."""

    def show_life(self) -> None:
        """To be called now and then."""

    def close(self) -> None:
        """Listen no more."""


def make_bell(engine: Engine, instance: Path) -> Bell:
    """The bell for this database."""
    return DatagramBell(instance) if engine.dialect.name == "sqlite" else NotifyBell()


def make_ear(engine: Engine, instance: Path) -> Ear:
    """An ear for this database's bell."""
    return DatagramEar(instance) if engine.dialect.name == "sqlite" else NotifyEar(engine)


@cache  # a process may make several applications: their sessions are the same ones
def ring_on_commit(sessions: scoped_session[Session], current_bell: Callable[[], Bell]) -> None:
    """Let these sessions ring the bell, when what they commit makes a delivery due."""

    def call(session: Session) -> None:
        if session.info.get(DUE):
            current_bell().before_commit(session)

    def ring(session: Session) -> None:
        if session.info.pop(DUE, False):
            current_bell().after_commit()

    def forget(session: Session) -> None:
        session.info.pop(DUE, None)

    event.listen(sessions, "before_commit", call)
    event.listen(sessions, "after_commit", ring)
    event.listen(sessions, "after_rollback", forget)


class DatagramBell:
    def __init__(self, instance: Path) -> None:
        self._folder = instance / "workers"

    def before_commit(self, session: Session) -> None:
        """A datagram must not be early."""

    def after_commit(self) -> None:
        with contextlib.suppress(OSError):
            for name in os.listdir(self._folder):
                with contextlib.suppress(OSError, ValueError, OverflowError):
                    _sender().sendto(b"", ("127.0.0.1", int(name)))


@cache
def _sender() -> socket.socket:
    """What the datagrams of a process go out by."""
    return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class DatagramEar:
    def __init__(self, instance: Path) -> None:
        folder = instance / "workers"
        make_folder(folder)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.name = str(self._socket.getsockname()[1])
        self._file = folder / self.name
        self.show_life()

    def wait(self, timeout: float) -> bool:
        self._socket.settimeout(timeout)
        try:
            self._socket.recv(1)
        except TimeoutError:
            return False
        return True

    def wake(self) -> None:
        _sender().sendto(b"", self._socket.getsockname())

    def show_life(self) -> None:
        """Touch this worker's file, and remove those of workers that were killed.

        A disk that cannot be written is said by who writes to the database: SQLite lies on it too.
        """
        with contextlib.suppress(OSError):
            self._file.touch()
            for file in self._file.parent.iterdir():
                with contextlib.suppress(OSError):
                    if file.name.isdecimal() and clock.utcnow().timestamp() - file.stat().st_mtime > STALE_SECONDS:
                        file.unlink()

    def close(self) -> None:
        with contextlib.suppress(OSError):  # a file that stays is removed as that of a worker that was killed
            self._file.unlink()
        self._socket.close()


class NotifyBell:
    def before_commit(self, session: Session) -> None:
        if session.info.get(DUE) != CALLED:
            run_words(session.connection(), f"NOTIFY {CHANNEL}")

    def after_commit(self) -> None:
        """The server has told them."""


class NotifyEar:
    """Listens on a connection of its own, and makes another when that one breaks.

    Behind a pool that lends a server for one transaction nothing is heard: it says so, and leaves it to the ticks.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Any = None
        self._is_deaf = False
        self._woken, self._waker = socket.socketpair()
        self.name = f"{id(self):x}"

    def wait(self, timeout: float) -> bool:
        if self._is_deaf:
            clock.sleep(min(timeout, RETRY_SECONDS))
            return False
        try:
            if self._connection is None:
                self._listen()
                self._is_deaf = not self._hears()
                return True  # what was called out before is not heard: look once
            return self._is_called(timeout)
        except (DBAPIError, self._engine.dialect.loaded_dbapi.Error):
            self._hang_up()
            clock.sleep(min(timeout, RETRY_SECONDS))  # the ticks find the deliveries until the server is back
            return False

    def wake(self) -> None:
        self._waker.send(b"x")

    def show_life(self) -> None:
        """The heartbeat in the database says it."""

    def close(self) -> None:
        self._hang_up()
        self._woken.close()
        self._waker.close()

    def _hang_up(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(DBAPIError, self._engine.dialect.loaded_dbapi.Error):
                self._connection.invalidate()
                self._connection.close()
        self._connection = None

    def _listen(self) -> None:
        self._connection = self._engine.raw_connection()  # which `close` lets nobody else have
        self._connection.driver_connection.autocommit = True
        self._connection.cursor().execute(f"LISTEN {CHANNEL}")

    def _is_called(self, timeout: float) -> bool:
        """Sleep until there is something to read, or so long: psycopg's own wait would wake ten times a second."""
        connection, incoming = self._connection.driver_connection, select.poll()
        incoming.register(connection.fileno(), select.POLLIN)
        incoming.register(self._woken, select.POLLIN)
        is_there = bool(incoming.poll(timeout * 1000))
        return is_there and any(True for _ in connection.notifies(timeout=0, stop_after=1))

    def _hears(self) -> bool:
        """Whether calls arrive; only behind a pool that is in doubt, and tried."""
        if not self._connection.info.get(POOLED):
            return True
        with self._engine.begin() as other:
            other.execute(text(f"NOTIFY {CHANNEL}"))
        if any(True for _ in self._connection.driver_connection.notifies(timeout=PROOF_SECONDS, stop_after=1)):
            return True
        self._hang_up()
        logger.warning(
            "The pool before PostgreSQL lends a server for one transaction (pgbouncer: pool_mode = transaction), so "
            "this worker is not woken at once: it looks once a second.",
            extra={"action": "bell_unheard"},
        )
        return False
