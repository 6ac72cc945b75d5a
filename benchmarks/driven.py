"""An installation of one state of the code, driven from outside: by its commands and its API."""

import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.drain import KEY, LOOPBACK
from benchmarks.receiver import URL
from benchmarks.server import Server

PORT = 9872
PROGRAM = ("-m", "portal")
TICKS = os.sysconf("SC_CLK_TCK")
PROCESS_CLOCK = 2  # which of a process's clocks: Linux names it by this and the process (`clock_getcpuclockid`)
COMPANY, EMAIL = "Bench", "ana@example.com"


class Portal:
    """An installation of one state of the code, in a folder of its own, or in a database of the server."""

    token = ""

    def __init__(self, tree: Path, folder: Path, server: Server | None = None) -> None:
        self._tree, self._folder, self._server = tree, folder, server
        self._database = f"bench_{tree.name}_{folder.name}"
        self._environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "",  # what is compiled once is not compiled for every command
            "PYTHONPATH": str(tree),
            "PORTAL_INSTANCE": str(folder),
            "PORTAL_SECRET_KEY": KEY,
            "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
        }
        if server:
            self._environment["PORTAL_DATABASE_URL"] = server.url(self._database)
        self._running: list[int] = []

    def install(self) -> None:
        """With a company, its address, and a token of somebody who may do everything."""
        self._folder.mkdir()
        if self._server:
            self._server.create(self._database)
        self.run("upgrade")
        person = ("--company", COMPANY, "--email", EMAIL, "--name", "Ana", "--role", "admin")
        self.run("user", "add", *person, "--password-stdin", typed="benchmark-benchmark\n")
        self.run("webhook", "set", URL, "--company", COMPANY)
        self.token = self.run("token", "add", "--email", EMAIL, "--label", "bench").strip()

    def copy(self, folder: Path) -> "Portal":
        """Another with the same data, while nothing of this one runs."""
        copy = Portal(self._tree, folder, self._server)
        copy.token = self.token
        shutil.copytree(self._folder, folder)
        if self._server:
            self._watching.close()
            del self._watching
            self._server.create(copy._database, template=self._database)
        return copy

    def remove(self) -> None:
        if self._server:
            self._watching.close()
            self._server.drop(self._database)
        shutil.rmtree(self._folder)

    def run(self, *words: str, typed: str = "") -> str:
        command = [sys.executable, *PROGRAM, *words]
        environment, tree = self._environment, self._tree
        done = subprocess.run(
            command, env=environment, cwd=tree, input=typed, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"portal {' '.join(words)} failed:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def running(self, *words: str, program: Sequence[str] = PROGRAM) -> Iterator[subprocess.Popen[bytes]]:
        """A command that runs until it is told to stop."""
        command = [sys.executable, *program, *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=self._environment, cwd=self._tree, **quiet)  # type: ignore[call-overload]
        self._running.append(process.pid)
        try:
            yield process
            fail_when_dead(process)
        finally:
            process.terminate()
            process.wait()
            self._running.remove(process.pid)

    def cpu_seconds(self) -> float:
        """What all that runs has used, and the server."""
        return sum(map(cpu_seconds, [*self._running, *([self._server.pid] if self._server else [])]))

    def megabytes(self) -> float:
        """The memory that all that runs has now: what they share counts once."""
        shares = [Path(f"/proc/{pid}/smaps_rollup").read_text() for root in self._running for pid in tree_of(root)]
        return sum(int(share.partition("\nPss:")[2].split()[0]) for share in shares) / 1024

    @cached_property
    def _watching(self) -> psycopg.Connection[Any]:
        """One connection for every look: a new one each reads the catalogue anew, on the server that is measured."""
        assert self._server
        return self._server.connect(self._database)

    def waiting(self) -> int:
        """How many deliveries are not through."""
        query = "SELECT count(*) FROM delivery WHERE status IN ('pending', 'sending')"
        if self._server:
            return int(self._watching.execute(query).fetchone()[0])  # type: ignore[index]
        connection = sqlite3.connect(f"file:{self._folder / 'portal.db'}?mode=ro", uri=True)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()

    def wait_until_sent(self) -> None:
        while self.waiting():
            time.sleep(0.02)


class Api(AbstractContextManager["Api"]):
    """One connection to a portal that serves, once it does."""

    def __init__(self, token: str, port: int = PORT) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        end = time.monotonic() + 30
        while True:
            self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                self._connection.request("GET", "/healthz")
                self._connection.getresponse().read()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def save(self, given: Any) -> None:
        self._connection.request("POST", "/api/v1/contacts", json.dumps(given), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"The API answered {answer.status}: {text.decode()[:300]}")


def fail_when_dead(*processes: subprocess.Popen[bytes]) -> None:
    """Nothing is measured of what has ended."""
    for process in processes:
        if process.poll() is not None:
            raise SystemExit(f"The process that is measured ended with {process.returncode}.")


def cpu_seconds(root: int) -> float:
    """What a process and all below it have used, those included that ended."""
    return sum(map(seconds_of, tree_of(root)))


def tree_of(root: int) -> Iterator[int]:
    """A process and all below it."""
    yield root
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{root}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from tree_of(int(child))


def seconds_of(pid: int) -> float:
    """What a process has used, by its own clock, and by ticks what those below it that ended have."""
    with suppress(OSError):
        ended = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[13:15]
        return time.clock_gettime(~pid << 3 | PROCESS_CLOCK) + sum(map(int, ended)) / TICKS
    return 0.0
