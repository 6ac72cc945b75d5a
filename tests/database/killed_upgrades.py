"""Kills an upgrade of a SQLite file at its statements: `python -m tests.database.killed_upgrades FILE`.

A death leaves behind what the files hold at that moment. It dies at every statement after which they hold something
else than before, and at many of those between. Prints, for each kill, the revision that the file was found at, and at
last how many statements there were.
"""

import os
import shutil
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sqlalchemy import create_engine, event

from portal.clock import utcnow
from portal.database.db import prepare_engine
from portal.database.upgrading import upgrade_schema

KILLED = 9
BETWEEN = 40
"""Statements from one kill to the next while the files stay as they are."""


def upgrade(path: Path, *, after_each: Callable[[int], None] = lambda number: None) -> None:
    """Upgrade the file; `after_each` statement is given its number."""
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    done = 0

    def count(connection: object, *_: object) -> None:
        nonlocal done
        if connection.engine is engine:  # type: ignore[attr-defined]
            done += 1
            after_each(done)

    event.listen(engine, "after_cursor_execute", count)
    upgrade_schema(engine, backups=path.parent / "backups", now=utcnow())
    engine.dispose()


def find_moments(path: Path) -> tuple[list[int], int]:
    """The statements of the file's upgrade after which its folder holds something else, and the number of all."""
    path = Path(shutil.copytree(path.parent, path.parent / "whole")) / path.name
    moments, held, statements = [], {}, 0

    def look(number: int) -> None:
        nonlocal held, statements
        before, held, statements = held, contents_of(path.parent), number
        if held != before:
            moments.append(number)

    upgrade(path, after_each=look)
    return moments, statements


def contents_of(folder: Path) -> dict[Path, bytes]:
    """Every file's, but for what SQLite's processes share while they live."""
    files = [file for file in folder.rglob("*") if file.is_file() and not file.name.endswith("-shm")]
    return {file: file.read_bytes() for file in files}


def find_revision(path: Path) -> str:
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert file.execute("PRAGMA foreign_key_check").fetchall() == []
        return str(file.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def main(path: Path) -> None:
    moments, statements = find_moments(path)
    for moment in sorted({*moments, *range(1, statements, BETWEEN), statements + 1}):
        if (child := os.fork()) == 0:
            upgrade(path, after_each=lambda number: os._exit(KILLED) if number == moment else None)  # noqa: B023
            os._exit(0)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        sys.stdout.write(f"{find_revision(path)}\n")
        if code != KILLED:
            break
    sys.stdout.write(f"{statements}\n")
    raise SystemExit(code)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
