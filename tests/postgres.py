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

import psycopg

PACKAGED = Path("/usr/lib/postgresql")
"""Where Debian keeps the server's programs, which it does not put on the PATH."""


class PostgresMissing(Exception):
    """PostgreSQL is needed for the tests and is not installed. On Debian and Ubuntu: apt-get install postgresql"""

    def __str__(self) -> str:
        return self.__doc__ or ""


@contextmanager
def throwaway_postgres(*, fsync: bool = False) -> Iterator[str]:
    """Run a server; yields the SQLAlchemy URL of its empty database `postgres`, whose user may create others.

    Without `fsync` nothing waits for the disk: right for tests, wrong for measurements. Raises PostgresMissing.
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


class Databases:
    """Databases with the portal's schema: a template, which is copied for every test."""

    def __init__(self, server: str, template: str) -> None:
        self._url = server
        self._template = template
        self._connection = psycopg.connect(server.replace("+psycopg", ""), autocommit=True)
        # The other way to copy, through the log, takes ten times as long.
        self._how = "STRATEGY file_copy" if self._connection.info.server_version >= 150000 else ""
        self._connection.execute(f"CREATE DATABASE {template}")
        self._made = 0

    @property
    def template_url(self) -> str:
        return self._named(self._template)

    @contextmanager
    def copy(self) -> Iterator[str]:
        """The URL of a copy of the template, which is dropped afterwards."""
        self._made += 1
        name = f"{self._template}_{self._made}"
        self._connection.execute(f"CREATE DATABASE {name} TEMPLATE {self._template} {self._how}")
        yield self._named(name)
        self._connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

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
