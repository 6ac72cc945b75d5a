"""The CRM's health as pictures: the shares of what it took, and how long it took, by day."""

from collections.abc import Sequence
from dataclasses import dataclass

from flask_login import current_user

from portal import clock
from portal.database.db import db
from portal.deliveries.health import DayHealth, health_by_day
from portal.i18n import reader_zone
from portal.web.charts import day_starts
from portal.web.stacks import Stack, stack


@dataclass(frozen=True)
class HealthChart:
    """Days in a row, with the columns of both pictures; `times` is None when no try took a known time."""

    days: Sequence[DayHealth]
    shares: Stack
    """In per cent of a day's tries."""
    times: Stack | None
    """In milliseconds: up to the median, and from there to the 95th percentile."""


def read_health() -> HealthChart | None:
    """The last days of the reader's company; None when nothing was tried."""
    starts = day_starts(clock.utcnow(), reader_zone())
    days = health_by_day(db.session, current_user.company_id, starts=starts)
    shares = stack([_shares_of(day) for day in days], top=100)
    return HealthChart(days, shares, stack([_times_of(day) for day in days])) if shares else None


def _shares_of(day: DayHealth) -> dict[str, float]:
    counts = {"delivered": day.delivered - day.warned, "warned": day.warned, "failed": day.failed}
    return {kind: 100 * count / max(1, day.tries) for kind, count in counts.items()}


def _times_of(day: DayHealth) -> dict[str, float]:
    middle, most = day.median_ms or 0, day.p95_ms or 0
    return {"median": middle, "p95": most - middle}
