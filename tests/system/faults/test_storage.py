"""The database is locked, full, read for long, damaged by a power cut, or inherited by a fork."""

import os
import random
import resource
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import create_engine, text

from portal.database import db as database
from portal.database.db import WAL_BYTES, db, prepare_engine
from portal.demo.server import Receiver
from portal.models import Company, Contact
from portal.people import tokens
from portal.worker import rounds
from tests import factories
from tests.conftest import MakeApp, running_worker
from tests.system.conftest import Portal
from tests.system.faults.conftest import attempts_of, make_deliveries, statuses, wait_until

pytestmark = pytest.mark.slow

LOCKED_SECONDS = 2.0
"""How long another process holds the database; the portal's patience is cut to a fraction of it."""


def test_a_database_locked_by_another_process_loses_no_attempt(
    make_app: MakeApp, receiver: Receiver, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", LOCKED_SECONDS / 8)
    monkeypatch.setattr(rounds, "FAULT_PAUSE_SECONDS", 0.1)
    app = make_app()
    with app.app_context():
        ids = make_deliveries(factories.make_company(url=receiver.url), 8)
        receiver.delay = 0.5
        with running_worker(app), closing(sqlite3.connect(instance / "portal.db", isolation_level=None)) as other:
            assert receiver.wait_for(8)
            other.execute("BEGIN IMMEDIATE")  # the answers come back to a database that takes no record of them
            time.sleep(LOCKED_SECONDS)
            other.execute("ROLLBACK")
            wait_until(lambda: statuses() == {"delivered": 8})
        assert len(receiver.received) == 8
        assert [attempts_of(each) for each in ids] == [[("ok_text", False)]] * 8


def test_a_worker_that_stops_while_the_database_is_locked_still_records(
    make_app: MakeApp, receiver: Receiver, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_SECONDS", 0.2)
    monkeypatch.setattr(rounds, "FAULT_PAUSE_SECONDS", 0.1)
    app = make_app(worker_threads=1)
    with app.app_context():
        make_deliveries(factories.make_company(url=receiver.url), 5)
        receiver.delay = 0.3
        other = sqlite3.connect(instance / "portal.db", isolation_level=None, check_same_thread=False)
        unlock = threading.Timer(1.5, lambda: other.execute("ROLLBACK"))
        with closing(other):
            with running_worker(app):
                assert receiver.wait_for(1)
                other.execute("BEGIN IMMEDIATE")
                unlock.start()
            unlock.join()
        assert statuses() == {"delivered": len(receiver.received), "pending": 5 - len(receiver.received)}


class Space:
    """What is left for the portal to write: taken away, and given back."""

    def __init__(self, instance: Path) -> None:
        self.instance = instance

    def pids(self, portal: Portal) -> list[int]:
        assert portal.process is not None
        web = portal.process.pid
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(web)], capture_output=True, text=True).stdout
        return [web, *map(int, listed.split())]


class FullDisk(Space):
    """A file system of a few megabytes, filled up by another file."""

    def take(self, portal: Portal) -> None:
        with (self.instance / "ballast").open("wb", buffering=0) as ballast:
            try:
                while True:
                    ballast.write(b"\0" * 4096)
            except OSError:
                return

    def give_back(self, portal: Portal) -> None:
        (self.instance / "ballast").unlink()


class FileLimit(Space):
    """No file may grow beyond what the database's log has now: a write ends in an I/O error."""

    def take(self, portal: Portal) -> None:
        size = (self.instance / "portal.db-wal").stat().st_size
        for pid in self.pids(portal):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    def give_back(self, portal: Portal) -> None:
        for pid in self.pids(portal):
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@pytest.fixture
def small_disk(instance: Path) -> Iterator[bool]:
    """The instance on a file system of its own; False where mounting is not permitted."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "portal", instance], capture_output=True)
    yield mounted.returncode == 0
    if mounted.returncode == 0:
        subprocess.run(["umount", "--lazy", instance], check=True)


@pytest.fixture
def space(request: pytest.FixtureRequest, small_disk: bool, instance: Path) -> Space:
    """Where mounting is not permitted, the limit of the files' size stands for the full disk too."""
    return FullDisk(instance) if request.param == "full disk" and small_disk else FileLimit(instance)


@pytest.mark.parametrize("space", ["full disk", "file limit"], indirect=True)
def test_without_space_nothing_is_half_written_and_all_goes_on_when_there_is_some(
    space: Space, app: Flask, portal: Portal, receiver: Receiver
) -> None:
    company = db.session.query(Company).one()
    token = tokens.create_token(db.session, factories.make_user(company), label="test")
    ids = [factories.make_contact(company).id for _ in range(40)]
    db.session.commit()
    db.session.remove()
    portal.serve()

    def classify(contact_id: int) -> requests.Response:
        return requests.put(
            f"http://127.0.0.1:{portal.port}/api/v1/contacts/{contact_id}/interest-level",
            json={"interest_level": 3},
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
        )

    # A reader keeps SQLite from beginning its log anew, so that every write needs space.
    with closing(sqlite3.connect(portal.instance / "portal.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM delivery").fetchone()
        receiver.delay = 1.0
        assert classify(ids[0]).status_code == 200
        assert receiver.wait_for(1)
        space.take(portal)  # while the first is on its way: its record finds no space
        answers = [classify(contact_id) for contact_id in ids[1:]]
        page = requests.get(f"http://127.0.0.1:{portal.port}/login", timeout=60)
        reader.execute("ROLLBACK")
    refused = [answer for answer in answers if answer.status_code != 200]
    assert refused
    assert {answer.status_code for answer in refused} == {503}
    assert {answer.json()["code"] for answer in refused} <= {"disk_full", "disk_error"}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    assert page.status_code in (200, 503)
    taken = 1 + len(answers) - len(refused)
    time.sleep(1.5)
    receiver.delay = 0.0
    space.give_back(portal)
    wait_until(lambda: statuses() == {"delivered": taken})
    assert len(receiver.received) == taken
    assert db.session.query(Contact).filter_by(interest_level=3).count() == taken
    db.session.remove()
    assert classify(next(each for each, answer in zip(ids[1:], answers, strict=True) if answer in refused)).ok
    wait_until(lambda: statuses() == {"delivered": taken + 1})
    with closing(sqlite3.connect(portal.instance / "portal.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert portal.stop() == 0


def test_the_log_that_a_long_reader_lets_grow_shrinks_after_it(app: Flask, instance: Path) -> None:
    company = factories.make_company()
    log = instance / "portal.db-wal"

    def write(megabytes: int) -> None:
        for _ in range(megabytes * 4):
            company.name = os.urandom(100).hex()
            with db.engine.begin() as connection:
                connection.execute(text("CREATE TABLE IF NOT EXISTS bulk (value BLOB)"))
                connection.execute(text("DELETE FROM bulk"))
                connection.execute(text("INSERT INTO bulk VALUES (zeroblob(262144))"))

    db.session.rollback()
    with closing(sqlite3.connect(instance / "portal.db", isolation_level=None)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM company").fetchone()
        write(24)
        assert log.stat().st_size > WAL_BYTES
        reader.execute("ROLLBACK")
    write(2)
    assert log.stat().st_size <= WAL_BYTES


COMMITS = 300
Damage = Callable[[bytearray, random.Random], None]


def truncate(log: bytearray, chance: random.Random) -> None:
    del log[chance.randrange(len(log)) :]


def zero(log: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(log))
    log[start:] = bytes(len(log) - start)


def scribble(log: bytearray, chance: random.Random) -> None:
    start = chance.randrange(len(log))
    log[start:] = chance.randbytes(len(log) - start)


@pytest.mark.parametrize("damage", [truncate, zero, scribble])
def test_a_log_damaged_by_a_power_cut_leaves_what_was_committed_before(
    tmp_path: Path, damage: Callable[[bytearray, random.Random], None]
) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'whole.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE fact (id INTEGER PRIMARY KEY, value TEXT)"))
    for _ in range(COMMITS):
        with engine.begin() as connection:
            connection.execute(text("INSERT INTO fact (value) VALUES (hex(randomblob(50)))"))
    whole = (tmp_path / "whole.db-wal").read_bytes()
    shutil.copy(tmp_path / "whole.db", tmp_path / "before.db")
    chance, seen = random.Random(7), set()
    for number in range(20):
        copy = tmp_path / f"cut{number}.db"
        shutil.copy(tmp_path / "before.db", copy)
        log = bytearray(whole)
        damage(log, chance)
        Path(f"{copy}-wal").write_bytes(log)
        damaged = create_engine(f"sqlite:///{copy}")
        prepare_engine(damaged)
        with damaged.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
            there = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'fact'").scalar()
            ids = [row.id for row in connection.execute(text("SELECT id FROM fact ORDER BY id"))] if there else []
        damaged.dispose()
        assert ids == list(range(1, len(ids) + 1))
        seen.add(len(ids))
    engine.dispose()
    assert len(seen) > 10, "the damage was nearly always at the same place"


FORK = """
import os, sys
from portal import create_app
from portal.database.db import db
from sqlalchemy import text

app = create_app()
with app.app_context():
    with db.engine.begin() as connection:
        parents = connection.connection.driver_connection
        connection.execute(text("CREATE TABLE fact (value INTEGER)"))
    children = []
    for number in range(4):
        pid = os.fork()
        if not pid:
            for _ in range(50):
                with db.engine.begin() as connection:
                    assert connection.connection.driver_connection is not parents, "the parent's connection is used"
                    connection.execute(text("INSERT INTO fact VALUES (1)"))
            os._exit(0)
        children.append(pid)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    with db.engine.begin() as connection:
        assert connection.connection.driver_connection is parents
        print(codes, connection.execute(text("SELECT count(*) FROM fact")).scalar())
"""


@pytest.mark.parametrize("url", ["sqlite_url", "postgres_url"])
def test_a_fork_after_the_first_query_shares_no_connection(
    request: pytest.FixtureRequest, instance: Path, url: str
) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    own = {"PORTAL_INSTANCE": str(instance), "PORTAL_DATABASE_URL": request.getfixturevalue(url)}
    done = subprocess.run([sys.executable, "-c", FORK], env=environ | own, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[0, 0, 0, 0] 200", done.stderr[-2000:]


def test_making_the_application_starts_nothing_and_connects_to_nothing(instance: Path, sqlite_url: str) -> None:
    """So any number of web processes may make it, by fork or not, without a scheduler or a connection in common."""
    program = (
        "import threading; from portal import create_app; from portal.database.db import db; app = create_app()\n"
        "with app.app_context(): print(threading.active_count(), db.engine.pool.checkedin())"
    )
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    own = {"PORTAL_INSTANCE": str(instance), "PORTAL_DATABASE_URL": sqlite_url}
    done = subprocess.run([sys.executable, "-c", program], env=environ | own, capture_output=True, text=True)
    assert done.stdout.split() == ["1", "0"], done.stderr[-2000:]
