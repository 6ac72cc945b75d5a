"""What every test may ask for: an application on a database of its own, a worker, a receiver, loopback only."""

import gc
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher
from flask import Flask, has_app_context
from sqlalchemy import create_engine
from sqlalchemy.dialects.sqlite import DATETIME

from portal.cli import holding
from portal.cli.worker import run_worker
from portal.clock import utcnow
from portal.config import Settings
from portal.database import db as database
from portal.database.db import db, prepare_engine
from portal.database.upgrading import upgrade_schema
from portal.demo.server import Receiver
from portal.models import Company
from portal.people import passwords
from portal.rules.retry import parse_schedule
from tests import factories
from tests.applications import Applications
from tests.authority import Authority
from tests.examples import offer_profiles
from tests.postgres import Databases, Kept, shared_postgres, stop_server
from tests.turns import Turns, group_of, is_quick, needs_postgresql, seconds_of, starts_a_program

REAL_SYNCHRONOUS = database.SYNCHRONOUS
REAL_HASHER, REAL_DUMMY_HASH = passwords.hasher, passwords._DUMMY_HASH
MOST_SECONDS = 4
"""Of processor, for a test that is not `slow`: what takes one on a quiet machine takes more on a busy one."""
FOLDER = pytest.StashKey[Path]()
"""What the workers of one run share: their PostgreSQL server, and their turns."""
TURNS = pytest.StashKey[Turns]()

offer_profiles()  # before the option that chooses one is read


def pytest_configure(config: pytest.Config) -> None:
    gc.set_threshold(50_000, 20, 50)  # thousands of tests stay in memory: to look through them takes long
    if is_worker(config):
        folder = Path(config.workerinput["folder"])
    else:
        folder = Path(tempfile.mkdtemp(prefix="portal-tests-"))
        folder.chmod(0o755)  # the server's own account passes through
    config.stash[FOLDER] = folder
    config.stash[TURNS] = Turns(folder)


def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the folder is."""
    node.workerinput["folder"] = str(node.config.stash[FOLDER])


def pytest_unconfigure(config: pytest.Config) -> None:
    if not is_worker(config):
        stop_server(config.stash[FOLDER] / "postgres")
        shutil.rmtree(config.stash[FOLDER])


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None, None, None]:
    for item in items:
        if starts_a_program(item):
            item.add_marker("slow")
        if needs_postgresql(item):
            item.add_marker("postgresql")
        if group := group_of(item):
            item.add_marker(pytest.mark.xdist_group(group))
    yield
    items.sort(
        key=seconds_of, reverse=True
    )  # what is left at the end should be short: then no worker waits for another


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported and collected stays to the end: no look for what may go has to pass it again


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, object, object]:
    with item.config.stash[TURNS].turn(item, nextitem):
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """A test that takes more than a second is marked `slow`; a run of the quick ones fails one that takes several."""
    before = processor_seconds()
    result = yield
    took = processor_seconds() - before
    is_held = "not slow" in item.config.option.markexpr
    assert took < MOST_SECONDS or not is_held, f"it took {took:.1f} s of processor: mark it `slow`"
    return result


def processor_seconds() -> float:
    """What this process and its ended children have taken, which says more than a clock while others work too."""
    return sum(os.times()[:4])


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts() -> None:
    """Started in the background of a shell, the tests ignore Ctrl-C, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def quick_hashing() -> None:
    """Passwords are kept with the least work that argon2 knows; `real_hashing` gives the portal's own back."""
    passwords.hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    passwords._DUMMY_HASH = passwords.hasher.hash("nobody")


@pytest.fixture(scope="session", autouse=True)
def quick_writing() -> None:
    """No test of this process waits for the disk, which matters when the power fails; `real_writing` waits."""
    database.SYNCHRONOUS = "OFF"


@pytest.fixture(scope="session", autouse=True)
def times_of_our_type() -> None:
    """SQLite is given every time by `UTCDateTime`: as a text it would stand behind all that are numbers."""

    def refuse(value: datetime) -> None:
        raise AssertionError(f"{value} goes to SQLite, and nothing says that it is a UTCDateTime: see tables.moment")

    DATETIME.bind_processor = lambda *_: refuse  # type: ignore[method-assign, assignment, return-value]
    sqlite3.register_adapter(datetime, refuse)


@pytest.fixture
def real_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SYNCHRONOUS", REAL_SYNCHRONOUS)


@pytest.fixture
def real_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "hasher", REAL_HASHER)
    monkeypatch.setattr(passwords, "_DUMMY_HASH", REAL_DUMMY_HASH)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def programs_are_slow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that starts another Python takes a second by that alone, and has to say so; a bare one (`-I`) is quick."""
    start = subprocess.Popen.__init__

    def guarded(self: "subprocess.Popen[Any]", args: Any, *rest: Any, **options: Any) -> None:
        assert sys.executable not in args or "-I" in args, "a test that starts Python is marked `slow`"
        start(self, args, *rest, **options)

    if is_quick(request.node):
        monkeypatch.setattr(subprocess.Popen, "__init__", guarded)


def make_schema(url: str) -> None:
    engine = create_engine(url)
    prepare_engine(engine)
    upgrade_schema(engine, backups=Path("unused"), now=utcnow())
    engine.dispose()


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with the schema in it, to be copied."""
    path = tmp_path_factory.mktemp("template") / "portal.db"
    make_schema(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def kept_connections() -> Iterator[Kept]:
    kept = Kept()
    yield kept
    kept.close()


@pytest.fixture(scope="session")
def postgres_databases(request: pytest.FixtureRequest, worker_id: str, kept_connections: Kept) -> Iterator[Databases]:
    """Databases on the run's one PostgreSQL server, copied from this worker's own template."""
    server = shared_postgres(request.config.stash[FOLDER] / "postgres")
    databases = Databases(server, template=f"template_{worker_id}", kept=kept_connections)
    make_schema(databases.template_url)
    yield databases
    databases.close()


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    path = tmp_path / "instance"
    path.mkdir()
    return path


@pytest.fixture
def sqlite_url(instance: Path, sqlite_template: Path) -> str:
    shutil.copy(sqlite_template, instance / "portal.db")
    return f"sqlite:///{instance / 'portal.db'}"


@pytest.fixture
def postgres_url(postgres_databases: Databases) -> Iterator[str]:
    with postgres_databases.copy() as url:
        yield url


URL = "http://127.0.0.1:9999/hook"
"""An address that nothing is sent to."""

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both databases (`BOTH`)."""
    name = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[name]))


MakeApp = Callable[..., Flask]


@pytest.fixture(scope="session")
def applications(request: pytest.FixtureRequest, kept_connections: Kept) -> Applications:
    return Applications(request.config.stash[FOLDER] / "templates", kept_connections)


@pytest.fixture(autouse=True)
def lent_to_commands(monkeypatch: pytest.MonkeyPatch, applications: Applications) -> Iterator[None]:
    """Commands that run in this process are lent their application: making one takes longer than most commands."""
    lent: list[Flask] = []

    def lend(settings: Settings) -> Flask:
        lent.append(applications.take(settings))
        return lent[-1]

    monkeypatch.setattr(holding, "create_app", lend)
    yield
    for app in lent:
        applications.give_back(app)


@pytest.fixture
def make_app(instance: Path, database_url: str, applications: Applications) -> Iterator[MakeApp]:
    """Applications on the test's database, with any setting given by name."""
    taken: list[Flask] = []

    def make(**values: Any) -> Flask:
        defaults = {
            "database_url": database_url,
            "allowed_networks": (ip_network(factories.LOOPBACK),),
            "retry_schedule": parse_schedule("0s,1s,1s"),
            "deadline": 10.0,
            "connect_timeout": 5.0,
            "worker_threads": 8,
        }
        app = applications.take(factories.settings_for(instance, **(defaults | values)))
        taken.append(app)
        return app

    yield make
    for app in taken:
        applications.give_back(app)


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    """An application, with its context pushed."""
    app = make_app()
    with app.app_context():
        yield app


@pytest.fixture
def company(app: Flask) -> Company:
    """A company whose endpoint has an address that nothing is sent to."""
    return factories.make_company(url=URL)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real local receiver that answers 200 OK."""
    with Receiver() as started:
        yield started


@contextmanager
def running_worker(app: Flask) -> Iterator[None]:
    """A worker in a thread, stopped cleanly at the end."""
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(app, stop))
    thread.start()
    try:
        yield
    finally:
        if has_app_context():
            db.session.rollback()  # the worker need not wait for what the test left open
        stop.set()
        thread.join(60)
        assert not thread.is_alive(), "the worker did not stop"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
