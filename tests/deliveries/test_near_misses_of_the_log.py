"""What is read of the log: of the rest each misses by one fact, and so much is looked at and no more."""

from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.company.endpoint import get_endpoint
from portal.database.db import db
from portal.deliveries import figures, filtering, log, opening
from portal.deliveries.first_steps import first_steps
from portal.deliveries.health import DayHealth
from portal.models import AuditEntry, Delivery
from tests.conftest import URL
from tests.factories import NOON, actor_of, attempt_of, set_crm_link
from tests.outbox.stock import HELD, MOMENT, STOCK, Rows

HOUR = timedelta(hours=1)
ANSWERED = {"number": 1, "trigger": "classification", "url": URL, "reason": "ok_json", "response_body": b'{"id": 7}'}


@pytest.fixture(autouse=True)
def at_noon(app: Flask) -> Any:
    with time_machine.travel(NOON, tick=False):
        yield


def try_of(rows: Rows, name: str, **facts: Any) -> int:
    attempt = attempt_of(db.session.get_one(Delivery, rows.ids[name]), **{"started_at": NOON} | ANSWERED | facts)
    db.session.add(attempt)
    db.session.commit()
    return attempt.id


def found(rows: Rows, **wanted: Any) -> set[str]:
    asked = filtering.read_filter(db.session, rows.company.id, wanted)
    return {each.webhook_id for each in log.page_deliveries(db.session, rows.company.id, asked, limit=50).items}


def test_each_status_is_counted_of_the_company_without_its_tests() -> None:
    rows = Rows(STOCK)
    plain = [each for each in rows.read().values() if each["company_id"] == rows.company.id]
    expected = [each["status"] for each in plain if each["trigger"] != "test"]
    counts = log.count_by_status(db.session, rows.company.id)
    assert counts == {status: expected.count(status) for status in counts}
    db.session.execute(Delivery.__table__.update().values(contact_id=None))
    erased = {each.webhook_id for each in db.session.query(Delivery) if log.is_erased(each)}
    assert erased == STOCK.keys() - {"a test"}


def test_a_delivery_is_found_by_its_last_answer_and_tells_its_last_try() -> None:
    rows = Rows({name: {"status": "failed", "attempt_count": 2} for name in ("now", "before")})
    tries = {
        name: [try_of(rows, name, number=place, status_code=code) for place, code in enumerate(codes, 1)]
        for name, codes in {"now": (500, 404), "before": (404, 500)}.items()
    }
    assert found(rows, search="404") == {"now"}
    newest = log.last_attempts(db.session, [*rows.ids.values()])
    assert {name: newest[number].id for name, number in rows.ids.items()} == {n: ids[1] for n, ids in tries.items()}


def test_beside_each_delivery_stand_those_before_and_after_it_in_the_list() -> None:
    rows = Rows(STOCK)
    for wanted in ({}, {"status": "failed"}, {"trigger": "test"}):
        asked = filtering.read_filter(db.session, rows.company.id, wanted)
        listed = [None, *log.page_deliveries(db.session, rows.company.id, asked, limit=50).items, None]
        for newer, each, older in zip(listed, listed[1:], listed[2:], strict=False):
            assert each is not None
            beside = log.pages_beside(db.session, each, asked)
            assert [next(iter(page.items), None) for page in beside] == [newer, older]


def test_a_day_counts_what_was_made_from_its_begin_to_its_end_within_the_time_that_is_asked_for() -> None:
    starts = [NOON - HOUR, NOON, NOON + HOUR, NOON + 2 * HOUR]
    moments = [starts[0] - MOMENT, *(each + off for each in starts[1:] for off in (-MOMENT, timedelta(0)))]
    rows = Rows({f"{number}": {"status": "failed", "created_at": moment} for number, moment in enumerate(moments)})

    def failed(**wanted: Any) -> list[int]:
        days = log.count_by_day(db.session, rows.company.id, filtering.DeliveryFilter(**wanted), starts=starts)
        assert [day.start for day in days] == starts[:-1]
        return [day.failed for day in days]

    assert failed() == [1, 2, 2]
    assert failed(since=NOON, until=NOON + HOUR) == [0, 2, 0]
    assert failed(since=NOON - 9 * HOUR, until=NOON + 9 * HOUR) == [1, 2, 2]


def test_a_part_of_an_id_is_looked_for_among_the_latest_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    before, first, last = (f"msg_{start}{'0' * 25}" for start in ("abcdeff", "abcdef0", "abcdeff"))
    before, last = f"{before[:-1]}1", f"{last[:-1]}f"
    rows = Rows({name: {} for name in ("msg_abcdee", before, first, last)})
    assert found(rows, search="abcdef") == found(rows, search="msg_abcdef") == {before, first, last}
    monkeypatch.setattr(filtering, "SEARCHED", 2)
    assert found(rows, search="abcdef") == {first, last}


@pytest.mark.parametrize(
    ("facts", "delivery", "is_read"),
    [
        ({}, {}, True),
        ({"started_at": NOON - MOMENT}, {}, False),
        ({"late": True}, {}, False),
        ({"reason": "ok_text"}, {}, False),
        ({"url": "https://other.example/"}, {}, False),
        ({}, {"delivered_at": None}, False),
        ({}, {"contact": "Eva"}, False),
    ],
    ids=["right", "by the CRM before", "late", "no JSON", "of another CRM", "not delivered", "another company's"],
)
def test_an_answer_of_the_crm_that_is_there_is_an_example_and_that_somebody_saw_it_is_noted(
    facts: dict[str, Any], delivery: dict[str, Any], is_read: bool
) -> None:
    rows = Rows({"it": {"status": "delivered", "delivered_at": NOON} | delivery})
    try_of(rows, "it", **facts)
    get_endpoint(db.session, rows.company.id).crm_since = NOON
    set_crm_link(rows.company)
    db.session.commit()
    example = opening.find_example(db.session, actor_of(rows.company))
    assert (example.places if example else None) == ({"/id": "7"} if is_read else None)
    seen = [entry.subject for entry in db.session.query(AuditEntry).filter_by(action="delivery.viewed")]
    assert seen == (["it"] if is_read else [])


@pytest.mark.parametrize(
    ("tries", "median", "p95"), [(0, None, None), (1, 1, 1), (2, 2, 2), (19, 10, 19), (20, 10, 19), (21, 11, 20)]
)
def test_no_more_than_five_of_a_hundred_took_longer(tries: int, median: int | None, p95: int | None) -> None:
    day = DayHealth(NOON, durations=range(1, tries + 1))
    assert (day.median_ms, day.p95_ms) == (median, p95)


@pytest.mark.parametrize(
    ("delivery", "endpoint", "seconds"),
    [
        ({}, {}, 3600),
        ({"next_attempt_at": NOON}, {}, 0),
        (HELD | {"next_attempt_at": NOON - HOUR}, {}, 0),
        ({}, {"state": "failing"}, 0),
        ({}, {"state": "paused"}, 0),
        ({}, {"url": None}, 0),
    ],
)
def test_what_could_go_out_now_is_due(delivery: dict[str, Any], endpoint: dict[str, Any], seconds: int) -> None:
    rows = Rows({"it": {"next_attempt_at": NOON - HOUR} | delivery, "later": {"next_attempt_at": NOON + MOMENT}})
    for name, value in endpoint.items():
        setattr(get_endpoint(db.session, rows.company.id), name, value)
    db.session.commit()
    assert figures.oldest_due_seconds(db.session, now=NOON) == seconds
    assert figures.count_due(db.session, now=NOON) == (not endpoint and delivery.get("status") is None)


def test_the_first_steps_are_over_once_the_crm_confirmed_a_level_though_the_log_lost_it() -> None:
    rows = Rows({"it": {"status": "delivered", "delivered_at": NOON}, "a test": {"trigger": "test"}})
    assert first_steps(db.session, rows.company.id) == {}
    delivery = db.session.get_one(Delivery, rows.ids["it"])
    delivery.contact.delivered_level = 2
    db.session.delete(delivery)
    db.session.commit()
    assert first_steps(db.session, rows.company.id) == {}
    db.session.execute(db.metadata.tables["contact"].update().values(delivered_level=None))
    assert list(first_steps(db.session, rows.company.id).values()) == [True, False, True, False]
