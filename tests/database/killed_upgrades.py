"""Kills an upgrade of a SQLite file at each of its statements: `python -m tests.database.killed_upgrades FILE`.

Prints, for each kill, the revision that the file was found at, and at last how many there were.
"""

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, event

from portal.clock import utcnow
from portal.database.db import prepare_engine
from portal.database.upgrading import upgrade_schema

KILLED = 9


def upgrade(path: Path, *, statements: int | None) -> None:
    """Upgrade the file; with `statements`, die after so many."""
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    done = 0

    def count(connection: object, *_: object) -> None:
        nonlocal done
        if connection.engine is engine:  # type: ignore[attr-defined]
            done += 1
            if done == statements:
                os._exit(KILLED)

    event.listen(engine, "after_cursor_execute", count)
    upgrade_schema(engine, backups=path.parent / "backups", now=utcnow())
    engine.dispose()


def find_revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        return str(file.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def main(path: Path) -> None:
    statements = 0
    code = KILLED
    while code == KILLED:
        statements += 1
        if (child := os.fork()) == 0:
            upgrade(path, statements=statements)
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{find_revision(path)}\n")
    sys.stdout.write(f"{statements - 1}\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
