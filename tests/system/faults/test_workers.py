"""Workers that are frozen, deaf, without ticks or with another key; and a PostgreSQL that goes away under them."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from apscheduler.schedulers.background import BackgroundScheduler
from flask import Flask
from sqlalchemy import select, text

from portal import outbox
from portal.cli.worker import run_worker
from portal.config import LEASE_MARGIN
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Attempt, Company, Delivery
from portal.outbox.bell import DatagramBell, DatagramEar, NotifyBell
from portal.vault import Vault
from portal.worker import dispatcher, rounds, run
from portal.working_models import WorkerHeartbeat
from tests import factories
from tests.cli.conftest import Running
from tests.conftest import BOTH, MakeApp, make_schema, running_worker
from tests.postgres import find_programs, server_account, throwaway_postgres
from tests.system.faults.conftest import attempts_of, make_deliveries, reload, statuses, wait_until

pytestmark = pytest.mark.slow

DEADLINE_SECONDS = 2
READY = "The worker is ready"


@pytest.fixture
def workers(instance: Path, database_url: str, tmp_path: Path) -> Iterator[list[Running]]:
    """Append what `start_worker` gives: it is killed at the end."""
    started: list[Running] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            os.kill(each.process.pid, signal.SIGCONT)
        each.close()


def start_worker(app: Flask, folder: Path) -> Running:
    settings = app.extensions["portal"].settings
    running = Running(
        ("worker",),
        {
            "PORTAL_INSTANCE": str(settings.instance),
            "PORTAL_DATABASE_URL": settings.database_url,
            "PORTAL_SECRET_KEY": settings.secret_key,
            "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
            "PORTAL_RETRY_SCHEDULE": "0s,1s,1s",
            "PORTAL_DEADLINE": str(DEADLINE_SECONDS),
            "PORTAL_CONNECT_TIMEOUT": "1",
        },
        folder,
    )
    running.wait_for(READY)
    return running


@BOTH
def test_a_worker_frozen_beyond_its_lease_leaves_a_late_attempt_and_nothing_else(
    app: Flask, company: Company, receiver: Receiver, workers: list[Running], tmp_path: Path
) -> None:
    receiver.delay = 0.7
    (delivery_id,) = make_deliveries(company, 1)
    db.engine.dispose()
    workers.append(start_worker(app, tmp_path))
    assert receiver.wait_for(1)
    workers[0].process.send_signal(signal.SIGSTOP)
    receiver.delay = 0.0
    workers.append(start_worker(app, tmp_path))
    lease = DEADLINE_SECONDS + LEASE_MARGIN.total_seconds()
    wait_until(lambda: statuses() == {"delivered": 1}, seconds=lease + 10)
    settled = reload(delivery_id)
    before = (settled.status, settled.reason, settled.delivered_at, settled.tries)
    db.session.remove()
    workers[0].process.send_signal(signal.SIGCONT)
    wait_until(lambda: len(attempts_of(delivery_id)) == 3)
    assert attempts_of(delivery_id)[:2] == [("interrupted", False), ("ok_text", False)]
    assert attempts_of(delivery_id)[2][1], "the one who was frozen is not late"
    settled = reload(delivery_id)
    assert (settled.status, settled.reason, settled.delivered_at, settled.tries) == before
    db.session.remove()
    assert len(receiver.received) == 2
    assert workers[0].stop()[0] == 0


def test_deliveries_go_out_without_any_tick_or_call(
    app: Flask, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler whose pool is busy, or that the clock has silenced, and calls that get lost."""
    monkeypatch.setattr(BackgroundScheduler, "start", lambda _self: None)
    monkeypatch.setattr(BackgroundScheduler, "shutdown", lambda _self: None)
    monkeypatch.setattr(DatagramBell, "after_commit", lambda _self: None)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.5)
    with running_worker(app):
        time.sleep(0.7)
        make_deliveries(company, 1)
        wait_until(lambda: statuses() == {"delivered": 1})


def last_seen() -> datetime | None:
    db.session.remove()
    found = db.session.scalar(select(WorkerHeartbeat.seen_at))
    db.session.remove()
    return found


def test_a_look_that_fails_every_time_is_repeated_and_shows_no_life(
    app: Flask, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails: list[float] = []

    def fail(*_args: object, **_values: object) -> None:
        fails.append(time.monotonic())
        raise ZeroDivisionError("a fault of ours")

    monkeypatch.setattr(rounds, "FAULT_PAUSE_SECONDS", 0.1)
    monkeypatch.setattr(dispatcher, "SILENT_SECONDS", 0.5)
    monkeypatch.setattr(run, "HEARTBEAT_SECONDS", 0.2)
    make_deliveries(company, 1)
    claim_due = outbox.claim_due
    with monkeypatch.context() as broken:
        broken.setattr(outbox, "claim_due", fail)
        with running_worker(app):
            wait_until(lambda: len(fails) > 8)
            seen = last_seen()
            time.sleep(1)
            assert last_seen() == seen, "a worker that only fails shows life"
            broken.setattr(outbox, "claim_due", claim_due)
            wait_until(lambda: statuses() == {"delivered": 1})
            wait_until(lambda: last_seen() != seen)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_cannot_listen_ends_instead_of_not_hearing_a_stop(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatagramEar, "wait", lambda _self, timeout: 1 // 0)
    thread = threading.Thread(target=run_worker, args=(app, threading.Event()))
    thread.start()
    thread.join(60)
    assert not thread.is_alive()


def test_with_another_key_nothing_fails_and_the_worker_with_the_right_one_delivers(
    app: Flask, company: Company, receiver: Receiver, make_app: MakeApp
) -> None:
    """Two machines with keys of their own, on a database that was empty when both started."""
    ids = make_deliveries(company, 20)
    stranger = make_app()
    runtime = stranger.extensions["portal"]
    object.__setattr__(runtime, "vault", Vault("another key " * 4))
    thread = threading.Thread(target=run_worker, args=(stranger, threading.Event()))
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "a worker that can sign nothing goes on"
    assert statuses() == {"pending": 20}
    assert [attempts_of(each) for each in ids] == [[]] * 20
    with running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 20})
    assert len(receiver.received) == 20


@pytest.fixture
def own_server() -> Iterator[str]:
    """A PostgreSQL that this test may stop."""
    with throwaway_postgres() as url:
        make_schema(url)
        yield url


def control(folder: str, *arguments: str) -> None:
    account = server_account()
    groups = {} if account is None else {"user": account, "group": account, "extra_groups": []}
    command = [find_programs() / "pg_ctl", "-D", folder, *arguments]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd="/tmp", **groups)


def test_postgresql_that_restarts_while_a_backlog_drains_loses_nothing(
    make_app: MakeApp, own_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 60)
    app = make_app(database_url=own_server, worker_threads=4)
    with app.app_context(), Receiver(delay=0.02) as receiver:
        company = factories.make_company(url=receiver.url)
        ids = make_deliveries(company, 300)
        folder = db.session.scalar(text("SHOW data_directory"))
        db.session.remove()
        with running_worker(app):
            for count in (50, 150):
                assert receiver.wait_for(count)
                control(folder, "restart", "--wait", "--mode=fast", f"--log={folder}/../server.log")
            wait_until(lambda: statuses() == {"delivered": 300}, seconds=40)
        sent = {row.delivery_id: row.sent for row in db.session.execute(SENT)}
        posts = len(receiver.received)
        assert posts <= sum(sent.values()), "a post has no attempt"
        assert posts - 300 <= 2 * 60, "more came twice than were under way at the two restarts"
        assert set(ids) <= sent.keys()


SENT = text("SELECT delivery_id, count(*) AS sent FROM attempt WHERE request_sent GROUP BY delivery_id")


def test_the_call_is_heard_again_after_postgresql_restarted(
    make_app: MakeApp, own_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3600)
    monkeypatch.setattr(run, "TICK_SECONDS", 3600)
    app = make_app(database_url=own_server)
    with app.app_context(), Receiver() as receiver:
        company = factories.make_company(url=receiver.url)
        folder = db.session.scalar(text("SHOW data_directory"))
        db.session.remove()
        with running_worker(app):
            make_deliveries(company, 1)
            assert receiver.wait_for(1)
            control(folder, "restart", "--wait", "--mode=fast", f"--log={folder}/../server.log")
            time.sleep(1.5)
            make_deliveries(company, 1)
            assert receiver.wait_for(2), "nobody heard the call"
            wait_until(lambda: statuses() == {"delivered": 2})


def test_a_lost_call_costs_a_tick(
    app: Flask, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(DatagramBell, "after_commit", lambda _self: None)
    monkeypatch.setattr(NotifyBell, "before_commit", lambda _self, _session: None)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3600)
    with running_worker(app):
        time.sleep(0.5)
        make_deliveries(company, 1)
        wait_until(lambda: statuses() == {"delivered": 1}, seconds=run.TICK_SECONDS + 14)
    assert db.session.query(Attempt).one().reason == "ok_text"
    assert db.session.query(Delivery).one().attempt_count == 1
