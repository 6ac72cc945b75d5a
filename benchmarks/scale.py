"""What several processes on one PostgreSQL give: `python -m benchmarks.scale`, a few minutes.

It prints rows of a table: what runs, how many a second, and how many processors the portal and the server kept busy.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from benchmarks.backlog import ROOT, Backlog, Size
from benchmarks.driven import PORT, Api, Portal, cpu_seconds
from benchmarks.ending import run_until_told
from benchmarks.items import make_item
from benchmarks.receiver import Receiver
from benchmarks.server import Server

PROCESSES = (1, 2, 4)
SIZE = Size()
CALLS = 400
"""To each web process, by one caller that waits for each answer."""


def measure_workers(backlog: Backlog, server: Server) -> Iterator[str]:
    for workers in PROCESSES:
        receiver = Receiver()
        with backlog.copied() as portal, ExitStack() as stack:
            for _ in range(workers):
                stack.enter_context(portal.running("worker"))
            begun, busy = receiver.came(SIZE.under_way), busy_since(portal, server)
            seconds = receiver.came(SIZE.waiting) - begun
            used = busy(seconds)
        receiver.stop()
        yield f"{name(workers, 'worker')}, deliveries | {(SIZE.waiting - SIZE.under_way) / seconds:,.0f} | {used}"


def measure_webs(portal: Portal, server: Server) -> Iterator[str]:
    for webs in PROCESSES:
        with ExitStack() as stack:
            ports = range(PORT, PORT + webs)
            for port in ports:
                stack.enter_context(portal.running("serve", "--no-worker", "--port", str(port)))
            apis = [stack.enter_context(Api(portal.token, port)) for port in ports]
            for place, api in enumerate(apis):
                api.save(make_item(place))
            begun, busy = time.monotonic(), busy_since(portal, server)
            with ThreadPoolExecutor(webs) as callers:
                list(callers.map(call_often, apis, range(webs)))
            seconds = time.monotonic() - begun
            used = busy(seconds)
        yield f"{name(webs, 'web process')}, contacts, one a call | {webs * CALLS / seconds:,.0f} | {used}"


def call_often(api: Api, place: int) -> None:
    for number in range(CALLS):
        api.save(make_item(place * CALLS + number))


def busy_since(portal: Portal, server: Server) -> Callable[[float], str]:
    """From now on: what is called with the seconds that passed says how many processors were busy meanwhile."""
    both, below = portal.cpu_seconds(), cpu_seconds(server.pid)

    def busy(seconds: float) -> str:
        servers = (cpu_seconds(server.pid) - below) / seconds
        return f"{(portal.cpu_seconds() - both) / seconds - servers:.2f} | {servers:.2f}"

    return busy


def name(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 'es' if what.endswith('s') else 's'}"


def measure() -> Iterator[str]:
    """Rows of a table, as each is known."""
    with Server.running() as server, tempfile.TemporaryDirectory() as folder:
        backlog = Backlog(ROOT, Path(folder), server, SIZE)
        portal = Portal(ROOT, Path(folder, "web"), server)
        portal.install()
        for rows in (measure_workers(backlog, server), measure_webs(portal, server)):
            for row in rows:
                yield f"| {row} |"


def main() -> None:
    for row in measure():
        print(row, flush=True)


if __name__ == "__main__":
    run_until_told(main)
