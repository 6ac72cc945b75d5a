"""Where the processor's time of a delivery and of a call goes: `python -m benchmarks.microseconds`, half a minute.

`portal worker` and `portal serve` run with the functions of `WORKER` and `SERVER` wrapped: each is charged with what
its thread uses until it returns, less what others of the list use meanwhile, less what the clock itself takes. The rest
is what the process used besides. It prints rows of a table.
"""

import functools
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.backlog import ROOT, Backlog, Size
from benchmarks.driven import PORT, Api, Portal
from benchmarks.ending import run_until_told
from benchmarks.items import make_item
from benchmarks.receiver import Receiver
from benchmarks.server import Server

STORE = {
    "portal.database.driver:_run": "the database's own work, and the driver's",
    "portal.database.driver:_read": "the database's own work, and the driver's",
    "portal.database.driver:run_words": "the database's own work, and the driver's",
    "sqlalchemy.engine.default:DefaultDialect.do_commit": "the commit",
}
WORKER = STORE | {
    "portal.worker.dispatcher:Dispatcher.turn": "turning, and waiting",
    "portal.outbox:settle": "settling, in Python",
    "portal.outbox:claim_due": "claiming, in Python",
    "portal.worker.sender:Sender._begin_all": "signing, and handing over",
    "portal.egress.loop:Loop._turn": "the loop, with libcurl",
    "portal.egress.transport:Transport.begin": "libcurl's options",
    "portal.egress.transport:Transport.finish": "reading the answer",
    "portal.webhook:_Attempt._on_answer": "judging",
}
SERVER = STORE | {
    "portal.cli.connections:Channel.received": "reading the request, by waitress",
    "portal.cli.connections:Channel.service": "answering, by waitress",
    "flask:Flask.wsgi_app": "Flask, and what stands around every view",
    "portal.people.tokens:find_bearer": "the token, in Python",
    "portal.api.contacts:read_json": "reading JSON",
    "portal.api.contacts:load_many": "its form",
    "portal.api.contacts:save_each": "matching, planning and writing, in Python",
}
SIZE = Size()
CALLS = 1_000
ALL = "all"
WRAPPED = {"worker": WORKER, "server": SERVER}


class Charges:
    """Nanoseconds for each name, of all threads."""

    def __init__(self) -> None:
        self.of: Counter[str] = Counter()
        self._running = threading.local()
        self._own = 0
        probe = self.charging("probe", lambda: None)
        for _ in range(2_000):
            probe()
        self._own = self.of.pop("probe") // 2_000

    def charging(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def charged(*arguments: Any, **named: Any) -> Any:
            others, self._running.inner = getattr(self._running, "inner", 0), 0
            begun = time.thread_time_ns()
            try:
                return function(*arguments, **named)
            finally:
                used = time.thread_time_ns() - begun
                self.of[name] += used - self._running.inner - self._own
                self._running.inner = others + used + self._own

        return charged

    def wrap(self, place: str, name: str) -> None:
        module, _, path = place.partition(":")
        *outer, function = path.split(".")
        holder: Any = functools.reduce(getattr, outer, import_module(module))
        setattr(holder, function, self.charging(name, getattr(holder, function)))


def run_charged(kind: str, file: str, *words: str) -> None:
    """A command of the portal, which writes its charges into the file at each SIGUSR1."""
    from portal.__main__ import main

    charges = Charges()
    for place, name in WRAPPED[kind].items():
        charges.wrap(place, name)

    def write(*_: object) -> None:
        told = {**charges.of, ALL: time.process_time_ns()}
        Path(file + ".new").write_text(json.dumps(told))
        Path(file + ".new").rename(file)

    signal.signal(signal.SIGUSR1, write)
    sys.argv = ["portal", *words]
    main()


class Charged:
    """What a process that runs charged has used since this was made."""

    def __init__(self, process: subprocess.Popen[bytes], file: Path) -> None:
        self._process, self._file = process, file
        self._before = self._ask()

    def _ask(self) -> dict[str, int]:
        self._file.unlink(missing_ok=True)
        self._process.send_signal(signal.SIGUSR1)
        while not self._file.exists():
            time.sleep(0.01)
        told: dict[str, int] = json.loads(self._file.read_text())
        return told

    def shares(self, count: int) -> Iterator[tuple[str, float]]:
        """The microseconds of each name for one of so many, the most first, and of what has no name."""
        used = Counter(self._ask())
        used.subtract(self._before)
        every = used.pop(ALL)
        for name, nanoseconds in [*used.most_common(), ("what is besides", every - used.total())]:
            yield name, nanoseconds / count / 1000


def measure_delivery(name: str, server: Server | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        backlog, file, receiver = Backlog(ROOT, Path(folder), server, SIZE), Path(folder, "charges"), Receiver()
        program = ("-m", "benchmarks.microseconds", "worker", str(file))
        with backlog.copied() as portal, portal.running("worker", program=program) as process:
            receiver.came(SIZE.under_way)
            charged = Charged(process, file)
            left = portal.waiting()
            portal.wait_until_sent()
            yield from say(f"a delivery, {name}", charged.shares(left))
        receiver.stop()


def measure_call(name: str, server: Server | None) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as folder:
        portal, file = Portal(ROOT, Path(folder, "portal"), server), Path(folder, "charges")
        portal.install()
        program = ("-m", "benchmarks.microseconds", "server", str(file))
        words = ("serve", "--no-worker", "--port", str(PORT))
        with portal.running(*words, program=program) as process, Api(portal.token) as api:
            for number in range(10):
                api.save(make_item(number))
            charged = Charged(process, file)
            for number in range(10, 10 + CALLS):
                api.save(make_item(number))
            yield from say(f"a call with one contact, {name}", charged.shares(CALLS))


def say(what: str, shares: Iterator[tuple[str, float]]) -> Iterator[str]:
    """One row: the whole first, and then its parts."""
    told = list(shares)
    parts = ", ".join(f"{name} {microseconds:.0f}" for name, microseconds in told)
    yield f"| {what} | {sum(microseconds for _, microseconds in told):.0f} | {parts} |"


def measure() -> Iterator[str]:
    """Rows of a table, as each is known."""
    yield from measure_delivery("SQLite", None)
    yield from measure_call("SQLite", None)
    with Server.running() as server:
        yield from measure_delivery("PostgreSQL", server)
        yield from measure_call("PostgreSQL", server)


def main() -> None:
    for row in measure():
        print(row, flush=True)


if __name__ == "__main__":
    if sys.argv[1:]:
        run_charged(*sys.argv[1:])
    else:
        run_until_told(main)
