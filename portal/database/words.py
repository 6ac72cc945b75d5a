"""A transaction whose begin and end PostgreSQL is told together with what stands between them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection

from portal.database.db import POOLED
from portal.database.driver import run_words, together


@contextmanager
def transaction_of_words(connection: Connection) -> Iterator[None]:
    """A transaction of a `Statement` after another: PostgreSQL is told its begin and its end `together` with them.

    What else is to be run stands `apart`.
    """
    is_told = connection.dialect.name == "postgresql" and not connection.info.get(POOLED)
    driver: Any = connection.connection.driver_connection
    if is_told:
        driver.autocommit = True  # else the driver begins, and waits until it has
    try:
        with connection.begin(), together(connection):
            if is_told:
                run_words(connection, "BEGIN")
            yield
            if is_told:
                run_words(connection, "COMMIT")
    finally:
        if is_told and not connection.invalidated:
            if driver.info.transaction_status:  # not idle: where its server ends, a pipeline may not be left any more
                connection.invalidate()
            else:
                driver.autocommit = False
