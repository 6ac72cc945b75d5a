"""PostgreSQL: its own tools make the file and put it back; they come with PostgreSQL's client package."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import Engine, text

from portal.database.backup.contents import HOLD, IN_USE, BackupError, Contents

AS_THEY_ARE = ("--no-owner", "--no-privileges")
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)


def dump(engine: Engine, path: Path) -> None:
    _run(engine, "pg_dump", "--format=custom", *AS_THEY_ARE, f"--file={path}")


def read_contents(path: Path) -> Contents:
    if not path.is_file():
        raise BackupError(f"{path} is no file.")
    revisions = list(_rows_in(path, "alembic_version"))
    if not revisions:
        raise BackupError(f"{path} holds no database of the portal.")
    return Contents(revisions[0]["version_num"], [row["secret"] for row in _rows_in(path, "endpoint")])


def load(engine: Engine, path: Path, *, keep_at: Path) -> Path | None:
    """Nothing is kept of what was there: `portal backup` makes a file of it before."""
    with engine.connect() as connection:
        others = connection.execute(text(OTHERS)).scalar_one()
    engine.dispose()
    if others:
        raise BackupError(IN_USE)
    _run(
        engine, "pg_restore", "--clean", "--if-exists", "--single-transaction", "--exit-on-error", *AS_THEY_ARE,
        f"--dbname={_address_of(engine)}", str(path), to_database=False,
    )  # fmt: skip
    with engine.begin() as connection:
        for statement in HOLD:
            connection.execute(text(statement))
    return None


def _rows_in(path: Path, table: str) -> Iterator[dict[str, str]]:
    """The rows of one table of a backup, as pg_restore writes them: names, then lines of cells between tabs."""
    script = _run(None, "pg_restore", "--data-only", f"--table={table}", "--file=-", str(path), to_database=False)
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
    return engine.url.set(drivername="postgresql", password=None).render_as_string(hide_password=False)
