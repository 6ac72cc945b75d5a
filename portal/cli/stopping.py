"""How a process of the portal is asked to stop: by a signal, or by its parent being gone."""

import os
import signal
import threading

STDIN = 0


def stop_on_signals() -> threading.Event:
    """An event that SIGTERM, SIGINT and SIGHUP set from now on, but for what `nohup` ignores. Main thread only."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: stop.set())
    return stop


def stop_with_parent(stop: threading.Event) -> None:
    """Set `stop` when standard input ends: the parent holds the other end of it, and a dead parent lets go of it."""

    def watch() -> None:
        while os.read(STDIN, 1024):
            pass
        stop.set()

    threading.Thread(target=watch, name="parent", daemon=True).start()
