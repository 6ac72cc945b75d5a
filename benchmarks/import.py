"""How long importing takes, and how much memory: 100,000 contacts, with a level and a webhook each.

    python benchmarks/import.py [rows] [--no-levels] [--postgres]

The file is imported twice as the worker does it, into a database in a temporary folder: first all of it is new, then
nothing is. The goal is 100,000 rows in under 60 s with at most 60 MB more memory. On a busy machine the seconds of the
processor tell more than those of the clock.
"""

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

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


def import_once(path: Path, company_id: int, user_id: int) -> None:
    with MemoryWatch() as memory:
        begun, busy = time.perf_counter(), time.process_time()
        with path.open("rb") as file:
            task = receive(db.session, Actor(company_id, "bench"), file, user_id=user_id, filename=path.name)
        db.session.commit()
        stored = time.perf_counter() - begun
        runner = TaskRunner(db.engine, on_due=lambda: None)
        runner.run_one()
        examined = time.perf_counter() - begun - stored
        db.session.expire_all()
        order = replace(Order.from_json(task.arguments), campaign="Grande")
        task.arguments, total = order.as_json(), task.total
        store.start(db.session, task)
        db.session.commit()
        runner.run_one()
        took, busy = time.perf_counter() - begun, time.process_time() - busy
    done = db.session.get_one(Task, task.id, populate_existing=True)
    print(
        f"{total} rows: {took:.1f} s ({total / took:.0f} a second; examining {examined:.1f} s,"
        f" storing {stored:.1f} s, processor {busy:.1f} s),"
        f" memory +{memory.growth:.0f} MB, {done.status}, {done.counts}"
    )
    db.session.commit()


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
            print(f"{path.stat().st_size / 2**20:.0f} MB, {db.engine.dialect.name}")
            for _ in range(2):
                import_once(path, company.id, user.id)
            rows = [db.session.query(table).count() for table in (Contact, Classification, Delivery)]
            print("contacts, classifications, deliveries:", *rows)
            db.session.remove()
            db.engine.dispose()


if __name__ == "__main__":
    main()
