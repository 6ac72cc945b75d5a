"""What a long log seldom holds is found by an index of its own, whichever database looks for it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, text

from portal.clock import utcnow
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import count_matching_by_status, page_deliveries
from portal.models import Company
from tests import factories
from tests.conftest import BOTH

pytestmark = BOTH

MANY = 5_000
RARE = {
    "reason": ({"status": "failed", "reason": "gone"}, DeliveryFilter(reason="gone", tests=False)),
    "trigger": ({"trigger": "sync"}, DeliveryFilter(trigger="sync", tests=False)),
    "warning": ({"warning": "error_words"}, DeliveryFilter(warning="error_words", tests=False)),
}


@pytest.fixture
def company(app: Flask) -> Company:
    """One with a log of deliveries that arrived, and of each rare kind one."""
    company = factories.make_company()
    facts = {"company_id": company.id, "trigger": "classification", "next_trigger": "retry", "actor": "test"}
    facts |= {"status": "delivered", "reason": "ok_text", "warning": None, "created_at": utcnow(), "body": b"{}"}
    rare = [facts | special for special, _ in RARE.values()]
    rows = [each | {"webhook_id": f"msg_{number}"} for number, each in enumerate([*rare, facts])]
    with db.engine.begin() as connection:
        factories.insert_deliveries(connection, rows)
        factories.repeat_delivery(connection, rows[-1]["webhook_id"], MANY - 1)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return company


@contextmanager
def plans() -> Iterator[list[str]]:
    """How the database looks for what it is asked meanwhile."""
    asked: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith("SELECT"):
            asked.append((statement, parameters))

    event.listen(db.engine, "before_cursor_execute", note)
    found: list[str] = []
    try:
        yield found
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
        db.session.rollback()
    words = "EXPLAIN QUERY PLAN" if db.engine.dialect.name == "sqlite" else "EXPLAIN"
    with db.engine.connect() as connection:
        for statement, parameters in asked:
            rows = connection.exec_driver_sql(f"{words} {statement}", parameters).all()
            found.append("\n".join(str(row[-1]) for row in rows))


@pytest.mark.parametrize("kind", RARE)
def test_what_is_rare_is_found_by_its_own_index(company: Company, kind: str) -> None:
    _, wanted = RARE[kind]
    with plans() as found:
        assert len(page_deliveries(db.session, company.id, wanted).items) == 1
        assert sum(count_matching_by_status(db.session, company.id, wanted).values()) == 1
    assert len(found) == 2
    for plan in found:
        assert f"ix_delivery_{kind}" in plan, plan
        assert not re.search(r"SCAN delivery|Seq Scan on delivery", plan), plan
