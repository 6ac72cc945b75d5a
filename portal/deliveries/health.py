"""How the CRM answers, day by day: how much it takes, with how many warnings, and how long that takes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from statistics import median
from typing import Any

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from portal.deliveries.filtering import last_before_latest
from portal.deliveries.log import position_among
from portal.models import Attempt, Delivery
from portal.outbox.telling import SAYS_NOTHING
from portal.rules.verdict import DELIVERED_REASONS

LOOKED_AT = 5000  # a company's latest deliveries whose tries are looked at; the days before them are left out


@dataclass(frozen=True)
class DayHealth:
    """The tries of one day, tests aside. `start` is the day's beginning."""

    start: datetime
    delivered: int = 0  # tries that the receiver took, with those that it took with a warning
    warned: int = 0
    failed: int = 0
    durations: Sequence[int] = ()  # how many milliseconds each took, in order

    @property
    def tries(self) -> int:
        return self.delivered + self.failed

    @property
    def median_ms(self) -> int | None:
        return round(median(self.durations)) if self.durations else None

    @property
    def p95_ms(self) -> int | None:
        """What 95 of 100 tries did not exceed."""
        return self.durations[ceil(0.95 * len(self.durations)) - 1] if self.durations else None


def health_by_day(session: Session, company_id: int, *, starts: Sequence[datetime]) -> list[DayHealth]:
    """The days that begin with `starts`, oldest first; its last is the end of the newest.

    Days that begin before the latest `LOOKED_AT` deliveries of the company do are left out, but for the newest.
    """
    floor = last_before_latest(session, company_id, LOOKED_AT)
    if floor:
        starts = [start for start in starts[:-2] if start > floor.created_at] + [*starts[-2:]]
    since = floor.id if floor else 0
    day = position_among(Attempt.started_at, starts)
    is_taken = Attempt.reason.in_(DELIVERED_REASONS)
    query = (
        select(day, is_taken, and_(is_taken, Attempt.warning.is_not(None)), Attempt.duration_ms)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Delivery.company_id == company_id, Delivery.id > since, Attempt.delivery_id > since)
        .where(Delivery.trigger != "test", Attempt.reason.not_in(SAYS_NOTHING))
        .where(Attempt.started_at >= starts[0], Attempt.started_at < starts[-1])
    )
    tries: list[list[Any]] = [[] for _ in starts[:-1]]
    for number, *facts in session.execute(query):
        tries[number].append(facts)
    return [_day_of(start, facts) for start, facts in zip(starts, tries, strict=False)]


def _day_of(start: datetime, tries: Sequence[Any]) -> DayHealth:
    """A day, from its tries: whether each was taken, whether with a warning, and how long it took."""
    taken, warned, durations = zip(*tries, strict=True) if tries else ((), (), ())
    known = sorted(duration for duration in durations if duration is not None)
    return DayHealth(start, sum(taken), sum(warned), len(tries) - sum(taken), known)
