"""Calls that may be repeated: what a call with a key did, and what it was answered, are one transaction.

So a key is known exactly when its work is done. A call that was refused, or whose process died, leaves nothing behind,
and the next one with its key begins afresh; one that comes while the first is under way waits for it.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from portal import clock
from portal.database.db import patience_left
from portal.privacy.retention import CALLS_KEPT
from portal.working_models import IdempotencyKey

# How long a call waits for an earlier one with its key, on PostgreSQL; on SQLite it waits as every writer does.
WAIT_SECONDS = 2.0
LOCK_NOT_AVAILABLE = "55P03"


class KeyReused(Exception):
    """The key was used for another request."""


class KeyUnderWay(Exception):
    """The first call with the key has not ended."""


def fingerprint(*parts: Any) -> str:
    """What tells one request from another: the same values give the same, however the JSON was written."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def begin(session: Session, company_id: int, key: str, *, request_hash: str) -> str | None:
    """Take the key for the work of this transaction, or return what its first call was answered.

    Raises KeyReused, and KeyUnderWay after a while of waiting.
    """
    with _waiting_briefly(session):
        if _take(session, company_id, key, request_hash):
            return None
    known = session.scalars(select(IdempotencyKey).where(_is(company_id, key))).one_or_none()
    if known is None:  # the house-keeping came between
        raise KeyUnderWay
    if known.request_hash != request_hash:
        raise KeyReused
    return known.answer


def finish(session: Session, company_id: int, key: str, *, answer: str) -> None:
    """Keep the answer with the key that `begin` took."""
    session.execute(update(IdempotencyKey).where(_is(company_id, key)).values(answer=answer))


def _take(session: Session, company_id: int, key: str, request_hash: str) -> bool:
    """Whether the key is new, or was used too long ago to count."""
    now = clock.utcnow()
    session.execute(delete(IdempotencyKey).where(_is(company_id, key), IdempotencyKey.created_at <= now - CALLS_KEPT))
    row = {"company_id": company_id, "key": key, "request_hash": request_hash, "created_at": now}
    try:
        with session.begin_nested():
            session.execute(insert(IdempotencyKey).values(row))
    except IntegrityError:
        return False
    return True


def _is(company_id: int, key: str) -> ColumnElement[bool]:
    return and_(IdempotencyKey.company_id == company_id, IdempotencyKey.key == key)


@contextmanager
def _waiting_briefly(session: Session) -> Iterator[None]:
    """PostgreSQL's statements inside wait so long for a key that an earlier call holds, and raise KeyUnderWay.

    The transaction is of no more use then. SQLite's writers wait when they begin, and only there.
    """
    if session.get_bind().dialect.name == "sqlite":
        yield
        return
    session.execute(text(f"SET LOCAL lock_timeout = {round(WAIT_SECONDS * 1000)}"))
    try:
        yield
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise KeyUnderWay from error
        raise
    session.execute(text(f"SET LOCAL lock_timeout = {max(1, round(patience_left() * 1000))}"))
