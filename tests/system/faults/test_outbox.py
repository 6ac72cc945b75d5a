"""Races, removals and hostile answers, seen from the outbox, on both databases."""

import threading
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import delete

from portal import outbox, webhook
from portal.clock import utcnow
from portal.company import endpoint as endpoints
from portal.company import testing
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import Attempt, AuditEntry, Company, Delivery
from portal.rules.retry import DEFAULT_SCHEDULE, MAX_RETRY_AFTER
from portal.runtime import runtime
from portal.webhook import Outcome, post
from tests import factories
from tests.conftest import BOTH, MakeApp, running_worker
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
from tests.views.conftest import Person

pytestmark = BOTH


def begun(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_a_reaper_that_runs_while_the_owner_records_takes_nothing_back(company: Company) -> None:
    (delivery_id,) = make_deliveries(company, 1)
    (claim,) = claim_due()
    engine, found = db.engine, []

    def reap() -> None:
        with engine.begin() as connection:
            found.append(outbox.recover(connection, rules(now=utcnow() + timedelta(minutes=1)), lease=LEASE))

    with engine.begin() as owner:
        outbox.settle(owner, [(claim, answered("ok_text"))], rules())
        reaper = begun(reap)
        reaper.join(0.3)
    reaper.join(60)
    assert found == [0]
    assert reload(delivery_id).status == "delivered"
    assert attempts_of(delivery_id) == [("ok_text", False)]


def test_an_owner_who_records_while_the_reaper_runs_is_late(company: Company) -> None:
    (delivery_id,) = make_deliveries(company, 1)
    (claim,) = claim_due()
    engine, failure = db.engine, answered("server_error", url=claim.url)

    def record() -> None:
        with engine.begin() as connection:
            outbox.settle(connection, [(claim, failure)], rules())

    with engine.begin() as reaper:
        assert outbox.recover(reaper, rules(now=utcnow() + timedelta(minutes=1)), lease=LEASE) == 1
        owner = begun(record)
        owner.join(0.3)
    owner.join(60)
    assert reload(delivery_id).status == "pending"
    assert attempts_of(delivery_id) == [("interrupted", False), ("server_error", True)]
    assert factories.endpoint_of(company).consecutive_failures == 0


@pytest.mark.parametrize("then", ["it fails", "its worker dies", "it is given back"])
def test_what_is_being_sent_when_the_address_is_removed_ends_cancelled(company: Company, then: str) -> None:
    (delivery_id,) = make_deliveries(company, 1)
    (claim,) = claim_due()
    endpoints.remove_address(db.session, factories.actor_of(company))
    db.session.commit()
    with db.engine.begin() as connection:
        if then == "it fails":
            outbox.settle(connection, [(claim, answered("server_error"))], rules())
        elif then == "its worker dies":
            outbox.recover(connection, rules(now=utcnow() + timedelta(minutes=1)), lease=LEASE)
        else:
            outbox.release(connection, [claim])
        outbox.cancel_strays(connection)
    assert reload(delivery_id).status == "cancelled"
    assert reload(delivery_id).next_attempt_at is None


def test_what_waits_for_an_address_that_there_is_goes_on_waiting(company: Company) -> None:
    make_deliveries(company, 1)
    factories.make_company("Sem endereço")
    with db.engine.begin() as connection:
        outbox.cancel_strays(connection)
        assert outbox.has_due(connection, now=utcnow())
    assert statuses() == {"pending": 1}


def test_a_delivery_that_is_erased_while_it_is_sent_keeps_no_other_from_being_recorded(company: Company) -> None:
    make_deliveries(company, 2)
    claims = claim_due()
    with db.engine.begin() as connection:
        connection.execute(delete(Delivery).where(Delivery.id == claims[0].delivery_id))
        outbox.settle(connection, [(claim, answered("ok_text")) for claim in claims], rules())
    assert statuses() == {"delivered": 1}


@pytest.mark.parametrize("text", ["a\0b", "a\ud800b"])
def test_a_detail_that_no_database_takes_is_recorded_all_the_same(company: Company, text: str) -> None:
    make_deliveries(company, 1)
    (claim,) = claim_due()
    assert settle(claim, answered("protocol_error", detail=text)).status == "pending"
    (attempt,) = db.session.query(Attempt)
    assert attempt.detail.isprintable()
    assert attempt.detail[0] + attempt.detail[-1] == "ab"


def test_a_result_that_cannot_be_recorded_fails_alone(
    app: Flask, company: Company, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned, *_ = make_deliveries(company, 20)
    webhook_id = reload(poisoned).webhook_id
    db.session.remove()

    def begin(request: Any, egress: Any, done: Callable[[Outcome], None]) -> None:
        poison = answered("ok_text", duration_ms=10**30)
        sent(request, egress, lambda outcome: done(poison if request.webhook_id == webhook_id else outcome))

    sent = webhook.begin
    monkeypatch.setattr(webhook, "begin", begin)
    with running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 19, "failed": 1})
    assert reload(poisoned).reason == "internal_error"


def test_two_clicks_on_resend_at_the_same_moment_send_once(app: Flask, company: Company, receiver: Receiver) -> None:
    make_deliveries(company, 1)
    (claim,) = claim_due()
    settle(claim, answered("server_error", status_code=500), by=rules("0s"))
    admin = factories.make_user(company)
    clicks = [Person(app.test_client(), admin) for _ in range(2)]
    tokens = [click.token() for click in clicks]
    together, answers = threading.Barrier(2), []

    def click(person: Person, token: str) -> None:
        together.wait(10)
        form = {"csrf_token": token, "seen_attempts": "1"}
        answers.append(person.client.post(f"/deliveries/{claim.webhook_id}/resend", data=form).status_code)

    db.session.remove()
    threads = [begun(lambda pair=pair: click(*pair)) for pair in zip(clicks, tokens, strict=True)]
    for thread in threads:
        thread.join(60)
    with running_worker(app):
        wait_until(lambda: statuses() == {"delivered": 1})
    assert answers == [303, 303]
    assert len(receiver.received) == 1
    assert db.session.query(AuditEntry).filter_by(action="delivery.resent").count() == 1


def test_a_resend_by_hand_while_the_retry_is_due_never_makes_two_at_once(make_app: MakeApp) -> None:
    app = make_app(worker_threads=4)
    with app.app_context(), Receiver(delay=0.15, answers=iter([(500, b"no")])) as receiver:
        (delivery_id,) = make_deliveries(factories.make_company(url=receiver.url), 1)
        together = threading.Barrier(4)

        def resend() -> None:
            with app.app_context():
                together.wait(10)
                for _ in range(8):
                    row = db.session.get_one(Delivery, delivery_id)
                    outbox.resend(db.session, row, actor="ana@example.com", now=utcnow())
                    db.session.commit()
                    db.session.remove()
                    threading.Event().wait(0.05)

        with running_worker(app), running_worker(app):
            assert receiver.wait_for(1)
            wait_until(lambda: statuses() == {"pending": 1})
            threads = [begun(resend) for _ in range(4)]
            for thread in threads:
                thread.join(60)
            wait_until(lambda: statuses() == {"delivered": 1})
        times = [post.at for post in receiver.received]
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(times)]
        assert all(gap > 0.14 for gap in gaps)
        assert len(attempts_of(delivery_id)) == len(times)


def test_after_the_last_try_of_the_real_schedule_there_is_no_other_until_somebody_asks(company: Company) -> None:
    (delivery_id,) = make_deliveries(company, 1)
    now, tries = utcnow(), 0
    for _ in range(200):
        for claim in claim_due(now=now):
            tries += 1
            settle(claim, answered("server_error"), by=rules(DEFAULT_SCHEDULE, now=now))
        now += timedelta(hours=1)
    delivery = reload(delivery_id)
    assert (tries, delivery.status, delivery.attempt_count) == (9, "failed", 9)
    assert outbox.resend(db.session, delivery, actor="ana@example.com", now=now)
    db.session.commit()
    (claim,) = claim_due(now=now)
    assert (claim.tries, claim.trigger, claim.number) == (0, "manual", 10)


def test_three_quick_changes_of_which_the_first_fails_end_with_the_last(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    receiver.answers = iter([(500, b"no")])
    contact = factories.make_contact(company)
    made = [factories.make_delivery(contact, level).id for level in (1, 2, 1)]
    db.session.remove()
    with running_worker(app):
        wait_until(lambda: statuses() == {"superseded": 1, "delivered": 2})
    assert [reload(each).status for each in made] == ["superseded", "delivered", "delivered"]
    levels = [post.body.partition(b'"interest_level":')[2][:1] for post in receiver.received]
    assert levels == [b"1", b"2", b"1"]


HOSTILE = "said <script>\u202e".encode() + b"\x1b[2J \xed\xa0\x80 \xff"


@pytest.mark.parametrize(("body", "reason"), [(HOSTILE, "ok_text"), (b"a\0" + HOSTILE, "binary_body")])
def test_control_characters_in_an_answer_are_stored_as_they_came(
    app: Flask, company: Company, receiver: Receiver, body: bytes, reason: str
) -> None:
    headers = (("X-Odd", "caf\xe9 \x1b[2J"), ("Set-Cookie", "a=b"))
    receiver.answers = lambda: Reply(200, body, headers=headers)
    (delivery_id,) = make_deliveries(company, 1)
    with running_worker(app):
        wait_until(lambda: attempts_of(delivery_id))
    attempt = db.session.query(Attempt).first()
    assert (attempt.reason, attempt.response_body) == (reason, body)


@pytest.mark.parametrize("value", ["1000000000", "-5", "abc", "Wed, 21 Oct 2015 07:28:00 GMT", "9" * 400, "120", ""])
def test_retry_after_moves_the_next_try_between_the_schedule_and_a_day(
    company: Company, receiver: Receiver, value: str
) -> None:
    receiver.answers = lambda: Reply(503, b"busy", headers=(("Retry-After", value),))
    make_deliveries(company, 1)
    (claim,) = claim_due()
    outcome = post(outbox.request_of(claim, runtime().vault), runtime().egress)
    now = utcnow()
    delivery = settle(claim, outcome, by=rules("0s,30s", now=now))
    assert delivery.next_attempt_at is not None
    pause = delivery.next_attempt_at - now
    expected = {"1000000000": MAX_RETRY_AFTER, "9" * 400: MAX_RETRY_AFTER, "120": timedelta(minutes=2)}
    assert abs(pause - expected.get(value, timedelta(seconds=30))) < timedelta(seconds=5)


def test_gone_is_tried_once_and_can_be_sent_again_after_resuming(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    receiver.answers = iter([(410, b"gone")])
    first, *_ = make_deliveries(company, 1)
    with running_worker(app):
        wait_until(lambda: statuses() == {"failed": 1})
        delivery, endpoint = reload(first), factories.endpoint_of(company)
        assert (endpoint.state, endpoint.paused_reason) == ("paused", "gone")
        testing.resume(db.session, runtime(), factories.actor_of(company))
        assert outbox.resend(db.session, delivery, actor="ana@example.com", now=utcnow())
        db.session.commit()
        wait_until(lambda: statuses() == {"delivered": 2})  # with the test of the resume
    assert len(receiver.received) == 3
