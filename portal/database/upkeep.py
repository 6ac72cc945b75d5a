"""The upkeep of SQLite's file: empty its log, give pages back, write it anew. PostgreSQL sees to its own."""

import logging
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine

from portal.database.db import INCREMENTAL, reading

EMPTYING_SECONDS = 2  # how long writers are kept out, at most, while the log waits for its last readers
ROOM = 3  # a file is rewritten by itself while so many times its size are free: SQLite makes a copy, and then its log
# The share of a file's pages that hold nothing from which on a copy costs less than giving them back one by one.
MUCH = 0.25

logger = logging.getLogger(__name__)


def empty_log(engine: Engine) -> bool:
    """Empty SQLite's log, which still holds what was just erased from the file. No transaction may be open here.

    Returns whether nothing stood in the way; what did is short, and the house-keeping tries again.
    """
    if engine.dialect.name != "sqlite":
        return True
    with closing(engine.raw_connection()) as connection:
        connection.execute(f"PRAGMA busy_timeout = {EMPTYING_SECONDS * 1000}")
        connection.info.pop("busy_timeout", None)  # `db` sets it anew
        (is_busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not is_busy


def free_pages(connection: Connection) -> int:
    """How many pages of SQLite's file hold nothing and could be given back to the disk; PostgreSQL sees to its own."""
    if connection.dialect.name != "sqlite" or not _shrinks(connection):
        return 0
    return int(connection.exec_driver_sql("PRAGMA freelist_count").scalar_one())


def give_back(connection: Connection, pages: int) -> None:
    """Take at most so many empty pages off the end of SQLite's file, in the caller's transaction."""
    driver: Any = connection.connection.driver_connection
    for _ in range(pages):  # Python's driver takes one step of the PRAGMA, which is one page, whatever number it names
        driver.execute("PRAGMA incremental_vacuum(1)")


def rewrite(engine: Engine) -> bool:
    """Write SQLite's file anew, if need be, small and from now on shrinking by itself. Nobody else writes meanwhile."""
    if engine.dialect.name != "sqlite":
        return False
    with reading(), engine.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        if _shrinks(connection) and free_pages(connection) <= pages * MUCH:
            return False
    with closing(engine.raw_connection()) as raw:
        raw.execute("PRAGMA query_only = 0")
        raw.info["query_only"] = 0  # as `db` remembers it
        raw.execute(f"PRAGMA auto_vacuum = {INCREMENTAL}")
        raw.execute("VACUUM")
    return True


def rewrite_where_there_is_room(engine: Engine) -> bool:
    """The same after an upgrade, but for a disk that is too full for it and a file that somebody else is using.

    Nothing is wrong without it: what is free is used again, and `portal purge` tries once more.
    """
    size = size_of(engine)
    if size is None or shutil.disk_usage(Path(str(engine.url.database)).parent).free < ROOM * size:
        return False
    try:
        return rewrite(engine)
    except sqlite3.OperationalError as error:
        logger.warning("The file was not rewritten: %s", error, extra={"action": "rewrite_skipped"})
        return False


def size_of(engine: Engine) -> int | None:
    """The bytes of SQLite's file; None on PostgreSQL."""
    if engine.dialect.name != "sqlite":
        return None
    with reading(), engine.connect() as connection:
        pages, size = (
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("page_count", "page_size")
        )
    return int(pages * size)


def _shrinks(connection: Connection) -> bool:
    return bool(connection.exec_driver_sql("PRAGMA auto_vacuum").scalar_one() == INCREMENTAL)
