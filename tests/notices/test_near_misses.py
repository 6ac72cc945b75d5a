"""What is news and to whom: of the rest each misses by one fact, and moments are told apart exactly."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from portal.models import Delivery, Endpoint
from portal.notices import due, letters
from portal.notices.chat import make_message, secrets_of
from portal.report import ReportFilter, mailing
from tests.conftest import URL
from tests.factories import NOON, attempt_of, endpoint_of, make_company, make_user
from tests.outbox.stock import Rows

MOMENT, HOUR, DAY = timedelta(microseconds=1), timedelta(hours=1), timedelta(days=1)
MONDAY = NOON.replace(hour=0) - DAY
FAILED = {"status": "failed", "next_attempt_at": None}


@pytest.fixture(autouse=True)
def at_noon(app: Flask) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def news_of(facts: dict[str, Any], rows: Rows | None = None) -> str | None:
    """What is told of an endpoint with these facts, and nothing of its neighbour's trouble."""
    company = rows.company if rows else make_company(url=URL)
    for name, value in facts.items():
        setattr(endpoint_of(company), name, value)
    db.session.commit()
    found = [each for each in due.find_due(db.session, Endpoint, now=NOON) if each.company_id == company.id]
    return found[0].state if found else None


@pytest.mark.parametrize(
    ("facts", "news"),
    [
        ({"state": "failing"}, "failing"),
        ({"state": "failing", "url": None}, None),
        ({"state": "failing", "notified_at": NOON - HOUR}, "failing"),
        ({"state": "failing", "notified_at": NOON - HOUR + MOMENT}, None),
        ({"state": "failing", "notified_state": "failing"}, None),
        ({"state": "failing", "notified_state": "paused"}, None),
        ({"state": "failing", "notified_state": "failed"}, "failing"),
        ({"state": "paused", "paused_reason": "manual"}, None),
        ({"state": "paused", "paused_reason": "gone"}, "paused"),
        ({"state": "paused", "paused_reason": "gone", "notified_state": "failing"}, "paused"),
        ({"state": "paused", "paused_reason": "gone", "notified_state": "paused"}, None),
        ({"notified_state": "failing"}, None),
        ({"notified_state": "failing", "last_success_at": NOON - DAY}, "active"),
        ({"notified_state": "paused", "last_success_at": NOON - DAY + MOMENT, "notified_at": NOON - DAY}, "active"),
        ({"notified_state": "paused", "last_success_at": NOON - DAY, "notified_at": NOON - DAY}, None),
        ({"last_success_at": NOON}, None),
    ],
)
def test_a_change_of_the_endpoint_is_told_once(facts: dict[str, Any], news: str | None) -> None:
    assert news_of(facts) == news


@pytest.mark.parametrize(
    ("delivery", "told", "is_news"),
    [
        ({}, {}, True),
        ({"status": "cancelled"}, {}, False),
        ({"contact": None}, {}, False),
        ({"contact": "Eva"}, {}, False),
        ({"delivered_at": NOON - DAY}, {}, False),
        ({"tried_at": NOON - DAY}, {}, False),
        ({"tried_at": NOON - DAY + MOMENT}, {}, True),
        ({"followed_by": {"contact": "Ana"}}, {}, False),
        ({"followed_by": {"contact": "Bia"}}, {}, True),
        ({}, {"notified_at": NOON - HOUR}, False),
        ({"tried_at": NOON - 2 * HOUR}, {"notified_at": NOON - 2 * HOUR}, False),
        ({"tried_at": NOON - 2 * HOUR}, {"notified_at": NOON - 2 * HOUR - MOMENT}, True),
        ({}, {"notified_state": "failed", "notified_at": NOON - DAY}, True),
        ({}, {"notified_state": "failed", "notified_at": NOON - DAY + MOMENT}, False),
    ],
)
def test_a_delivery_that_failed_for_good_is_told(delivery: dict[str, Any], told: dict[str, Any], is_news: bool) -> None:
    facts = {"tried_at": NOON - HOUR} | delivery
    tried_at, later = facts.pop("tried_at"), facts.pop("followed_by", None)
    rows = Rows({"it": FAILED | facts} | ({"later": later} if later else {}))
    it = db.session.get_one(Delivery, rows.ids["it"])
    db.session.add(attempt_of(it, number=1, trigger="retry", url=URL, reason="timeout", started_at=tried_at))
    assert news_of(told, rows) == ("failed" if is_news else None)
    letter = letters._failed(db.session, rows.company.id)
    names = delivery.keys() - {"tried_at"}
    assert letter.contacts == (not names or later == {"contact": "Bia"})


@pytest.mark.parametrize("most", [1, 2])
def test_of_those_that_failed_the_latest_are_looked_at_and_the_newest_shows_why(
    monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(due, "FAILED_LOOKED_AT", most)
    rows = Rows({name: FAILED | {"contact": name} for name in ("Ana", "Bia")})
    for number in rows.ids.values():
        it = db.session.get_one(Delivery, number)
        db.session.add(attempt_of(it, number=1, trigger="retry", url=URL, reason="timeout", started_at=NOON - HOUR))
    assert news_of({}, rows) == "failed"
    (notice,) = (each for each in due.find_due(db.session, Endpoint, now=NOON) if each.company_id == rows.company.id)
    assert notice.delivery_id == rows.ids["Bia"]
    assert letters._failed(db.session, rows.company.id).contacts == most


def test_who_could_not_be_told_comes_last_and_a_notice_is_taken_once() -> None:
    first, second = (make_company(name, url=URL) for name in ("Uma", "Duas"))
    for company, error in ((first, "away"), (second, None)):
        endpoint = endpoint_of(company)
        endpoint.state, endpoint.notice_error = "failing", error
    db.session.commit()
    found = due.find_due(db.session, Endpoint, now=NOON)
    assert [each.company_id for each in found] == [second.id, first.id]
    for change in ({"told": "failed"}, {"told_at": NOON}, {"company_id": 999}):
        assert not due.claim(db.session, replace(found[1], **change), now=NOON)
    assert due.claim(db.session, found[1], now=NOON)
    assert not due.claim(db.session, found[1], now=NOON)
    held = endpoint_of(first)
    assert (held.notified_state, held.notified_at, held.notice_error) == ("failing", NOON, None)
    for act, left in ((due.give_up, ("failing", NOON)), (due.give_back, ("active", None))):
        act(db.session, found[1], claimed_at=NOON, error="x" * 201)
        db.session.expire_all()
        assert (held.notified_state, held.notified_at, held.notice_error) == (*left, "x" * 200)
    assert endpoint_of(second).notified_at is None


def test_admins_of_the_company_who_may_log_in_are_written_to_by_name() -> None:
    company = make_company()
    for email, facts in {
        "b@x.test": {},
        "a@x.test": {},
        "member@x.test": {"role": "member"},
        "owner@x.test": {"role": None},
        "out@x.test": {"disabled_at": NOON},
    }.items():
        user = make_user(company, email=email)
        for name, value in facts.items():
            setattr(user, name, value)
    make_user(make_company("Outra"), email="other@x.test")
    db.session.commit()
    assert letters.recipients_of(db.session, company.id) == ("a@x.test", "b@x.test")


@pytest.mark.parametrize(
    ("facts", "is_due"),
    [
        ({}, True),
        ({"report_every": None}, False),
        ({"role": None}, False),
        ({"disabled_at": NOON}, False),
        ({"report_told": MONDAY.date()}, False),
        ({"report_told": MONDAY.date() - DAY}, True),
    ],
)
def test_a_report_is_due_to_who_asked_for_it_and_was_not_sent_this_one(facts: dict[str, Any], is_due: bool) -> None:
    user = make_user(make_company())
    told = {"report_every": "week", "locale": "en", "timezone": "UTC"} | facts
    for name, value in told.items():
        setattr(user, name, value)
    db.session.commit()
    issues = mailing.find_due(db.session, now=NOON)
    span = ReportFilter(since=MONDAY - 7 * DAY, until=MONDAY)
    assert [(each.email, each.wanted, each.language, each.timezone) for each in issues] == (
        [(user.email, span, "en", "UTC")] if is_due else []
    )
    for issue in issues:
        assert [mailing.claim(db.session, issue) for _ in range(2)] == [True, False]
        mailing.give_back(db.session, issue)
        assert mailing.find_due(db.session, now=NOON) == issues


def test_a_message_calls_nobody_and_is_cut() -> None:
    for url in ("https://discord.com/x", "https://hooks.slack.com/x"):
        said = next(iter(make_message(url, "<!all> ".ljust(1900, "a") + "b").values()))
        assert said == "‹!all› ".ljust(1900, "a")
    assert make_message("https://discord.com/x", "a")["allowed_mentions"] == {"parse": []}


def test_what_may_be_the_key_of_an_address_is_its_longer_parts_the_longest_first() -> None:
    parts = secrets_of(f"https://x.test/{'a' * 6}/{'b' * 5}?k={'c' * 9}%2F")
    assert {"a" * 6, "c" * 9 + "%2F", "c" * 9 + "/"} <= {*parts}
    assert "\\/aaaaaa" in {each[:8] for each in parts}, "as PHP writes JSON"
    assert "b" * 5 not in parts
    assert [len(each) for each in parts] == sorted(map(len, parts), reverse=True)
