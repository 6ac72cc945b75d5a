"""kill -9 of the whole portal at the worst moments, and a start after it."""

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.client import HTTPException
from itertools import count
from typing import Any
from urllib.request import Request, urlopen

import pytest
from flask import Flask

from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Contact, Delivery
from portal.people.tokens import create_token
from tests import factories
from tests.conftest import BOTH
from tests.system.conftest import Portal, only_delivery, wait_for_status
from tests.system.faults.conftest import attempts_of, make_deliveries, statuses, wait_until

CONCURRENCY = 8
"""Posts to one endpoint at a time, unless it is set."""


@pytest.fixture
def contact_id(portal: Portal) -> int:
    contact_id = factories.make_contact(db.session.query(Company).one()).id
    db.session.remove()
    return contact_id


@pytest.mark.parametrize(
    ("point", "posts", "reasons"),
    [
        ("after the commit, before the claim", 1, ["ok_text"]),
        ("after the claim, before the send", 1, ["interrupted", "ok_text"]),
        ("after the answer, before the record", 2, ["interrupted", "ok_text"]),
        ("between the state and the attempt", 2, ["interrupted", "ok_text"]),
    ],
)
def test_nothing_is_lost_when_the_portal_is_killed(
    portal: Portal, receiver: Receiver, contact_id: int, point: str, posts: int, reasons: list[str]
) -> None:
    portal.serve(crash_at=point)
    assert portal.run("classify", str(contact_id), "3").returncode == 0
    portal.wait_for_death()
    portal.serve()
    delivery = wait_for_status(only_delivery().id, "delivered", seconds=30)
    assert [attempt.reason for attempt in delivery.attempts] == reasons
    assert len(receiver.received) == posts
    assert len({(post.headers["webhook-id"], post.body) for post in receiver.received}) == 1


@BOTH
def test_a_death_leaves_nothing_in_doubt_but_what_was_being_sent(portal: Portal, receiver: Receiver) -> None:
    ids = make_deliveries(db.session.query(Company).one(), 60)
    db.session.remove()
    receiver.delay = 0.3
    portal.serve(crash_at="after the answer, before the record", ready=False)
    portal.wait_for_death()
    receiver.delay = 0.0
    under_way = {row.id for row in db.session.query(Delivery).filter_by(status="sending")}
    untouched = db.session.query(Delivery).filter_by(status="pending", attempt_count=0).count()
    db.session.remove()
    assert 0 < len(under_way) <= len(receiver.received) <= CONCURRENCY
    assert untouched == 60 - len(under_way)
    portal.serve()
    wait_until(lambda: statuses() == {"delivered": 60})
    tries = {each: [reason for reason, _ in attempts_of(each)] for each in ids}
    assert {each for each, reasons in tries.items() if reasons == ["interrupted", "ok_text"]} == under_way
    assert sum(reasons == ["ok_text"] for reasons in tries.values()) == untouched


def test_a_classification_killed_before_its_outbox_row_did_not_happen(
    app: Flask, portal: Portal, receiver: Receiver, contact_id: int
) -> None:
    killed = portal.run("classify", str(contact_id), "3", crash_at="between the contact and the outbox")
    assert killed.returncode == -9
    assert db.session.get_one(Contact, contact_id).interest_level is None
    assert db.session.query(Delivery).count() == 0


@BOTH
def test_what_calls_that_came_at_once_were_answered_outlives_a_kill(portal: Portal) -> None:
    token = create_token(db.session, factories.make_user(db.session.query(Company).one()), label="test")
    db.session.commit()
    db.session.remove()
    portal.serve()
    answered: list[dict[str, Any]] = []

    def post(number: int) -> None:
        item = {"contact": {"name": f"Ana {number}", "linkedin_public_id": f"ana-{number}", "interest_level": 1}}
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        request = Request(f"http://127.0.0.1:{portal.port}/api/v1/contacts", json.dumps(item).encode(), headers)
        with urlopen(request, timeout=30) as answer:
            answered.extend(json.loads(answer.read())["results"])

    def post_until_death(first: int) -> None:
        with suppress(OSError, HTTPException):
            for number in count(first, CONCURRENCY):
                post(number)

    with ThreadPoolExecutor(CONCURRENCY) as threads:
        begun = [threads.submit(post_until_death, first) for first in range(CONCURRENCY)]
        wait_until(lambda: len(answered) >= 60)
        portal.kill()
        for each in begun:
            each.result()
    told = dict(db.session.query(Delivery.webhook_id, Delivery.contact_id).all())
    assert {each["delivery_id"]: each["id"] for each in answered}.items() <= told.items()


def test_sigterm_while_sending_finishes_and_leaves_nothing_in_sending(portal: Portal, receiver: Receiver) -> None:
    receiver.delay = 1.0
    portal.serve()
    (delivery_id,) = make_deliveries(db.session.query(Company).one(), 1)
    wait_for_status(delivery_id, "sending", seconds=5)
    assert portal.stop() == 0
    assert only_delivery().status == "delivered"
    assert len(receiver.received) == 1
