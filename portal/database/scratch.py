"""An empty database of one's own, to try something on or to keep what may be much, which goes with whoever made it."""

import sqlite3
import weakref
from functools import cached_property

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from portal.database.db import take_turns, writing
from portal.database.turns import Turn

MOST_RECENT = 2000
MARKS = 2**21
PUT = "INSERT OR REPLACE INTO number VALUES (?, ?)"
GET = "SELECT value FROM number WHERE key = ?"


class Numbers:
    """Numbers of 64 bits by numbers of 64 bits: those set of late in memory, all others on disk; 0 for what is absent.

    A mark in memory says where there may be something on disk: most of what is asked for is absent.
    """

    def __init__(self) -> None:
        self._recent: dict[int, int] = {}
        self._marks = bytearray()

    @cached_property
    def _kept(self) -> sqlite3.Connection:
        kept = scratch_connection()
        weakref.finalize(self, kept.close)
        kept.executescript(
            "PRAGMA journal_mode = OFF; CREATE TABLE number (key INTEGER PRIMARY KEY, value INTEGER); BEGIN"
        )
        return kept

    def __getitem__(self, key: int) -> int:
        found = self._recent.get(key)
        if found is not None or not self._marks or not self._marks[key % MARKS]:
            return found or 0
        row = self._kept.execute(GET, (key,)).fetchone()
        return int(row[0]) if row else 0

    def __setitem__(self, key: int, value: int) -> None:
        self._recent[key] = value
        if len(self._recent) == MOST_RECENT:
            self._store()

    def _store(self) -> None:
        self._marks = self._marks or bytearray(MARKS)
        for key in self._recent:
            self._marks[key % MARKS] = 1
        self._kept.executemany(PUT, self._recent.items())
        self._recent.clear()


def scratch_connection() -> sqlite3.Connection:
    """An empty database, on disk where it grows. Whoever takes it closes it."""
    return sqlite3.connect("", check_same_thread=False)


def scratch_engine(tables: MetaData) -> Engine:
    """An empty database with these tables for one thread, on disk where it grows, which goes when it is disposed of."""
    engine = create_engine("sqlite://", creator=scratch_connection, poolclass=StaticPool, hide_parameters=True)
    take_turns(engine, Turn())
    with writing():
        tables.create_all(engine)
    return engine
