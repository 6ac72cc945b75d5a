"""A log of many rows changes neither what a claim reads nor what a page of the log reads."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text
from sqlalchemy.orm import Session

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db, reading
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import page_deliveries
from portal.models import Company
from portal.outbox import Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests.conftest import BOTH
from tests.factories import insert_deliveries, repeat_delivery
from tests.system.faults.conftest import LEASE, make_deliveries

ROWS, WAITING = 200_000, 5_000
BODY = b"{}"

pytestmark = BOTH


def fill(company_id: int) -> None:
    """A long log, and some that wait for a retry far off."""
    db.engine.dispose()  # PostgreSQL plans a connection's references once: by a table that is still small, if it is
    now = utcnow()
    shared = {"company_id": company_id, "trigger": "classification", "next_trigger": "retry", "actor": "test"}
    shared |= {"created_at": now, "body": BODY, "interest_level": 2}
    later = {"status": "pending", "next_attempt_at": now + timedelta(days=1), "attempt_count": 1}
    old = {"status": "delivered", "next_attempt_at": None, "attempt_count": 0}
    with db.engine.begin() as connection:
        for name, own, times in (("msg_old", old, ROWS), ("msg_later", later, WAITING)):
            insert_deliveries(connection, [shared | own | {"webhook_id": name}])
            repeat_delivery(connection, name, times)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))


@contextmanager
def statements() -> Iterator[list[tuple[str, Any]]]:
    """What is asked of the database meanwhile."""
    seen: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        if re.match("SELECT|UPDATE", statement):
            seen.append((statement, parameters[0] if many else parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def plan_of(statement: str, parameters: Any) -> str:
    is_sqlite = db.engine.dialect.name == "sqlite"
    with db.engine.connect() as connection:
        explained = f"EXPLAIN {'QUERY PLAN ' if is_sqlite else ''}{statement}"
        rows = connection.exec_driver_sql(explained, parameters).all()
        connection.rollback()
    return "\n".join(str(row[-1]) for row in rows)


def check_plans(seen: list[tuple[str, Any]]) -> None:
    assert seen
    for statement, parameters in seen:
        plan = plan_of(statement, parameters)
        assert not re.search(r"SCAN (delivery|attempt|older|newer)\b(?! USING INDEX)", plan), f"{statement}\n{plan}"
        assert not re.search(r"Seq Scan on (delivery|attempt)", plan), f"{statement}\n{plan}"
        if "ORDER BY random" not in statement:
            assert "TEMP B-TREE" not in plan, f"{statement}\n{plan}"
            sorts = re.search(r"Sort +\(.*rows=(\d+)", plan)
            assert not sorts or int(sorts[1]) < 1000, f"{statement}\n{plan}"


@pytest.mark.slow
def test_claiming_settling_and_a_page_read_no_more_of_a_long_log_than_they_need(app: Flask, company: Company) -> None:
    company_id = company.id
    make_deliveries(company, 20)

    def turn() -> None:
        """What a worker does for 20 deliveries."""
        rules = Rules(parse_schedule("0s,24h"), now=utcnow(), jitter=lambda: 0.0)
        with reading(), db.engine.begin() as connection:
            assert outbox.has_due(connection, now=rules.now)
        with db.engine.begin() as connection:
            outbox.recover(connection, rules, lease=LEASE)
            claims = outbox.claim_due(connection, now=rules.now, lease=LEASE, limit=20, room_for=lambda *_: 20)
        assert len(claims) == 20
        failed = Outcome(started_at=rules.now, duration_ms=1, url="http://127.0.0.1:9/", reason="internal_error")
        with db.engine.begin() as connection:
            outbox.settle(connection, [(claim, failed) for claim in claims], rules)

    def page() -> None:
        with reading(), Session(db.engine) as session:
            for wanted in (DeliveryFilter(), DeliveryFilter(status="delivered")):
                page_deliveries(session, company_id, wanted)

    db.session.remove()
    fill(company_id)
    with statements() as seen:
        turn()
        page()
    check_plans(list(dict(seen_once(seen)).items()))


def seen_once(seen: list[tuple[str, Any]]) -> Iterator[tuple[str, Any]]:
    known = set()
    for statement, parameters in seen:
        if statement not in known:
            known.add(statement)
            yield statement, parameters


def test_the_deliveries_of_one_contact_are_read_by_contact_also_while_no_statistics_exist(
    app: Flask, company: Company
) -> None:
    for wanted in (DeliveryFilter(contact_id=7), DeliveryFilter(contact_ids=(7, 8))):
        with statements() as seen, reading(), Session(db.engine) as session:
            page_deliveries(session, company.id, wanted)
        plans = "\n".join(plan_of(*asked) for asked in seen)
        assert "delivery" in plans
        assert not re.search("ix_delivery_(log|status|day)", plans), plans
