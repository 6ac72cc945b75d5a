"""The CRM's health by day: every number is what a plain look at the tries says."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select, text

from portal.database.db import db
from portal.deliveries import health
from portal.deliveries.health import health_by_day
from portal.models import Attempt, Company
from portal.web.charts import day_starts
from tests.conftest import BOTH
from tests.factories import make_company, make_contact, make_delivery, send_test

NOW = datetime(2026, 3, 10, 15, tzinfo=UTC)
STARTS = day_starts(NOW, ZoneInfo("America/Sao_Paulo"), since=NOW - timedelta(days=99))
TRIES = (
    # days ago, milliseconds, reason, warning
    *((0, 100 + number, "ok_json", None) for number in range(18)),
    (0, 900, "ok_json", "error_words"),
    (0, 5000, "timeout", None),
    (0, None, "interrupted", None),
    (1, 7, "ok_text", "shape_changed"),
    (1, None, "dns_failure", None),
    (400, 1, "ok_text", None),
)

pytestmark = BOTH


@pytest.fixture
def tries(company: Company) -> None:
    for number, (days, duration, reason, warning) in enumerate(reversed(TRIES)):
        delivery = make_delivery(make_contact(company))
        delivery.created_at = at = NOW - timedelta(days=days, minutes=40 - number)
        facts = {"started_at": at, "duration_ms": duration, "reason": reason, "warning": warning}
        db.session.add(Attempt(delivery_id=delivery.id, number=1, trigger="classification", url="", **facts))
    db.session.commit()


@pytest.mark.usefixtures("tries")
def test_each_day_is_what_a_plain_look_says(company: Company) -> None:
    days = health_by_day(db.session, company.id, starts=STARTS)
    assert len(days) == 30
    is_sqlite = db.engine.dialect.name == "sqlite"
    said_day = "date(a.started_at / 1000000, 'unixepoch')" if is_sqlite else "a.started_at"
    said = f"SELECT {said_day}, a.reason, a.warning, a.duration_ms FROM attempt a WHERE a.reason <> 'interrupted'"
    rows = [(str(row[0])[:10], *row[1:]) for row in db.session.execute(text(said))]
    for day, name in ((days[-1], "2026-03-10"), (days[-2], "2026-03-09")):
        of_day = [row for row in rows if row[0] == name]
        assert day.tries == len(of_day)
        assert day.delivered == sum(row[1].startswith("ok_") for row in of_day)
        assert day.warned == sum(row[2] is not None for row in of_day)
    assert (days[-1].tries, days[-1].delivered, days[-1].warned) == (20, 19, 1)
    assert (days[-1].median_ms, days[-1].p95_ms) == (110, 900)
    assert (days[-2].median_ms, days[-2].p95_ms, days[-2].failed) == (7, 7, 1)
    assert (days[0].tries, days[0].median_ms, days[0].p95_ms) == (0, None, None)


@pytest.mark.usefixtures("tries")
def test_tests_and_other_companies_count_for_nothing(company: Company) -> None:
    before = health_by_day(db.session, company.id, starts=STARTS)
    send_test(company)
    of_test = db.session.scalars(select(Attempt).where(Attempt.trigger == "test")).one()
    of_test.started_at = NOW - timedelta(minutes=1)
    db.session.commit()
    assert health_by_day(db.session, company.id, starts=STARTS) == before
    other = make_company("Outra")
    assert not any(day.tries for day in health_by_day(db.session, other.id, starts=STARTS))


@pytest.mark.usefixtures("tries")
def test_of_a_long_log_the_days_before_its_latest_are_left_out_but_for_the_newest(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "LOOKED_AT", 2)
    assert [(day.start, day.tries) for day in health_by_day(db.session, company.id, starts=STARTS)] == [(STARTS[-2], 2)]
