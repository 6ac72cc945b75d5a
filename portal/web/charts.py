"""Columns of counts that stand above one another: numbers in, places in per cent out; the templates draw them.

Days are such columns: of the delivery log, and of the CRM's health, the shares of what it took, and how fast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import ceil
from zoneinfo import ZoneInfo

from flask_login import current_user

from portal import clock
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.health import DayHealth, health_by_day
from portal.deliveries.log import CHART_CAP, DayCount, count_by_day
from portal.i18n import reader_zone
from portal.privacy.retention import limits_of

DAYS = 30
GAP = 0.3  # the part of a column's place that stays free
SMALLEST = 3.0  # per cent of the height: one failure among hundreds is still seen
UNTRIED: Mapping[str, float] = {"untried": 1}  # as low as can be seen, so that a day without tries is none of zero
WIDEST = 12.0  # per cent of the width: few days are not drawn as a wall


@dataclass(frozen=True)
class Segment:
    """A part of a column, of one kind, in per cent of the plot."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    """A column with its place in per cent; `number` is which one it is."""

    number: int
    x: float
    width: float
    segments: Sequence[Segment]

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Stack:
    """Columns in a row, `top` being the number at the plot's upper edge."""

    columns: Sequence[Column]
    top: int


def stack(counts: Sequence[Mapping[str, float]], *, top: int | None = None) -> Stack | None:
    """Place the columns, their kinds from below; None when all counts are 0."""
    most = max((sum(each.values()) for each in counts), default=0)
    if not most:
        return None
    top, step = top or round_up(ceil(most)), 100 / len(counts)
    width = min(step * (1 - GAP), WIDEST)
    columns = [
        Column(number, number * step + (step - width) / 2, width, _segments(each, top))
        for number, each in enumerate(counts)
    ]
    return Stack(columns, top)


def round_up(number: int) -> int:
    """The next number of the row 2, 4, 6, 8, 10, 20, 40 ...: its half is a whole number too."""
    size = 1
    while number > 10 * size:
        size *= 10
    return next(step * size for step in (2, 4, 6, 8, 10) if step * size >= number)


def _segments(counts: Mapping[str, float], top: int) -> list[Segment]:
    """The parts of a column from below; the highest gives way where others are drawn higher than they are."""
    heights = {kind: max(SMALLEST, 100 * count / top) for kind, count in counts.items() if count}
    if (excess := sum(heights.values()) - 100) > 0:
        heights[max(heights, key=lambda kind: heights[kind])] -= excess
    ends = accumulate(heights.values())
    return [Segment(kind, 100 - end, height) for (kind, height), end in zip(heights.items(), ends, strict=True)]


@dataclass(frozen=True)
class Chart:
    """Some days in a row, with their columns: delivered below, what waits above them, failed above all."""

    days: Sequence[DayCount]
    plot: Stack | None
    is_cut: bool = False  # whether days are left out, which more deliveries were made on or since than are looked at
    looked_at: int = CHART_CAP

    @property
    def delivered(self) -> int:
        return sum(day.delivered for day in self.days)

    @property
    def failed(self) -> int:
        return sum(day.failed for day in self.days)

    @property
    def waiting(self) -> int:
        return sum(day.waiting for day in self.days)


def read_chart(wanted: DeliveryFilter) -> Chart | None:
    """The last days of what matches, from the filter's beginning to its end; None when there is nothing to draw."""
    end = clock.utcnow() if wanted.until is None else min(wanted.until - timedelta(seconds=1), clock.utcnow())
    starts = day_starts(end, reader_zone(), since=max(wanted.since or kept_since(), kept_since()))
    days = count_by_day(db.session, current_user.company_id, wanted, starts=starts)
    return draw(days, is_cut=len(days) < len(starts) - 1)


def kept_since() -> datetime:
    """The moment from which the log of the reader's company is whole: a day of before would be drawn as one of zero."""
    return limits_of(current_user.company, now=clock.utcnow()).log


def day_starts(end: datetime, zone: ZoneInfo, *, since: datetime) -> list[datetime]:
    """The beginnings, in UTC, of the last `DAYS` days up to that of `end`, and the end of that one.

    Days that begin before `since` are left out, but for the newest.
    """
    last = end.astimezone(zone).date()
    starts = [clock.begin_of(last + timedelta(days=number), zone) for number in range(1 - DAYS, 2)]
    return [start for start in starts[:-2] if start >= since] + starts[-2:]


def draw(days: Sequence[DayCount], *, is_cut: bool = False) -> Chart | None:
    """Place the columns; None when all counts are 0, and nothing is to be said of days that were left out."""
    plot = stack([{"delivered": day.delivered, "waiting": day.waiting, "failed": day.failed} for day in days])
    return Chart(days, plot, is_cut) if plot or is_cut else None


@dataclass(frozen=True)
class HealthChart:
    """Days in a row, with the columns of both pictures; `times` is None when no try took a known time."""

    days: Sequence[DayHealth]
    shares: Stack  # in per cent of a day's tries
    times: Stack | None  # in milliseconds: up to the median, and from there to the 95th percentile
    is_cut: bool  # whether some of the days hold more than is looked at, and are left out


def read_health() -> HealthChart | None:
    """The last days of the reader's company; None when nothing was tried. A day without tries is drawn as such."""
    starts = day_starts(clock.utcnow(), reader_zone(), since=kept_since())
    days = health_by_day(db.session, current_user.company_id, starts=starts)
    shares = stack([_shares_of(day) for day in days], top=100)
    if shares is None or not any(day.tries for day in days):
        return None
    times = stack([_times_of(day) for day in days]) if any(day.durations for day in days) else None
    return HealthChart(days, shares, times, is_cut=len(days) < len(starts) - 1)


def _shares_of(day: DayHealth) -> Mapping[str, float]:
    if not day.tries:
        return UNTRIED
    counts = {"delivered": day.delivered - day.warned, "warned": day.warned, "failed": day.failed}
    return {kind: 100 * count / day.tries for kind, count in counts.items()}


def _times_of(day: DayHealth) -> Mapping[str, float]:
    if not day.tries:
        return UNTRIED
    middle, most = day.median_ms or 0, day.p95_ms or 0
    return {"median": middle, "p95": most - middle}
