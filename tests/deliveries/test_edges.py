"""One act has one road: by page, API and command the same guard, refusal, sentence and audit entry."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlencode

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_babel import force_locale

from portal.cli import cli
from portal.company import endpoint
from portal.database.db import db
from portal.models import AuditEntry, Company, Delivery, Task
from portal.people import tokens
from portal.worker.task_runner import TaskRunner
from tests.factories import (
    LOOPBACK,
    NOON,
    actor_of,
    attempt_of,
    explain,
    forget_body,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
)
from tests.views.conftest import Person

FILTER = {"trigger": "classification", "level": 2}
SENTENCES = {
    "test_delivery": "A test delivery is not sent again; make a new test.",
    "body_purged": "This delivery's body has been deleted by the retention period; there is nothing to send again.",
    "webhook_unset": "No destination URL is configured. Configure the webhook first.",
}


@dataclass
class Edge:
    """One way to ask for the acts. Each returns all that was answered, as text."""

    name: str
    actor: str
    resend: Callable[..., str]
    resend_many: Callable[[dict[str, Any]], str]
    show: Callable[[str], str]


def text_of(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def page_edge(app: Flask, company: Company) -> Edge:
    admin = Person(app.test_client(), make_user(company))
    admin.client.set_cookie("language", "en")

    def post(url: str, **form: str) -> str:
        answer = admin.post(url, form)
        assert answer.status_code in (303, 422)  # the form once more, where nothing is to be sent
        return text_of(answer.text if answer.status_code == 422 else admin.get(answer.location).text)

    def resend(webhook_id: str, *, sure: bool = False) -> str:
        return post(f"/deliveries/{webhook_id}/resend", **({"confirmed": "yes"} if sure else {}))

    def show(webhook_id: str) -> str:
        return text_of(admin.get(f"/deliveries/{webhook_id}").text)

    return Edge("page", str(admin.email), resend, lambda asked: post(f"/deliveries/resend?{urlencode(asked)}"), show)


def api_edge(app: Flask, company: Company) -> Edge:
    user = make_user(company)
    token = tokens.create_token(db.session, user, label="test")
    db.session.commit()
    headers = {"Authorization": f"Bearer {token}", "Accept-Language": "en"}

    def call(method: str, path: str, value: Any = None) -> str:
        db.session.commit()
        with app.app_context():
            answer = app.test_client().open(f"/api/v1{path}", method=method, headers=headers, json=value)
        return json.dumps(answer.json, ensure_ascii=False)

    def resend(webhook_id: str, *, sure: bool = False) -> str:
        return call("POST", f"/deliveries/{webhook_id}/resend")

    def resend_many(asked: dict[str, Any]) -> str:
        return call("POST", "/deliveries/resend", {"filter": asked})

    return Edge("api", user.email, resend, resend_many, lambda webhook_id: call("GET", f"/deliveries/{webhook_id}"))


def command_edge(app: Flask, _company: Company) -> Edge:
    environ = {
        "PORTAL_INSTANCE": str(app.extensions["portal"].settings.instance),
        "PORTAL_SECRET_KEY": app.extensions["portal"].settings.secret_key,
        "PORTAL_ALLOWED_NETWORKS": LOOPBACK,
    }

    def run(*arguments: str) -> str:
        db.session.commit()
        result = CliRunner().invoke(cli, ["deliveries", *arguments], env=environ)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.output

    def resend(webhook_id: str, *, sure: bool = False) -> str:
        return run("resend", webhook_id, *(["--yes"] if sure else []))

    def resend_many(asked: dict[str, Any]) -> str:
        return run("resend", "--yes", *(part for name, value in asked.items() for part in (f"--{name}", str(value))))

    return Edge("command", "console", resend, resend_many, lambda webhook_id: run("show", webhook_id))


@pytest.fixture(params=[page_edge, api_edge, command_edge])
def edge(request: pytest.FixtureRequest, app: Flask, company: Company) -> Edge:
    made: Edge = request.param(app, company)
    return made


@pytest.fixture
def delivery(company: Company) -> Delivery:
    """A delivery that failed without having left."""
    return settle(make_delivery(make_contact(company)), "failed", "connection_refused")


def settle(row: Delivery, status: str, reason: str, **facts: Any) -> Delivery:
    row.status, row.reason, row.attempt_count, row.next_attempt_at = status, reason, 1, None
    row.delivered_at = NOON if status == "delivered" else None
    values = {"trigger": "classification", "started_at": NOON, "url": "https://crm.example/", "reason": reason}
    db.session.add(attempt_of(row, number=1, **values, **facts))
    db.session.commit()
    return row


def acts() -> list[tuple[str, str, str | None]]:
    db.session.expire_all()
    query = db.session.query(AuditEntry).filter(AuditEntry.action.like("deliver%.resent")).order_by(AuditEntry.id)
    return [(entry.action, entry.actor, entry.subject) for entry in query]


def status_of(row: Delivery) -> str:
    db.session.expire_all()
    return db.session.get_one(Delivery, row.id).status


def forget_address(company: Company) -> None:
    endpoint.remove_address(db.session, actor_of(company))
    db.session.commit()


def purge(row: Delivery) -> None:
    forget_body(row)
    db.session.commit()


def test_one_is_sent_again_and_written_down(edge: Edge, delivery: Delivery) -> None:
    edge.resend(delivery.webhook_id)
    assert status_of(delivery) == "pending"
    assert acts() == [("delivery.resent", edge.actor, delivery.webhook_id)]


def test_what_is_on_its_way_changes_nothing(edge: Edge, company: Company) -> None:
    waiting = make_delivery(make_contact(company))
    answer = edge.resend(waiting.webhook_id)
    assert acts() == []
    if edge.name == "api":  # it answers with the delivery as it is
        assert json.loads(answer)["status"] == "pending"
    else:
        assert "This delivery is waiting to go already; nothing was repeated." in answer


@pytest.mark.parametrize("code", list(SENTENCES))
def test_what_cannot_be_sent_again_is_refused(edge: Edge, company: Company, delivery: Delivery, code: str) -> None:
    if code == "test_delivery":
        delivery.trigger = "test"
    elif code == "body_purged":
        forget_body(delivery)
    else:
        forget_address(company)
    db.session.commit()
    answer = edge.resend(delivery.webhook_id, sure=True)
    assert SENTENCES[code] in answer
    assert status_of(delivery) == "failed"
    assert acts() == []


def test_many_are_sent_again_and_written_down(edge: Edge, company: Company, delivery: Delivery) -> None:
    settle(make_delivery(make_contact(company)), "failed", "timeout", request_sent=True)
    mark_delivered(make_delivery(make_contact(company)))
    settle(make_delivery(make_contact(company), 3), "failed", "timeout")
    edge.resend_many(FILTER | {"status": "failed", "search": "contato"})
    (task,) = db.session.query(Task)
    # nobody said that what may have been received is meant
    assert (task.kind, task.total, task.actor) == ("resend", 1, edge.actor)
    assert acts() == [("deliveries.resent", edge.actor, "1")]


def test_without_an_address_many_are_refused(edge: Edge, company: Company, delivery: Delivery) -> None:
    forget_address(company)
    assert SENTENCES["webhook_unset"] in edge.resend_many(FILTER)
    assert db.session.query(Task).count() == 0
    assert acts() == []


def test_many_that_are_none_are_not_written_down(edge: Edge, delivery: Delivery) -> None:
    edge.resend_many({"status": "cancelled"})
    assert acts() == []


def test_a_campaign_that_does_not_exist_sends_nothing(edge: Edge, delivery: Delivery) -> None:
    edge.resend_many({"campaign": "Nenhuma"})
    assert status_of(delivery) == "failed"
    assert sum(task.total for task in db.session.query(Task)) == 0
    assert acts() == []


def test_a_purged_body_never_becomes_due(app: Flask, edge: Edge, company: Company, delivery: Delivery) -> None:
    other = settle(make_delivery(make_contact(company)), "failed", "timeout")
    edge.resend_many(FILTER)
    purge(delivery)  # after it was chosen
    purge(other)
    edge.resend(delivery.webhook_id, sure=True)
    edge.resend_many(FILTER)
    run_tasks()
    assert {status_of(row) for row in (delivery, other)} == {"failed"}


def run_tasks() -> None:
    db.session.commit()
    runner = TaskRunner(db.engine, on_due=lambda: None)
    for _ in range(3):
        runner.run_one()


def test_what_came_of_an_attempt_is_the_same_sentence(edge: Edge, company: Company) -> None:
    delivery = settle(
        make_delivery(make_contact(company)),
        "delivered",
        "ok_json",
        status_code=200,
        warning="error_in_json",
        response_body=b"{}",
    )
    answer = edge.show(delivery.webhook_id)
    with force_locale("en"):
        words = explain("ok_json", status_code=200, warning="error_in_json")
    assert all(sentence in answer for sentence in (words.seen, words.rule, words.advice))
    assert "There is nothing to do" not in answer


def test_nothing_to_do_is_said_where_there_is_no_warning(edge: Edge, company: Company) -> None:
    arrived = settle(make_delivery(make_contact(company)), "delivered", "ok_empty", status_code=200)
    assert "There is nothing to do." in edge.show(arrived.webhook_id)
