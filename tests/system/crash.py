"""Kills the portal's processes again and again while people classify, and balances the books at the end.

By hand: `python -m tests.system.crash --kills 1000 --seed 7` (and `--database postgresql`). As a test: test_crash.py.

What people committed is written down outside of the database, and so is what the receiver got; the database is held
against both. SQLite runs `portal serve`; PostgreSQL runs `portal serve --no-worker` and two `portal worker`.
"""

import argparse
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select, text

from portal import create_app
from portal.clock import utcnow
from portal.config import LEASE_MARGIN, load_settings
from portal.database.db import db, prepare_engine, reading
from portal.database.upgrading import upgrade_schema
from portal.demo.server import Receiver
from portal.models import Attempt, Contact, Delivery, DeliveryBody
from tests import factories
from tests.postgres import throwaway_postgres
from tests.programs import Act, Program, be_portal, end_of

COMPANIES, FEEDERS = 3, 2
CONTACTS = 500
"""Of each company: so many that those whose delivery a dead worker holds do not stop everything."""
BACKLOG = 50
"""Deliveries of each company at the beginning."""
MOST_WAITING = 2 * COMPANIES * BACKLOG
"""People wait while there are more, so that what a death left in doubt is soon sent again, on a slow machine too."""
DEADLINE_SECONDS = 1
RECOVERY_SECONDS = DEADLINE_SECONDS + LEASE_MARGIN.total_seconds() + 1
"""After the last kill: the lease of what the dead had claimed, and the tick that finds it."""
START_SECONDS = 60
"""What the start of a process may take on a busy machine."""


def environment(instance: Path, database_url: str, *, concurrency: int) -> dict[str, str]:
    """The settings of every process of one run: a short lease, and tries enough to be killed often."""
    return {
        "PORTAL_INSTANCE": str(instance),
        "PORTAL_DATABASE_URL": database_url,
        "PORTAL_SECRET_KEY": "k" * 48,
        "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
        "PORTAL_DEADLINE": str(DEADLINE_SECONDS),
        "PORTAL_CONNECT_TIMEOUT": str(DEADLINE_SECONDS),
        "PORTAL_RETRY_SCHEDULE": "0s" + ",1s" * 40,
        "PORTAL_WORKER_THREADS": "8",
        "PORTAL_ENDPOINT_CONCURRENCY": str(concurrency),
    }


class Member:
    """One process of the portal or of the people who use it: started, killed, started again."""

    def __init__(self, act: Act, *given: Any, environ: dict[str, str], folder: Path) -> None:
        self._act, self._given, self._environ = act, given, environ
        self._log = folder / "crash.log"
        self._printed = folder / f"printed.{id(self)}"

    def start(self) -> None:
        out, err = end_of(self._printed), end_of(self._log)
        self.process = Program(self._act, *self._given, environ=self._environ, out=out, err=err)

    @property
    def committed(self) -> list[str]:
        """What the processes printed: the ids that a feeder saw committed."""
        return self._printed.read_text().split()

    def kill(self, *, children: bool = True) -> None:
        """kill -9, of its children too unless they are to notice by themselves."""
        for pid in [self.process.pid, *(self.process.children() if children else [])]:
            kill(pid)
        self.process.wait(START_SECONDS)

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(START_SECONDS)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it went by itself


@dataclass
class Books:
    """What was found at the end. `faults` is empty when every promise was kept."""

    kills: int = 0
    committed: int = 0
    deliveries: int = 0
    posts: int = 0
    duplicates: int = 0
    most_duplicates: int = 0
    """Of one company, and so at one endpoint."""
    interrupted: int = 0
    late: int = 0
    recovery_seconds: float = 0.0
    faults: list[str] = field(default_factory=list)

    def check(self, wrong: bool, fault: str) -> None:
        if wrong:
            self.faults.append(fault)


class Run:
    """One installation, its receiver, and the processes that are killed."""

    def __init__(self, instance: Path, database_url: str, *, seed: int, concurrency: int) -> None:
        self.instance, self.chance = instance, random.Random(seed)
        self.concurrency = concurrency
        self.environ = environment(instance, database_url, concurrency=concurrency)
        self.app = create_app(load_settings(self.environ))
        self.receiver = Receiver(delay=0.004)
        portal = [["serve", "--port", "0"]]
        if not database_url.startswith("sqlite"):
            portal = [["serve", "--port", "0", "--no-worker"], ["worker"], ["worker"]]
        self.portal = [Member(be_portal, *command, environ=self.environ, folder=instance) for command in portal]
        self.feeders = [Member(feed, seed + number, environ=self.environ, folder=instance) for number in range(FEEDERS)]

    def run(self, kills: int, *, seconds: float = inf) -> Books:
        """Kill that often, or as often as there is time for, let everything settle, and balance."""
        books, end = Books(), time.monotonic() + seconds
        with self.receiver:
            self._prepare()
            members = [*self.portal, *self.feeders]
            for member in members:
                member.start()
            try:
                while books.kills < kills and time.monotonic() < end:
                    self._wait_for_posts()
                    self._kill_one()
                    books.kills += 1
                self._wait_for_posts()
                books.recovery_seconds = self._kill_all_and_recover(books)
            finally:
                for member in members:
                    member.kill()
        self._balance(books)
        return books

    def _prepare(self) -> None:
        with self.app.app_context():
            for number in range(COMPANIES):
                company = factories.make_company(f"Empresa {number}", url=f"{self.receiver.url}{number}")
                waiting = [{"contact": {"name": f"Contato {each}", "interest_level": 1}} for each in range(BACKLOG)]
                others = [{"contact": {"name": f"Contato {each}"}} for each in range(BACKLOG, CONTACTS)]
                factories.save_many(company, waiting + others)
                db.session.commit()
            db.session.remove()
            db.engine.dispose()

    def _wait_for_posts(self) -> None:
        """Until somebody delivers again, and then a moment more, so that a kill meets work under way."""
        before = len(self.receiver.received)
        if not self.receiver.wait_for(before + 1 + self.chance.randrange(12), timeout=START_SECONDS):
            raise AssertionError(f"nothing is delivered any more: {self._describe()}")
        time.sleep(self.chance.uniform(0, 0.05))

    def _describe(self) -> str:
        codes = [member.process.poll() for member in (*self.portal, *self.feeders)]
        return f"{self._open()} open, exit codes {codes}, {(self.instance / 'crash.log').read_text()[-6000:]}"

    def _kill_one(self) -> None:
        """Mostly one of the portal with all that belongs to it; else only its worker, only its web, or a person."""
        dice = self.chance.random()
        if dice < 0.1:
            victim = self.chance.choice(self.feeders)
            victim.kill()
        else:
            victim = self.chance.choice(self.portal)
            if dice < 0.2 and (workers := victim.process.children()):
                kill(workers[0])
                return  # who started it starts another
            victim.kill(children=dice > 0.3)
        victim.start()

    def _kill_all_and_recover(self, books: Books) -> float:
        for member in self.portal:
            member.kill()
        time.sleep(0.3)  # people go on for a moment
        for feeder in self.feeders:
            feeder.kill()
        books.check(self._open() == 0, "nothing was open when all were killed: the run shows nothing")
        for member in self.portal:
            member.start()
        seen = len(self.receiver.received)
        self.receiver.wait_for(seen + 1, START_SECONDS)  # the first who is up again
        ready = time.monotonic()
        while self._open() and time.monotonic() - ready < START_SECONDS:
            time.sleep(0.1)
        books.check(self._open() > 0, f"{self._open()} are still open")
        for member in self.portal:
            member.stop()
        return time.monotonic() - ready

    def _open(self) -> int:
        with self.app.app_context():
            return open_deliveries()

    def _balance(self, books: Books) -> None:
        posts: dict[str, list[bytes]] = defaultdict(list)
        for post in self.receiver.received:
            posts[post.headers["webhook-id"]].append(post.body)
        with self.app.app_context():
            rows = {row.webhook_id: row for row in db.session.scalars(select(Delivery))}
            sent: Counter[int] = Counter()
            for attempt in db.session.scalars(select(Attempt)):
                sent[attempt.delivery_id] += attempt.request_sent
                books.interrupted += attempt.reason == "interrupted"
                books.late += attempt.late
                unexpected = attempt.reason not in ("ok_text", "interrupted", "timeout")
                books.check(unexpected, f"{attempt.reason}: {attempt.detail}")
            bodies = dict(
                db.session.execute(
                    select(Delivery.webhook_id, DeliveryBody.content).outerjoin(Delivery.stored_body)
                ).all()
            )
            for webhook_id, row in rows.items():
                got = posts.get(webhook_id, [])
                books.check(row.status not in ("delivered", "superseded"), f"{webhook_id} is {row.status}")
                books.check(row.status == "delivered" and not got, f"{webhook_id} is called delivered and never came")
                books.check(any(body != bodies[webhook_id] for body in got), f"{webhook_id} came with other bytes")
                books.check(len(got) > sent[row.id], f"{webhook_id} came {len(got)} times, {sent[row.id]} are recorded")
            self._check_last_words(books, rows)
            db.session.remove()
            if db.engine.dialect.name == "sqlite":
                with db.engine.connect() as connection:
                    found = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
                    books.check(found != "ok", f"integrity: {found}")
            db.engine.dispose()
        committed = {each for feeder in self.feeders for each in feeder.committed}
        books.committed, books.deliveries = len(committed), len(rows)
        books.posts = sum(len(bodies) for bodies in posts.values())
        books.duplicates = books.posts - len(posts)
        repeats: Counter[int] = Counter()
        for webhook_id, bodies_got in posts.items():
            if webhook_id in rows:
                repeats[rows[webhook_id].company_id] += len(bodies_got) - 1
        books.most_duplicates = max(repeats.values(), default=0)
        deaths = books.kills + len(self.portal)  # the last kill is one of all
        books.check(
            books.most_duplicates > deaths * self.concurrency,
            f"one endpoint got {books.most_duplicates} duplicates of {deaths} deaths",
        )
        books.check(bool(committed - rows.keys()), f"{len(committed - rows.keys())} committed and lost")
        books.check(bool(posts.keys() - rows.keys()), f"{len(posts.keys() - rows.keys())} sent and not in the database")

    def _check_last_words(self, books: Books, rows: dict[str, Delivery]) -> None:
        """What the receiver heard last of a contact is what the portal says of it."""
        last: dict[int | None, int | None] = {}
        for post in self.receiver.received:
            if (row := rows.get(post.headers["webhook-id"])) is not None:
                last[row.contact_id] = row.interest_level
        for contact in db.session.scalars(select(Contact).where(Contact.interest_level.is_not(None))):
            books.check(last.get(contact.id) != contact.interest_level, f"the last word about {contact.id} is wrong")


def open_deliveries() -> int:
    with reading(), db.engine.connect() as connection:
        statement = text("SELECT count(*) FROM delivery WHERE status IN ('pending', 'sending')")
        return int(connection.execute(statement).scalar_one())


def feed(seed: int) -> None:
    """Classify at random until killed; print the id of every delivery once it is committed."""
    chance = random.Random(seed)
    with create_app().app_context():
        ids = list(db.session.scalars(select(Contact.id)))
        db.session.rollback()
        while True:
            while open_deliveries() > MOST_WAITING:
                time.sleep(0.1)
            contact = db.session.get_one(Contact, chance.choice(ids))
            made = factories.classify_contact(contact, chance.choice([1, 2, 3])).delivery_id
            if made is not None:
                os.write(1, f"{made}\n".encode())  # all of it or nothing
            db.session.rollback()
            db.session.expunge_all()
            time.sleep(0.01)


def crash(
    instance: Path, database_url: str, *, kills: int, seed: int, concurrency: int = 1, seconds: float = inf
) -> Books:
    """One run on an empty database, with so many posts to an endpoint at a time. Returns its books."""
    engine = create_engine(database_url)
    prepare_engine(engine)
    upgrade_schema(engine, backups=instance / "backups", now=utcnow())
    engine.dispose()
    return Run(instance, database_url, seed=seed, concurrency=concurrency).run(kills, seconds=seconds)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--minutes", type=float, default=inf, help="kill no longer than that")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--concurrency", type=int, default=1, help="posts to one endpoint at a time")
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="portal-crash-") as folder:
        run: Callable[[str], Books] = lambda url: crash(  # noqa: E731
            Path(folder),
            url,
            kills=asked.kills,
            seed=asked.seed,
            concurrency=asked.concurrency,
            seconds=60 * asked.minutes,
        )
        if asked.database == "sqlite":
            books = run(f"sqlite:///{folder}/portal.db")
        else:
            with throwaway_postgres(fsync=True) as url:
                books = run(url)
    print(f"seed {asked.seed}:", *(f"{name}={value}" for name, value in vars(books).items()), sep="\n  ")
    return bool(books.faults)


if __name__ == "__main__":
    sys.exit(main())
