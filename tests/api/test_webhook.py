"""The webhook's settings by API, and the test of an address."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.company import asking
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Delivery
from tests.api.conftest import Caller, check_problem, field_errors
from tests.conftest import running_worker
from tests.factories import mark_delivered

UNSET = {
    "url": None,
    "state": "unset",
    "paused_reason": None,
    "waiting": 0,
    "consecutive_failures": 0,
    "last_success_at": None,
    "last_failure_at": None,
    "header_name": None,
}


def test_at_first_there_is_no_address(api: Caller) -> None:
    assert api.get("/webhook").json == UNSET


def test_an_address_is_set_normalised(api: Caller) -> None:
    answer = api.put("/webhook", {"url": " HTTP://127.0.0.1:8080/a#b "}).json
    assert [advice["code"] for advice in answer.pop("advice")] == ["plain_http", "local"]
    assert answer == UNSET | {"url": "http://127.0.0.1:8080/a", "state": "active"}
    assert api.get("/webhook").json == answer


def test_null_removes_the_address_and_cancels_what_waits(api: Caller, delivery_id: str) -> None:
    assert api.get("/webhook").json["waiting"] == 1
    assert api.put("/webhook", {"url": None}).json == UNSET | {"advice": []}
    assert api.get(f"/deliveries/{delivery_id}").json["status"] == "cancelled"


def test_a_change_stands_in_the_audit_log(api: Caller, open_database: Callable[[], Any]) -> None:
    api.put("/webhook", {"url": "http://127.0.0.1:8080/"})
    with open_database():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "webhook.url_set")).one()
        assert (entry.actor, entry.company_id, entry.ip) == (api.email, api.company_id, "127.0.0.1")


REFUSED = [
    ("http://10.0.0.1/", "blocked_address", "not_public"),
    ("http://169.254.169.254/", "blocked_address", "not_public"),
    ("http://127.0.0.1:6379/", "blocked_address", "port"),
    ("ftp://example.com/", "invalid_url", "scheme"),
    ("http://user@example.com/", "invalid_url", "userinfo"),
    ("http://2130706433/", "invalid_url", "numeric_host"),
    ("", "invalid_url", "scheme"),
]


@pytest.mark.parametrize(("url", "code", "what"), REFUSED)
def test_a_refused_address_is_not_saved(api: Caller, url: str, code: str, what: str) -> None:
    problem = check_problem(api.put("/webhook", {"url": url}), 422, code)
    assert problem["problem"] == what
    assert field_errors(problem) == {"url": what}
    assert problem["detail"] == problem["errors"][0]["message"]
    assert api.get("/webhook").json == UNSET


@pytest.mark.parametrize(("url", "code", "what"), REFUSED[:-1])
def test_a_refused_address_is_not_tested(api: Caller, url: str, code: str, what: str) -> None:
    assert check_problem(api.post("/webhook/test", {"url": url}), 422, code)["problem"] == what
    assert api.get("/deliveries").json["items"] == []


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({}, "url", "required"),
        ({"url": 1}, "url", "not_a_text"),
        ({"url": "http://a\ud800/"}, "url", "surrogate"),
        ({"url": "http://a\0/"}, "url", "nul"),
        ({"url": "x" * 5000}, "url", "too_long"),
        ({"url": None, "secret": "s"}, "secret", "unknown_field"),
        ({"url": None, "state": "active"}, "state", "unknown_field"),
    ],
)
def test_a_bad_field_is_named(api: Caller, value: Any, path: str, code: str) -> None:
    assert field_errors(check_problem(api.put("/webhook", value), 422, "invalid_fields")) == {path: code}


def test_a_test_tells_exactly_what_was_sent_and_came_back(api: Caller, receiver: Receiver) -> None:
    result = api.post("/webhook/test", {"url": receiver.url}).json
    received = receiver.received[0]
    assert (result["delivered"], result["reason"], result["warning"]) == (True, "ok_text", None)
    assert result["status_code"] == 200
    assert result["duration_ms"] >= 0
    assert result["message"]
    assert result["request"]["method"] == "POST"
    assert result["request"]["url"] == receiver.url
    assert result["request"]["body"].encode() == received.body
    assert result["request"]["headers"]["webhook-id"] == received.headers["webhook-id"]
    assert result["response"]["headers"]["Content-Type"] == "text/plain"
    assert {**result["response"], "headers": None} == {"headers": None, "body": "OK", "size": 2, "truncated": False}


def test_a_test_has_these_members_and_no_others(api: Caller, hook: Receiver) -> None:
    result = api.post("/webhook/test").json
    assert list(result) == [
        *("delivered", "reason", "message", "offer", "warning", "status_code", "duration_ms", "request", "response"),
        "advice",
    ]


@pytest.mark.parametrize("value", [None, {}, {"url": None}])
def test_without_an_address_the_configured_one_is_tested(api: Caller, hook: Receiver, value: Any) -> None:
    assert api.post("/webhook/test", value).json["request"]["url"] == hook.url


@pytest.mark.parametrize("url", ["", " ", "\u00a0"])
def test_an_empty_address_is_not_taken_for_the_configured_one(api: Caller, hook: Receiver, url: str) -> None:
    check_problem(api.post("/webhook/test", {"url": url}), 422, "invalid_url")
    assert hook.received == []


def test_without_any_address_there_is_nothing_to_test(api: Caller) -> None:
    check_problem(api.post("/webhook/test"), 409, "webhook_unset")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(Reply(500, b"no"), "server_error"), (Reply(200, b"<html></html>"), "html_page"), (Reply(204), "status_2xx")],
)
def test_a_test_that_fails_is_an_answer_too(app: Flask, api: Caller, reply: Reply, reason: str) -> None:
    with Receiver(answers=lambda: reply) as failing:
        result = api.post("/webhook/test", {"url": failing.url}).json
    assert (result["delivered"], result["reason"], result["status_code"]) == (False, reason, reply.status)


def test_a_test_that_nobody_answers_has_no_response(api: Caller) -> None:
    with Receiver() as gone:
        url = gone.url
    result = api.post("/webhook/test", {"url": url}).json
    assert (result["reason"], result["status_code"], result["response"]) == ("connection_refused", None, None)


def test_a_long_answer_is_cut(api: Caller) -> None:
    with Receiver(body=b"x" * 20_000) as wordy:
        response = api.post("/webhook/test", {"url": wordy.url}).json["response"]
    assert (len(response["body"]), response["size"], response["truncated"]) == (16_384, 20_000, True)


def test_a_test_stands_in_the_log_as_a_test(api: Caller, receiver: Receiver) -> None:
    api.post("/webhook/test", {"url": receiver.url})
    (item,) = api.get("/deliveries?trigger=test").json["items"]
    delivery = api.get(f"/deliveries/{item['id']}").json
    assert (delivery["status"], delivery["contact_id"]) == ("delivered", None)
    assert delivery["attempts"][0]["trigger"] == "test"
    assert api.get("/webhook").json == UNSET


def test_tests_are_limited_by_the_minute(api: Caller, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 3)  # the address of `hook` is one
    assert [api.post("/webhook/test").status_code for _ in range(2)] == [200, 200]
    response = api.post("/webhook/test")
    check_problem(response, 429, "too_many_tests")
    assert int(response.headers["Retry-After"]) == 60
    assert len(hook.received) == 2


def test_the_facts_follow_what_happens(app: Flask, api: Caller, hook: Receiver, delivery_id: str) -> None:
    with running_worker(app):
        assert hook.wait_for(1)
    facts = api.get("/webhook").json
    assert (facts["state"], facts["waiting"], facts["last_failure_at"]) == ("active", 0, None)
    assert facts["last_success_at"].endswith("Z")


def test_removing_twice_changes_nothing(api: Caller, open_database: Callable[[], Any]) -> None:
    api.put("/webhook", {"url": None})
    with open_database():
        assert not db.session.scalars(select(AuditEntry).where(AuditEntry.action == "webhook.url_removed")).all()
        assert not db.session.scalars(select(Delivery)).all()


HEADER = {"name": "X-Api-Key", "value": "s3cr3t-0123456789"}


def test_a_header_is_set_told_by_name_only_kept_and_removed(api: Caller, receiver: Receiver) -> None:
    answer = api.put("/webhook", {"url": receiver.url, "header": HEADER})
    assert answer.json["header_name"] == "X-Api-Key"  # type: ignore[index]
    result = api.post("/webhook/test")
    assert receiver.received[0].headers["X-Api-Key"] == HEADER["value"]
    assert result.json["request"]["headers"]["X-Api-Key"] == "…"  # type: ignore[index]
    assert HEADER["value"] not in answer.text + result.text + api.get("/webhook").text
    assert api.put("/webhook", {"url": receiver.url + "new"}).json["header_name"] == "X-Api-Key"
    assert api.put("/webhook", {"url": receiver.url, "header": None}).json["header_name"] is None


def test_a_test_of_another_origin_says_that_the_header_stayed_here(api: Caller, receiver: Receiver) -> None:
    api.put("/webhook", {"url": "http://127.0.0.1:9999/", "header": HEADER})
    result = api.post("/webhook/test", {"url": receiver.url}).json
    assert "X-Api-Key" not in receiver.received[0].headers
    assert "header_left_out" in [advice["code"] for advice in result["advice"]]
    api.post("/webhook/test", {"url": receiver.url, "header": HEADER})
    assert receiver.received[1].headers["X-Api-Key"] == HEADER["value"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"other_crm": "yes"}, "not_a_boolean"),
        ({"other_crm": 1}, "not_a_boolean"),
        ({"other_crm": None}, "null"),
        ({"other_crm": True, "url": None}, "no_address"),
    ],
)
def test_who_does_not_say_clearly_that_it_is_another_crm_changes_nothing(
    app: Flask, api: Caller, value: dict[str, Any], code: str
) -> None:
    api.put("/webhook", {"url": "http://127.0.0.1:9999/"})
    contact = api.post("/contacts", {"contact": {"name": "Ana", "interest_level": 2}}).json["results"][0]["id"]
    with app.app_context():
        mark_delivered(db.session.query(Delivery).one())
    before = api.get("/webhook").json
    problem = check_problem(api.put("/webhook", {"url": "http://127.0.0.1:9999/"} | value), 422, "invalid_fields")
    assert field_errors(problem) == {"other_crm": code}
    assert (api.get("/webhook").json, api.get(f"/contacts/{contact}").json["sync"]) == (before, "in_sync")
    answer = api.put("/webhook", {"url": "http://127.0.0.1:9999/", "other_crm": True})
    assert (answer.status_code, api.get(f"/contacts/{contact}").json["sync"]) == (200, "out_of_sync")


@pytest.mark.parametrize(
    ("value", "status", "errors"),
    [
        ({"header": {"name": "Host", "value": "x"}}, "invalid_header", {"header.name": "reserved_header"}),
        ({"header": {"name": "X-Key", "value": "a\nb"}}, "invalid_header", {"header.value": "not_a_header_value"}),
        ({"url": None, "header": HEADER}, "invalid_header", {"header.name": "no_address"}),
        ({"header": "X-Key: a"}, "invalid_fields", {"header": "not_an_object"}),
        ({"header": {"name": "X-Key"}}, "invalid_fields", {"header.value": "required"}),
    ],
)
def test_a_refused_header_changes_nothing(api: Caller, value: Any, status: str, errors: dict[str, str]) -> None:
    problem = check_problem(api.put("/webhook", {"url": "http://127.0.0.1:9999/"} | value), 422, status)
    assert field_errors(problem) == errors
    assert api.get("/webhook").json == UNSET
