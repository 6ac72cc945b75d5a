"""The days of the delivery log as bars: counts in, places in per cent out; the template draws them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask_login import current_user

from portal import clock
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import DayCount, count_by_day
from portal.i18n import reader_zone

DAYS = 30
GAP = 0.3
"""The part of a day's width that stays free."""
SMALLEST = 3.0
"""Per cent of the height: one failure among hundreds is still seen."""
LABEL_EVERY = 7


@dataclass(frozen=True)
class Bar:
    """One day. Places and sizes are per cent of the plot; `middle` is where a label stands."""

    day: date
    delivered: int
    failed: int
    x: float
    width: float
    delivered_height: float
    failed_height: float
    is_labelled: bool

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def delivered_y(self) -> float:
        return 100 - self.delivered_height

    @property
    def failed_y(self) -> float:
        return 100 - self.delivered_height - self.failed_height


@dataclass(frozen=True)
class Chart:
    """Bars for some days in a row, `top` being the number at the plot's upper edge."""

    bars: Sequence[Bar]
    top: int

    @property
    def delivered(self) -> int:
        return sum(bar.delivered for bar in self.bars)

    @property
    def failed(self) -> int:
        return sum(bar.failed for bar in self.bars)


def read_chart(wanted: DeliveryFilter) -> Chart | None:
    """The last days of what matches, up to the filter's end; None when there is nothing to draw."""
    zone = reader_zone()
    end = clock.utcnow() if wanted.until is None else min(wanted.until - timedelta(seconds=1), clock.utcnow())
    starts = day_starts(end, zone)
    return draw(count_by_day(db.session, current_user.company_id, wanted, starts=starts), zone)


def day_starts(end: datetime, zone: ZoneInfo) -> list[datetime]:
    """The beginnings, in UTC, of the last `DAYS` days up to that of `end`, and the end of that one."""
    last = end.astimezone(zone).date()
    days = [last + timedelta(days=number) for number in range(1 - DAYS, 2)]
    return [datetime.combine(day, time(), zone).astimezone(UTC) for day in days]


def draw(counts: Sequence[DayCount], zone: ZoneInfo) -> Chart | None:
    """Place the bars; None when all counts are 0."""
    if not any(count.delivered or count.failed for count in counts):
        return None
    top = round_up(max(count.delivered + count.failed for count in counts))
    step = 100 / len(counts)
    bars = []
    for number, count in enumerate(counts):
        failed_height = height_of(count.failed, top)
        bars.append(
            Bar(
                day=count.start.astimezone(zone).date(),
                delivered=count.delivered,
                failed=count.failed,
                x=number * step + step * GAP / 2,
                width=step * (1 - GAP),
                delivered_height=min(height_of(count.delivered, top), 100 - failed_height),
                failed_height=failed_height,
                is_labelled=(len(counts) - 1 - number) % LABEL_EVERY == 0,
            )
        )
    return Chart(bars, top)


def height_of(count: float, top: int) -> float:
    return max(SMALLEST, 100 * count / top) if count else 0.0


def round_up(number: int) -> int:
    """The next number of the row 2, 4, 6, 8, 10, 20, 40 ...: its half is a whole number too."""
    size = 1
    while number > 10 * size:
        size *= 10
    return next(step * size for step in (2, 4, 6, 8, 10) if step * size >= number)
