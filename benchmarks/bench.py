"""The portal against an earlier state of itself, in turn and in one run: `make bench`, or `make bench-quick`.

    python benchmarks/bench.py [--quick] [--base 8ce35a0] [--report docs/performance.md]

Both are driven from outside, by their commands and their API, with their default settings. Only ratios of one run are
worth anything: the machine, and what else it does, are the same for both. CPU is what the measured process used.
"""

import argparse
import os
import platform
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.comparison import REPORT, Case, Result, draw
from benchmarks.drain import Receiver, make_item
from benchmarks.driven import Api, Portal, cpu_seconds
from benchmarks.goals import COUNT, LOG_ROWS, measure
from tests.postgres import throwaway_postgres

ROOT = Path(__file__).parent.parent
PICTURE = "performance.svg"
LIST = 100
"""Contacts in one call, where there are several."""


@dataclass(frozen=True)
class Setting:
    """What both do: take in so many contacts, one a call and in lists, and then send all of them."""

    name: str
    singly: int
    in_lists: int
    delay: float = 0.0
    is_on_postgresql: bool = False
    workers: int = 1


SETTINGS = (
    Setting("SQLite", 500, 5_500),
    Setting("PostgreSQL", 300, 2_700, is_on_postgresql=True),
    Setting("PostgreSQL, two workers", 0, 2_700, is_on_postgresql=True, workers=2),
    Setting("SQLite, a receiver that takes 50 ms", 0, 3_000, delay=0.05),
)
QUICK = (Setting("SQLite", 200, 2_800),)


def take_in(api: Api, server: int, items: list[Any], *, at_once: int) -> Result:
    """Contacts with a level each, so many a call, one call after the other."""
    begun, cpu = time.monotonic(), cpu_seconds(server)
    for start in range(0, len(items), at_once):
        api.save(items[start : start + at_once] if at_once > 1 else items[start])
    seconds, used = time.monotonic() - begun, cpu_seconds(server) - cpu
    return Result(len(items) / seconds, used / len(items) * 1000)


def drain(portal: Portal, workers: int) -> Result:
    """What waits, from the first that is through to the last."""
    waiting = portal.waiting()
    with ExitStack() as stack:
        running = [stack.enter_context(portal.running("worker")) for _ in range(workers)]
        while (left := portal.waiting()) == waiting:
            fail_when_dead(*running)
            time.sleep(0.01)
        begun, cpu = time.monotonic(), sum(cpu_seconds(worker.pid) for worker in running)
        while portal.waiting():
            fail_when_dead(*running)
            time.sleep(0.05)
        seconds, used = time.monotonic() - begun, sum(cpu_seconds(worker.pid) for worker in running) - cpu
    return Result(left / seconds, used / left * 1000)


def fail_when_dead(*processes: subprocess.Popen[bytes]) -> None:
    """Nobody waits for what has ended."""
    for process in processes:
        if process.poll() is not None:
            raise SystemExit(f"The process that is measured ended with {process.returncode}.")


def run_round(tree: Path, setting: Setting) -> dict[str, Result]:
    """Each case once, on an installation of its own."""
    with tempfile.TemporaryDirectory() as folder, receiving(setting.delay):
        if not setting.is_on_postgresql:
            return run_cases(Portal(tree, Path(folder), None), setting)
        with throwaway_postgres(fsync=True) as url:
            return run_cases(Portal(tree, Path(folder), url), setting)


def run_cases(portal: Portal, setting: Setting) -> dict[str, Result]:
    results = {}
    count = setting.singly + setting.in_lists
    items = [make_item(number) for number in range(count + 1)]
    with portal.serving() as (server, api):
        api.save(items[count])  # what is compiled or read once is no part of what is measured
        if setting.singly:
            results["API, one contact a call"] = take_in(api, server.pid, items[: setting.singly], at_once=1)
        results[f"API, lists of {LIST}"] = take_in(api, server.pid, items[setting.singly : count], at_once=LIST)
    results["drain"] = drain(portal, setting.workers)
    return {f"{name}, {setting.name}": result for name, result in results.items()}


@contextmanager
def receiving(delay: float) -> Iterator[None]:
    receiver = Receiver(delay)
    try:
        yield
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


def compare(settings: tuple[Setting, ...], base: Path, *, rounds: int, minutes: float) -> list[Case]:
    """Run both in turn, as many whole rounds as fit into the time: at least one."""
    cases: dict[str, Case] = {}
    begun = time.monotonic()
    for _ in range(rounds):
        started = time.monotonic()
        for setting in settings:
            before, now = run_round(base, setting), run_round(ROOT, setting)
            for name in before:
                case = cases.setdefault(name, Case(name))
                case.before.append(before[name])
                case.now.append(now[name])
                print(case, flush=True)
        ended = time.monotonic()
        if (ended - begun) + (ended - started) > minutes * 60:
            break
    return list(cases.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--base", default="8ce35a0")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--minutes", type=float, default=8, help="no round begins that would end later")
    parser.add_argument("--report", type=Path)
    chosen = parser.parse_args()
    rounds, settings = chosen.rounds or (1 if chosen.quick else 3), QUICK if chosen.quick else SETTINGS
    load = [os.getloadavg()[0]]
    cases = compare(settings, tree_of(chosen.base), rounds=rounds, minutes=chosen.minutes)
    rounds = len(cases[0].now)
    load.append(os.getloadavg()[0])
    if chosen.report:
        also = list(measure(count=COUNT, log=LOG_ROWS))
        facts = {
            "target": "bench-quick" if chosen.quick else "bench",
            "day": time.strftime("%Y-%m-%d"),
            "base": chosen.base,
            "rounds": "1 round" if rounds == 1 else f"{rounds} rounds",
            "machine": f"{os.cpu_count()} processors, {platform.system()} {platform.machine()}, "
            f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}",
            "load": " and ".join(f"{each:.1f}" for each in load),
            "rows": "\n".join(map(str, cases)),
            "also": "\n".join(also),
            "picture": f"images/{PICTURE}",
        }
        (chosen.report.parent / "images" / PICTURE).write_text(draw(cases, chosen.base))
        chosen.report.write_text(REPORT.format(**facts))


if __name__ == "__main__":
    main()
