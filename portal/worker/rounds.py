"""The loop of every thread of a worker: it takes turns, sleeps between them, endures faults, and stops cleanly."""

import logging
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

from portal import clock
from portal.database.db import AWAY
from portal.worker.outage import outage

FAULT_PAUSE_SECONDS = 1.0
LAST_PAUSE_SECONDS = 0.1  # the pause of whoever has been told to stop and still has something to finish

logger = logging.getLogger(__name__)


class Round(threading.Thread, ABC):
    """Takes a turn again and again until `stop`. `subject` is what the log calls the thing that the turns are about."""

    def __init__(self, subject: str) -> None:
        super().__init__(name=subject, daemon=True)
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self.turned_at = clock.monotonic()  # when a turn last came to its end

    @abstractmethod
    def turn(self) -> float:
        """Do what there is to do. Returns the seconds to sleep, unless somebody wakes the round."""

    def wake(self) -> None:
        """Take a turn now. From any thread."""
        self._wake.set()

    def stop(self) -> None:
        """Make `run` end soon. From any thread, or a signal handler."""
        self._stopping.set()
        self.wake()

    @property
    def is_stopping(self) -> bool:
        return self._stopping.is_set()

    def pause(self, seconds: float) -> None:
        """Sleep whoever calls; only `stop` ends that early."""
        self._stopping.wait(seconds)

    def run(self) -> None:
        """Take turns until `stop`."""
        while not self.is_stopping:
            with self.enduring():
                seconds = self.turn()
                outage.end(self.name)
                self.turned_at = clock.monotonic()
                if seconds and self._wake.wait(seconds):
                    self._wake.clear()

    @contextmanager
    def enduring(self) -> Iterator[None]:
        """Log what goes wrong inside, and pause: a worker that ended here would end again at its next start."""
        try:
            yield
        except Exception as error:
            if isinstance(error, AWAY):
                outage.note(self.name, error.__cause__ or error)  # the cause does not quote what was to be written
            else:
                logger.exception("A turn of the %s failed.", self.name, extra={"action": f"{self.name}_refused"})
            self.mend(error)
            if self._stopping.wait(FAULT_PAUSE_SECONDS):
                clock.sleep(LAST_PAUSE_SECONDS)

    def mend(self, error: Exception) -> None:
        """Called when a turn failed, before the pause."""
