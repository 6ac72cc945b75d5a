"""Makes the databases of earlier states of the portal, as text, in tests/data/databases: `python -m
tests.database.old_databases`.

One for each pair of a revision and the columns that ever stood behind it, by the migrations of the commit that had it
first, with a row in every table. Those that are there already stay as they are.
"""

import gzip
import hashlib
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Column, Connection, MetaData, Table, create_engine, insert, literal_column, null, text

ROOT = Path(__file__).parent.parent.parent
FOLDER = ROOT / "tests" / "data" / "databases"
MOMENT = datetime(2026, 1, 2, 3, 4, 5)
NUMBER = literal_column("1767323045000000")
"""The same, as SQLite keeps times since 0041."""
CHOSEN: dict[str, Any] = {
    "status": "delivered",
    "task.status": "done",
    "trigger": "sync",
    "next_trigger": "sync",
    "state": "active",
    "purpose": "reset",
    "scope": "manage",
    "role": "admin",
    "timezone": "America/Sao_Paulo",
    "locale": "pt_BR",
    "email": "ana@example.com",
    "interest_level": 2,
    "level": 2,
    "skills": [],
    "experiences": [],
    "request_headers": [],
    "response_headers": [],
    "headers": [],
    "arguments": {},
    "counts": {},
}
"""What stands in columns that do not take anything."""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    changed = ("git", "rev-list", "--reverse", "HEAD", "--", "portal/migrations/versions")
    for commit in _output(*changed, cwd=ROOT).split():
        with _checked_out(commit) as checkout:
            try:
                made = _output(sys.executable, __file__, str(checkout), cwd=checkout, PYTHONPATH=str(checkout))
            except subprocess.CalledProcessError:  # what does not even start has left no database anywhere
                made = "does not run\n"
            sys.stdout.write(f"{commit[:9]} {made}")


def make(checkout: Path) -> str:
    """Store the database that the migrations in `checkout` make. Returns its name and whether it is new."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "portal.db")
        engine = create_engine(f"sqlite:///{path}")
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(checkout / "portal" / "migrations"))
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
        with engine.begin() as connection:
            name = name_of(connection)
            fill(connection)
        engine.dispose()
        target = FOLDER / f"{name}.sql.gz"
        if target.exists():
            return f"{name} is there\n"
        with closing(sqlite3.connect(path)) as database:
            target.write_bytes(gzip.compress("\n".join(database.iterdump()).encode(), mtime=0))
        return f"{name} is new\n"


def name_of(connection: Connection) -> str:
    """The revision, and the first digits of a hash of the tables' columns."""
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    columns = sorted(str(column) for table in tables_of(connection) for column in table.columns)
    return f"{revision}-{hashlib.sha256(json.dumps(columns).encode()).hexdigest()[:8]}"


def tables_of(connection: Connection) -> list[Table]:
    metadata = MetaData()
    metadata.reflect(connection)
    return [table for table in metadata.sorted_tables if table.name != "alembic_version"]


def fill(connection: Connection) -> None:
    """A row in every table, whose references are those rows."""
    revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one()
    moment = NUMBER if connection.dialect.name == "sqlite" and revision >= "0041" else MOMENT
    for table in tables_of(connection):
        values = {column.name: value_for(column, moment) for column in table.columns}
        connection.execute(insert(table).values(values))


def value_for(column: Column[Any], moment: Any) -> Any:
    if column.foreign_keys or column.name == "id":
        return 1
    for name in (str(column), column.name):
        if name in CHOSEN:
            return CHOSEN[name]
    try:
        kind = column.type.python_type
    except NotImplementedError:
        kind = str
    values: dict[type, Any] = {
        bool: False, int: 1, str: "a", bytes: b"{}", datetime: moment, date: MOMENT.date(), dict: {}, list: [],
        object: [],
    }  # fmt: skip
    return null() if column.nullable else values[kind]


@contextmanager
def _checked_out(commit: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        checkout = Path(folder, "portal")
        _output("git", "worktree", "add", "--quiet", "--detach", str(checkout), commit, cwd=ROOT)
        try:
            yield checkout
        finally:
            _output("git", "worktree", "remove", "--force", str(checkout), cwd=ROOT)


def _output(*words: str, cwd: Path, **environ: str) -> str:
    return subprocess.run(words, cwd=cwd, env=os.environ | environ, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    sys.stdout.write(make(Path(sys.argv[1]))) if len(sys.argv) > 1 else main()
