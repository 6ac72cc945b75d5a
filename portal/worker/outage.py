"""What the log says while the database is away: one line for all threads of a worker, more at growing intervals."""

import logging
import threading

from portal import clock

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 15.0, 900.0

logger = logging.getLogger(__name__)


class Outage:
    """From the first thread that could not reach the database until the same one can again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._subject: str | None = None
        self._since = self._next = self._pause = 0.0

    def note(self, subject: str, error: BaseException) -> None:
        """What that thread is about could not be reached; `error` is quoted, so it holds nothing that was written."""
        with self._lock:
            now = clock.monotonic()
            if self._subject is None:
                self._subject, self._since, self._next, self._pause = subject, now, now, FIRST_PAUSE_SECONDS
            if now < self._next:
                return
            self._next, self._pause = now + self._pause, min(self._pause * 2, LONGEST_PAUSE_SECONDS)
            seconds = round(now - self._since)
        words = "The %s could not be reached: %s" if not seconds else "The %s could still not be reached: %s"
        facts = {"action": f"{subject}_unreachable", "away_seconds": seconds}
        logger.error(words, subject, error, extra=facts)

    def end(self, subject: str) -> None:
        """That thread reached it."""
        if self._subject != subject:
            return
        with self._lock:
            self._subject, seconds = None, round(clock.monotonic() - self._since)
        facts = {"action": f"{subject}_reached", "away_seconds": seconds}
        logger.info("The %s is reached again, after %s s.", subject, seconds, extra=facts)


outage = Outage()  # one for this process: its threads work on one database
