"""An empty database of one's own, to try something on, which goes with whoever made it."""

import sqlite3

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.pool import StaticPool

from portal.database.db import take_turns, writing
from portal.database.turns import Turn


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
