"""A PostgreSQL server of the tests' own: made in a temporary folder, on a free loopback port, and gone afterwards."""

import fcntl
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from portal.database.tables import Base

PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian keeps the server's programs, which it does not put on the PATH."""


class PostgresMissing(Exception):
    """PostgreSQL is needed for the tests and is not installed. On Debian and Ubuntu: apt-get install postgresql"""

    def __str__(self) -> str:
        return self.__doc__ or ""


@contextmanager
def throwaway_postgres(*, fsync: bool = False) -> Iterator[str]:
    """Run a server; yields the SQLAlchemy URL of its empty database `postgres`, whose user may create others.

    Without `fsync` nothing waits for the disk, and tables are counted by those alone who ask for it, so that plans hang
    on no chance: right for tests, wrong for measurements. Raises PostgresMissing.
    """
    folder = Path(tempfile.mkdtemp(prefix="portal-pg-"))
    try:
        yield start_server(folder, fsync=fsync)
    finally:
        stop_server(folder)


def shared_postgres(folder: Path) -> str:
    """The URL of the server in the folder, which whoever comes first makes; `stop_server` ends it."""
    address = folder / "url"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not address.exists():
            address.write_text(start_server(folder))
    return address.read_text()


def start_server(folder: Path, *, fsync: bool = False) -> str:
    """Start a server in the empty folder; returns its URL."""
    find_programs()
    if (account := server_account()) is not None:
        shutil.chown(folder, account, account)
    port = free_port()
    durability = "on" if fsync else "off"
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c timezone=UTC"
        f" -c fsync={durability} -c synchronous_commit={durability} -c full_page_writes={durability}"
        f" -c autovacuum={durability}"
    )
    run(folder, "initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
    run(folder, "pg_ctl", "start", "--wait", f"--log={folder / 'server.log'}", "--options", options)
    return f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"


def stop_server(folder: Path) -> None:
    """Stop the folder's server, when there is one, and remove the folder."""
    try:
        if (folder / "data" / "postmaster.pid").exists():
            run(folder, "pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(folder: Path, program: str, *arguments: str) -> None:
    """Run one of the server's programs on the folder's data. Raises RuntimeError with what it says."""
    account = server_account()
    # Without stdin and pipes: the server inherits them and would keep a reader of the pipe waiting.
    with (folder / f"{program}.out").open("w+") as output:
        done = subprocess.run(
            [find_programs() / program, "-D", folder / "data", *arguments],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            cwd=folder, user=account, group=account, extra_groups=None if account is None else [],
        )  # fmt: skip
        if done.returncode:
            output.seek(0)
            raise RuntimeError(f"{program} failed: {output.read()}")


FINGERPRINT = """
SELECT (
  SELECT string_agg(relname || relkind::text || reltuples::text || coalesce(attname, '') || coalesce(atttypid, 0)::text
                    || coalesce(attnotnull, false)::text, ',' ORDER BY relname, attnum)
  FROM pg_class LEFT JOIN pg_attribute ON attrelid = pg_class.oid WHERE relnamespace = 'public'::regnamespace
), (
  SELECT string_agg(conname, ',' ORDER BY conname) FROM pg_constraint WHERE connamespace = 'public'::regnamespace
), (
  SELECT version_num FROM alembic_version
), (SELECT count(*) FROM pg_trigger), (SELECT count(*) FROM pg_proc), (SELECT count(*) FROM pg_db_role_setting)
"""
"""What a test may change besides rows, such as what was counted for the planner."""
OTHERS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid != ALL(%s)"
RESTART = "SELECT setval(seqrelid::regclass, seqstart, false) FROM pg_sequence"
"""Rows are numbered from the first again."""
AS_NEW = "RESET ALL; UNLISTEN *; CLOSE ALL; DISCARD PLANS; SELECT pg_advisory_unlock_all()"
"""Nothing is left of what a test told its connection, nor of what the server thought best for its few rows."""
ROOM_FOR_ROWS = 8_000_000
"""Bytes that a database may grow by: what was deleted from a larger one would make the next test slow."""

Place = tuple[int, str]
"""Where a connection leads: a port, and a database behind it. Something else, such as pgbouncer, has its own port."""


class Kept:
    """Connections that stay open between tests, one to a database: a new one would have to learn all tables again."""

    def __init__(self) -> None:
        self._idle: dict[Place, psycopg.Connection | None] = {}

    def allow(self, place: Place) -> None:
        """A connection to there may be kept from now on."""
        self._idle[place] = None

    def forbid(self, place: Place) -> None:
        """Close what is kept, and keep no other."""
        if connection := self._idle.pop(place):
            connection.close()

    def put(self, connection: psycopg.Connection) -> None:
        """Keep it, or close it where none is kept, or one is already."""
        place = None if connection.closed else (connection.info.port, connection.info.dbname)
        if place in self._idle and self._idle[place] is None:
            self._idle[place] = connection
        else:
            connection.close()

    def take(self, place: Place) -> psycopg.Connection | None:
        connection = self._idle.get(place)
        if connection is not None:
            self._idle[place] = None
        return connection

    def pids(self) -> list[int]:
        """The server's processes for what is kept."""
        return [connection.info.backend_pid for connection in self._idle.values() if connection]

    def close(self) -> None:
        for place in list(self._idle):
            self.forbid(place)


class Databases:
    """Databases with the portal's schema, copied from a template. Emptying one is quicker than copying another.

    A test gets one that nobody uses. Afterwards its rows are deleted, and the next test gets it; where more than rows
    was changed, it is dropped.
    """

    def __init__(self, server: str, template: str, kept: Kept) -> None:
        self._url = server
        self._template = template
        self._kept = kept
        self._connection = psycopg.connect(server.replace("+psycopg", ""), autocommit=True)
        self._port = self._connection.info.port
        # The other way to copy, through the log, takes ten times as long.
        self._how = "STRATEGY file_copy" if self._connection.info.server_version >= 150000 else ""
        self._connection.execute(f"CREATE DATABASE {template}")
        self._made = 0
        self._idle: list[str] = []
        self._fresh: tuple[Any, int] | None = None

    @property
    def template_url(self) -> str:
        return self._named(self._template)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a database as the template is."""
        name = self._idle.pop() if self._idle else self._make()
        yield self._named(name)
        self._connection.execute(OTHERS, [name, self._kept.pids()])
        if self._empty(name):
            self._idle.append(name)
        else:
            self._kept.forbid((self._port, name))
            self._connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    def _make(self) -> str:
        self._made += 1
        name = f"{self._template}_{self._made}"
        self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} {self._how}")
        if self._fresh is None:
            with self._connect(name) as connection:
                self._fresh = self._look(connection)
        self._kept.allow((self._port, name))
        return name

    def _look(self, connection: psycopg.Connection) -> tuple[Any, int]:
        """What the database has besides rows, and its size."""
        size = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return connection.execute(FINGERPRINT).fetchone(), size[0] if size else 0

    def _empty(self, name: str) -> bool:
        """Delete every row that a test made. Returns whether the database is as it was copied."""
        try:
            connection = self._kept.take((self._port, name)) or self._connect(name)
        except psycopg.Error:  # it was dropped
            return False
        try:
            return self._is_emptied(connection)
        except psycopg.Error:  # it was made unusable
            connection.close()
            return False
        finally:
            self._kept.put(connection)

    def _is_emptied(self, connection: psycopg.Connection) -> bool:
        assert self._fresh is not None
        connection.rollback()
        connection.autocommit = True
        found, size = self._look(connection)
        if found != self._fresh[0] or size > self._fresh[1] + ROOM_FOR_ROWS:
            return False
        # In any order, whatever refers to whatever; and at once, since each way there and back takes its time.
        deletes = [f"DELETE FROM {table}" for table in Base.metadata.tables]
        connection.execute("; ".join(["SET session_replication_role = replica", *deletes, RESTART, AS_NEW]))
        connection.autocommit, connection.read_only, connection.isolation_level = False, None, None
        return True

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._named(name).replace("+psycopg", ""), autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def _named(self, name: str) -> str:
        return self._url.rpartition("/")[0] + f"/{name}"


def find_programs() -> Path:
    """The folder of `initdb` and `pg_ctl`: on the PATH, else Debian's newest. Raises PostgresMissing."""
    on_path = shutil.which("pg_ctl")
    candidates = [Path(on_path).resolve().parent] if on_path else []
    versions = [folder for folder in PACKAGED.glob("*") if folder.name.isdecimal()]
    candidates += [folder / "bin" for folder in sorted(versions, key=lambda folder: int(folder.name), reverse=True)]
    for candidate in candidates:
        if (candidate / "initdb").exists() and (candidate / "pg_ctl").exists():
            return candidate
    raise PostgresMissing


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def server_account() -> str | None:
    """Who runs the server: nobody else than we, but for root, whom PostgreSQL refuses."""
    return "postgres" if os.geteuid() == 0 else None
