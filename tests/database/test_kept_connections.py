"""A test on PostgreSQL takes over the connection of the one before, which remembers nothing of it."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from portal.database.db import db
from tests.applications import Applications
from tests.factories import settings_for
from tests.postgres import Databases, Kept

TOLD = "SET work_mem = '7MB'; LISTEN told; SELECT pg_advisory_lock(7)"
"""It outlives a transaction."""
REMEMBERED = """
SELECT current_setting('work_mem'),
       (SELECT count(*) FROM pg_listening_channels()), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory')
"""


@pytest.fixture
def connected(instance: Path, applications: Applications):
    """A connection as a test's application has it, in a transaction that is committed."""

    @contextmanager
    def connect(url: str) -> Iterator[Connection]:
        app = applications.take(settings_for(instance, database_url=url))
        with app.app_context(), db.engine.begin() as connection:
            yield connection
        applications.give_back(app)

    return connect


def look(connection: Connection) -> tuple[int, Sequence[Any]]:
    """The server's process, and what it remembers."""
    return connection.connection.driver_connection.info.backend_pid, connection.execute(text(REMEMBERED)).one()


def test_the_next_test_gets_the_connection_and_nothing_that_was_told_to_it(postgres_databases: Databases, connected):
    with postgres_databases.copy() as url:
        with connected(url) as connection:
            pid, fresh = look(connection)
            connection.exec_driver_sql(TOLD)
        with connected(url) as connection:
            assert look(connection) == (pid, ("7MB", 1, 1))
    with postgres_databases.copy() as again, connected(again) as connection:
        assert (again, look(connection)) == (url, (pid, fresh))


def test_none_is_kept_to_a_database_that_was_changed(postgres_databases: Databases, kept_connections: Kept, connected):
    with postgres_databases.copy() as url:
        with connected(url) as connection:
            pid, _ = look(connection)
            connection.exec_driver_sql("CREATE TABLE left_over (id INTEGER)")
        assert pid in kept_connections.pids()
    assert pid not in kept_connections.pids()
