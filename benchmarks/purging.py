"""How long pages and writes take while a purge empties a log, against the same requests without it.

    python -m benchmarks.purging [--deliveries N] [--postgres]

An admin asks for pages and contacts are saved, in turn, while a worker's task purges the bodies of 100,000 deliveries,
and then most of their lines. The goal: no request over a second meanwhile, or over the longest without.
"""

import argparse
import itertools
import statistics
import sys
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from flask.testing import FlaskClient
from sqlalchemy import update

from benchmarks.ending import run_until_told
from benchmarks.long_log import Installation, install
from benchmarks.pages import log_in
from portal.clock import utcnow
from portal.database.db import db
from portal.database.upkeep import size_of
from portal.models import Company
from portal.privacy import retention
from portal.worker.task_runner import TaskRunner
from tests.postgres import throwaway_postgres

CONTACTS = 1_000
PAGES = ("/", "/deliveries", "/contacts", "/sync")
MAX_SECONDS = 1.0


def ask(at: Installation, client: FlaskClient, number: int) -> float:
    """The seconds that one request took; every second one writes."""
    headers = {"Authorization": f"Bearer {at.token}"}
    begun = time.perf_counter()
    if number % 2:
        answer = client.get(PAGES[number // 2 % len(PAGES)])
    else:
        contact = {"contact": {"name": f"Pessoa {number}", "linkedin_public_id": f"pessoa-{number % CONTACTS}"}}
        answer = client.post("/api/v1/contacts", json=contact, headers=headers)
    took = time.perf_counter() - begun
    assert answer.status_code in (200, 201), answer.text
    return took


def purge(at: Installation, days: dict[str, int]) -> None:
    """Today's purge, as a worker does it."""
    with at.app.app_context():
        db.session.execute(update(Company).values(days))
        retention.plan(db.session, now=utcnow() + retention.EVERY)
        db.session.commit()
        runner = TaskRunner(db.engine, on_due=lambda: None)
        while runner.run_one():
            pass


def measure(at: Installation, client: FlaskClient, what: str, work: threading.Thread | None = None) -> float:
    """Ask for as long as the work goes on, or 50 times; show what it took. Returns the longest in seconds."""
    begun, took = time.perf_counter(), list[float]()
    for number in itertools.count():
        if not work.is_alive() if work else number == 50:
            break
        took.append(ask(at, client, number))
    with at.app.app_context():
        size = (size_of(db.engine) or 0) / 1_000_000
    print(
        f"{what:<20} {time.perf_counter() - begun:6.1f} s, {len(took):5} requests, median"
        f" {statistics.median(took) * 1000:5.0f} ms, longest {max(took) * 1000:5.0f} ms, file {size:.0f} MB",
        flush=True,
    )
    return max(took)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deliveries", type=int, default=100_000)
    parser.add_argument("--postgres", action="store_true", help="a throw-away PostgreSQL instead of SQLite")
    given = parser.parse_args()
    server = throwaway_postgres(fsync=True) if given.postgres else nullcontext(None)
    with tempfile.TemporaryDirectory() as temporary, server as url:
        instance = Path(temporary)
        at = install(
            instance, url or f"sqlite:///{instance / 'portal.db'}", contacts=CONTACTS, deliveries=given.deliveries
        )
        client, longest = log_in(at), list[float]()
        without = measure(at, client, "without a purge")
        for what, days in (
            ("bodies and answers", {"keep_bodies_days": 0, "keep_log_days": 999}),
            ("lines of the log", {"keep_bodies_days": 0, "keep_log_days": 0}),
            ("nothing new", {"keep_bodies_days": 0, "keep_log_days": 0}),
        ):
            work = threading.Thread(target=purge, args=(at, days))
            work.start()
            longest.append(measure(at, client, what, work))
    return int(max(longest) > max(MAX_SECONDS, without))


if __name__ == "__main__":
    sys.exit(run_until_told(main))
