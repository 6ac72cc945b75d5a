"""What the tests of faults share: both databases, claims made by hand, a wait, and what the log of deliveries says."""

import itertools
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Attempt, Company, Delivery
from portal.outbox import Claim, Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories

LEASE = timedelta(seconds=15)


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    return factories.make_company(url=receiver.url)


def claim_due(**values: Any) -> list[Claim]:
    """Claim as a worker does, at `now`, in a transaction of its own."""
    defaults: dict[str, Any] = {"now": utcnow(), "lease": LEASE, "limit": 100, "room_for": lambda *_: 100}
    db.session.rollback()
    with db.engine.begin() as connection:
        return outbox.claim_due(connection, **(defaults | values))


def rules(schedule: str = "0s,30s,5m", *, now: datetime | None = None) -> Rules:
    return Rules(parse_schedule(schedule), now=now or utcnow(), jitter=lambda: 0.0)


def settle(claim: Claim, outcome: Outcome, *, by: Rules | None = None) -> Delivery:
    db.session.rollback()
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, outcome)], by or rules())
    return reload(claim.delivery_id)


def answered(reason: str, **facts: Any) -> Outcome:
    defaults = {"started_at": factories.NOON, "duration_ms": 12, "url": "http://127.0.0.1:9/", "request_sent": True}
    return Outcome(reason=reason, **(defaults | facts))


def reload(delivery_id: int) -> Delivery:
    db.session.rollback()
    return db.session.get_one(Delivery, delivery_id, populate_existing=True)


_numbers = itertools.count()


def make_deliveries(company: Company, count: int, **values: Any) -> list[int]:
    """That many contacts of the company, each with a delivery that is due, or as `values` say; committed as one.

    Returns their ids.
    """
    numbers = [next(_numbers) for _ in range(count)]  # the same name again would be the same person
    items = [{"contact": {"name": f"Contato {n}", "interest_level": 1 + n % 3}} for n in numbers]
    made = [saved.delivery_id for saved in factories.save_many(company, items)]
    ids = list(db.session.scalars(select(Delivery.id).where(Delivery.webhook_id.in_(made)).order_by(Delivery.id)))
    if values:
        db.session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(**values))
    db.session.commit()
    db.session.remove()
    return ids


def statuses() -> dict[str, int]:
    db.session.remove()
    found = Counter(db.session.scalars(select(Delivery.status)))
    db.session.remove()
    return dict(found)


def attempts_of(delivery_id: int) -> list[tuple[str, bool]]:
    """The reason of each attempt in their order, and whether it was recorded late."""
    db.session.remove()
    query = select(Attempt.reason, Attempt.late).where(Attempt.delivery_id == delivery_id).order_by(Attempt.id)
    found = [(reason, late) for reason, late in db.session.execute(query)]
    db.session.remove()
    return found


def wait_until(condition: Callable[[], Any], *, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it did not happen within {seconds} s"
        time.sleep(0.03)
