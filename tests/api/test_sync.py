"""Whether the CRM knows what we know: the state of each contact, the list by state, and bringing the CRM in sync."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from portal import clock
from portal.audit import Actor
from portal.contacts import standing, syncing
from portal.contacts.classifying import classify
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Contact, Delivery, DeliveryBody
from portal.outbox.queue import new_webhook_id
from tests import factories
from tests.api.conftest import Caller, check_problem, field_errors
from tests.conftest import BOTH, running_worker

OpenDatabase = Callable[[], Any]
Make = Callable[..., int]
Bring = Callable[..., dict[str, Any]]


@pytest.fixture
def make(api: Caller, open_database: OpenDatabase) -> Make:
    """Makes a contact with this level and deliveries, each a status, a level and after how many hours it arrived."""

    def make_contact(level: int | None, *deliveries: tuple[str, int, int | None], **facts: Any) -> int:
        with open_database():
            company = db.session.get_one(Company, api.company_id)
            contact = factories.make_contact(company, **facts)
            contact.interest_level = level
            for status, sent_level, hours in deliveries:
                db.session.add(make_delivery(contact, status, sent_level, hours))
            arrived = [(hours, sent_level) for _, sent_level, hours in deliveries if hours is not None]
            contact.delivered_level = max(arrived)[1] if arrived else None
            db.session.commit()
            return contact.id

    return make_contact


def make_delivery(contact: Contact, status: str, level: int, hours: int | None) -> Delivery:
    return Delivery(
        webhook_id=new_webhook_id(),
        company_id=contact.company_id,
        contact_id=contact.id,
        trigger="classification",
        next_trigger="classification",
        actor="test",
        interest_level=level,
        status=status,
        created_at=factories.NOON,
        next_attempt_at=factories.NOON if status == "pending" else None,
        delivered_at=None if hours is None else factories.NOON + timedelta(hours=hours),
        stored_body=DeliveryBody(content=b"{}"),
    )


@pytest.fixture
def bring(api: Caller, open_database: OpenDatabase) -> Callable[..., dict[str, Any]]:
    """Asks for it and lets a worker do it; returns the job as it then is."""

    def ask(value: Any = None) -> dict[str, Any]:
        response = api.post("/sync", value)
        assert response.status_code == 202, response.get_data(as_text=True)
        with open_database():
            factories.do_tasks()
        job: dict[str, Any] = api.get(f"/jobs/{response.json['id']}").json  # type: ignore[index, assignment]
        return job

    return ask


CASES = [
    ("never_sent", None, []),
    ("never_sent", 2, []),
    ("in_sync", 2, [("delivered", 2, 1)]),
    ("in_sync", 2, [("delivered", 2, 1), ("failed", 3, None), ("superseded", 1, None)]),
    ("in_sync", None, [("delivered", 2, 1)]),
    ("in_sync", None, [("pending", 2, None)]),
    ("in_sync", 2, [("failed", 2, 1)]),  # sent again in vain: it had arrived before
    ("in_sync", 2, [("delivered", 2, 1), ("pending", 1, None)]),
    ("waiting", 2, [("pending", 2, None)]),
    ("waiting", 2, [("sending", 2, None)]),
    ("waiting", 2, [("delivered", 1, 1), ("pending", 3, None), ("pending", 2, None)]),
    ("out_of_sync", 2, [("failed", 2, None)]),
    ("out_of_sync", 2, [("cancelled", 2, None)]),
    ("out_of_sync", 2, [("superseded", 2, None)]),
    ("out_of_sync", 3, [("delivered", 2, 1)]),
    ("out_of_sync", 3, [("delivered", 1, 2), ("delivered", 3, 1)]),  # the old one was sent again
    ("out_of_sync", 3, [("pending", 1, None), ("failed", 3, None)]),  # what is coming is the old level
]
TO_BE_SENT = [
    index for index, (state, level, _) in enumerate(CASES) if level and state in ("never_sent", "out_of_sync")
]


@BOTH
@pytest.mark.parametrize(("state", "level", "deliveries"), CASES)
def test_a_contacts_state_follows_from_what_arrived_last(
    api: Caller, make: Make, state: str, level: int | None, deliveries: list[Any]
) -> None:
    assert api.get(f"/contacts/{make(level, *deliveries)}").json["sync"] == state


@BOTH
@pytest.mark.parametrize("state", standing.SYNC_STATES)
def test_the_list_by_state_has_the_contacts_that_say_so_and_no_others(api: Caller, make: Make, state: str) -> None:
    made = [(make(level, *deliveries), found) for found, level, deliveries in CASES]
    items = api.get(f"/contacts?sync={state}").json["items"]
    assert {item["contact"]["id"] for item in items} == {key for key, found in made if found == state}
    assert {item["sync"] for item in items} == {state}


def test_a_dry_run_counts_what_would_be_sent_and_sends_nothing(api: Caller, make: Make, hook: Receiver) -> None:
    for _, level, deliveries in CASES:
        make(level, *deliveries)
    with time_machine.travel(clock.utcnow(), tick=False):  # what is due is due now, at every moment
        before = api.get("/deliveries?limit=200").json
        response = api.post("/sync", {"dry_run": True})
        assert (response.status_code, response.json) == (200, {"count": len(TO_BE_SENT)})
        assert api.get("/deliveries?limit=200").json == before


@BOTH
@pytest.mark.parametrize("value", [None, {}, {"dry_run": False}])
def test_each_contact_that_needs_it_gets_one_delivery(
    api: Caller, make: Make, hook: Receiver, bring: Bring, value: Any
) -> None:
    made = [make(level, *deliveries) for _, level, deliveries in CASES]
    job = bring(value)
    assert (job["kind"], job["status"], job["counts"]) == ("sync", "done", {"sent": len(TO_BE_SENT)})
    items = api.get("/deliveries?trigger=sync&limit=200").json["items"]
    assert sorted(item["contact_id"] for item in items) == sorted(made[index] for index in TO_BE_SENT)
    assert {item["status"] for item in items} == {"pending"}
    assert {api.get(f"/contacts/{made[index]}").json["sync"] for index in TO_BE_SENT} == {"waiting"}


def test_asking_twice_sends_once(api: Caller, make: Make, hook: Receiver, bring: Bring) -> None:
    make(2)
    assert api.post("/sync").json == api.post("/sync").json, "the job that is under way"
    assert bring()["counts"] == {"sent": 1}
    again = bring()
    assert (again["status"], again["total"], again["counts"]) == ("done", 0, {})


@BOTH
def test_two_who_ask_at_once_send_once(api: Caller, make: Make, hook: Receiver, bring: Bring) -> None:
    made = {make(2) for _ in range(20)}
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: api.post("/sync"), range(3)))
    assert len({answer.json["id"] for answer in answers}) == 1
    bring()
    items = api.get("/deliveries?limit=200").json["items"]
    assert len(items) == len(made)
    assert {item["contact_id"] for item in items} == made


@BOTH
def test_a_classification_meanwhile_is_waited_for(
    app: Flask, api: Caller, make: Make, hook: Receiver, open_database: OpenDatabase
) -> None:
    contact_id = make(1)
    actor = Actor(api.company_id, "ana")

    def bring_in_sync() -> int:
        with factories.session_of(app) as session:
            sent = len(syncing.bring_in_sync(session, actor, [contact_id]))
            session.commit()
            return sent

    with ThreadPoolExecutor() as pool, open_database():
        classify(db.session, actor, contact_id, 3)
        asked = pool.submit(bring_in_sync)
        assert not wait([asked], timeout=0.5).done, "it did not wait for the contact"
        db.session.commit()
        assert asked.result() == 0
    (item,) = api.get("/deliveries").json["items"]
    assert item["interest_level"] == 3


def test_what_is_sent_is_the_state_of_now(app: Flask, api: Caller, make: Make, hook: Receiver) -> None:
    contact_id = make(3, ("delivered", 1, 1), ("failed", 2, None), name="Maria")
    api.post("/sync")
    with running_worker(app):
        assert hook.wait_for(1)
    (received,) = hook.received
    body = json.loads(received.body)
    assert (body["contact"]["id"], body["contact"]["name"], body["contact"]["interest_level"]) == (
        contact_id,
        "Maria",
        3,
    )
    (item,) = api.get("/deliveries?trigger=sync").json["items"]
    assert (item["status"], item["previous_level"], item["interest_level"]) == ("delivered", 1, 3)
    assert api.get(f"/contacts/{contact_id}").json["sync"] == "in_sync"


def test_level_3_goes_first(api: Caller, make: Make, hook: Receiver, bring: Bring) -> None:
    for level in (1, 3, 2):
        make(level)
    bring()
    items = api.get("/deliveries").json["items"]
    assert [item["interest_level"] for item in reversed(items)] == [3, 2, 1]


def test_an_older_delivery_that_waits_for_a_retry_is_superseded(
    api: Caller, make: Make, hook: Receiver, bring: Bring, open_database: OpenDatabase
) -> None:
    contact_id = make(3, ("pending", 1, None), ("failed", 3, None))
    with open_database():
        db.session.execute(update(Delivery).where(Delivery.status == "pending").values(attempt_count=2))
        db.session.commit()
    bring()
    items = api.get(f"/deliveries?contact_id={contact_id}").json["items"]
    assert [(item["interest_level"], item["status"]) for item in items] == [
        (3, "pending"),
        (3, "failed"),
        (1, "superseded"),
    ]


def test_many_go_in_transactions_of_bounded_size(
    api: Caller, make: Make, hook: Receiver, bring: Bring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(syncing.work.keywords, "size", 2)
    sizes = []
    bring_in_sync = syncing.bring_in_sync

    def bring_part(*given: Any) -> list[str]:
        sent = bring_in_sync(*given)
        sizes.append(len(sent))
        return sent

    monkeypatch.setattr(syncing, "bring_in_sync", bring_part)
    for _ in range(5):
        make(2)
    assert bring()["counts"] == {"sent": 5}
    assert sizes == [2, 2, 1]


def test_what_changed_meanwhile_is_looked_at_again(
    api: Caller, make: Make, hook: Receiver, open_database: OpenDatabase
) -> None:
    removed, coming, due = make(2), make(2), make(1)
    with open_database():
        wanted = syncing.find_out_of_sync(db.session, api.company_id)
        assert set(wanted) == {removed, coming, due}
        factories.classify_contact(db.session.get_one(Contact, removed), None)
        factories.classify_contact(db.session.get_one(Contact, coming), 3)
        db.session.execute(update(Contact).where(Contact.id == due).values(interest_level=3))
        assert len(syncing.bring_in_sync(db.session, Actor(api.company_id, "ana"), wanted)) == 1
        (sent,) = db.session.scalars(select(Delivery).where(Delivery.trigger == "sync"))
        assert (sent.contact_id, sent.interest_level, sent.actor) == (due, 3, "ana")


def test_contacts_of_another_company_are_left_alone(
    api: Caller, stranger: Caller, make: Make, hook: Receiver, open_database: OpenDatabase
) -> None:
    contact_id = make(2)
    with open_database():
        factories.set_url(db.session.get_one(Company, stranger.company_id), hook.url)
        assert syncing.bring_in_sync(db.session, Actor(stranger.company_id, "eve"), [contact_id]) == []
    assert stranger.post("/sync", {"dry_run": True}).json == {"count": 0}
    assert stranger.post("/sync").json["total"] == 0
    assert stranger.get("/contacts?sync=never_sent").json == {"items": [], "next_cursor": None}
    assert api.get("/deliveries").json["items"] == []


def test_without_an_address_there_is_a_count_and_nothing_to_send_to(api: Caller, make: Make) -> None:
    make(2)
    assert api.post("/sync", {"dry_run": True}).json == {"count": 1}
    check_problem(api.post("/sync"), 409, "webhook_unset")
    assert api.get("/deliveries").json["items"] == []


@pytest.mark.parametrize("value", [1, 0, "true", None, []])
def test_a_dry_run_is_true_or_false(api: Caller, make: Make, hook: Receiver, value: Any) -> None:
    make(2)
    errors = field_errors(check_problem(api.post("/sync", {"dry_run": value}), 422, "invalid_fields"))
    assert errors == {"dry_run": "null" if value is None else "not_a_boolean"}
    assert api.get("/deliveries").json["items"] == []
