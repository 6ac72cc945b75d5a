"""What `make bench` measures of this code beside itself: pages while a backlog drains, companies beside dead receivers,
and what a delivery takes on the disk. On SQLite, each a minute or two.

    python -m benchmarks.beside

It prints rows of a table: what was measured, and the figures. Those of one row come from one run and may be compared.
"""

import http.client
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import cycle
from statistics import median

from flask import Flask
from sqlalchemy import func, insert, select, update

from benchmarks.drain import Receiver, drain, fill, open_count
from benchmarks.driven import PORT
from benchmarks.ending import run_until_told, running
from benchmarks.goals import add_company, installed
from portal.audit import Actor
from portal.clock import utcnow
from portal.company import endpoint as endpoints
from portal.database.db import db, reading
from portal.database.upkeep import empty_log, size_of
from portal.models import Company, Contact, Delivery, Endpoint, User
from portal.outbox.queue import new_webhook_id, store_bodies
from portal.privacy import retention
from portal.runtime import runtime
from portal.worker.task_runner import TaskRunner

PAGES = ("/", "/deliveries", "/contacts", "/sync", "/webhook")
DRAINED, ROUNDS, IDLE_ROUNDS = 10_000, 5, 40
DEAD_PORT = 9873
LIVING, DYING = 10_000, 200
"""Deliveries of the company that lives, and of each that is dead."""
STORED = 20_000
ANSWER = b"OK"


class Browser:
    """Somebody who is logged in, on one connection to a portal that serves."""

    def __init__(self, app: Flask) -> None:
        user = db.session.scalars(select(User)).first()
        assert user is not None
        client = app.test_client()
        with client.session_transaction() as session:
            session["_user_id"], session["_fresh"], session["since"] = user.get_id(), True, int(utcnow().timestamp())
        name = app.config["SESSION_COOKIE_NAME"]
        cookie = client.get_cookie(name)
        assert cookie is not None
        db.session.remove()
        self._headers = {"Cookie": f"{name}={cookie.value}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=60)

    def ask(self, page: str) -> float:
        """The milliseconds that the page took."""
        begun = time.perf_counter()
        self._connection.request("GET", page, headers=self._headers)
        answer = self._connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise SystemExit(f"{page} was answered {answer.status}.")
        return (time.perf_counter() - begun) * 1000

    def wait(self) -> None:
        """Until the portal serves."""
        end = time.monotonic() + 30
        while True:
            try:
                self.ask(PAGES[0])
                return
            except OSError:
                self._connection.close()
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)


def measure_draining_pages() -> Iterator[str]:
    """Pages of `portal serve` while its worker drains a backlog, and once it has."""
    with installed() as (app, environment, company_id, body):
        browser, receiver = Browser(app), Receiver()
        idle: dict[str, list[float]] = {page: [] for page in PAGES}
        busy: dict[str, list[float]] = {page: [] for page in PAGES}
        with running(["-m", "portal", "serve", "--port", str(PORT)], environment):
            browser.wait()
            for _ in range(ROUNDS):
                fill([company_id], body, DRAINED)
                while open_count() == DRAINED:
                    time.sleep(0.01)
                for page in cycle(PAGES):
                    busy[page].append(browser.ask(page))
                    if page == PAGES[-1] and not open_count():
                        break
                for _ in range(IDLE_ROUNDS // ROUNDS):
                    for page in PAGES:
                        idle[page].append(browser.ask(page))
        receiver.stop()
        for page in PAGES:
            quiet, meanwhile = median(idle[page]), median(busy[page])
            yield (
                f"`{page}` while {DRAINED:,} drain, {len(busy[page])} answers | p50 {meanwhile:.1f} ms, "
                f"{meanwhile / quiet:.2f} times that of idle, {quiet:.1f} ms"
            )


@contextmanager
def dead_receivers() -> Iterator[None]:
    """At every address of loopback: they take connections, and never say anything."""
    listener = socket.create_server(("0.0.0.0", DEAD_PORT), backlog=4096)  # all of 127.0.0.0/8
    listener.setblocking(False)
    waker, stopper = socket.socketpair()
    taken: list[socket.socket] = []

    def take() -> None:
        with selectors.DefaultSelector() as selector:
            for each in (listener, waker):
                selector.register(each, selectors.EVENT_READ)
            while all(key.fileobj is listener for key, _ in selector.select()):
                taken.append(listener.accept()[0])

    thread = threading.Thread(target=take)
    thread.start()
    try:
        yield
    finally:
        stopper.send(b"x")
        thread.join()
        for each in (listener, waker, stopper, *taken):
            each.close()


def measure_dead() -> Iterator[str]:
    """One company that lives, beside others whose receivers take every connection and never answer: 10 s a try."""
    with installed() as (_, environment, company_id, body), dead_receivers():
        dead = [add_company(place) for place in range(2, 102)]
        for place, company in enumerate(dead, start=2):
            url = f"http://127.0.0.{place}:{DEAD_PORT}/hook"
            endpoints.set_address(db.session, runtime(), Actor(company, "benchmark"), url)
            db.session.commit()  # the next one begins a transaction of its own
        db.session.remove()
        alone = Receiver()
        run_beside(environment, company_id, [], body)
        rates: dict[int, list[tuple[float, float]]] = {0: [], 1: [], len(dead): []}
        for _ in range(3):
            for many in rates:
                rates[many].append(run_beside(environment, company_id, dead[:many], body))
        alone.stop()
        for many in (1, len(dead)):
            pairs = list(zip(rates[many], rates[0], strict=True))
            ratio, later = (
                median(with_[0] / without[0] for with_, without in pairs),
                median(with_[1] - without[1] for with_, without in pairs),
            )
            yield (
                f"{LIVING:,} deliveries of a company beside {many} whose receivers never answer, medians of 3 | "
                f"{ratio:.2f} times as fast as alone, {median(rate for rate, _ in rates[many]):,.0f} a second; "
                f"the first {max(later, 0):.1f} s later"
            )


def run_beside(environment: dict[str, str], living: int, dead: list[int], body: bytes) -> tuple[float, float]:
    """Deliveries a second of the living from its first to its last, and the seconds until the first."""
    fresh = {"state": "active", "consecutive_failures": 0, "failed_deliveries": 0, "last_failed_delivery_id": None}
    fresh |= {"failing_since": None, "probe_count": 0, "next_probe_at": None}
    with db.engine.begin() as connection:
        connection.execute(update(Endpoint).values(fresh))
    fill([living], body, LIVING)
    add(dead, body, DYING)
    begun = time.monotonic()
    with running(["-m", "portal", "worker"], environment) as worker:
        while (left := count_open(living)) == LIVING:
            time.sleep(0.01)
        first = time.monotonic()
        while count_open(living):
            time.sleep(0.02)
        rate = left / (time.monotonic() - first)
        worker.kill()  # it would wait for those that never answer
    return rate, first - begun


def add(companies: list[int], body: bytes, count: int) -> None:
    """So many deliveries of each, due before all others."""
    now = utcnow()
    row = {"trigger": "classification", "next_trigger": "classification", "actor": "benchmark", "interest_level": 2}
    row |= {"status": "pending", "next_attempt_at": now, "created_at": now}
    rows = [row | {"company_id": each, "webhook_id": new_webhook_id()} for each in companies for _ in range(count)]
    if rows:
        with db.engine.begin() as connection:
            connection.execute(insert(Delivery), rows)
            store_bodies(connection, [each | {"body": body} for each in rows])


def count_open(company_id: int) -> int:
    is_open = Delivery.status.in_(("pending", "sending"))
    counted = select(func.count()).select_from(Delivery).where(Delivery.company_id == company_id, is_open)
    with reading(), db.engine.connect() as connection:
        return connection.execute(counted).scalar_one()


def measure_disk() -> Iterator[str]:
    """The database's files before, with deliveries, and after retention took their bodies."""
    with installed() as (_, environment, company_id, body):
        empty = measure_files()
        fill([company_id], body, STORED)
        receiver = Receiver()
        drain(environment, workers=1, count=STORED)
        receiver.stop()
        tell_contact()
        full, said = measure_files(), len(body) + len(ANSWER)
        each = (full - empty) / STORED
        yield (
            f"disk, {STORED:,} deliveries of {len(body):,} bytes, each answered with {len(ANSWER)} | "
            f"{each:,.0f} bytes each, {each / said:.2f} times body and answer"
        )
        purge()
        kept = measure_files()
        yield (
            f"disk, the same after the bodies' retention | {(kept - empty) / STORED:,.0f} bytes each; the file from "
            f"{full / 1e6:.1f} to {kept / 1e6:.1f} MB"
        )


def tell_contact() -> None:
    """Of all that was sent, as of a classification: the indexes hold that, too."""
    contact = db.session.scalars(select(Contact)).first()
    assert contact is not None
    of = {"contact_id": contact.id, "campaign_id": contact.campaign_id, "owner_id": contact.owner_id}
    db.session.execute(update(Delivery).values(of))
    db.session.commit()


def measure_files() -> int:
    """The bytes of the database, once what was written last is in its file."""
    db.session.remove()
    empty_log(db.engine)
    return size_of(db.engine) or 0


def purge() -> None:
    """The daily purge of bodies that are not kept."""
    db.session.execute(update(Company).values(keep_bodies_days=0, keep_log_days=9999))
    retention.plan(db.session, now=utcnow() + retention.EVERY)
    db.session.commit()
    runner = TaskRunner(db.engine, on_due=lambda: None)
    while runner.run_one():
        pass


def measure() -> Iterator[str]:
    """Rows of a table, as each is known."""
    for rows in (measure_draining_pages(), measure_dead(), measure_disk()):
        for row in rows:
            yield f"| {row} |"


def main() -> None:
    for row in measure():
        print(row, flush=True)


if __name__ == "__main__":
    run_until_told(main)
