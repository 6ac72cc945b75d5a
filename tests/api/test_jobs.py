"""Sending many again by API: counted, done as a job, told apart by what would surprise the CRM."""

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.audit import Actor
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import AuditEntry, Company, Delivery
from portal.privacy import retention
from portal.tasks import store
from tests import factories
from tests.api.conftest import Caller, check_problem, field_errors
from tests.conftest import running_worker

OpenDatabase = Callable[[], Any]


@pytest.fixture
def failed(api: Caller, hook: Receiver, open_database: OpenDatabase) -> list[str]:
    """Two that failed, of levels 3 and 1, and one that arrived."""
    with open_database():
        company = db.session.get_one(Company, api.company_id)
        made = [factories.make_delivery(factories.make_contact(company), level) for level in (3, 1, 2)]
        for row in made[:2]:
            row.status, row.next_attempt_at, row.attempt_count = "failed", None, 1
        factories.mark_delivered(made[2])
        return [row.webhook_id for row in made[:2]]


@pytest.mark.parametrize(
    ("filter_", "count", "left_out"),
    [
        ({"status": "failed"}, 2, {"delivered": 0, "older": 0}),
        ({"status": "failed", "level": 3}, 1, {"delivered": 0, "older": 0}),
        ({}, 2, {"delivered": 1, "older": 0}),
        ({"status": "delivered"}, 1, {"older": 0}),
        ({"campaign": "Geral", "since": "2001-01-01T00:00:00Z"}, 2, {"delivered": 1, "older": 0}),
        ({"until": "2001-01-01T00:00:00Z"}, 0, {"delivered": 0, "older": 0}),
    ],
)
def test_a_dry_run_counts_and_sends_nothing(
    api: Caller, failed: list[str], filter_: Any, count: int, left_out: Any
) -> None:
    before = api.get("/deliveries").json
    response = api.post("/deliveries/resend", {"filter": filter_, "dry_run": True})
    assert (response.status_code, response.json) == (
        200,
        {"count": count, "left_out": left_out | {"maybe_received": 0}},
    )
    assert api.get("/deliveries").json == before


def test_what_matches_is_sent_again_by_a_job(
    app: Flask, api: Caller, hook: Receiver, failed: list[str], open_database: OpenDatabase
) -> None:
    response = api.post("/deliveries/resend", {"filter": {"status": "failed"}})
    assert response.status_code == 202
    expected = {"kind": "resend", "status": "waiting", "position": 0, "total": 2, "counts": {}, "reason": None}
    assert response.json == {"id": response.json["id"]} | expected
    with running_worker(app):
        assert hook.wait_for(2)
    job = api.get(f"/jobs/{response.json['id']}").json
    assert (job["status"], job["position"], job["counts"]) == ("done", 2, {"resent": 2})
    assert {post.headers["webhook-id"] for post in hook.received} == set(failed)
    with open_database():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "deliveries.resent")).one()
        assert (entry.actor, entry.subject) == (api.email, "2")


def test_what_is_named_goes_too(api: Caller, failed: list[str]) -> None:
    everything = {"filter": {}, "include": ["delivered", "older", "maybe_received"], "dry_run": True}
    assert api.post("/deliveries/resend", everything).json == {"count": 3, "left_out": {}}
    assert api.post("/deliveries/resend", {"filter": {}, "include": ["delivered"]}).json["total"] == 3


def test_a_job_of_nothing_is_done_at_once(api: Caller, failed: list[str]) -> None:
    job = api.post("/deliveries/resend", {"filter": {"status": "cancelled"}}).json
    assert (job["status"], job["total"]) == ("done", 0)


def test_a_purge_counts_nothing_before(api: Caller, failed: list[str], open_database: OpenDatabase) -> None:
    with open_database():
        row = store.create(db.session, Actor(api.company_id, "ana"), retention.KIND)
        row.position = 5
        db.session.commit()
        job_id = row.id
    job = api.get(f"/jobs/{job_id}").json
    assert (job["kind"], job["position"], job["total"]) == ("purge", 5, None)


def test_without_an_address_nothing_is_begun(api: Caller, failed: list[str], open_database: OpenDatabase) -> None:
    api.put("/webhook", {"url": None})
    check_problem(api.post("/deliveries/resend", {"filter": {}}), 409, "webhook_unset")


def test_another_company_matches_nothing_of_ours_and_sees_no_job(
    api: Caller, stranger: Caller, failed: list[str]
) -> None:
    job_id = api.post("/deliveries/resend", {"filter": {}}).json["id"]
    check_problem(stranger.get(f"/jobs/{job_id}"), 404, "not_found")
    assert stranger.post("/deliveries/resend", {"filter": {}, "dry_run": True}).json["count"] == 0


@pytest.mark.parametrize(
    ("value", "errors"),
    [
        ({}, {"filter": "required"}),
        ({"filter": []}, {"filter": "not_an_object"}),
        ({"filter": {"state": "failed"}}, {"filter.state": "unknown_field"}),
        ({"filter": {"status": "lost"}}, {"filter.status": "unknown_value"}),
        ({"filter": {"level": "3"}}, {"filter.level": "not_an_integer"}),
        ({"filter": {"campaign": "Outono"}}, {"filter.campaign": "unknown_value"}),
        (
            {"filter": {"contact_id": 99, "outage_id": 9}},
            {"filter.contact_id": "unknown_value", "filter.outage_id": "unknown_value"},
        ),
        ({"filter": {"owner": "nobody@x.test"}, "dry_run": True}, {"filter.owner": "unknown_value"}),
        ({"filter": {"since": 5}}, {"filter.since": "not_a_time"}),
        ({"filter": {}, "include": ["all"]}, {"include.0": "unknown_value"}),
        ({"filter": {}, "dry_run": 1}, {"dry_run": "not_a_boolean"}),
    ],
)
def test_a_wrong_filter_sends_nothing(
    api: Caller, failed: list[str], open_database: OpenDatabase, value: Any, errors: Any
) -> None:
    assert field_errors(check_problem(api.post("/deliveries/resend", value), 422, "invalid_fields")) == errors
    with open_database():
        assert db.session.scalars(select(Delivery).where(Delivery.next_trigger == "manual")).all() == []
