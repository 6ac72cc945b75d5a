"""Waiting less than usual for what somebody else holds."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal.database.db import patience_left

LOCK_NOT_AVAILABLE = "55P03"


class LockedTooLong(Exception):
    """Somebody else holds what a statement waits for."""


@contextmanager
def waiting_for_locks(session: Session, *, at_most: float) -> Iterator[None]:
    """PostgreSQL's statements inside wait so many seconds for a row that somebody else holds.

    Raises LockedTooLong; the transaction is of no more use then. SQLite's writers wait when they begin, and only there.
    """
    if session.get_bind().dialect.name == "sqlite":
        yield
        return
    session.execute(text(f"SET LOCAL lock_timeout = {round(at_most * 1000)}"))
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise LockedTooLong from error
        raise
    session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(patience_left() * 1000))}"))
