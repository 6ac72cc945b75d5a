"""A benchmark that is told to end, by Ctrl-C or SIGTERM, ends what it started first."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager


def run_until_told(main: Callable[[], int | None]) -> int | None:
    """What a benchmark returns. Where it is told to end, every block that holds a process is left, and so ends it."""
    signal.signal(signal.SIGTERM, _leave)
    try:
        return main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _leave(number: int, _: object) -> None:
    signal.signal(number, signal.SIG_IGN)  # once told is enough: what ends takes a moment
    sys.exit(128 + number)


@contextmanager
def running(words: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Python with these words, until the end of the block; what it writes is not read."""
    quiet = subprocess.DEVNULL
    process = subprocess.Popen([sys.executable, *words], env=environment, stdout=quiet, stderr=quiet)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
