"""A PostgreSQL server of the tests' own: made in a temporary folder, on a free loopback port, and gone afterwards."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    programs = find_programs()
    account = server_account()
    folder = Path(tempfile.mkdtemp(prefix="portal-pg-"))
    if account is not None:
        shutil.chown(folder, account, account)
    data, port = folder / "data", free_port()
    durability = "on" if fsync else "off"
    options = (
        f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c timezone=UTC"
        f" -c fsync={durability} -c synchronous_commit={durability} -c full_page_writes={durability}"
    )

    def run(program: str, *arguments: str) -> None:
        # Without stdin and pipes: the server inherits them and would keep a reader of the pipe waiting.
        with (folder / f"{program}.out").open("w+") as output:
            done = subprocess.run(
                [programs / program, "-D", data, *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                cwd=folder, user=account, group=account, extra_groups=None if account is None else [],
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read()}")

    try:
        run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
        run("pg_ctl", "start", "--wait", f"--log={folder / 'server.log'}", "--options", options)
        try:
            yield f"postgresql+psycopg://postgres@127.0.0.1:{port}/postgres"
        finally:
            run("pg_ctl", "stop", "--wait", "--mode=immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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
