"""The first worker of `portal serve`: forked from its process, so that what both need is in memory once.

It is forked while nothing in that process is only for one of them: no thread, no connection, no open file.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from portal.cli import leave
from portal.cli.errors import explain_error
from portal.cli.supervisor import STDIN

logger = logging.getLogger(__name__)


def fork_worker(work: Callable[[], None]) -> "Forked | None":
    """A worker that waits to be told to begin, and then does `work`; None where there can be none, or it is not safe.

    Elsewhere than on Linux the system's own libraries may have threads.
    """
    if sys.platform != "linux" or threading.active_count() > 1:
        return None
    with suppress(OSError):  # no memory or no processes left for now
        return Forked(work)
    return None


class Forked:
    """A worker that was forked. Whoever holds it uses it as a Popen; it ends with its holder."""

    def __init__(self, work: Callable[[], None]) -> None:
        reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            _become_worker(work, reader, writer)
        os.close(reader)
        self.stdin = os.fdopen(writer, "wb", buffering=0)

    def begin(self) -> None:
        """Let it work."""
        with suppress(BrokenPipeError):  # it has ended
            self.stdin.write(b"\n")

    def wait(self) -> int:
        """Wait for its end. Returns its exit code, or the negative number of the signal that ended it.

        Where whoever started this process lets SIGCHLD be ignored nobody learns how it ended: that is 0, too.
        """
        status = 0
        with suppress(ChildProcessError):
            status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(status)

    def kill(self) -> None:
        """End it at once."""
        with suppress(ProcessLookupError):  # it has ended
            os.kill(self.pid, signal.SIGKILL)


def _become_worker(work: Callable[[], None], reader: int, writer: int) -> NoReturn:
    """Do the work of this process, which was just forked, once the other one says so by the pipe; what called this goes
    on there, and never here.
    """
    code = 1
    try:
        os.close(writer)
        if reader != STDIN:  # it is, where there was no standard input
            os.dup2(reader, STDIN)
            os.close(reader)
        os.setsid()  # out of reach of this terminal's Ctrl-C
        if os.read(STDIN, 1):
            work()
        code = 0
    except Exception as error:
        if sentence := explain_error(error):
            logger.error("%s", sentence, extra={"action": "not_started"})
        else:
            logger.exception("The worker met a fault.", extra={"action": "not_started"})
    finally:
        leave(code)
