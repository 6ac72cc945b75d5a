"""A stock of deliveries of which each differs from the first in one fact, to see which of them a statement changes."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Delivery
from portal.outbox import Claim, Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests.conftest import URL
from tests.factories import NOON, insert_deliveries, make_company, make_contact

MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
LEASE = timedelta(seconds=15)
BY = "ana@example.com"
ENDED = {"next_attempt_at": None}
CANCELLED = {"status": "cancelled", **ENDED}
HELD = {"status": "sending", "lease_token": "mine", "lease_expires_at": NOON}
LET_GO = {"lease_token": None, "lease_expires_at": None}
AGAIN = {"status": "pending", "tries": 0, "next_attempt_at": NOON, "next_trigger": "manual", "next_actor": BY}
WAITING = {
    "status": "pending",
    "trigger": "classification",
    "next_trigger": "retry",
    "actor": "bia@example.com",
    "interest_level": 2,
    "previous_level": 1,
    "attempt_count": 1,
    "tries": 1,
    "next_attempt_at": NOON + HOUR,
    "created_at": NOON - HOUR,
    "has_body": True,
    "is_purged": False,
    "body": b"{}",
}
STOCK: Mapping[str, Mapping[str, Any]] = {
    "waiting": {},
    "untried": {"attempt_count": 0, "tries": 0},
    "due": {"next_attempt_at": NOON},
    "not yet due": {"next_attempt_at": NOON + MOMENT},
    "by hand": {"next_trigger": "manual", "tries": 0},
    "by hand, tried since": {"next_trigger": "manual"},
    "sending": HELD,
    "sending longer": HELD | {"lease_expires_at": NOON + MOMENT},
    "sending for another": HELD | {"lease_token": "another's"},
    "sending nothing": HELD | {"has_body": False},
    "delivered": {"status": "delivered", "delivered_at": NOON - HOUR, **ENDED},
    "failed": {"status": "failed", **ENDED},
    "failed, emptied": {"status": "failed", "has_body": False, **ENDED},
    "superseded": {"status": "superseded"},
    "cancelled": {"status": "cancelled", **ENDED},
    "cancelled untried": {"status": "cancelled", "attempt_count": 0, **ENDED},
    "a test": {"status": "failed", "trigger": "test", "contact": None, **ENDED},
    "of a merged one": {"former_contact_id": 900},
    "level 1": {"interest_level": 1},
    "level 3": {"interest_level": 3},
    "another's": {"contact": "Bia"},
    "another company's": {"contact": "Eva"},
}
"""Ana's deliveries, and what is no delivery of Ana's that waits: each differs from the first in one fact."""
PENDING = {
    *("waiting", "untried", "due", "not yet due", "by hand", "by hand, tried since", "of a merged one"),
    *("level 1", "level 3", "another's"),
}
"""Of the company."""
SENDING = {"sending", "sending longer", "sending for another", "sending nothing"}
MINE = {"sending", "sending longer"}
"""Whose lease is still this worker's."""


class Rows:
    """Deliveries by name, as they are stored."""

    def __init__(self, stock: Mapping[str, Mapping[str, Any]], *, apart: bool = False) -> None:
        self.company, other = make_company(url=URL), make_company("Outra", url=URL)
        self.contacts = {
            name: make_contact(owner, name=name).id
            for name, owner in {"Ana": self.company, "Bia": self.company, "Eva": other}.items()
        }
        rows = []
        blank = {column.name: None for column in Delivery.__table__.c if column.name != "id"}
        for name, facts in stock.items():
            row = blank | WAITING | {"contact": "Ana"} | facts | {"webhook_id": name}
            row["company_id"] = other.id if row["contact"] == "Eva" else self.company.id
            row["contact_id"] = self.contacts[row["contact"]] if row["contact"] else None
            if apart and row["contact"] == "Ana":
                row["contact_id"] = make_contact(self.company).id
            rows.append(row)
        db.session.commit()
        if rows:
            in_worker(lambda connection: insert_deliveries(connection, rows))
        self.ids = {row.webhook_id: row.id for row in db.session.execute(select(Delivery.webhook_id, Delivery.id))}
        db.session.rollback()

    def read(self) -> dict[str, dict[str, Any]]:
        db.session.commit()
        rows = db.session.execute(select(Delivery.__table__)).mappings().all()
        db.session.rollback()
        return {row["webhook_id"]: dict(row) for row in rows if row["webhook_id"] in self.ids}

    def bodies(self) -> set[str]:
        held = db.session.scalars(select(Delivery.webhook_id).join(Delivery.stored_body)).all()
        db.session.rollback()
        return set(held)

    def claims(self, **facts: Any) -> list[Claim]:
        """As if this worker held each of them."""
        return [
            Claim(
                delivery_id=row["id"],
                webhook_id=name,
                company_id=row["company_id"],
                contact_id=row["contact_id"],
                body=b"{}",
                trigger=row["next_trigger"],
                actor=None,
                is_test=row["trigger"] == "test",
                number=row["attempt_count"],
                tries=row["tries"],
                lease_token="mine",
                lease_expires_at=NOON,
                url=URL,
                **facts,
            )
            for name, row in self.read().items()
        ]


def in_worker(act: Callable[[Any], object]) -> None:
    db.session.rollback()
    with db.engine.begin() as connection:
        act(connection)


def settle(rows: Rows, reason: str, *, probes: bool = False, **facts: Any) -> None:
    rules = Rules(parse_schedule("0s,30s,5m"), now=NOON, jitter=lambda: 0.0)
    outcome = Outcome(started_at=NOON, duration_ms=12, url=URL, reason=reason, **facts)
    claims = rows.claims(is_probe=probes)
    in_worker(lambda connection: outbox.settle(connection, [(claim, outcome) for claim in claims], rules))
