"""The worker as a child process: kept alive, and never left behind.

A process of its own, because a backlog that drains inside the web process makes every page slow. The child's standard
input is a pipe that only this process holds: when this process is gone, however it went, the child reads the end of it
and stops cleanly. Whoever has threads cannot fork: a worker that follows a dead one is started as a program.
"""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from portal import clock

if TYPE_CHECKING:
    from portal.cli.forked import Forked

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 30.0
STEADY_SECONDS = 60.0  # A worker that lived for so long was well. The next one starts without a long pause.

STDIN = 0

logger = logging.getLogger(__name__)


class Supervisor:
    """Runs a worker and starts another when it dies, with pauses that grow while it keeps dying.

    `first` is the worker to begin with, where there is one; `environ` is what any other reads its settings from.
    """

    def __init__(self, environ: Mapping[str, str] | None = None, first: "Forked | None" = None) -> None:
        self._environ = dict(os.environ if environ is None else environ)
        self._first = first
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | Forked | None = None
        self._watcher = threading.Thread(target=self._keep_alive, name="supervisor", daemon=True)

    def start(self) -> None:
        """Start the worker and watch it."""
        self._watcher.start()

    def ask_to_stop(self) -> None:
        """Let the worker finish what it is sending; returns at once."""
        self._stopping.set()
        with self._lock:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()

    def stop(self, patience: float) -> None:
        """Stop the worker; kill it when it takes longer than `patience` seconds."""
        self.ask_to_stop()
        self._watcher.join(patience)
        if self._watcher.is_alive() and self._process is not None:
            logger.error("The worker did not stop in time and is killed.", extra={"action": "worker_killed"})
            self._process.kill()
            self._watcher.join()

    def _keep_alive(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self._stopping.is_set():
            started = clock.monotonic()
            what_happened, code = self._run_worker()
            if self._stopping.is_set():
                return
            pause = FIRST_PAUSE_SECONDS if clock.monotonic() - started >= STEADY_SECONDS else pause
            logger.error(
                "%s; starting it again.",
                what_happened,
                extra={"action": "worker_died", "exit_code": code, "pause_seconds": pause},
            )
            self._stopping.wait(pause)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def _run_worker(self) -> tuple[str, int | None]:
        """Run one worker to its end. Returns how it ended, in words, and its exit code."""
        try:
            process = self._spawn()
        except (OSError, MemoryError) as error:  # no memory or no processes left for now: that passes
            return f"The worker could not be started ({error or 'out of memory'})", None
        return "The worker ended", None if process is None else process.wait()

    def _spawn(self) -> "subprocess.Popen[bytes] | Forked | None":
        """The next worker, out of reach of this terminal's Ctrl-C; None when there is to be no other."""
        with self._lock:
            if self._stopping.is_set():
                return None
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.close()
            if self._first is not None:
                self._process, self._first = self._first, None
                self._process.begin()
                return self._process
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "portal", "worker", "--stop-with-parent"],  # not a "portal" of this folder
                stdin=subprocess.PIPE,
                env=self._environ,
                start_new_session=True,
            )
            return self._process


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
