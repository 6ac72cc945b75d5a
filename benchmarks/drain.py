"""How fast a backlog drains: `portal worker` against the same requests in a bare loop over the same egress.

    python -m benchmarks.drain [--count 10000] [--threads 16] [--delay 0] [--rounds 3] [--workers 1] [--database-url U]

Each round runs the bare loop and then the worker; what counts is their ratio within the run, not the figures. SQLite is
opened with synchronous=FULL, as always. The database of `--database-url` must be empty.
"""

import argparse
import os
import resource
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from ipaddress import ip_network
from itertools import cycle, islice
from pathlib import Path
from statistics import median

from flask import Flask
from sqlalchemy import delete, func, insert, select

from benchmarks.ending import run_until_told, running
from benchmarks.items import make_item
from benchmarks.receiver import URL, Receiver
from portal import create_app
from portal.audit import Actor
from portal.clock import utcnow
from portal.company import endpoint as endpoints
from portal.config import Settings
from portal.contacts.body import freeze_body
from portal.contacts.saving import save_items
from portal.database.db import db, reading
from portal.database.upgrading import upgrade_schema
from portal.egress import AddressPolicy, Egress
from portal.models import Attempt, Contact, Delivery
from portal.outbox.queue import new_webhook_id, store_bodies
from portal.people import users
from portal.runtime import runtime
from portal.webhook import WebhookRequest, post

KEY = "benchmark" * 5
LOOPBACK = "127.0.0.0/8"


def prepare(app: Flask) -> tuple[int, bytes]:
    """A company with its address and a contact; returns the contact's number and a body of usual size."""
    upgrade_schema(db.engine, backups=Path("unused"), now=utcnow())
    company = users.get_or_create_company(db.session, "Bench", vault=runtime().vault)
    owner = users.add_user(db.session, company, name="Ana", email="ana@example.com", role="admin", password=None)
    db.session.commit()
    endpoints.set_address(db.session, runtime(), Actor(company.id, "benchmark"), URL)
    (saved,) = save_items(db.session, Actor(company.id, owner.email), [make_item(0)], default_owner=owner)
    body = freeze_body(db.session.get_one(Contact, saved.contact_id))
    db.session.commit()
    return company.id, body


def fill(companies: Sequence[int], body: bytes, count: int) -> None:
    """`count` deliveries of these companies in turn, due now; without a contact, so that none waits for another."""
    now = utcnow()
    row = {
        "trigger": "classification",
        "next_trigger": "classification",
        "actor": "benchmark",
        "interest_level": 2,
        "status": "pending",
        "next_attempt_at": now,
        "created_at": now,
    }
    owners = islice(cycle(companies), count)
    rows = [row | {"company_id": company_id, "webhook_id": new_webhook_id()} for company_id in owners]
    with db.engine.begin() as connection:
        connection.execute(delete(Attempt))
        connection.execute(delete(Delivery))
        connection.execute(insert(Delivery), rows)
        store_bodies(connection, [each | {"body": body} for each in rows])


def drain(
    environment: dict[str, str], *, workers: int, count: int, command: Sequence[str] = ("-m", "portal")
) -> tuple[float, float, int]:
    """Deliveries a second from the first attempt to the last record, and of the workers the CPU seconds per 1000, and
    the MB of memory that one of them had at most.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with ExitStack() as stack:
        processes = [stack.enter_context(running([*command, "worker"], environment)) for _ in range(workers)]
        while (left := open_count()) == count:
            time.sleep(0.01)
        started, begun = time.monotonic(), left
        while open_count():
            time.sleep(0.05)
        seconds = time.monotonic() - started
        memory = max(most_memory(process.pid) for process in processes)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return begun / seconds, cpu * 1000 / count, memory


def most_memory(pid: int) -> int:
    """The MB that a process had at most, so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def open_count() -> int:
    """How many are not through: counted in an index, and without keeping the worker out."""
    is_open = Delivery.status.in_(("pending", "sending"))
    with reading(), db.engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(Delivery).where(is_open)).scalar_one()


def bare_loop(body: bytes, threads: int, count: int, secret: str) -> float:
    """Requests a second of as many threads that sign, send and judge, and record nothing."""
    egress = Egress(AddressPolicy(allowed_networks=(ip_network(LOOPBACK),)))

    def work() -> None:
        for number in range(count // threads):
            post(WebhookRequest(url=URL, webhook_id=f"msg_{number}", body=body, secrets=(secret,)), egress)

    running = [threading.Thread(target=work) for _ in range(threads)]
    started = time.monotonic()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    seconds = time.monotonic() - started
    egress.close()
    return count // threads * threads / seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--database-url")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        instance = Path(folder)
        url = chosen.database_url or f"sqlite:///{instance / 'portal.db'}"
        networks = (ip_network(LOOPBACK),)
        app = create_app(Settings(instance=instance, database_url=url, secret_key=KEY, allowed_networks=networks))
        environment = os.environ | {
            "PORTAL_INSTANCE": folder,
            "PORTAL_DATABASE_URL": url,
            "PORTAL_SECRET_KEY": KEY,
            "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
            "PORTAL_WORKER_THREADS": str(chosen.threads),
            "PORTAL_ENDPOINT_CONCURRENCY": str(chosen.threads),
        }
        with app.app_context():
            company_id, body = prepare(app)
            secret = endpoints.read_secret(endpoints.get_endpoint(db.session, company_id), runtime().vault)
            db.session.remove()
            print(f"{chosen.count} deliveries of {len(body)} bytes, {chosen.threads} threads, {chosen.delay} s delay")
            ratios = []
            for _ in range(chosen.rounds):
                receiver = Receiver(chosen.delay)
                bare = bare_loop(body, chosen.threads, chosen.count, secret)
                receiver.stop()
                fill([company_id], body, chosen.count)
                receiver = Receiver(chosen.delay)
                rate, cpu, memory = drain(environment, workers=chosen.workers, count=chosen.count)
                requests, connections = receiver.stop()
                ratios.append(rate / bare)
                print(
                    f"bare loop {bare:7.0f}/s   portal {rate:7.0f}/s   ratio {rate / bare:.2f}   "
                    f"CPU {cpu:.2f} s per 1000   {memory} MB   {requests} requests on {connections} connections"
                )
            print(f"median ratio {median(ratios):.2f}")


if __name__ == "__main__":
    run_until_told(main)
