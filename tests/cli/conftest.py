"""Commands, run in this process or in one of their own."""

import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from portal.cli import cli
from tests import factories
from tests.programs import FORKING, Act, Program, be_portal

Run = Callable[..., Result]
Start = Callable[..., "Running"]

EXTRA_SECONDS = 60
"""What a process may take to say something on a busy machine."""
STOP_SECONDS = 30
"""What it may take to stop there; one that does not listen would be waited for longer."""


@pytest.fixture
def environ(instance: Path) -> dict[str, str]:
    """The settings of the commands: an instance of this test's own, and quick retries."""
    return {
        "PORTAL_INSTANCE": str(instance),
        "PORTAL_SECRET_KEY": "k" * 48,
        "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
        "PORTAL_RETRY_SCHEDULE": "0s,1s,1s",
        "PORTAL_DEADLINE": "10",
        "PORTAL_CONNECT_TIMEOUT": "5",
        "LC_ALL": "C.UTF-8",
    }


@pytest.fixture
def run(environ: dict[str, str], sqlite_url: str) -> Run:
    """Run a command in this process, on a database with the schema in it."""

    def run(*arguments: object, stdin: str | None = None, **more: str) -> Result:
        result = CliRunner().invoke(cli, [str(each) for each in arguments], input=stdin, env=environ | more)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


class Running:
    """A command in a process of its own; its output, standard error included, is kept as it comes."""

    def __init__(self, arguments: tuple[str, ...], environ: dict[str, str], folder: Path, act: Act = be_portal) -> None:
        reader, writer = FORKING.Pipe(duplex=False)
        self.process = Program(act, *arguments, environ=environ, out=writer, folder=folder)
        self._said = os.fdopen(os.dup(reader.fileno()), errors="replace")
        reader.close()
        self.output = ""
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, pattern: str, timeout: float = EXTRA_SECONDS) -> "re.Match[str]":
        """The first match of the pattern in what was printed so far, or will be soon."""
        with self._changed:
            self._changed.wait_for(lambda: re.search(pattern, self.output) or self.process.poll() is not None, timeout)
        self.process.poll() is not None and self._reader.join()
        found = re.search(pattern, self.output)
        assert found, f"{pattern!r} did not appear in: {self.output}"
        return found

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, float]:
        """Send a signal; returns the exit code, and how many seconds stopping took."""
        started = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(60)
        took = time.monotonic() - started
        self._reader.join()
        return code, took

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self._said.close()

    def _read(self) -> None:
        for line in self._said:
            with self._changed:
                self.output += line
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


@pytest.fixture
def start(environ: dict[str, str], tmp_path: Path) -> Iterator[Start]:
    """Start commands in processes of their own; what still runs at the end is killed."""
    started: list[Running] = []

    def start(*arguments: str, act: Act = be_portal, **more: str) -> Running:
        started.append(Running(arguments, environ | more, tmp_path, act))
        return started[-1]

    yield start
    for running in started:
        running.close()
