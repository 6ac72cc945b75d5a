"""A long outage with a large backlog: the circuit keeps it whole, and afterwards what matters most goes first."""

from collections import Counter
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.models import Attempt, Company, Delivery
from portal.rules.circuit import LONGEST_PAUSE
from tests import factories
from tests.conftest import BOTH
from tests.system.faults.conftest import LEASE, answered, claim_due, rules, statuses

WAITING, PROBES, BATCH = 10_000, 200, 500

pytestmark = [BOTH, pytest.mark.slow]


def fill(company_id: int) -> None:
    now = utcnow()
    shared = {"company_id": company_id, "trigger": "classification", "next_trigger": "classification", "actor": "test"}
    shared |= {"status": "pending", "next_attempt_at": now, "created_at": now, "body": b"{}"}
    rows = [shared | {"webhook_id": f"msg_{each}", "interest_level": 1 + each % 3} for each in range(WAITING)]
    with db.engine.begin() as connection:
        factories.insert_deliveries(connection, rows)


@pytest.mark.slow(10)
def test_ten_thousand_wait_whole_through_two_hundred_failed_probes_and_arrive_level_3_first(
    app: Flask, company: Company
) -> None:
    company_id, url = company.id, factories.endpoint_of(company).url
    db.session.rollback()
    fill(company_id)
    now = utcnow()
    refused, taken = answered("connection_refused", url=url), answered("ok_text", url=url, status_code=200)

    claims = claim_due(now=now, limit=5)
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, refused) for claim in claims], rules(now=now))
    for _ in range(PROBES):
        now += LONGEST_PAUSE + timedelta(seconds=1)
        (probe,) = claim_due(now=now, limit=BATCH)
        assert probe.is_probe
        with db.engine.begin() as connection:
            outbox.settle(connection, [(probe, refused)], rules(now=now))
    assert statuses() == {"pending": WAITING}
    assert Counter(db.session.scalars(select(Delivery.tries))) == {0: WAITING - 5, 1: 5}

    now += LONGEST_PAUSE + timedelta(seconds=1)
    (probe,) = claim_due(now=now, limit=BATCH)
    levels = []
    batch = [probe]
    while batch:
        with db.engine.begin() as connection:
            outbox.settle(connection, [(claim, taken) for claim in batch], rules(now=now))
        now += timedelta(seconds=1)
        batch = claim_due(now=now, limit=BATCH, room_for=lambda *_: BATCH, lease=LEASE)
        levels += sorted((level_of(claim.webhook_id) for claim in batch), reverse=True)
    assert statuses() == {"delivered": WAITING}
    assert levels == sorted(levels, reverse=True)
    assert db.session.scalar(select(func.count()).select_from(Attempt)) == WAITING + 5 + PROBES


def level_of(webhook_id: str) -> int:
    return 1 + int(webhook_id.removeprefix("msg_")) % 3
