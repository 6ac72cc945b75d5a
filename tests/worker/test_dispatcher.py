import threading
import time
from collections.abc import Sequence
from itertools import count, repeat
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, LargeBinary, select, type_coerce, update

from portal import outbox
from portal.database.db import db
from portal.database.packing import pack
from portal.demo.server import Receiver
from portal.models import Attempt, Company, Delivery, DeliveryBody
from portal.outbox import Rules
from portal.rules.payload import encode_body, sample_payload
from portal.worker import dispatcher, run
from portal.working_models import AttemptCount
from tests import factories
from tests.conftest import BOTH, MakeApp, running_worker


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    return factories.make_company(url=receiver.url)


def wait_until(condition: Any, *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def statuses() -> dict[str, int]:
    db.session.remove()
    found: dict[str, int] = {}
    for status in db.session.scalars(select(Delivery.status)):
        found[status] = found.get(status, 0) + 1
    db.session.remove()
    return found


@BOTH
def test_a_classification_wakes_the_worker_reaches_the_receiver_and_is_recorded_as_delivered(
    app: Flask, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "TICK_SECONDS", 3600)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3600)
    contact = factories.make_contact(company)
    db.session.rollback()
    with running_worker(app):
        time.sleep(1)  # the worker has looked, and found nothing; its next look is an hour away
        delivery = factories.make_delivery(contact, level=3)
        assert receiver.wait_for(1), "nobody woke the worker"
        body = delivery.body
        wait_until(lambda: statuses() == {"delivered": 1})
    post = receiver.received[0]
    assert post.body == body
    assert post.headers["webhook-id"] == delivery.webhook_id
    assert post.headers["Content-Type"] == "application/json"


@pytest.mark.slow
@BOTH
def test_two_failures_then_a_success_show_three_attempts(app: Flask, company: Company, receiver: Receiver) -> None:
    receiver.answers = iter([(500, b"no"), (500, b"no"), (200, b"OK")])
    delivery = factories.make_delivery(factories.make_contact(company))
    db.session.remove()
    with running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 1})
    attempts = db.session.scalars(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id)).all()
    assert [(a.number, a.trigger, a.reason) for a in attempts] == [
        (1, "classification", "server_error"),
        (2, "retry", "server_error"),
        (3, "retry", "ok_text"),
    ]


@pytest.mark.slow
@BOTH
def test_two_workers_send_each_delivery_once(app: Flask, company: Company, receiver: Receiver) -> None:
    for _ in range(150):
        factories.make_delivery(factories.make_contact(company))
    db.session.remove()
    with running_worker(app), running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 150})
    assert len(receiver.received) == 150
    assert len({post.headers["webhook-id"] for post in receiver.received}) == 150


def test_a_contacts_levels_arrive_in_the_order_they_were_given(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    contact = factories.make_contact(company)
    for level in (1, 2, 3):
        factories.make_delivery(contact, level)
    db.session.remove()
    with running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 3})
    levels = [post.body[post.body.index(b'"interest_level":') + 17 :][:1] for post in receiver.received]
    assert levels == [b"1", b"2", b"3"]


@pytest.mark.parametrize(
    "lies", [b"\xff not what we write", pack(encode_body(sample_payload()))[:-1]], ids=["odd", "damaged"]
)
def test_a_delivery_that_cannot_be_sent_fails_with_its_reason_and_keeps_nobody_waiting(
    app: Flask, company: Company, receiver: Receiver, lies: bytes
) -> None:
    broken = factories.make_delivery(factories.make_contact(company))
    db.session.execute(update(DeliveryBody).values(content=type_coerce(lies, LargeBinary)))
    factories.make_delivery(factories.make_contact(company))
    db.session.commit()
    db.session.remove()
    with running_worker(app):
        wait_until(lambda: statuses() == {"failed": 1, "delivered": 1})
    assert db.session.get_one(Delivery, broken.id).reason == "internal_error"


def test_a_slow_receiver_does_not_hold_up_another_company(make_app: MakeApp, receiver: Receiver) -> None:
    app = make_app(worker_threads=8, endpoint_concurrency=4, deadline=120.0)
    released = threading.Event()
    with app.app_context(), Receiver(on_request=lambda _: released.wait(90)) as stuck:
        slow = factories.make_company(url=stuck.url)
        for _ in range(40):
            factories.make_delivery(factories.make_contact(slow))
        contact = factories.make_contact(factories.make_company("Outra", url=receiver.url))
        db.session.rollback()
        with running_worker(app):
            try:
                assert stuck.wait_for(4)
                factories.make_delivery(contact)
                db.session.rollback()
                assert receiver.wait_for(1)
            finally:
                released.set()


def test_more_quick_receivers_than_senders_die_at_one_moment_and_another_gets_its_own(
    make_app: MakeApp, receiver: Receiver
) -> None:
    app = make_app(worker_threads=4, deadline=60.0)
    is_alive = threading.Event()
    is_alive.set()
    with app.app_context(), Receiver(on_request=lambda _: is_alive.wait(60)) as dying:
        contacts = [factories.make_contact(factories.make_company(f"{each}", url=dying.url)) for each in range(9)]
        contacts.append(factories.make_contact(factories.make_company("Viva", url=receiver.url)))
        with running_worker(app):
            for contact in contacts:
                factories.make_delivery(contact, 1)
            wait_until(lambda: statuses() == {"delivered": 10})
            is_alive.clear()
            for contact in contacts[:9]:
                factories.make_delivery(db.session.merge(contact), 2)
            db.session.rollback()
            try:
                assert dying.wait_for(18)
                factories.make_delivery(db.session.merge(contacts[9]), 2)
                db.session.rollback()
                assert receiver.wait_for(2)
            finally:
                is_alive.set()
            wait_until(lambda: statuses() == {"delivered": 20})


def test_what_came_back_is_recorded_while_others_trickle_in(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, places, settle = [], count(1), outbox.settle

    def note(connection: Connection, results: Sequence[Any], rules: Rules) -> None:
        recorded.append(len(results))
        settle(connection, results, rules)

    monkeypatch.setattr(outbox, "settle", note)
    monkeypatch.setattr(dispatcher, "GATHER_SECONDS", 0.5)
    app = make_app(worker_threads=16, deadline=30.0)
    with app.app_context(), Receiver(on_request=lambda _: time.sleep(next(places) * 0.2)) as receiver:
        for name in "ABC":
            company = factories.make_company(name, url=receiver.url)
            for _ in range(4):
                factories.make_delivery(factories.make_contact(company))
        db.session.rollback()
        with running_worker(app):
            wait_until(lambda: statuses() == {"delivered": 12})
    assert sum(recorded) == 12
    assert max(recorded) < 12, "the first waited for the last"


@pytest.mark.slow
def test_a_worker_that_stops_gives_back_what_it_has_not_sent(app: Flask, company: Company, receiver: Receiver) -> None:
    receiver.delay = 0.5
    for _ in range(60):
        factories.make_delivery(factories.make_contact(company))
    db.session.remove()
    with running_worker(app):
        receiver.wait_for(8)
    found = statuses()
    assert set(found) <= {"delivered", "pending"}
    assert found["delivered"] == len(receiver.received)


def test_a_test_send_takes_the_same_way_and_is_recorded(app: Flask, company: Company, receiver: Receiver) -> None:
    receiver.answers = repeat((202, b""))
    sent = factories.send_test(company, receiver.url)
    assert sent.outcome.reason == "status_2xx"
    delivery = db.session.query(Delivery).one()
    assert (delivery.trigger, delivery.status, delivery.webhook_id) == ("test", "failed", sent.webhook_id)
    assert [(attempt.number, attempt.status_code) for attempt in delivery.attempts] == [(1, 202)]
    assert receiver.received[0].body == delivery.body
    assert db.session.query(AttemptCount).count() == 0


@pytest.mark.slow
def test_an_endpoint_gets_no_more_a_second_than_the_rate_limit_allows(make_app: MakeApp, receiver: Receiver) -> None:
    app = make_app(rate_limit=10.0)
    with app.app_context():
        company = factories.make_company(url=receiver.url)
        for _ in range(11):
            factories.make_delivery(factories.make_contact(company))
        db.session.remove()
        with running_worker(app):
            assert receiver.wait_for(11)
    times = [post.at for post in receiver.received]
    assert (times[-1] - times[0]).total_seconds() > 0.7  # without a limit these are there at once
