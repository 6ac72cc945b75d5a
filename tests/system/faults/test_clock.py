"""The wall clock is set back or forward, and the zone of the host changes; `portal.clock` is what moves."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from portal import clock, outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Delivery, Endpoint
from portal.rules.circuit import LONGEST_PAUSE
from portal.rules.retry import DEFAULT_SCHEDULE
from portal.worker import dispatcher, run
from tests import factories
from tests.conftest import BOTH, MakeApp, running_worker
from tests.system.conftest import Portal, wait_for_status
from tests.system.faults.conftest import (
    LEASE,
    answered,
    attempts_of,
    claim_due,
    make_deliveries,
    reload,
    rules,
    settle,
    statuses,
    wait_until,
)

pytestmark = pytest.mark.slow

SetClock = Callable[[timedelta], None]


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Move the wall clock of everything in this process; the steady clock goes on as it was."""
    real = clock.utcnow

    def set_(by: timedelta) -> None:
        monkeypatch.setattr(clock, "utcnow", lambda: real() + by)

    return set_


@pytest.fixture
def no_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scheduler that never calls, as APScheduler does not while the wall clock catches up."""
    monkeypatch.setattr(run, "TICK_SECONDS", 3600)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 0.3)


@pytest.mark.usefixtures("no_ticks")
@BOTH
def test_a_clock_set_back_an_hour_keeps_nobody_waiting(
    app: Flask, company: Company, receiver: Receiver, set_clock: SetClock
) -> None:
    with running_worker(app):
        make_deliveries(company, 1)
        wait_until(lambda: statuses() == {"delivered": 1})
        set_clock(timedelta(hours=-1))
        make_deliveries(company, 1)
        wait_until(lambda: statuses() == {"delivered": 2})


@pytest.mark.usefixtures("no_ticks")
def test_what_was_due_when_the_clock_is_set_back_goes_out_at_once(
    app: Flask, company: Company, receiver: Receiver, set_clock: SetClock
) -> None:
    endpoint = factories.endpoint_of(company)
    endpoint.state = "paused"
    make_deliveries(company, 3)
    with running_worker(app):
        time.sleep(1)
        set_clock(timedelta(hours=-1))
        db.session.execute(update(Endpoint).values(state="active"))
        db.session.commit()
        wait_until(lambda: statuses() == {"delivered": 3})


def test_nothing_waits_for_the_future_of_a_clock_that_ran_a_year_ahead(company: Company) -> None:
    retried, held, fresh = make_deliveries(company, 3)
    ahead, now = utcnow() + timedelta(days=365), utcnow()
    first, *_ = claim_due(now=ahead, limit=2)
    settle(first, answered("server_error"), by=rules(DEFAULT_SCHEDULE, now=ahead))
    db.session.execute(update(Delivery).where(Delivery.id == fresh).values(next_attempt_at=ahead))
    db.session.execute(update(Endpoint).values(next_probe_at=ahead))
    db.session.commit()
    longest = rules(DEFAULT_SCHEDULE).schedule.longest
    with db.engine.begin() as connection:
        outbox.pull_forward(connection, now=now, longest=longest, lease=LEASE)
    assert reload(retried).next_attempt_at == now + longest
    assert reload(held).lease_expires_at == now + LEASE
    assert reload(fresh).next_attempt_at == now
    assert factories.endpoint_of(company).next_probe_at == now + LONGEST_PAUSE


def test_times_that_can_be_are_left_alone(company: Company) -> None:
    retried, held, fresh = make_deliveries(company, 3)
    now = utcnow()
    first, *_ = claim_due(now=now, limit=2)
    settle(first, answered("server_error"), by=rules("0s,24h", now=now))
    before = [(row.next_attempt_at, row.lease_expires_at) for row in map(reload, (retried, held, fresh))]
    db.session.rollback()
    with db.engine.begin() as connection:
        outbox.pull_forward(connection, now=now, longest=rules("0s,24h").schedule.longest, lease=LEASE)
    assert [(row.next_attempt_at, row.lease_expires_at) for row in map(reload, (retried, held, fresh))] == before


@BOTH
def test_a_leap_of_a_day_while_sending_makes_no_duplicates(
    app: Flask, company: Company, receiver: Receiver, set_clock: SetClock
) -> None:
    receiver.delay = 1.0
    ids = make_deliveries(company, 24)
    with running_worker(app), running_worker(app):
        assert receiver.wait_for(8)
        set_clock(timedelta(days=1))
        wait_until(lambda: statuses() == {"delivered": 24}, seconds=40)
    assert len(receiver.received) == 24
    assert {reason for each in ids for reason, _ in attempts_of(each)} == {"ok_text"}


def test_after_a_leap_the_dead_are_recovered_a_lease_later(
    make_app: MakeApp, receiver: Receiver, set_clock: SetClock
) -> None:
    app = make_app(deadline=4.0, connect_timeout=2.0)  # a short lease
    with app.app_context(), running_worker(app):
        company = factories.make_company(url=receiver.url)
        make_deliveries(company, 1)
        wait_until(lambda: statuses() == {"delivered": 1})
        set_clock(timedelta(days=1))
        (delivery_id,) = make_deliveries(
            db.session.merge(company),
            1,
            status="sending",
            lease_token="dead",
            lease_expires_at=utcnow(),
            attempt_count=1,
        )
        wait_until(lambda: statuses() == {"delivered": 2})
        assert attempts_of(delivery_id) == [("interrupted", False), ("ok_text", False)]


@pytest.mark.parametrize("zone", ["America/Sao_Paulo", "Asia/Kolkata"])
def test_the_zone_of_the_host_changes_no_time(app: Flask, portal: Portal, receiver: Receiver, zone: str) -> None:
    """The worker's and the console's zones differ, and the first try fails, so that a pause is computed too."""
    receiver.answers = iter([(500, b"no")])
    contact_id = factories.make_contact(db.session.query(Company).one()).id
    db.session.remove()
    portal.environment["TZ"] = zone
    portal.serve()
    portal.environment["TZ"] = "UTC"
    begun = utcnow()
    assert portal.run("classify", str(contact_id), "3").returncode == 0
    delivery = wait_for_status(db.session.query(Delivery.id).scalar(), "delivered")
    assert begun <= delivery.created_at <= delivery.attempts[0].started_at
    assert delivery.attempts[-1].started_at - delivery.created_at < timedelta(seconds=15)


def test_a_change_to_summer_time_moves_no_retry(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")  # 2026-03-08, 2:00 becomes 3:00, which is 7:00 UTC
    time.tzset()
    try:
        (delivery_id,) = make_deliveries(company, 1)
        now = factories.NOON.replace(day=8, hour=6, minute=45)
        db.session.execute(update(Delivery).values(next_attempt_at=now))
        db.session.commit()
        (claim,) = claim_due(now=now)
        settle(claim, answered("server_error"), by=rules("0s,30m", now=now))
        assert claim_due(now=now + timedelta(minutes=29)) == []
        assert [claim.delivery_id for claim in claim_due(now=now + timedelta(minutes=30))] == [delivery_id]
    finally:
        monkeypatch.undo()
        time.tzset()
