"""A year of one installation in minutes: a clock that leaps from day to day, and at the end the books are balanced.

By hand: `python -m tests.system.year --deliveries 500000 --days 365`. As a test: test_year.py.

Each day has its purge, its backup, people who classify and a worker that sends to a real receiver, which fails now and
then. Within the year are ten upgrades of all that is there by then, three erasures, a restore and a move to PostgreSQL.
What people committed is noted outside of the database, and so is what the receiver got; the database is held against
both. Of who was erased no word may be left in any file.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

from alembic import command
from click.testing import CliRunner
from sqlalchemy import ColumnElement, create_engine, exists, func, literal, select

from portal import clock, create_app
from portal.cli import cli
from portal.config import load_settings
from portal.database.backup.nightly import Nightly
from portal.database.db import db, prepare_engine
from portal.database.upgrading import _foreign_keys_set_aside, config_for
from portal.demo.server import Receiver
from portal.models import Company, Contact, Delivery, DeliveryBody, Endpoint, Task
from portal.privacy import retention
from portal.runtime import runtime
from portal.worker import task_runner
from portal.worker.dispatcher import Dispatcher
from portal.worker.housekeeping import keep_house
from tests import factories
from tests.postgres import throwaway_postgres
from tests.system.year_books import (
    WORDS,
    Books,
    Ledger,
    Notes,
    balance,
    digest,
    files_in,
    words_in_postgres,
    words_of_files,
)

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
UPGRADES = 10
ERASE_AT, RESTORE_AT, MOVE_AT = (0.15, 0.25, 0.35), 0.25, 0.75
"""Shares of the year. From the last erasure to the move are as many days as a nightly backup is kept, or more."""
LEAST_DAYS = 90
FAIL_RATE = 0.03
BATCH = 500
WAIT_SECONDS = 600
LEVELS = select(Contact.linkedin_public_id, Contact.interest_level)
WAITING = Delivery.status == literal("pending", literal_execute=True)  # said in the words of its index


class Calendar:
    """Both clocks of the portal; they leap together, as if the time between had passed."""

    def __init__(self) -> None:
        self._ahead = self._first = BEGIN - datetime.now(UTC)

    def utcnow(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def monotonic(self) -> float:
        return time.monotonic() + (self._ahead - self._first).total_seconds()

    def go_to(self, day: int, hour: int) -> None:
        leap = BEGIN + timedelta(days=day, hours=hour) - self.utcnow()
        assert leap >= timedelta(), "a day's work took longer than the day"
        self._ahead += leap

    @contextmanager
    def ruling(self) -> Iterator[None]:
        """The portal reads this clock, purges each day at the same hour, and makes no pauses within a purge."""
        with (
            mock.patch.object(clock, "utcnow", self.utcnow),
            mock.patch.object(clock, "monotonic", self.monotonic),
            mock.patch.object(retention, "EVERY", timedelta(hours=23)),
            mock.patch.object(task_runner, "PAUSE_SECONDS", 0.0),
        ):
            yield


class Year:
    """One installation, the receiver of its one company, and what both did."""

    def __init__(self, folder: Path, postgres_url: str, *, deliveries: int, days: int) -> None:
        assert days >= LEAST_DAYS, f"a backup is kept for weeks: a year has {LEAST_DAYS} days or more"
        self._folder, self._instance = folder, folder / "instance"
        self._instance.mkdir(exist_ok=True)
        self._postgres_url, self._deliveries, self._days = postgres_url, deliveries, days
        self._log_days = days // 2
        self._pool = max(2 * deliveries // days, 10)
        self._calendar, self._ledger = Calendar(), Ledger(folder / "ledger")
        self._receiver = Receiver(fail_rate=FAIL_RATE, seed=1, on_request=self._ledger.note)
        self._notes = Notes()
        self._persons = list(WORDS)
        self._books = Books()
        self._sqlite = self._instance / "portal.db"
        self._use(f"sqlite:///{self._sqlite}")

    def run(self) -> Books:
        with self._calendar.ruling(), closing(self._ledger), self._receiver:
            self._command("upgrade")
            move_on = round(self._days * MOVE_AT)
            with self._portal():
                self._prepare()
                for day in range(move_on):
                    self._live(day)
                self._work_late(move_on - 1)
                self._notes.moved = self._ids(WAITING)
                self._note_sizes()
                self._tidy()
            self._move()
            with self._portal():
                self._books.check(
                    self._ids(WAITING) != self._notes.moved, "what waited is not what waits after the move"
                )
                for day in range(move_on, self._days):
                    self._live(day)
                for hour in range(13, 24):
                    self._calendar.go_to(self._days - 1, hour)
                    self._drain()
                balance(self._books, self._notes, self._ledger, young_from=self._days - self._log_days)
                self._check_words()
        return self._books

    # One day.

    def _live(self, day: int) -> None:
        self._calendar.go_to(day, 4)
        self._purge()
        self._back_up()
        if not self._dispatcher.is_alive():
            self._start_worker()
        self._drain()
        if self._is_at(day, (number / (UPGRADES + 1) for number in range(1, UPGRADES + 1))):
            self._upgrade()
        self._calendar.go_to(day, 12)
        share = [self._deliveries * each // self._days for each in (day, day + 1)]
        self._classify(day, share[1] - share[0])
        self._drain()
        if self._is_at(day, ERASE_AT):
            self._erase()
        if self._is_at(day, [RESTORE_AT]):
            self._restore(day)
        if self._is_at(day + 1, [RESTORE_AT]):
            self._work_late(day)

    def _is_at(self, day: int, shares: Iterable[float]) -> bool:
        return day in {round(self._days * share) for share in shares}

    def _purge(self) -> None:
        before = db.session.scalar(select(func.max(Task.id))) or 0
        db.session.remove()
        keep_house(db.engine, self._instance)
        runner = task_runner.TaskRunner(db.engine, on_due=lambda: None)
        while runner.run_one():
            pass
        for task in db.session.scalars(select(Task).where(Task.id > before)):
            self._books.purged += (task.counts or {}).get("deliveries", 0)
            self._books.check(task.status != "done", f"a purge is {task.status}: {task.reason}")
        db.session.remove()

    def _back_up(self) -> None:
        settings = runtime().settings
        if settings.backup_at is None:
            return  # so it is on PostgreSQL, unless somebody sets it
        made = Nightly(db.engine, settings.backups, settings.backup_at).turn(clock.utcnow())
        self._books.check(made is None, "a day has no backup")
        if made is not None:
            moment = clock.utcnow().timestamp()
            os.utime(made, (moment, moment))
            self._last_backup = made
            self._books.backups += 1

    def _classify(self, day: int, count: int) -> None:
        levels = {each.linkedin_public_id: each.interest_level for each in db.session.execute(LEVELS)}
        names = [f"pessoa-{(day * count + place) % self._pool}" for place in range(count)]
        if self._persons and names:
            names[0] = self._persons[day % len(self._persons)]
        for start in range(0, len(names), BATCH):
            items = [item_of(name, (levels.get(name) or 0) % 3 + 1) for name in names[start : start + BATCH]]
            company = db.session.get_one(Company, self._company_id)
            made = [saved.delivery_id for saved in factories.save_many(company, items)]
            db.session.commit()
            noted = self._note(Delivery.webhook_id.in_(made), day)
            self._books.check(noted != len(items), f"{len(items)} were classified, {noted} are to be sent")
        db.session.remove()

    def _drain(self) -> None:
        """Until nothing is due any more. What failed is due on another day."""
        end, self._receiver.received[:] = time.monotonic() + WAIT_SECONDS, []
        of_company = Delivery.company_id == Endpoint.company_id
        is_due = exists().where(of_company, WAITING, Delivery.next_attempt_at <= clock.utcnow())
        is_sent = exists().where(of_company, Delivery.status == literal("sending", literal_execute=True))
        taking = select(Endpoint.id).where(Endpoint.state == "active", is_due | is_sent)
        self._dispatcher.wake()
        while db.session.scalar(taking) is not None:
            db.session.remove()
            assert time.monotonic() < end, "what is due is not sent"
            time.sleep(0.02)
        db.session.remove()

    # What comes once, or a few times.

    def _prepare(self) -> None:
        company = factories.make_company(url=self._receiver.url)
        kept = {"keep_bodies_days": min(30, self._log_days // 2), "keep_log_days": self._log_days}
        retention.keep_for(db.session, factories.actor_of(company), company, kept | {"keep_audit_days": self._log_days})
        db.session.commit()
        self._company_id = company.id
        db.session.remove()

    def _work_late(self, day: int) -> None:
        """Classify while no worker is there, nor comes until the morning."""
        self._calendar.go_to(day, 20)
        self._stop_worker()
        self._classify(day, self._deliveries // self._days)

    def _upgrade(self) -> None:
        """Make of the database what a version before had made of it, one revision more each time, and upgrade it."""
        self._books.upgrades += 1
        with self._stopped():
            engine = create_engine(self._url)
            prepare_engine(engine)
            with engine.connect() as connection, _foreign_keys_set_aside(connection), connection.begin():
                command.downgrade(config_for(connection), f"-{self._books.upgrades}")
            engine.dispose()
            said = self._command("upgrade")
            self._books.check("was upgraded" not in said, f"an upgrade said: {said}")

    def _erase(self) -> None:
        word = self._persons.pop(0)
        self._books.check(word not in words_of_files(files_in(self._instance)), f"{word} never was anywhere")
        number = db.session.scalars(select(Contact.id).where(Contact.linkedin_public_id == word)).one()
        db.session.remove()
        self._command("erase", "--contact", number, "--yes")
        live = [path for path in files_in(self._instance) if path.parent == self._instance]
        self._books.check(word in words_of_files(live), f"{word} is still in the database after its erasure")
        self._books.erased += 1

    def _restore(self, day: int) -> None:
        """Put this morning's backup back: what waited in it has been sent since, and goes again once it may."""
        before, sent = set(self._ids()), self._ledger.read()
        with self._stopped():
            self._command("restore", self._last_backup)
        self._notes.gone, held = before - set(self._ids()), self._ids(WAITING)
        self._notes.again = {each for each in held if any(accepted for _, accepted in sent.get(each, ()))}
        self._books.held_by_restore = len(held)
        self._books.check(not self._notes.again, "nothing waited in the backup and was sent: the restore shows nothing")
        self._calendar.go_to(day, 16)
        self._drain()
        self._books.check(self._ledger.read() != sent, "something was sent before anybody resumed")
        self._receiver.fail_rate = 0.0
        factories.resume(db.session.get_one(Company, self._company_id))
        self._note(Delivery.trigger == "test", day)
        self._drain()
        self._receiver.fail_rate = FAIL_RATE
        left = set(held) & set(self._ids(Delivery.status != "delivered"))
        self._books.check(bool(left), f"{len(left)} of what the backup held were not sent after it")

    def _tidy(self) -> None:
        """What docs/backup.md leaves to whoever promised a retention."""
        for path in runtime().settings.backups.glob("before-restore-*"):
            path.unlink()

    def _move(self) -> None:
        address = self._folder / "address"
        address.touch(0o600)
        address.write_text(self._postgres_url)
        self._command("move", "--to-file", address)
        self._use(self._postgres_url)

    # How it is run.

    def _use(self, url: str) -> None:
        self._url = url
        self._environ = {
            "PORTAL_INSTANCE": str(self._instance),
            "PORTAL_DATABASE_URL": url,
            "PORTAL_SECRET_KEY": "k" * 48,
            "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
            "PORTAL_RETRY_SCHEDULE": "0s" + ",1h" * 9,
        }

    @contextmanager
    def _portal(self) -> Iterator[None]:
        """The application on the database in use; its worker is started in the morning."""
        app = create_app(load_settings(self._environ))
        with app.app_context():
            self._dispatcher = self._make_worker()
            try:
                yield
            finally:
                self._stop_worker()
                runtime().egress.close()

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        """Meanwhile no worker is there, and nobody has the database open."""
        self._stop_worker()
        try:
            yield
        finally:
            self._start_worker()

    def _make_worker(self) -> Dispatcher:
        held = runtime()
        return Dispatcher(db.engine, held.settings, held.vault, held.egress)

    def _start_worker(self) -> None:
        self._dispatcher = self._make_worker()
        self._dispatcher.start()

    def _stop_worker(self) -> None:
        if self._dispatcher.is_alive():
            self._dispatcher.stop()
            self._dispatcher.join(WAIT_SECONDS)
        db.session.remove()
        db.engine.dispose()

    def _command(self, *words: object) -> str:
        """One command of the console, to its end. Returns what it said."""
        kept = {name: None for name in os.environ if name.startswith("PORTAL_")}
        done = CliRunner().invoke(cli, [str(word) for word in words], env=kept | self._environ)
        if done.exit_code:
            raise AssertionError(f"portal {words[0]} failed: {done.output}") from done.exception
        return done.output

    # What there is.

    def _ids(self, *which: ColumnElement[bool]) -> list[str]:
        ids = list(db.session.scalars(select(Delivery.webhook_id).where(*which).order_by(Delivery.id)))
        db.session.remove()
        return ids

    def _note(self, which: ColumnElement[bool], day: int) -> int:
        """Write down the bytes of these deliveries, outside of the database. Returns how many they are."""
        rows = db.session.execute(
            select(Delivery.webhook_id, DeliveryBody.content).join(Delivery.stored_body).where(which)
        ).all()
        db.session.remove()
        self._notes.committed |= {webhook_id: (digest(content), day) for webhook_id, content in rows}
        return len(rows)

    def _note_sizes(self) -> None:
        sizes, backups = self._books.sizes, runtime().settings.backups
        sizes["deliveries in SQLite"] = len(self._ids())
        sizes["SQLite"] = self._sqlite.stat().st_size
        sizes["SQLite's log"] = sum(path.stat().st_size for path in self._instance.glob("portal.db-*"))
        for name in ("nightly", "portal", "before-restore"):
            found = [path.stat().st_size for path in backups.glob(f"{name}-*")]
            sizes[f"{len(found)} backups {name}-*"] = sum(found)

    def _check_words(self) -> None:
        self._books.check(bool(found := words_of_files(files_in(self._instance))), f"in the files: {sorted(found)}")
        found = words_in_postgres([*WORDS, "pessoa-1"])
        self._books.check(found != {"pessoa-1"}, f"in PostgreSQL: {sorted(found)}")


def item_of(name: str, level: int) -> dict[str, Any]:
    """All that is known of a person, each part with the person's own word in it."""
    return {
        "contact": {
            "name": f"{name} da silva",
            "email": f"{name}@example.com",
            "linkedin_public_id": name,
            "current_company": f"{name} comércio ltda.",
            "role": "diretora de compras",
            "location": "São Paulo, Brasil",
            "interest_level": level,
        },
        "messages": [{"sender_name": name, "message": f"oi, aqui é {name}", "date": "2025-12-01 10:00:00"}],
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=500_000)
    parser.add_argument("--days", type=int, default=365)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="portal-year-") as folder, throwaway_postgres() as url:
        begun = time.monotonic()
        books = Year(Path(folder), url, deliveries=asked.deliveries, days=asked.days).run()
        print(f"{asked.days} days in {time.monotonic() - begun:.0f} s", end="")
    print(*(f"{name}={value}" for name, value in vars(books).items()), sep="\n  ")
    return bool(books.faults)


if __name__ == "__main__":
    sys.exit(main())
