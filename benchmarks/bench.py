"""The portal against an earlier state of itself, in turn and in one run: `make bench`, or `make bench-quick`.

    python benchmarks/bench.py [--quick] [--base 8ce35a0] [--report docs/performance.md]

Both are driven from outside, by their commands and their API, with their default settings. Only ratios of one run are
worth anything: the machine, and what else it does, are the same for both. CPU is what the measured process used.
"""

import argparse
import http.client
import json
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import psycopg

from benchmarks.drain import KEY, LOOPBACK, URL, Receiver, make_item
from tests.postgres import throwaway_postgres

ROOT = Path(__file__).parent.parent
PORT = 9872
TICKS = os.sysconf("SC_CLK_TCK")
COMPANY, EMAIL = "Bench", "ana@example.com"
LIST = 500
"""Contacts in one call, where a backlog is made."""


@dataclass(frozen=True)
class Result:
    """What one case gave: how many a second, and milliseconds of CPU for each."""

    rate: float
    cpu_ms: float


@dataclass(frozen=True)
class Case:
    name: str
    unit: str
    count: int
    measure: Callable[["Portal", int], Result]
    delay: float = 0.0
    is_on_postgresql: bool = False


class Portal:
    """An installation of one state of the code, driven by its commands."""

    def __init__(self, tree: Path, folder: Path, database_url: str | None) -> None:
        self._tree = tree
        self._environment = os.environ | {
            "PYTHONDONTWRITEBYTECODE": "",  # what is compiled once is not compiled for every command
            "PYTHONPATH": str(tree),
            "PORTAL_INSTANCE": str(folder),
            "PORTAL_SECRET_KEY": KEY,
            "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
        }
        self._file = folder / "portal.db"
        self._url = database_url
        if database_url:
            self._environment["PORTAL_DATABASE_URL"] = database_url
        self.run("upgrade")
        person = ("--company", COMPANY, "--email", EMAIL, "--name", "Ana", "--role", "admin")
        self.run("user", "add", *person, "--password-stdin", typed="benchmark-benchmark\n")
        self.run("webhook", "set", URL, "--company", COMPANY)
        self._token = self.run("token", "add", "--email", EMAIL, "--label", "bench").strip()

    def run(self, *words: str, typed: str = "") -> str:
        command = [sys.executable, "-m", "portal", *words]
        environment, tree = self._environment, self._tree
        done = subprocess.run(
            command, env=environment, cwd=tree, input=typed, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(f"portal {' '.join(words)} failed:\n{done.stderr}")
        return done.stdout

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "portal", *words]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        process = subprocess.Popen(command, env=self._environment, cwd=self._tree, **quiet)  # type: ignore[call-overload]
        try:
            yield process
        finally:
            process.terminate()
            process.wait()

    @contextmanager
    def serving(self) -> Iterator[tuple[subprocess.Popen[bytes], "Api"]]:
        with self.running("serve", "--no-worker", "--port", str(PORT)) as process:
            yield process, Api(self._token)

    def waiting(self) -> int:
        """How many deliveries are not through."""
        query = "SELECT count(*) FROM delivery WHERE status IN ('pending', 'sending')"
        if self._url:
            with psycopg.connect(self._url.replace("+psycopg", "")) as connection:
                return int(connection.execute(query).fetchone()[0])  # type: ignore[index]
        connection = sqlite3.connect(f"file:{self._file}?mode=ro", uri=True)
        try:
            return int(connection.execute(query).fetchone()[0])
        finally:
            connection.close()


class Api:
    """One connection to a portal that serves, once it does."""

    def __init__(self, token: str) -> None:
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        end = time.monotonic() + 30
        while True:
            self._connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)
            try:
                self._connection.request("GET", "/healthz")
                self._connection.getresponse().read()
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def save(self, given: Any) -> None:
        self._connection.request("POST", "/api/v1/contacts", json.dumps(given), self._headers)
        answer = self._connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"The API answered {answer.status}: {text.decode()[:300]}")


def cpu_seconds(pid: int) -> float:
    """What a process and its children have used."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                facts = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(facts[1]), (int(facts[11]) + int(facts[12])) / TICKS
    own = parents.get(pid, (0, 0.0))[1]
    return own + sum(cpu_of_child for parent, cpu_of_child in parents.values() if parent == pid)


def drain(portal: Portal, count: int) -> Result:
    """A backlog, from the first that is through to the last."""
    with portal.serving() as (_, api):
        for start in range(0, count, LIST):
            api.save([make_item(number) for number in range(start, min(start + LIST, count))])
    with portal.running("worker") as worker:
        while (left := portal.waiting()) == count:
            fail_when_dead(worker)
            time.sleep(0.01)
        begun, cpu, total = time.monotonic(), cpu_seconds(worker.pid), left
        while portal.waiting():
            fail_when_dead(worker)
            time.sleep(0.05)
        seconds, used = time.monotonic() - begun, cpu_seconds(worker.pid) - cpu
    return Result(total / seconds, used / total * 1000)


def fail_when_dead(process: subprocess.Popen[bytes]) -> None:
    """Nobody waits for what has ended."""
    if process.poll() is not None:
        raise SystemExit(f"The process that is measured ended with {process.returncode}.")


def take_in(portal: Portal, count: int, *, at_once: int = 1) -> Result:
    """Contacts with a level each, so many a call, one call after the other."""
    with portal.serving() as (server, api):
        api.save([make_item(number) for number in range(-at_once, 0)])
        begun, cpu = time.monotonic(), cpu_seconds(server.pid)
        for start in range(0, count, at_once):
            items = [make_item(number) for number in range(start, start + at_once)]
            api.save(items if at_once > 1 else items[0])
        seconds, used = time.monotonic() - begun, cpu_seconds(server.pid) - cpu
    return Result(count / seconds, used / count * 1000)


def take_in_lists(portal: Portal, count: int) -> Result:
    return take_in(portal, count, at_once=100)


CASES = (
    Case("drain, SQLite", "deliveries", 10_000, drain),
    Case("drain, SQLite, a receiver that takes 50 ms", "deliveries", 3_000, drain, delay=0.05),
    Case("drain, PostgreSQL", "deliveries", 5_000, drain, is_on_postgresql=True),
    Case("API, one contact a call", "contacts", 900, take_in),
    Case("API, lists of 100", "contacts", 5_000, take_in_lists),
)
QUICK = (
    Case("drain, SQLite", "deliveries", 3_000, drain),
    Case("API, one contact a call", "contacts", 200, take_in),
    Case("API, lists of 100", "contacts", 1_000, take_in_lists),
)


def measure(case: Case, tree: Path) -> Result:
    """The case once, on an installation of its own."""
    with tempfile.TemporaryDirectory() as folder:
        receiver = Receiver(case.delay)
        try:
            if not case.is_on_postgresql:
                return case.measure(Portal(tree, Path(folder), None), case.count)
            with throwaway_postgres(fsync=True) as url:
                return case.measure(Portal(tree, Path(folder), url), case.count)
        finally:
            receiver.stop()


def tree_of(commit: str) -> Path:
    """The code at that commit, in a worktree that stays for the next time."""
    tree = ROOT / "build" / "bench" / commit
    if not tree.exists():
        subprocess.run(
            ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), commit], check=True
        )
    return tree


def compare(cases: tuple[Case, ...], base: Path, rounds: int) -> list[str]:
    """The table's rows: medians of both, and the medians of the rounds' ratios."""
    rows = []
    for case in cases:
        pairs = [(measure(case, base), measure(case, ROOT)) for _ in range(rounds)]
        before, now = zip(*pairs, strict=True)
        rates = [f"{median(each.rate for each in some):,.0f}" for some in (before, now)]
        cpus = [f"{median(each.cpu_ms for each in some):.2f}" for some in (before, now)]
        faster = median(new.rate / old.rate for old, new in pairs)
        less = median(old.cpu_ms / new.cpu_ms for old, new in pairs)
        row = (f"{case.name} ({case.count:,} {case.unit})", *rates, f"**{faster:.1f}**", *cpus, f"**{less:.1f}**")
        rows.append("| " + " | ".join(row) + " |")
        print(rows[-1], flush=True)
    return rows


REPORT = """# Performance

Measured by `make {target}` on {day}: this code against its own state at {base}, in turn, {rounds}, with default
settings, `synchronous=FULL`, and a receiver in Python on the same machine. A ratio is the median of the rounds' own;
compare nothing across runs or machines. CPU is that of the process that is measured: the worker, or who serves.

Machine: {machine}. Its load when the run began and when it ended: {load}.

| case | {base}, a second | now, a second | times as many | {base}, CPU ms each | now, CPU ms each | times as little |
|---|---|---|---|---|---|---|
{rows}

`python benchmarks/drain.py` compares a worker with a bare loop of its own sender, `benchmarks/pages.py` asks for the
pages over a long log, `benchmarks/saving.py` and `benchmarks/import.py` measure saving and importing contacts.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--base", default="8ce35a0")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--report", type=Path)
    chosen = parser.parse_args()
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    load = [os.getloadavg()[0]]
    rows = compare(QUICK if chosen.quick else CASES, tree_of(chosen.base), rounds)
    load.append(os.getloadavg()[0])
    if chosen.report:
        facts = {
            "target": "bench-quick" if chosen.quick else "bench",
            "day": time.strftime("%Y-%m-%d"),
            "base": chosen.base,
            "rounds": "1 round" if rounds == 1 else f"{rounds} rounds",
            "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
            "load": " and ".join(f"{each:.1f}" for each in load),
            "rows": "\n".join(rows),
        }
        chosen.report.write_text(REPORT.format(**facts))


if __name__ == "__main__":
    main()
