"""A pgbouncer that lends a server for one transaction: everything works, and a worker says that it is not woken."""

import logging
import os
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import make_url, text

from portal.database.db import POOLED, db
from portal.demo.server import Receiver
from portal.outbox.bell import NotifyEar
from tests.conftest import MakeApp, running_worker
from tests.factories import classify_contact, make_company, make_contact
from tests.postgres import free_port, server_account

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIGURATION = """
[databases]
* = host={host} port={server_port} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = 30
"""


def wait_until_listening(program: "subprocess.Popen[bytes]", port: int) -> None:
    end = time.monotonic() + 60
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            assert program.poll() is None, "pgbouncer ended"
            assert time.monotonic() < end, "pgbouncer does not listen"
            time.sleep(0.05)


@contextmanager
def pgbouncer(folder: Path, url: str, mode: str) -> Iterator[str]:
    """In front of that database; its address by this way."""
    assert PGBOUNCER, "pgbouncer is not installed: see .ci/programs"
    server, port = make_url(url), free_port()
    text = CONFIGURATION.format(host=server.host, server_port=server.port, port=port, mode=mode)
    file = folder / "pgbouncer.ini"
    file.write_text(text.replace("[pgbouncer]", f"[pgbouncer]\nlogfile = {folder / 'log'}"))
    for path in (folder, *folder.parents):  # its own account passes through
        if path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(path.stat().st_mode | 0o011)
    folder.chmod(0o777)
    program = subprocess.Popen([PGBOUNCER, "-q", file], user=server_account(), extra_groups=[])
    try:
        wait_until_listening(program, port)
        yield server.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    finally:
        program.terminate()
        program.wait(60)


@pytest.fixture(params=["transaction", "session"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def pooled(tmp_path: Path, postgres_url: str, make_app: MakeApp, mode: str) -> Iterator[Flask]:
    folder = tmp_path / "pool"
    folder.mkdir()
    with pgbouncer(folder, postgres_url, mode) as url:
        app = make_app(database_url=url)
        with app.app_context():
            yield app
            db.session.remove()
            db.engine.dispose()


def test_deliveries_arrive_through_it(pooled: Flask, receiver: Receiver) -> None:
    company = make_company(url=receiver.url)
    with running_worker(pooled):
        for _ in range(40):
            classify_contact(make_contact(company), 3)
        assert receiver.wait_for(40)
    assert len(receiver.received) == 40


def test_nothing_outlives_a_transaction_and_waits_for_locks_are_bounded(pooled: Flask) -> None:
    for _ in range(20):  # the driver would prepare a statement that it is given often
        with db.engine.begin() as connection:
            assert connection.info[POOLED]
            assert connection.execute(text("SHOW lock_timeout")).scalar_one() == "15s"
            assert connection.execute(text("SELECT count(*) FROM contact WHERE id = :id"), {"id": 1}).scalar_one() == 0
    with db.engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() == 0


def test_a_worker_listens_where_that_works_and_says_where_it_does_not(
    pooled: Flask, mode: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("portal"), "propagate", True)
    engine, ear = db.engine, NotifyEar(db.engine)
    assert ear.wait(1), "it looks once"
    told = [record for record in caplog.records if getattr(record, "action", "") == "bell_unheard"]
    assert bool(told) is (mode == "transaction")

    def ring() -> None:
        with engine.begin() as connection:
            connection.execute(text("NOTIFY portal_due"))

    timer = threading.Timer(0.3, ring)
    timer.start()
    assert ear.wait(3) is (mode == "session")
    timer.join()
    ear.close()
