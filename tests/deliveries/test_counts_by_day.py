"""Deliveries by day: counted in the company's time zone, on both databases."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from portal.database.db import db
from portal.deliveries import log
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import count_by_day
from portal.models import Delivery
from portal.web.charts import day_starts
from tests.conftest import BOTH
from tests.factories import NOON, make_company, make_contact, make_delivery

SAO_PAULO = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def make(company):
    """A delivery made at a moment, with what became of it."""

    def make(moment: datetime, status: str = "delivered", **facts) -> Delivery:
        delivery = make_delivery(make_contact(company))
        for name, value in {"created_at": moment, "status": status, **facts}.items():
            setattr(delivery, name, value)
        db.session.commit()
        return delivery

    return make


def counts_of(company, wanted=None) -> dict[str, tuple[int, ...]]:
    """By day of the company's zone, the days on which there was something: delivered, failed, and what waits if any."""
    starts = day_starts(NOON, SAO_PAULO, since=NOON - timedelta(days=99))
    found = count_by_day(db.session, company.id, wanted or DeliveryFilter(), starts=starts)
    db.session.commit()
    return {
        f"{day.start.astimezone(SAO_PAULO):%d/%m}": (day.delivered, day.failed, *([day.waiting] if day.waiting else []))
        for day in found
        if day.delivered or day.failed or day.waiting
    }


@pytest.mark.slow
@BOTH
def test_a_day_begins_at_midnight_of_the_company(company, make):
    make(datetime(2026, 3, 10, 2, 59, tzinfo=UTC))
    make(datetime(2026, 3, 10, 3, 0, tzinfo=UTC), "failed")
    make(datetime(2026, 3, 10, 11, 0, tzinfo=UTC), "pending")
    make(datetime(2026, 3, 10, 12, 0, tzinfo=UTC), "superseded")
    assert counts_of(company) == {"09/03": (1, 0), "10/03": (0, 1, 1)}


@BOTH
def test_only_the_last_thirty_days_count(company, make):
    for days in (29, 30, -1):
        make(NOON - timedelta(days=days))
    assert counts_of(company) == {"09/02": (1, 0)}


def test_the_filter_counts_too_and_tests_only_when_asked_for(company, make):
    make(NOON, "failed", reason="timeout")
    make(NOON, trigger="test")
    assert counts_of(company) == {"10/03": (0, 1)}
    assert counts_of(company, DeliveryFilter(trigger="test")) == {"10/03": (1, 0)}
    assert counts_of(company, DeliveryFilter(reason="server_error")) == {}


def test_other_companies_do_not_count(make):
    make(NOON)
    assert counts_of(make_company("Outra")) == {}


def test_of_a_long_log_only_days_known_whole_are_shown(company, make, monkeypatch):
    for days in (5, 4, 4, 3, 0):
        make(NOON - timedelta(days=days))
    monkeypatch.setattr(log, "CHART_CAP", 3)
    assert counts_of(company) == {"07/03": (1, 0), "10/03": (1, 0)}
    monkeypatch.setattr(log, "CHART_CAP", 0)
    assert counts_of(company) == {}


def test_a_day_of_long_ago_is_counted_however_much_came_after_it(company, make, monkeypatch):
    monkeypatch.setattr(log, "CHART_CAP", 2)
    for days in (5, 4, 4, 3, 3, 3, 0, 0, 0):
        make(NOON - timedelta(days=days))
    starts = day_starts(NOON - timedelta(days=4), SAO_PAULO, since=NOON - timedelta(days=99))
    wanted = DeliveryFilter(until=starts[-1])
    counted = count_by_day(db.session, company.id, wanted, starts=starts)
    assert [(day.start, day.delivered) for day in counted] == [(starts[-2], 2)]
