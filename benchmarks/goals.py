"""What `make bench` measures of this code alone: connections, origins, pauses, starts. On SQLite, a few minutes.

    python -m benchmarks.goals [--count 5000] [--log 1000000]

It prints rows of a table: what was measured, and the figures. Those of one row come from one run and may be compared.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from statistics import median, quantiles

import requests
from flask import Flask
from sqlalchemy import bindparam, text

from benchmarks.drain import KEY, LOOPBACK, bare_loop, drain, fill, prepare
from benchmarks.driven import PORT, Api, Portal
from benchmarks.ending import run_until_told
from benchmarks.items import make_item
from benchmarks.receiver import PORT as RECEIVER_PORT
from benchmarks.receiver import URL, Receiver
from portal import create_app, outbox
from portal.audit import Actor
from portal.clock import utcnow
from portal.company import endpoint as endpoints
from portal.config import Settings
from portal.database.db import db
from portal.database.tables import UTCDateTime
from portal.people import users
from portal.runtime import runtime

ROOT = Path(__file__).parent.parent
IN_FLIGHT = 16
"""At most, to one endpoint, by default."""
NORMAL = "import portal.database.db as d; d.SYNCHRONOUS = 'NORMAL'; from portal.__main__ import main; main()"
CALLS = 200
IDLE_SECONDS = 30.0
COUNT, LOG_ROWS = 5_000, 1_000_000
LOG = """
INSERT INTO delivery (webhook_id, company_id, trigger, next_trigger, actor, interest_level, status, reason,
    attempt_count, tries, created_at, delivered_at)
WITH RECURSIVE number (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM number WHERE value < :log)
SELECT 'msg_' || value, :company_id, 'classification', 'retry', 'benchmark', 2, 'delivered', 'ok_json', 1, 1, :at, :at
FROM number
"""


@contextmanager
def installed() -> Iterator[tuple[Flask, dict[str, str], int, bytes]]:
    """An installation with a company: the application, the environment of its commands, the company, and a body."""
    with tempfile.TemporaryDirectory() as folder:
        instance = Path(folder)
        url = f"sqlite:///{instance / 'portal.db'}"
        networks = (ip_network(LOOPBACK),)
        app = create_app(Settings(instance=instance, database_url=url, secret_key=KEY, allowed_networks=networks))
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "PORTAL_INSTANCE": folder,
            "PORTAL_SECRET_KEY": KEY,
            "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
        }
        with app.app_context():
            company_id, body = prepare(app)
            yield app, environment, company_id, body


def add_company(place: int) -> int:
    """One more, whose receiver has an address of its own."""
    company = users.get_or_create_company(db.session, f"Bench {place}", vault=runtime().vault)
    db.session.commit()
    url = f"http://127.0.0.{place}:{RECEIVER_PORT}/hook"
    endpoints.set_address(db.session, runtime(), Actor(company.id, "benchmark"), url)
    db.session.commit()
    return company.id


def run_drain(
    environment: dict[str, str],
    companies: list[int],
    body: bytes,
    *,
    count: int,
    delay: float = 0.0,
    command: tuple[str, ...] = ("-m", "portal"),
) -> tuple[float, int]:
    """Deliveries a second of one worker, and on how many connections they came."""
    fill(companies, body, count)
    receiver = Receiver(delay, hosts=len(companies))
    rate, _, _ = drain(environment, workers=1, count=count, command=command)
    return rate, receiver.stop()[1]


def measure_origins(count: int) -> Iterator[str]:
    """As many companies, each with an origin of its own."""
    with installed() as (_, environment, company_id, body):
        companies, alone = [company_id], 0.0
        for origins in (1, 8, 100):
            companies += [add_company(place) for place in range(len(companies) + 1, origins + 1)]
            rate, connections = run_drain(environment, companies, body, count=count)
            alone = alone or rate
            most = min(origins * IN_FLIGHT, count)
            yield (
                f"companies with an origin each: {origins}, {count:,} deliveries | {rate:,.0f} a second, "
                f"{rate / alone:.2f} times that of one; {connections} connections (16 for each origin are {most})"
            )


def measure_pause(count: int) -> Iterator[str]:
    """Receivers that take their time, and windows that open wide: both begin with few."""
    with installed() as (_, environment, company_id, body):
        for most, delay in ((64, 0.05), (128, 0.2)):
            wide = environment | {"PORTAL_WORKER_THREADS": str(most), "PORTAL_ENDPOINT_CONCURRENCY": str(most)}
            rate, _ = run_drain(wide, [company_id], body, count=count, delay=delay)
            yield (
                f"{most} in flight to a receiver that takes {delay * 1000:.0f} ms, {count:,} deliveries | "
                f"{rate:,.0f} a second, {rate / (most / delay):.0%} of what is possible"
            )


def measure_synchronous(count: int) -> Iterator[str]:
    with installed() as (_, environment, company_id, body):
        ratios = []
        for _ in range(3):
            full, _ = run_drain(environment, [company_id], body, count=count)
            normal, _ = run_drain(environment, [company_id], body, count=count, command=("-c", NORMAL))
            ratios.append(full / normal)
        yield f"`synchronous=FULL` against NORMAL, medians of 3 | {median(ratios):.2f} times as fast"


def measure_claim(log: int) -> Iterator[str]:
    """The claim beside a short log and beside a long one."""
    with installed() as (_, _, company_id, body):
        fill([company_id], body, 1000)
        short = time_claim()
        with db.engine.begin() as connection:
            filling = text(LOG).bindparams(bindparam("at", type_=UTCDateTime()))
            connection.execute(filling, {"company_id": company_id, "log": log, "at": utcnow() - timedelta(days=300)})
        ratio = time_claim() / short
        yield f"claim of {IN_FLIGHT} beside {log:,} deliveries | {ratio:.2f} times as long as beside 1,000"


def time_claim() -> float:
    """The seconds that a claim takes, as a median; nothing of it stays."""
    seconds = []
    with db.engine.connect() as connection:
        for _ in range(100):
            transaction, begun = connection.begin(), time.perf_counter()
            claims = outbox.claim_due(
                connection,
                now=utcnow(),
                lease=timedelta(minutes=1),
                limit=IN_FLIGHT,
                room_for=lambda _, lent: IN_FLIGHT - len(lent),
            )
            seconds.append(time.perf_counter() - begun)
            transaction.rollback()
            if len(claims) != IN_FLIGHT:
                raise SystemExit(f"{len(claims)} were claimed.")
    return median(seconds)


def measure_serve() -> Iterator[str]:
    """`portal serve` with its worker: how soon it answers and sends what a call asks for, and what it costs idle."""
    with tempfile.TemporaryDirectory() as folder:
        portal, receiver = Portal(ROOT, Path(folder, "portal")), Receiver()
        portal.install()
        begun = time.monotonic()
        with portal.running("serve", "--port", str(PORT)), Api(portal.token) as api:
            yield f"`portal serve`, from typing to the first answer | {time.monotonic() - begun:.1f} s"
            yield time_receipts(api, receiver)
            used = portal.cpu_seconds()
            time.sleep(IDLE_SECONDS)
            share = (portal.cpu_seconds() - used) / IDLE_SECONDS
            yield f"idle, `portal serve` with its worker | {share:.2%} of a processor, {portal.megabytes():.0f} MB"
        receiver.stop()


def time_receipts(api: Api, receiver: Receiver) -> str:
    """From a call, and from its answer, to the receipt of what it asks for; while nothing else is to be done."""
    from_call, from_answer = [], []
    for number in range(CALLS):
        called = time.monotonic()
        api.save(make_item(number))
        answered = time.monotonic()
        came = receiver.came(number + 1)
        from_call.append((came - called) * 1000)
        from_answer.append((came - answered) * 1000)
        time.sleep(0.02)
    steps, bare = quantiles(from_call, n=100), time_bare_post() * 1000
    after = median(from_answer)
    return (
        f"from a call to its receipt, idle, {CALLS} calls | p50 {steps[49]:.1f} ms, p99 {steps[98]:.1f} ms; "
        f"from its answer p50 {after:.1f} ms, {after / bare:.1f} times a bare POST of {bare:.1f} ms"
    )


def time_bare_post() -> float:
    """The seconds that a POST of the same body takes by `requests` over a kept connection, as a median."""
    body, seconds = json.dumps(make_item(0)), []
    with requests.Session() as session:
        for _ in range(CALLS):
            begun = time.monotonic()
            session.post(URL, data=body, headers={"Content-Type": "application/json"}, timeout=10)
            seconds.append(time.monotonic() - begun)
            time.sleep(0.02)
    return median(seconds)


def measure_bare(count: int) -> Iterator[str]:
    """The worker beside a loop of its own sender that signs, sends and judges, and records nothing."""
    with installed() as (_, environment, company_id, body):
        secret = endpoints.read_secret(endpoints.get_endpoint(db.session, company_id), runtime().vault)
        db.session.remove()
        wide = environment | {"PORTAL_WORKER_THREADS": "64", "PORTAL_ENDPOINT_CONCURRENCY": "64"}
        ratios = []
        for _ in range(3):
            receiver = Receiver()
            bare = bare_loop(body, 64, count, secret)
            receiver.stop()
            ratios.append(run_drain(wide, [company_id], body, count=count)[0] / bare)
        yield f"64 in flight, against a bare loop of the same sender, medians of 3 | {median(ratios):.0%} of its rate"


def measure(*, count: int = COUNT, log: int = LOG_ROWS) -> Iterator[str]:
    """Rows of a table, as each is known."""
    for rows in (
        measure_serve(),
        measure_bare(2 * count),
        measure_origins(count),
        measure_pause(2 * count),
        measure_synchronous(count),
        measure_claim(log),
    ):
        for row in rows:
            yield f"| {row} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=COUNT)
    parser.add_argument("--log", type=int, default=LOG_ROWS)
    chosen = parser.parse_args()
    for row in measure(count=chosen.count, log=chosen.log):
        print(row, flush=True)


if __name__ == "__main__":
    run_until_told(main)
