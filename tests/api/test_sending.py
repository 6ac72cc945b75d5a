"""Pausing, resuming and the change of keys by API."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update
from standardwebhooks import Webhook

from portal import clock, outbox
from portal.company import asking
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Delivery, Endpoint
from tests.api.conftest import Caller, check_problem
from tests.conftest import running_worker

OpenDatabase = Callable[[], Any]


def acts(open_database: OpenDatabase) -> list[str]:
    with open_database():
        query = select(AuditEntry.action).where(AuditEntry.actor != "test", AuditEntry.action.like("webhook.%"))
        return list(db.session.scalars(query.order_by(AuditEntry.id)))


def set_url(api: Caller, url: str) -> None:
    assert api.put("/webhook", {"url": url}).status_code == 200


def test_a_pause_holds_what_waits(app: Flask, api: Caller, hook: Receiver, delivery_id: str) -> None:
    answer = api.post("/webhook/pause").json
    assert (answer["state"], answer["paused_reason"], answer["waiting"]) == ("paused", "manual", 1)
    assert api.get("/webhook").json == answer
    with running_worker(app):
        assert not hook.wait_for(1, timeout=0.5)
    assert api.get(f"/deliveries/{delivery_id}").json["status"] == "pending"


def test_pausing_twice_changes_nothing_more(api: Caller, hook: Receiver, open_database: OpenDatabase) -> None:
    assert api.post("/webhook/pause").json == api.post("/webhook/pause").json
    assert acts(open_database) == ["webhook.paused"]


@pytest.mark.parametrize("path", ["/webhook/pause", "/webhook/resume"])
def test_without_an_address_there_is_nothing_to_pause_or_resume(api: Caller, path: str) -> None:
    check_problem(api.post(path), 409, "webhook_unset")


def test_resuming_tests_first_and_sends_what_waited(
    app: Flask, api: Caller, hook: Receiver, delivery_id: str, open_database: OpenDatabase
) -> None:
    api.post("/webhook/pause")
    answer = api.post("/webhook/resume").json
    assert (answer["state"], answer["waiting"]) == ("active", 1)
    assert [test["status"] for test in api.get("/deliveries?trigger=test").json["items"]] == ["delivered"]
    with running_worker(app):
        assert hook.wait_for(2)
    assert hook.received[1].headers["webhook-id"] == delivery_id
    assert acts(open_database) == ["webhook.paused", "webhook.address_checked", "webhook.resumed"]


@pytest.mark.parametrize(
    ("reply", "reason"),
    [(Reply(500, b"no"), "server_error"), (Reply(200, b"<html></html>"), "html_page"), (Reply(204), "status_2xx")],
)
def test_a_test_that_fails_resumes_nothing(api: Caller, open_database: OpenDatabase, reply: Reply, reason: str) -> None:
    with Receiver(answers=lambda: reply) as failing:
        set_url(api, failing.url)
        api.post("/webhook/pause")
        problem = check_problem(api.post("/webhook/resume", headers={"Accept-Language": "en"}), 409, "test_failed")
    assert problem["reason"] == reason
    (attempt,) = api.get(f"/deliveries/{problem['delivery_id']}", headers={"Accept-Language": "en"}).json["attempts"]
    assert problem["detail"].endswith(attempt["message"])
    assert api.get("/webhook").json["state"] == "paused"
    assert "webhook.resumed" not in acts(open_database)


def test_nobody_there_resumes_nothing(api: Caller) -> None:
    with Receiver() as gone:
        set_url(api, gone.url)
    api.post("/webhook/pause")
    assert check_problem(api.post("/webhook/resume"), 409, "test_failed")["reason"] == "connection_refused"


def test_what_is_not_paused_is_not_tested(api: Caller, hook: Receiver) -> None:
    assert api.post("/webhook/resume").json["state"] == "active"
    assert hook.received == []


def test_a_failing_address_that_answers_again_is_resumed(
    api: Caller, hook: Receiver, open_database: OpenDatabase
) -> None:
    with open_database():
        later = clock.utcnow() + timedelta(minutes=15)
        db.session.execute(update(Endpoint).values(state="failing", consecutive_failures=9, next_probe_at=later))
        db.session.commit()
    answer = api.post("/webhook/resume").json
    assert (answer["state"], answer["consecutive_failures"]) == ("active", 0)


def test_a_test_of_one_address_does_not_resume_another(
    api: Caller, hook: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post("/webhook/pause")
    send = outbox.send

    def send_while_the_address_changes(*given: Any) -> Any:
        sent = send(*given)
        with db.engine.begin() as connection:
            connection.execute(update(Endpoint).values(url=hook.url + "other"))
        return sent

    monkeypatch.setattr(outbox, "send", send_while_the_address_changes)
    check_problem(api.post("/webhook/resume"), 409, "conflict")
    assert api.get("/webhook").json["state"] == "paused"


def test_tries_to_resume_count_as_tests(api: Caller, hook: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 1)
    api.post("/webhook/test")
    api.post("/webhook/pause")
    check_problem(api.post("/webhook/resume"), 429, "too_many_tests")


def test_a_new_key_signs_and_the_old_one_for_a_day(app: Flask, api: Caller, hook: Receiver, delivery_id: str) -> None:
    first, second = (api.post("/webhook/rotate-secret").json for _ in range(2))
    assert first["secret"] != second["secret"]
    until = datetime.fromisoformat(second["old_secret_until"])
    assert timedelta(hours=23) < until - clock.utcnow() <= timedelta(hours=24)
    with running_worker(app):
        assert hook.wait_for(1)
    received = hook.received[0]
    for answer in (first, second):
        Webhook(answer["secret"]).verify(received.body, dict(received.headers))


def test_a_key_is_told_once_and_stands_nowhere_else(api: Caller, open_database: OpenDatabase) -> None:
    answer = api.post("/webhook/rotate-secret")
    assert answer.headers["Cache-Control"] == "no-store"
    secret = answer.json["secret"]  # type: ignore[index]
    assert secret not in api.get("/webhook").get_data(as_text=True)
    with open_database():
        (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "webhook.secret_rotated"))
        assert (entry.actor, entry.subject) == (api.email, None)
        assert secret not in (db.session.scalars(select(Endpoint.secret)).one())


def test_another_companys_webhook_stays_as_it_is(
    api: Caller, stranger: Caller, hook: Receiver, open_database: OpenDatabase
) -> None:
    before = api.get("/webhook").json
    check_problem(stranger.post("/webhook/pause"), 409, "webhook_unset")
    check_problem(stranger.post("/webhook/resume"), 409, "webhook_unset")
    with open_database():
        of_api = select(Endpoint.secret).where(Endpoint.company_id == api.company_id)
        secret = db.session.scalar(of_api)
        stranger.post("/webhook/rotate-secret")
        assert db.session.scalar(of_api) == secret
        assert not db.session.scalars(select(Delivery)).all()
    assert api.get("/webhook").json == before
