"""PostgreSQL: its own tools make the file and put it back; they come with PostgreSQL's client package."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.exc import DBAPIError

from portal import clock
from portal.database.backup.contents import IN_USE, BackupError, Proof, only_revision, prove_copy
from portal.database.db import prepare_engine
from portal.database.troubles import message_of

LOOKS, PAUSE_SECONDS = 10, 0.2
AS_THEY_ARE = ("--no-owner", "--no-privileges")
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def dump(engine: Engine, path: Path) -> None:
    _run(engine, "pg_dump", "--format=custom", *AS_THEY_ARE, f"--file={path}")


def read_revision(path: Path) -> str:
    if not path.is_file():
        raise BackupError(f"{path} is no file.")
    return only_revision([row["version_num"] for row in _rows_in(path, "alembic_version")], path)


def read_column(path: Path, table: str, column: str) -> set[str]:
    read_revision(path)
    return {row[column] for row in _rows_in(path, table)}


def load(engine: Engine, path: Path, *, proof: Proof, keep_at: Path) -> Path | None:
    """Nothing is kept of what was there: `portal backup` makes a file of it before.

    The copy that is proven is a database of its own on the same server; what it has become takes the place of what was
    there, in one transaction.
    """
    if _is_used(engine):
        raise BackupError(IN_USE)
    with tempfile.TemporaryDirectory() as folder, _beside(engine) as copy:
        _load(copy, path)
        prove_copy(copy, path, proof)
        proven = Path(folder, "proven.dump")
        dump(copy, proven)
        copy.dispose()
        _load(engine, proven)
    return None


def _is_used(engine: Engine) -> bool:
    """Whether somebody else has the database open; who has just left it may be listed for a moment."""
    try:
        for _ in range(LOOKS):
            with engine.connect() as connection:
                if not connection.execute(text(OTHERS)).scalar_one():
                    return False
            clock.sleep(PAUSE_SECONDS)
        return True
    finally:
        engine.dispose()


def _load(engine: Engine, path: Path) -> None:
    _run(
        engine, "pg_restore", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", *AS_THEY_ARE,
        f"--dbname={_address_of(engine)}", str(path), to_database=False,
    )  # fmt: skip


@contextmanager
def _beside(engine: Engine) -> Iterator[Engine]:
    """An empty database on the same server, for as long as it is needed."""
    name = f"portal_restoring_{secrets.token_hex(4)}"
    try:
        _command(engine, f"CREATE DATABASE {name} TEMPLATE template0")
    except DBAPIError as error:
        raise BackupError(
            "The backup is tried in a database of its own first, which cannot be made "
            f"({message_of(error)}): ALTER ROLE {engine.url.username} CREATEDB, and restore again."
        ) from error
    copy = create_engine(engine.url.set(database=name))
    prepare_engine(copy)
    try:
        yield copy
    finally:
        copy.dispose()
        _command(engine, f"DROP DATABASE {name} WITH (FORCE)")


def _command(engine: Engine, statement: str) -> None:
    """Run what no transaction may hold."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text(statement))
    engine.dispose()


def _rows_in(path: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of one table of a backup, as pg_restore writes them: names, then lines of cells between tabs."""
    script = _run(None, "pg_restore", "--data-only", f"--table={table}", "--file=-", str(path))
    names: list[str] = []
    for line in script.split("\n"):
        if names and line == "\\.":
            return
        if names:
            yield dict(zip(names, line.split("\t"), strict=True))
        elif line.startswith("COPY ") and line.endswith(") FROM stdin;"):
            names = [name.strip().strip('"') for name in line.partition("(")[2].rpartition(")")[0].split(",")]


def _run(engine: Engine | None, program: str, *arguments: str, to_database: bool = True) -> str:
    """Run one of PostgreSQL's programs; the password goes by the environment, where no other user sees it."""
    if shutil.which(program) is None:
        raise BackupError(
            f"{program} is not installed: it comes with PostgreSQL's client package (Debian: apt-get install "
            "postgresql-client). Or run it on the database's own machine: pg_dump --format=custom, and pg_restore."
        )
    command = [program, *arguments, *([f"--dbname={_address_of(engine)}"] if to_database and engine else [])]
    password = str(engine.url.password) if engine is not None and engine.url.password else ""
    environ = os.environ | ({"PGPASSWORD": password} if password else {})
    done = subprocess.run(  # noqa: S603 - no shell, and the words are ours
        command, capture_output=True, text=True, env=environ, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise BackupError(f"{program} failed: {(done.stderr.strip().splitlines() or ['it did not say why'])[0]}")
    return done.stdout


def _address_of(engine: Engine) -> str:
    address = engine.url._replace(drivername="postgresql", password=None)  # `set` would leave the password in it
    return address.render_as_string()
