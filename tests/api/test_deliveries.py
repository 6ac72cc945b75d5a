"""The delivery log by API: filters, pages, one delivery with its attempts, and sending it again."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.database.db import db
from portal.deliveries import log
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Company, Contact, Delivery
from portal.worker import dispatcher, run
from tests import factories
from tests.api.conftest import Caller, check_problem, field_errors
from tests.conftest import running_worker

OpenDatabase = Callable[[], Any]

ITEM_KEYS = [
    *("id", "status", "trigger", "contact_id", "interest_level", "previous_level", "reason", "warning"),
    *("attempt_count", "next_attempt_at", "waits_for", "created_at", "delivered_at"),
]
ATTEMPT_KEYS = [
    *("number", "trigger", "started_at", "duration_ms", "url", "status_code", "reason", "message", "offer", "warning"),
    *("request_headers", "response_headers", "response_body"),
]


def change(open_database: OpenDatabase, delivery_id: str, **values: Any) -> None:
    with open_database():
        db.session.execute(update(Delivery).where(Delivery.webhook_id == delivery_id).values(**values))
        db.session.commit()


def ids(api: Caller, **query: Any) -> list[str]:
    response = api.get(f"/deliveries?{urlencode(query)}")
    assert response.status_code == 200, response.get_data(as_text=True)
    return [item["id"] for item in response.json["items"]]


@pytest.fixture
def several(api: Caller, hook: Receiver, open_database: OpenDatabase) -> list[str]:
    """Five deliveries of five contacts, the oldest first, of levels 1, 2, 3, 1, 2."""
    with open_database():
        company = db.session.get_one(Company, api.company_id)
        contacts = [factories.make_contact(company, name=f"Pessoa numero{number}") for number in range(5)]
        return [factories.make_delivery(contact, 1 + number % 3).webhook_id for number, contact in enumerate(contacts)]


def test_a_delivery_in_the_list_has_these_members(api: Caller, delivery_id: str, contact_id: int) -> None:
    (item,) = api.get("/deliveries").json["items"]
    assert list(item) == ITEM_KEYS
    assert item | {"created_at": "", "next_attempt_at": ""} == {
        "id": delivery_id,
        "status": "pending",
        "trigger": "classification",
        "contact_id": contact_id,
        "interest_level": 2,
        "previous_level": None,
        "reason": None,
        "warning": None,
        "attempt_count": 0,
        "next_attempt_at": "",
        "waits_for": "its_time",
        "created_at": "",
        "delivered_at": None,
    }


def test_times_are_rfc_3339_in_utc(api: Caller, delivery_id: str, open_database: OpenDatabase) -> None:
    change(open_database, delivery_id, created_at=factories.NOON)
    assert api.get("/deliveries").json["items"][0]["created_at"] == "2026-03-10T12:00:00.000Z"


def test_pages_go_from_the_newest_to_the_oldest(api: Caller, several: list[str]) -> None:
    seen, cursor = [], ""
    while cursor is not None:
        page = api.get(f"/deliveries?limit=2&cursor={cursor}").json
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert seen == several[::-1]


def test_the_list_is_filtered(api: Caller, several: list[str], open_database: OpenDatabase) -> None:
    change(open_database, several[0], status="failed", reason="server_error", created_at=factories.NOON)
    contact_id = api.get(f"/deliveries/{several[1]}").json["contact_id"]
    assert ids(api, status="failed") == ids(api, reason="server_error") == several[:1]
    assert ids(api, contact_id=contact_id) == several[1:2]
    assert ids(api, level=3) == several[2:3]
    assert ids(api, trigger="classification") == several[::-1]
    assert ids(api, trigger="test") == []
    assert ids(api, until="2026-03-10T12:00:01Z", since="2026-03-10T12:00:00Z") == several[:1]
    assert ids(api, until="2026-03-10T12:00:00Z") == []
    assert ids(api, since="2026-03-10T12:00:00.000001-00:00") == several[:0:-1]
    assert ids(api, since="2026-03-10T09:00:00-03:00", until="2026-03-10T09:00:01-03:00") == several[:1]
    assert ids(api, search="numero4 pessoa") == ids(api, search=several[4]) == several[4:]
    assert ids(api, status="failed", level=2) == []


def test_a_campaign_is_found_by_name_and_by_number(api: Caller, hook: Receiver) -> None:
    item = {"contact": {"name": "Ana", "interest_level": 1}, "campaign": {"name": "2026"}}
    delivery_id = api.post("/contacts", item).json["results"][0]["delivery_id"]
    api.post("/contacts", {"contact": {"name": "Bia", "interest_level": 1}})
    assert ids(api, campaign="2026") == ids(api, campaign="1") == [delivery_id]


def test_an_owner_is_found_by_e_mail_and_by_number(api: Caller, several: list[str]) -> None:
    assert ids(api, owner=api.email.upper()) == ids(api, owner=api.user_id) == several[::-1]


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("status=done", "status", "unknown_value"),
        ("status=", "status", "unknown_value"),
        ("reason=bad", "reason", "unknown_value"),
        ("trigger=me", "trigger", "unknown_value"),
        *((f"campaign={name}", "campaign", "unknown_value") for name in ("other", "0", "9" * 30)),
        ("owner=nobody@example.com", "owner", "unknown_value"),
        ("contact_id=99", "contact_id", "unknown_value"),
        ("outage_id=99", "outage_id", "unknown_value"),
        ("level=4", "level", "unknown_level"),
        ("level=none", "level", "not_an_integer"),
        ("contact_id=x", "contact_id", "not_an_integer"),
        ("contact_id=%D9%A3", "contact_id", "not_an_integer"),
        ("contact_id=1_0", "contact_id", "not_an_integer"),
        (f"contact_id={2**63}", "contact_id", "out_of_range"),
        (f"contact_id={'9' * 5000}", "contact_id", "not_an_integer"),
        ("since=2026-03-10", "since", "not_a_time"),
        ("since=2026-03-10T12:00:00", "since", "not_a_time"),
        ("since=0001-01-01T00:00:00%2B14:00", "since", "not_a_time"),
        ("until=0000-01-01T00:00:00Z", "until", "not_a_time"),
        ("limit=0", "limit", "out_of_range"),
        ("limit=201", "limit", "out_of_range"),
        ("cursor=x", "cursor", "invalid_cursor"),
        ("cursor=-1", "cursor", "invalid_cursor"),
        ("search=%00", "search", "nul"),
        (f"search={'x' * 201}", "search", "too_long"),
        ("campaign=%00", "campaign", "nul"),
        ("stauts=failed", "stauts", "unknown_field"),
    ],
)
def test_a_bad_filter_is_refused_not_ignored(api: Caller, query: str, path: str, code: str) -> None:
    problem = check_problem(api.get(f"/deliveries?{query}"), 422, "invalid_fields")
    assert (field_errors(problem), problem["detail"]) == ({path: code}, "Um ou mais campos não foram aceitos.")


def test_a_delivery_shows_its_body_and_its_attempts(app: Flask, api: Caller, delivery_id: str, hook: Receiver) -> None:
    with running_worker(app):
        assert hook.wait_for(1)
    delivery = api.get(f"/deliveries/{delivery_id}").json
    assert list(delivery) == [*ITEM_KEYS, "body", "attempts", "crm_url"]
    assert delivery["body"].encode() == hook.received[0].body
    (attempt,) = delivery["attempts"]
    assert list(attempt) == ATTEMPT_KEYS
    assert (attempt["number"], attempt["trigger"], attempt["reason"]) == (1, "classification", "ok_text")
    assert (attempt["url"], attempt["status_code"], attempt["response_body"]) == (hook.url, 200, "OK")
    assert attempt["request_headers"]["webhook-id"] == delivery_id
    assert delivery["delivered_at"].endswith("Z")
    assert delivery["next_attempt_at"] is None


def test_attempts_stand_in_their_order(app: Flask, api: Caller, delivery_id: str, hook: Receiver) -> None:
    with running_worker(app):
        assert hook.wait_for(1)
    api.post(f"/deliveries/{delivery_id}/resend")
    with running_worker(app):
        assert hook.wait_for(2)
    attempts = api.get(f"/deliveries/{delivery_id}").json["attempts"]
    assert [(attempt["number"], attempt["trigger"]) for attempt in attempts] == [(1, "classification"), (2, "manual")]
    assert hook.received[0].body == hook.received[1].body


def test_of_very_many_attempts_a_call_brings_the_latest_and_others_the_earlier_ones(
    api: Caller, delivery_id: str, open_database: OpenDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "ATTEMPTS_TOLD", 3)
    numbers = [1, 2, 3, 4, 5, 5, 6, 7]  # the fifth was taken for dead, and came late
    with open_database():
        delivery = db.session.scalars(select(Delivery)).one()
        for number in numbers:
            facts = {"number": number, "trigger": "manual", "url": "https://crm.test/", "reason": "timeout"}
            db.session.add(factories.attempt_of(delivery, started_at=factories.NOON, **facts))
        db.session.commit()
    found: list[int] = []
    before = 2**31 - 1
    while before > 1:
        answer = api.get(f"/deliveries/{delivery_id}?attempts_before={before}").json
        found[:0] = [attempt["number"] for attempt in answer["attempts"]]
        before = found[0]
    assert found == numbers
    assert [attempt["number"] for attempt in api.get(f"/deliveries/{delivery_id}").json["attempts"]] == [5, 5, 6, 7]
    check_problem(api.get(f"/deliveries/{delivery_id}?attempts_before=0"), 422, "invalid_fields")


def test_the_message_is_in_the_readers_language(api: Caller) -> None:
    with Receiver(answers=lambda: Reply(404)) as receiver:
        api.post("/webhook/test", {"url": receiver.url})
    path = f"/deliveries/{api.get('/deliveries').json['items'][0]['id']}"
    message = api.get(path, headers={"Accept-Language": "pt-BR"}).json["attempts"][0]["message"]
    assert "destino" in message


def test_a_resend_makes_it_due_again(api: Caller, delivery_id: str, open_database: OpenDatabase) -> None:
    change(open_database, delivery_id, status="failed", attempt_count=3, tries=3, next_attempt_at=None)
    response = api.post(f"/deliveries/{delivery_id}/resend")
    assert response.status_code == 202
    assert (response.json["id"], response.json["status"]) == (delivery_id, "pending")
    with open_database():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.resent")).one()
        assert (entry.actor, entry.subject) == (api.email, delivery_id)


@pytest.mark.parametrize("status", ["pending", "sending"])
def test_a_resend_of_what_is_on_its_way_changes_nothing(
    api: Caller, delivery_id: str, open_database: OpenDatabase, status: str
) -> None:
    change(open_database, delivery_id, status=status)
    response = api.post(f"/deliveries/{delivery_id}/resend")
    assert (response.status_code, response.json["status"]) == (202, status)
    with open_database():
        assert not db.session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.resent")).all()


def test_a_purged_body_cannot_be_sent_again(api: Caller, delivery_id: str, open_database: OpenDatabase) -> None:
    change(open_database, delivery_id, status="failed")
    with open_database():
        factories.forget_body(db.session.query(Delivery).one())
        db.session.commit()
    check_problem(api.post(f"/deliveries/{delivery_id}/resend"), 409, "body_purged")
    assert api.get(f"/deliveries/{delivery_id}").json["body"] is None


def test_a_test_in_the_list_is_told_from_a_classification(api: Caller, delivery_id: str, hook: Receiver) -> None:
    api.post("/webhook/test")
    items = api.get("/deliveries").json["items"]
    assert [(item["id"] == delivery_id, item["trigger"]) for item in items] == [
        (False, "test"),
        (True, "classification"),
    ]
    assert [item["id"] for item in api.get("/deliveries?trigger=test").json["items"]] == [items[0]["id"]]


def test_a_test_cannot_be_sent_again(api: Caller, hook: Receiver) -> None:
    api.post("/webhook/test")
    delivery_id = ids(api)[0]
    check_problem(api.post(f"/deliveries/{delivery_id}/resend"), 409, "test_delivery")


def test_without_an_address_nothing_is_sent_again(api: Caller, delivery_id: str) -> None:
    api.put("/webhook", {"url": None})
    check_problem(api.post(f"/deliveries/{delivery_id}/resend"), 409, "webhook_unset")


def test_a_resend_wakes_the_worker(
    app: Flask, api: Caller, delivery_id: str, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "TICK_SECONDS", 3600)
    monkeypatch.setattr(dispatcher, "LOOK_SECONDS", 3600)
    with running_worker(app):
        assert hook.wait_for(1)
        assert any(api.get(f"/deliveries/{delivery_id}").json["status"] == "delivered" for _ in range(500))
        api.post(f"/deliveries/{delivery_id}/resend")
        assert hook.wait_for(2)


def test_an_erased_contact_leaves_its_deliveries(api: Caller, delivery_id: str, open_database: OpenDatabase) -> None:
    with open_database():
        db.session.delete(db.session.scalars(select(Contact)).one())
        db.session.commit()
    assert api.get(f"/deliveries/{delivery_id}").json["contact_id"] is None


def test_who_read_a_body_is_in_the_audit_log_once_a_day(
    api: Caller, delivery_id: str, open_database: OpenDatabase
) -> None:
    for _ in range(3):
        assert api.get(f"/deliveries/{delivery_id}").status_code == 200
    api.get("/deliveries")
    with open_database():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "delivery.viewed")).one()
        assert (entry.subject, entry.ip) == (delivery_id, "127.0.0.1")
