"""What one attempt says about its endpoint, and what says nothing of it; the audit log has each change once."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import AuditEntry, Endpoint
from portal.outbox import Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from portal.working_models import Outage
from tests.conftest import URL
from tests.factories import NOON, endpoint_of
from tests.outbox.stock import HELD, HOUR, MOMENT, Rows, in_worker

SECOND = timedelta(seconds=1)
FAILED_ONCE = {
    "consecutive_failures": 1,
    "failed_deliveries": 1,
    "last_failed_delivery_id": 1,
    "failing_since": NOON,
    "last_failure_at": NOON,
}
FOUR = {"consecutive_failures": 4, "failed_deliveries": 4, "last_failed_delivery_id": 9, "failing_since": NOON - HOUR}
FIVE = FOUR | {"consecutive_failures": 5, "failed_deliveries": 5, "last_failed_delivery_id": 1, "last_failure_at": NOON}
DOWN = FOUR | {"state": "failing", "next_probe_at": NOON, "probe_count": 2}
WORKS = {"last_success_at": NOON}
AGAIN = {
    **{"state": "active", "consecutive_failures": 0, "failed_deliveries": 0, "last_failed_delivery_id": None},
    **{"failing_since": None, "next_probe_at": None, "probe_count": 0},
}


@pytest.mark.parametrize(
    ("before", "claimed", "reason", "changes", "written"),
    [
        ({}, {}, "ok_text", WORKS, []),
        ({"last_success_at": NOON - SECOND}, {}, "ok_text", WORKS, []),
        ({"last_success_at": NOON - SECOND + MOMENT}, {}, "ok_text", {}, []),
        ({}, {"is_test": True}, "ok_text", {}, []),
        ({}, {"is_test": True}, "timeout", {}, []),
        ({}, {"url": f"{URL}/other"}, "ok_text", {}, []),
        ({}, {"crm_since": NOON}, "ok_text", {}, []),
        ({}, {"url": f"{URL}/other"}, "timeout", {}, []),
        ({}, {}, "interrupted", {}, []),
        ({}, {}, "internal_error", {}, []),
        ({}, {}, "timeout", FAILED_ONCE, []),
        (FAILED_ONCE, {}, "ok_text", AGAIN | WORKS, []),
        (
            *(FOUR, {}, "timeout", FIVE | {"state": "failing", "next_probe_at": NOON + timedelta(seconds=30)}),
            [("webhook.failing", "timeout")],
        ),
        (
            *({}, {}, "gone", FAILED_ONCE | {"state": "paused", "paused_reason": "gone"}),
            [("webhook.failing", "gone"), ("webhook.stopped", "gone")],
        ),
        (
            *(DOWN, {"is_probe": True}, "timeout"),
            FIVE | {"probe_count": 3, "next_probe_at": NOON + timedelta(minutes=4)},
            [],
        ),
        (DOWN, {}, "timeout", FIVE, []),
        (DOWN, {"is_probe": True}, "ok_text", AGAIN | WORKS, [("webhook.recovered", None)]),
        (
            *(DOWN | {"failing_since": NOON - timedelta(days=3)}, {"is_probe": True}, "timeout"),
            FIVE
            | {"state": "paused", "paused_reason": "outage", "next_probe_at": None}
            | {"failing_since": NOON - timedelta(days=3)},
            [("webhook.stopped", "outage")],
        ),
    ],
)
def test_an_attempt_changes_what_it_speaks_of(
    app: Flask,
    before: dict[str, Any],
    claimed: dict[str, Any],
    reason: str,
    changes: dict[str, Any],
    written: list[Any],
) -> None:
    rows = Rows({"sending": HELD, "waiting": {"contact": "Bia"}})
    for name, value in before.items():
        setattr(endpoint_of(rows.company), name, value)
    db.session.commit()
    held, company_id = stored(rows.company.id), rows.company.id
    waiting = rows.read()["waiting"]["next_attempt_at"]
    claim = rows.claims()[0]._replace(**claimed)
    outcome = Outcome(started_at=NOON, duration_ms=12, url=claim.url, reason=reason, status_code=200)
    rules = Rules(parse_schedule("0s,30s,5m"), now=NOON, jitter=lambda: 0.0)
    in_worker(lambda connection: outbox.settle(connection, [(claim, outcome)], rules))
    after = stored(company_id)
    assert after == held | changes | {"answer_shape": after["answer_shape"]}
    entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action.in_(ACTIONS)).order_by(AuditEntry.id)).all()
    assert [(entry.action, entry.subject) for entry in entries] == written
    assert {entry.company_id for entry in entries} <= {company_id}
    outages = [(outage.began_at, outage.reason) for outage in db.session.scalars(select(Outage))]
    begins = changes.get("state") in ("failing", "paused") and held["state"] == "active"
    assert outages == ([(after["failing_since"], reason)] if begins else [])
    is_back = (held["state"], after["state"]) == ("failing", "active")
    assert rows.read()["waiting"]["next_attempt_at"] == (NOON + MOMENT if is_back else waiting)


ACTIONS = ("webhook.failing", "webhook.recovered", "webhook.stopped")


def stored(company_id: int) -> dict[str, Any]:
    db.session.expire_all()
    row = db.session.execute(select(Endpoint.__table__).where(Endpoint.company_id == company_id)).mappings().one()
    return dict(row)
