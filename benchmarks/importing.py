"""How long importing takes, and how much memory: 100,000 contacts, with a level and a webhook each.

    python -m benchmarks.importing [rows] [--no-levels] [--postgres]

The file is imported twice as the worker does it, into a database in a temporary folder: first all of it is new, then
nothing is. It prints a row of a table for each. The goal is 100,000 rows in under 20 s with at most 60 MB more memory.
On a busy machine the seconds of the processor tell more than those of the clock.
"""

import argparse
import gc
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from benchmarks.ending import run_until_told
from portal import create_app
from portal.__main__ import OBJECTS_BEFORE_COLLECTION
from portal.audit import Actor
from portal.clock import utcnow
from portal.company import endpoint
from portal.config import Settings
from portal.database.db import db
from portal.database.upgrading import upgrade_schema
from portal.importing.examining import receive
from portal.importing.order import Order
from portal.models import Classification, Contact, Delivery, Task
from portal.tasks import store
from portal.tasks.store import Chunk, TaskClaim
from portal.worker.task_runner import TaskRunner
from tests.factories import make_company, make_user
from tests.postgres import throwaway_postgres

HEADER = "First Name,Last Name,URL,Email Address,Company,Position,Connected On,Nível\n"


def make_file(path: Path, rows: int, *, with_levels: bool) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(HEADER)
        for number in range(rows):
            level = number % 3 + 1 if with_levels else ""
            file.write(
                f"João {number},D'Ávila,https://www.linkedin.com/in/joao-{number},joao{number}@example.com,"
                f'"Açúcar, Café & Cia {number % 500}",Gerente de Vendas,12 Mar 2024,{level}\n'
            )


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


class MemoryWatch:
    """The most memory the process had while it ran, over what it had before."""

    def __enter__(self) -> "MemoryWatch":
        self.before = self.peak = resident_mb()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def _watch(self) -> None:
        while not self._stop.wait(0.02):
            self.peak = max(self.peak, resident_mb())

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def growth(self) -> float:
        return self.peak - self.before


class TimedRunner(TaskRunner):
    """Knows how long the longest transaction of a chunk took: so long others wait for SQLite's write lock."""

    longest = 0.0

    def _do_chunk(self, held: TaskClaim, chunk: Chunk) -> bool:
        begun = time.perf_counter()
        try:
            return super()._do_chunk(held, chunk)
        finally:
            self.longest = max(self.longest, time.perf_counter() - begun)


def import_once(path: Path, company_id: int, user_id: int) -> str:
    """Import the file, from its arrival on. Returns what was measured."""
    with MemoryWatch() as memory:
        begun, busy = time.perf_counter(), time.process_time()
        with path.open("rb") as file:
            task = receive(db.session, Actor(company_id, "bench"), file, user_id=user_id, filename=path.name)
        db.session.commit()
        runner = TimedRunner(db.engine, on_due=lambda: None)
        runner.run_one()
        db.session.expire_all()
        order = replace(Order.from_json(task.arguments), campaign="Grande")
        task.arguments, total = order.as_json(), task.total
        store.start(db.session, task)
        db.session.commit()
        runner.run_one()
        took, busy = time.perf_counter() - begun, time.process_time() - busy
    done = db.session.get_one(Task, task.id, populate_existing=True)
    if sum(done.counts.get(name, 0) for name in ("created", "unchanged")) != total:
        raise SystemExit(f"{done.status}: {done.counts}")
    db.session.commit()
    return (
        f"{took:.1f} s, {busy:.1f} s of a processor; memory +{memory.growth:.0f} MB; the longest transaction"
        f" {runner.longest * 1000:.0f} ms"
    )


def measure_import(*options: str) -> Iterator[str]:
    """Rows of a table: what was imported, and what it took, in a process of its own."""
    program = [sys.executable, "-m", "benchmarks.importing", *options]
    done = subprocess.run(program, stdout=subprocess.PIPE, text=True, check=True)
    yield from done.stdout.splitlines()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("rows", nargs="?", type=int, default=100_000)
    parser.add_argument("--no-levels", action="store_true")
    parser.add_argument("--postgres", action="store_true")
    given = parser.parse_args()
    gc.set_threshold(OBJECTS_BEFORE_COLLECTION)  # as in every process of the portal
    server = throwaway_postgres(fsync=True) if given.postgres else nullcontext(None)
    with tempfile.TemporaryDirectory() as folder, server as url:
        instance = Path(folder)
        url = url or f"sqlite:///{instance / 'portal.db'}"
        app = create_app(Settings(instance=instance, database_url=url, secret_key="k" * 48))
        with app.app_context():
            upgrade_schema(db.engine, backups=instance, now=utcnow())
            company = make_company()
            user = make_user(company)
            endpoint.get_endpoint(db.session, company.id).url = "http://127.0.0.1:9/"
            db.session.commit()
            path = instance / "contacts.csv"
            make_file(path, given.rows, with_levels=not given.no_levels)
            what = f"{given.rows:,} contacts{'' if given.no_levels else ', each with a level and a webhook'}"
            for which in ("all new", "the same file again"):
                measured = import_once(path, company.id, user.id)
                print(
                    f"import of {what}, {'PostgreSQL' if given.postgres else 'SQLite'}, {which} | {measured}",
                    flush=True,
                )
            rows = [db.session.query(table).count() for table in (Contact, Classification, Delivery)]
            print("contacts, classifications, deliveries:", *rows, file=sys.stderr)
            db.session.remove()
            db.engine.dispose()


if __name__ == "__main__":
    run_until_told(main)
