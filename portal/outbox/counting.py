"""Counting attempts as they are recorded, so that whoever asks how many there were reads some numbers and no log.

A count only grows: what retention takes out of the log stays counted.
"""

from bisect import bisect_left
from collections.abc import Sequence
from secrets import randbelow
from typing import Any

from sqlalchemy import Connection, Table

from portal.database.inserting import insert_or_add
from portal.outbox.claims import Claim
from portal.webhook import Outcome
from portal.working_models import AttemptCount

attempt_count: Table = AttemptCount.__table__  # type: ignore[assignment]

PARTS = 16  # whoever counts holds a row until its commit: each takes a part of its own, by chance
BOUNDS_MS = (50, 100, 250, 500, 1000, 2500, 5000, 10_000)
LONGER = 1_000_000_000  # the bound of what took longer than all of them
NO_TIME = 0  # the bound of what took no known time, such as an attempt that a death interrupted


def count_attempts(connection: Connection, ends: Sequence[tuple[Claim, Outcome, str]]) -> None:
    """Add attempts to the counts: each with the status that its delivery has now. Tests do not count."""
    sums: dict[tuple[Any, ...], tuple[int, int]] = {}
    part = randbelow(PARTS)
    for claim, outcome, status in ends:
        if not claim.is_test:
            key = (claim.company_id, status, outcome.reason, bound_of(outcome.duration_ms), part)
            number, total = sums.get(key, (0, 0))
            sums[key] = number + 1, total + (outcome.duration_ms or 0)
    names = ("company_id", "status", "reason", "up_to_ms", "part", "number", "total_ms")
    # In one order, so that two workers never wait for each other.
    rows = [dict(zip(names, (*key, *sums[key]), strict=True)) for key in sorted(sums)]
    if rows:
        insert_or_add(connection, attempt_count, rows, adding=("number", "total_ms"))


def bound_of(duration_ms: int | None) -> int:
    """The smallest bound that such a duration does not exceed."""
    if duration_ms is None:
        return NO_TIME
    return (*BOUNDS_MS, LONGER)[bisect_left(BOUNDS_MS, duration_ms)]
