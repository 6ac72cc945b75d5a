"""What every test may ask for: an application on a database of its own, a worker, a receiver, loopback only."""

import shutil
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from portal import create_app
from portal.clock import utcnow
from portal.database.db import db, prepare_engine
from portal.database.upgrading import upgrade_schema
from portal.demo.server import Receiver
from portal.models import Company
from portal.rules.retry import parse_schedule
from portal.worker import run
from tests import factories
from tests.authority import Authority
from tests.postgres import throwaway_postgres


@pytest.fixture(scope="session", autouse=True)
def heard_interrupts() -> None:
    """Started in the background of a shell, the tests ignore Ctrl-C, and so would every process that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test reaches another machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not ip_address(address[0]).is_loopback:
            raise AssertionError(f"a test tried to reach {address}")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


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
def postgres_server() -> Iterator[str]:
    """The address of an empty PostgreSQL database that lives as long as the run."""
    with throwaway_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_template(postgres_server: str) -> str:
    """A PostgreSQL database with the schema in it, to be copied."""
    on_postgres(postgres_server, "CREATE DATABASE portal_template")
    make_schema(with_database(postgres_server, "portal_template"))
    return postgres_server


def on_postgres(url: str, statement: str) -> None:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def with_database(url: str, name: str) -> str:
    return url.rpartition("/")[0] + f"/{name}"


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
def postgres_url(postgres_template: str, tmp_path: Path) -> Iterator[str]:
    name = f"test_{abs(hash(tmp_path)):x}"
    on_postgres(postgres_template, f"CREATE DATABASE {name} TEMPLATE portal_template")
    yield with_database(postgres_template, name)
    on_postgres(postgres_template, f"DROP DATABASE {name} WITH (FORCE)")


URL = "http://127.0.0.1:9999/hook"
"""An address that nothing is sent to."""

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    """SQLite, unless a test asks for both databases (`BOTH`)."""
    name = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[name]))


MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app(instance: Path, database_url: str) -> Iterator[MakeApp]:
    """Applications on the test's database, with any setting given by name."""
    made: list[Flask] = []

    def make(**values: Any) -> Flask:
        defaults = {
            "database_url": database_url,
            "allowed_networks": (ip_network(factories.LOOPBACK),),
            "retry_schedule": parse_schedule("0s,1s,1s"),
            "deadline": 2.0,
            "connect_timeout": 1.0,
            "worker_threads": 8,
        }
        app = create_app(factories.settings_for(instance, **(defaults | values)))
        app.config["TESTING"] = True
        made.append(app)
        return app

    yield make
    for app in made:
        app.extensions["portal"].egress.close()
        with app.app_context():
            db.session.remove()
            db.engine.dispose()


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
    thread = threading.Thread(target=run.run, args=(app, stop))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive(), "the worker did not stop"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))
