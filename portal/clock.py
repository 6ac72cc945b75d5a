"""The only module that reads the time, so that a test can set it and a reader can find who depends on it."""

import time
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from zoneinfo import ZoneInfo

STEP_SECONDS = 1.0  # a clock that is adjusted by less than this was not set


def utcnow() -> datetime:
    """The wall clock: an aware datetime in UTC."""
    return datetime.now(UTC)


def begin_of(day: date, zone: ZoneInfo) -> datetime:
    """The beginning of a day in a zone, in UTC."""
    return datetime.combine(day, time_of_day(), zone).astimezone(UTC)


def monotonic() -> float:
    """Seconds on a clock that no clock change moves; only differences have a meaning."""
    return time.monotonic()


class StepWatch:
    """Notices when the wall clock was set, or the machine slept: it moved on otherwise than the steady clock did."""

    def __init__(self) -> None:
        self._offset = self._measure()

    def step(self) -> float:
        """By how many seconds the wall clock was moved since the last call; small adjustments count as nothing."""
        offset = self._measure()
        moved = offset - self._offset
        if abs(moved) < STEP_SECONDS:
            return 0.0
        self._offset = offset
        return moved

    def _measure(self) -> float:
        return utcnow().timestamp() - monotonic()


def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)
