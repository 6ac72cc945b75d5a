"""What the next state of a delivery, and of its endpoint, is decided by."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from portal.rules.retry import RetrySchedule

DEFAULT_FIRST_PAUSE = timedelta(seconds=30)


@dataclass(frozen=True)
class Rules:
    """What decides a delivery's next state besides its outcome."""

    schedule: RetrySchedule
    now: datetime
    jitter: Callable[[], float]  # a number from 0 to 1, drawn anew for each retry

    @property
    def first_pause(self) -> timedelta:
        """The pause before a failing endpoint is first probed: the one before a first retry."""
        return self.schedule.delays[1] if len(self.schedule.delays) > 1 else DEFAULT_FIRST_PAUSE
