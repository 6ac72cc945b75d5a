"""Threads that begin, or an end of the start: nothing of the portal waits for a thread that never comes."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

START_SECONDS = 30.0  # threads begin within milliseconds, also on a machine that has much to do


@contextmanager
def starting_threads() -> Iterator[None]:
    """Raise MemoryError when the threads that are started inside have not begun after `START_SECONDS`.

    A thread that gets no memory for its first steps dies before it says that it began, and CPython lets whoever started
    it wait for ever. Off the main thread, which gets no signals, nothing is bounded.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGALRM, _give_up)
    signal.setitimer(signal.ITIMER_REAL, START_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _give_up(*_: object) -> NoReturn:
    raise MemoryError("a thread did not begin")
