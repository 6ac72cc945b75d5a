"""The portal against an earlier state of itself, in turn and in one run: `make bench`, or `make bench-quick`.

    [PEERS=celery,huey,dramatiq] python -m benchmarks.bench [--quick] [--base 8ce35a0] [--report docs/performance.md]

Both are driven from outside, by their commands and their API, with their default settings. Only ratios of one run are
worth anything: the machine, and what else it does, are the same for both. Deliveries are counted where they arrive. CPU
is what all processes of the portal used, and those of PostgreSQL.
"""

import argparse
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable
from contextlib import ExitStack
from itertools import chain
from pathlib import Path

from benchmarks import beside, goals, importing, microseconds, pages, scale, tls
from benchmarks.backlog import LIST, ROOT, Backlog, Size
from benchmarks.comparison import Case, Result
from benchmarks.driven import PORT, Api, Portal
from benchmarks.ending import run_until_told
from benchmarks.items import make_item
from benchmarks.peers import COUNT, ROUNDS, measure_peers
from benchmarks.receiver import Receiver
from benchmarks.report import write_report
from benchmarks.server import Server


def take_in(portal: Portal, count: int, *, at_once: int) -> Result:
    """Contacts with a level each, so many a call, one call after the other, to the last receipt."""
    items = [make_item(number) for number in range(count + at_once)]
    receiver = Receiver()
    with portal.running("serve", "--port", str(PORT)), Api(portal.token) as api:
        api.save(items[count:] if at_once > 1 else items[count])  # what is read once is no part of what is measured
        receiver.came(at_once)
        begun, cpu = time.monotonic(), portal.cpu_seconds()
        for start in range(0, count, at_once):
            api.save(items[start : start + at_once] if at_once > 1 else items[start])
        seconds = receiver.came(count + at_once) - begun
        portal.wait_until_sent()
        used = portal.cpu_seconds() - cpu
    receiver.stop()
    return Result(count / seconds, used / count * 1000)


def drain(portal: Portal, workers: int, size: Size) -> Result:
    """What waits, to the last receipt."""
    receiver, before = Receiver(), size.under_way
    with ExitStack() as stack:
        for _ in range(workers):
            stack.enter_context(portal.running("worker"))
        begun, cpu = receiver.came(before), portal.cpu_seconds()
        seconds = receiver.came(size.waiting) - begun
        portal.wait_until_sent()
        used = portal.cpu_seconds() - cpu
    receiver.stop()
    count = size.waiting - before
    return Result(count / seconds, used / count * 1000)


def run_round(tree: Path, folder: Path, server: Server | None, backlog: Backlog, size: Size) -> dict[str, Result]:
    """Each case once, on an installation of its own."""
    results = {}
    for name, count, at_once in (("one contact a call", size.singly, 1), (f"lists of {LIST}", size.in_lists, LIST)):
        portal = Portal(tree, folder / "new", server)
        portal.install()
        results[f"API, {name}, to the last receipt"] = take_in(portal, count, at_once=at_once)
        portal.remove()
    for workers in (1, 2) if server else (1,):
        with backlog.copied() as portal:
            results["drain, two workers" if workers > 1 else "drain"] = drain(portal, workers, size)
    return results


def tree_of(commit: str) -> Path:
    """The code at that commit, in a worktree that stays for the next time."""
    tree = ROOT / "build" / "bench" / commit
    if not tree.exists():
        subprocess.run(
            ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), commit], check=True
        )
    return tree


def compare(base: Path, size: Size, *, rounds: int, databases: tuple[str, ...]) -> list[Case]:
    """Run both in turn, so many rounds on each database."""
    cases: dict[str, Case] = {}
    for database in databases:
        with ExitStack() as stack:
            server = stack.enter_context(Server.running()) if database == "PostgreSQL" else None
            sides = []
            for tree in (base, ROOT):
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
                sides.append((tree, folder, server, Backlog(tree, folder, server, size)))
            for _ in range(rounds):
                before, now = (run_round(*side, size) for side in sides)
                for name in before:
                    case = cases.setdefault(f"{database}: {name}", Case(f"{database}: {name}"))
                    case.before.append(before[name])
                    case.now.append(now[name])
                    print(case, flush=True)
    return list(cases.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one round on SQLite, and nothing else")
    parser.add_argument("--base", default="8ce35a0")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--report", type=Path)
    chosen = parser.parse_args()
    size = Size(200, 2_000, 3_000) if chosen.quick else Size()
    rounds = chosen.rounds or (1 if chosen.quick else 3)
    databases = ("SQLite",) if chosen.quick else ("SQLite", "PostgreSQL")
    cases = compare(tree_of(chosen.base), size, rounds=rounds, databases=databases)
    if chosen.report:
        told = {name: list(map(say, rows)) for name, rows in further_tables().items()}
        write_report(chosen.report, cases, told, base=chosen.base, rounds=rounds)


def further_tables() -> dict[str, Iterable[str]]:
    """The rows of each table but the first, as they are measured."""
    peers = os.environ.get("PEERS", "").replace(",", " ").split()
    others = (tls.measure_tls(tls.COUNT), importing.measure_import(), pages.measure_pages())
    return {
        "alone": chain(goals.measure(), beside.measure(), (f"| {row} |" for row in chain(*others))),
        "microseconds": microseconds.measure(),
        "scale": scale.measure(),
        "peers": measure_peers(peers, COUNT, ROUNDS) if peers else (),
    }


def say(row: str) -> str:
    print(row, flush=True)
    return row


if __name__ == "__main__":
    run_until_told(main)
