"""When a delivery is tried again: the schedule as data, and what a receiver's Retry-After changes about it."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Before each try: 30 s + 5 min + 30 min + 2 h + 5 h + 12 h + 24 h + 24 h = 67 h 35 min 30 s, longer than a weekend.
DEFAULT_SCHEDULE = "0s,30s,5m,30m,2h,5h,12h,24h,24h"

JITTER = 0.1  # the largest share that is added to a pause, so that what failed together does not return together
MAX_RETRY_AFTER = timedelta(hours=24)
MAX_TRIES = 50
MAX_PAUSE = timedelta(days=30)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class RetrySchedule:
    """The pauses before each try of a delivery; the first is before the first try."""

    delays: tuple[timedelta, ...]

    @property
    def total(self) -> timedelta:
        """How long a delivery is tried, when every try fails at once and without jitter."""
        return sum(self.delays, timedelta(0))

    @property
    def longest(self) -> timedelta:
        """The longest pause before any try, jitter and a receiver's Retry-After included."""
        return max(*self.delays, MAX_RETRY_AFTER) * (1 + JITTER)

    def next_delay(self, tries: int, *, retry_after: timedelta | None = None, jitter: float = 0.0) -> timedelta | None:
        """Return the pause before the next try, or None when the tries are used up.

        `tries`: how many were used. `jitter`: from 0 to 1, a random share of the longest lengthening, which is 10 %.
        `retry_after`: the receiver's wish; it can only lengthen the pause, to 24 h at most (product, section 6).
        """
        if tries >= len(self.delays):
            return None
        factor = 1 + JITTER * min(max(jitter, 0.0), 1.0)
        pause = self.delays[max(tries, 0)] * factor
        return max(pause, min((retry_after or timedelta(0)) * factor, MAX_RETRY_AFTER))


def parse_schedule(text: str) -> RetrySchedule:
    """Read `0s,30s,5m,2h,1d`, the pauses before each try. Raises ValueError with a sentence for the operator."""
    items = [item.strip() for item in text.split(",")]
    if items == [""]:
        raise ValueError("is empty; write the pauses before each try, such as 0s,30s,5m,2h.")
    if len(items) > MAX_TRIES:
        raise ValueError(f"has {len(items)} tries; {MAX_TRIES} are the most.")
    delays = tuple(_parse_pause(item) for item in items)
    if timedelta(0) in delays[1:]:
        raise ValueError("holds a later pause of 0; every retry needs a pause before it.")
    return RetrySchedule(delays)


def _parse_pause(item: str) -> timedelta:
    match = re.fullmatch(r"([0-9]{1,9})([smhd])", item)
    if match is None:
        raise ValueError(
            f"holds {item[:40]!r}, which is no pause; write a whole number and s, m, h or d, such as 30s or 2h."
        )
    pause = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if pause > MAX_PAUSE:
        raise ValueError(f"holds the pause {item!r}, which is too long; {MAX_PAUSE.days} days are the most.")
    return pause


def parse_retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds, or one of the three HTTP dates (RFC 9110, sections 10.2.3 and 5.6.7).

    Returns the wait from `now` (aware), at most 24 h; None for an absent, unreadable, negative or past value.
    """
    text = (value or "").strip(" \t")
    if re.fullmatch(r"[0-9]+", text):
        # Beyond nine digits the value is over 24 h anyway, and int() refuses very long texts.
        wait = timedelta(seconds=int(text.lstrip("0")[:9] or 0))
    elif moment := _parse_http_date(text):
        wait = moment - now
    else:
        return None
    return min(wait, MAX_RETRY_AFTER) if wait > timedelta(0) else None


def _parse_http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    # The asctime form names no zone; HTTP dates are always UTC.
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
