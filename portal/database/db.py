"""The database as one technical concern: what SQLite and PostgreSQL need said.

SQLite's recipe is the one that loses no write under concurrency: autocommit at the driver, and our own BEGIN, which is
IMMEDIATE for whoever may write. A transaction inside `reading()` is DEFERRED, blocks nobody, and cannot write, on both
databases.
"""

import math
import os
import select
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from portal import clock
from portal.database.driver import run_words
from portal.database.owning import hand_over
from portal.database.tables import Base
from portal.database.turns import Turn

# The database is locked, full or gone: it is nobody's fault who wanted to write, and trying again helps.
AWAY = (OperationalError, InterfaceError, PoolTimeout)
# A standby, or a server that is told to be one for a while: psycopg calls that an internal error.
AWAY_ON_POSTGRESQL = {"ReadOnlySqlTransaction": "OperationalError"}
BUSY_TIMEOUT_SECONDS = 15
MOST_CONNECTIONS = 30  # more than a process has threads: none waits for a connection while others wait for a lock
# Statements that SQLAlchemy keeps compiled, and half as many again: those of pages. One of a filter takes 0.3 MB.
MOST_COMPILED = 100
# As for disks that do not turn: else PostgreSQL finds one company's last rows by a walk through those of all.
RANDOM_PAGE_COST = 1.1
ASKED_EVERY_SECONDS = 1.0  # how often a connection of PostgreSQL is asked whether it still works, before it is used
# Between two looks whether another process has freed SQLite's lock: it holds it for less than a millisecond, mostly.
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS, PAUSE_GROWTH = 0.0001, 0.01, 1.2
SYNCHRONOUS = "FULL"  # a commit waits for SQLite's disk: what was answered survives a power cut
INCREMENTAL = 2  # SQLite's name for a file that shrinks when it is told to, a few pages at a time
# SQLite's log goes into the file so seldom: most pages of it are written again soon, and whoever commits waits for all.
CHECKPOINT_PAGES = 4000
WAL_BYTES = 20 * 1024 * 1024  # that, and a large transaction; the log shrinks to it after a long reader let it grow

SCANS_ASIDE = "scans_aside"  # key in a connection's `info`: it takes indexes wherever it can
# Key in a connection's `info`: something such as pgbouncer stands before PostgreSQL, and the next transaction may have
# another server. So nothing is prepared there, and no setting outlives a transaction.
POOLED = "pooled"

T = TypeVar("T")
_inherited: list[Any] = []  # pools of the parent process, kept so that nothing closes its connections from here
_read_only: ContextVar[bool] = ContextVar("read_only", default=False)
_give_up_at: ContextVar[float | None] = ContextVar("give_up_at", default=None)


class Database(SQLAlchemy):
    """Flask-SQLAlchemy, whose `session` is a proxy to the request's own: to its users it is a session."""

    if TYPE_CHECKING:
        session: Session  # type: ignore[assignment]


# Rows stay readable after a commit: reading them again would begin another transaction, and on SQLite that is a lock.
db = Database(metadata=Base.metadata, session_options={"expire_on_commit": False})


@contextmanager
def _holding(variable: ContextVar[T], value: T) -> Iterator[None]:
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


# Transactions begun inside only read: they block no writer, and a write fails loudly.
reading = partial(_holding, _read_only, True)
# Transactions begun inside may write, also within `reading()`: for a note on the side, not for the work itself.
writing = partial(_holding, _read_only, False)


@contextmanager
def reading_apart(session: Session) -> Iterator[None]:
    """A transaction of its own that blocks no writer. It ends the session's, and expires the rows that it holds."""
    session.rollback()
    with reading():
        try:
            yield
        finally:
            session.rollback()


def patience(seconds: float) -> AbstractContextManager[None]:
    """Transactions begun inside wait for other writers so long in all, and not BUSY_TIMEOUT_SECONDS each."""
    end, outer = clock.monotonic() + seconds, _give_up_at.get()
    return _holding(_give_up_at, end if outer is None else min(end, outer))


def patience_left() -> float:
    """For how many seconds a transaction that begins now may wait for other writers.

    A part of a second does not count at first: connections wait so long without being told.
    """
    end = _give_up_at.get()
    left = BUSY_TIMEOUT_SECONDS if end is None else max(0.0, end - clock.monotonic())
    return BUSY_TIMEOUT_SECONDS if left > BUSY_TIMEOUT_SECONDS - 0.5 else left


@contextmanager
def looking(engine: Engine) -> Iterator[Connection]:
    """A connection for single statements that read: no transaction begins for them, and none has to end."""
    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":  # its driver never begins one
            yield connection
            return
        driver: Any = connection.connection.driver_connection
        driver.autocommit = True
        try:
            yield connection
        finally:
            if not connection.invalidated:
                driver.autocommit = False


def engine_options(database_url: str) -> dict[str, Any]:
    """Keyword arguments of `create_engine` for this database."""
    is_sqlite = database_url.startswith("sqlite")
    own = {"connect_args": {"timeout": BUSY_TIMEOUT_SECONDS}} if is_sqlite else {"pool_pre_ping": True}
    shared = {"hide_parameters": True, "max_overflow": MOST_CONNECTIONS, "query_cache_size": MOST_COMPILED}
    return shared | own  # a logged error quotes no personal data


def prepare_engine(engine: Engine) -> None:
    """Attach what the engine's database needs at connect and at begin, and after a fork."""
    held, turn = weakref.ref(engine), Turn()

    def forget_connections() -> None:
        """A connection belongs to the process that made it: a child that used it would garble the parent's."""
        if (inherited := held()) is not None:
            _inherited.append(inherited.pool)
            inherited.dispose(close=False)
            turn.begin_anew()

    os.register_at_fork(after_in_child=forget_connections)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _open_sqlite)
        take_turns(engine, turn)
    else:
        event.listen(engine, "connect", _open_postgresql)
        event.listen(engine, "begin", _begin_postgresql)
        engine.dialect.dbapi_exception_translation_map = AWAY_ON_POSTGRESQL
        engine.dialect.do_rollback = _roll_back_postgresql  # type: ignore[method-assign, assignment]
        engine.dialect.do_ping = ask_seldom(engine.dialect.do_ping)  # type: ignore[method-assign, assignment]


def take_turns(engine: Engine, turn: Turn) -> None:
    """Let the transactions of an engine of SQLite begin and end with this turn."""
    event.listen(engine, "begin", partial(_begin_sqlite, turn=turn))
    turn.end_with(engine)


def ask_seldom(ask: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """The same question whether a connection works, but not for one that a moment ago did and is silent.

    A server that ends a connection says so, and nothing else is said to one that nobody uses.
    """
    asked_at: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()

    def ask_or_listen(connection: Any) -> bool:
        now = clock.monotonic()
        if now - asked_at.get(connection, -math.inf) < ASKED_EVERY_SECONDS and _is_silent(connection):
            return True
        asked_at[connection] = now
        return ask(connection)

    return ask_or_listen


def _is_silent(connection: Any) -> bool:
    """Whether nothing came in by a connection, which is not closed on this side either."""
    if connection.closed:
        return False
    incoming = select.poll()
    incoming.register(connection.fileno(), select.POLLIN)
    return not incoming.poll(0)


def always_take_indexes(engine: Engine) -> None:
    """Let PostgreSQL read no table as a whole where an index would do, on whatever connection is taken from now on.

    It plans a worker's statements once, when it may believe that reading all of a growing table is cheap.
    """
    if engine.dialect.name == "postgresql" and not event.contains(engine, "checkout", _set_scans_aside):
        event.listen(engine, "checkout", _set_scans_aside)


def _open_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver begins nothing by itself: _begin_sqlite does
    if connection.execute("PRAGMA page_count").fetchone() == (0,):  # later it would take the write lock, for nothing
        connection.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        if file := connection.execute("PRAGMA database_list").fetchone()[2]:
            hand_over(Path(file))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    connection.execute(f"PRAGMA journal_size_limit = {WAL_BYTES}")


def _begin_sqlite(connection: Connection, *, turn: Turn) -> None:
    """Begin a transaction; who may write waits for the turn first, within the same patience."""
    driver: Any = connection.connection.driver_connection
    read_only = _read_only.get()
    with patience(patience_left()):
        may_wait = read_only or turn.take(driver, at_most=patience_left())
        busy_timeout = round(patience_left() * 1000) if may_wait else 0
    try:
        for name, value in (("query_only", int(read_only)), ("busy_timeout", busy_timeout if read_only else 0)):
            if connection.info.get(name) != value:
                run_words(connection, f"PRAGMA {name} = {value}")
                connection.info[name] = value
        if read_only:
            run_words(connection, "BEGIN DEFERRED")
        else:
            _begin_writing(connection, within=busy_timeout / 1000)
    except BaseException:
        turn.give_back(driver)
        raise


def _begin_writing(connection: Connection, *, within: float) -> None:
    """Take SQLite's lock, soon after another process frees it: SQLite itself would sleep whole milliseconds."""
    driver: Any = connection.connection.driver_connection
    end, pause = clock.monotonic() + within, FIRST_PAUSE_SECONDS
    while clock.monotonic() < end:
        try:
            driver.execute("BEGIN IMMEDIATE").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                break
            clock.sleep(pause)
            pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)
        else:
            return
    run_words(connection, "BEGIN IMMEDIATE")  # what is in the way now is told


def _open_postgresql(connection: Any, record: Any) -> None:
    connection.autocommit = True  # a setting made within a transaction goes with it
    (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    record.info[POOLED] = pid != connection.info.backend_pid
    if record.info[POOLED]:
        connection.prepare_threshold = None
    else:
        connection.execute(f"SET lock_timeout = {BUSY_TIMEOUT_SECONDS * 1000:.0f}")
        connection.execute("SET jit = off")  # to compile a statement of ours takes longer than to run it
        connection.execute(f"SET random_page_cost = {RANDOM_PAGE_COST}")
    connection.autocommit = False


def _set_scans_aside(connection: Any, record: Any, _proxy: Any) -> None:
    if record.info[POOLED] or record.info.get(SCANS_ASIDE):
        return  # a pooled one keeps no plans
    connection.autocommit = True
    connection.execute("SET enable_seqscan = off")
    connection.autocommit = False
    record.info[SCANS_ASIDE] = True


def _begin_postgresql(connection: Connection) -> None:
    driver: Any = connection.connection.driver_connection
    read_only = _read_only.get()
    if bool(driver.read_only) != read_only:
        driver.read_only = read_only or None  # the BEGIN says it
    is_pooled = connection.info.get(POOLED)
    if patience_left() != BUSY_TIMEOUT_SECONDS or is_pooled:
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = {max(1, round(patience_left() * 1000))}")  # 0: for ever
    if is_pooled:
        connection.exec_driver_sql(f"SET LOCAL random_page_cost = {RANDOM_PAGE_COST}")


def _roll_back_postgresql(connection: Any) -> None:
    """What only read is committed: after a rollback psycopg makes the server forget every statement it has prepared."""
    if connection.read_only:
        connection.commit()
    else:
        connection.rollback()
