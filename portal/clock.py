"""The only module that reads the time, so that a test can set it and a reader can find who depends on it."""

import time
from datetime import UTC, datetime


def utcnow() -> datetime:
    """The wall clock: an aware datetime in UTC."""
    return datetime.now(UTC)


def monotonic() -> float:
    """Seconds on a clock that no clock change moves; only differences have a meaning."""
    return time.monotonic()


def sleep(seconds: float) -> None:
    """Do nothing for so long."""
    time.sleep(seconds)
