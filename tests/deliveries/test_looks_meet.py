"""However little of the log a page looks at, all pages together show what matches: nothing twice, nothing left out."""

import random
import re
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from portal.database.db import db
from portal.database.paging import Page
from portal.deliveries import filtering, log, looking
from portal.deliveries.filtering import DeliveryFilter, select_deliveries
from portal.models import Company, Delivery
from tests.conftest import BOTH, URL
from tests.factories import NOON, attempt_of, make_contact, make_delivery

NUMBER = 24
STATES: list[tuple[str, str | None, int | None]] = [
    *[("delivered", "ok_json", 200), ("delivered", "ok_text", 200)] * 2,
    ("failed", "server_error", 503),
    ("failed", "server_error", 500),
    ("pending", None, None),
]


@pytest.fixture
def choices(company: Company) -> dict[str, list[Any]]:
    """What the fields of a filter may ask for, in a log where each of these meets some."""
    chance = random.Random(7)
    contacts = [make_contact(company, name=f"Nome {number}") for number in range(6)]
    made = [make_delivery(contacts[number % 6], 1 + number // 6 % 3) for number in range(NUMBER)]
    for number, delivery in enumerate(made):
        delivery.interest_level = chance.choice((1, 1, 1, 2, 3))
        delivery.status, delivery.reason, code = chance.choice(STATES)
        delivery.warning = chance.choice(("error_in_json", None)) if code == 200 else None
        delivery.trigger = chance.choice(("classification", "classification", "manual", "test"))
        delivery.created_at = NOON + timedelta(minutes=number - chance.choice((0, 0, 0, 9)))
        if code:
            delivery.attempt_count = 1
            facts = {"number": 1, "trigger": "manual", "url": URL, "reason": delivery.reason, "status_code": code}
            db.session.add(attempt_of(delivery, started_at=NOON, duration_ms=3, **facts))
    db.session.commit()
    return {
        "status": ["delivered", "failed", "pending"],
        "campaign_id": [made[0].campaign_id],
        "contact_id": [contacts[0].id],
        "level": [1, 3],
        "reason": ["ok_json", "ok_text", "server_error"],
        "warning": ["error_in_json"],
        "trigger": ["classification", "manual", "test"],
        "since": [NOON + timedelta(minutes=at) for at in (5, 15)],
        "until": [NOON + timedelta(minutes=at) for at in (9, 20)],
        "search": ["503", "200", made[7].webhook_id[4:10], "nome", "nome 3"],
        "tests": [False],
    }


def numbers_of(pages: list[Page[Delivery]]) -> list[int]:
    return [delivery.id for page in pages for delivery in page.items]


def walk(company: Company, wanted: DeliveryFilter, limit: int) -> tuple[list[int], list[int]]:
    """What the pages show from the newest to the oldest, and what they show on the way back."""

    def read(**place: str) -> Page[Delivery]:
        return log.page_deliveries(db.session, company.id, wanted, limit=limit, **place)

    there = [read()]
    while there[-1].next_cursor:
        there.append(read(cursor=there[-1].next_cursor))
    back = [there[-1]]
    while back[-1].previous_cursor:
        back.append(read(before=back[-1].previous_cursor))
    for at, page in enumerate(there):
        nearer = numbers_of([read(before=page.previous_cursor)] if page.previous_cursor else [])
        assert nearer == numbers_of(there[:at])[-len(nearer) or NUMBER :], "each page leads back to the one before it"
    return numbers_of(there), numbers_of(back[::-1])


@BOTH
@pytest.mark.parametrize("looked_at", [1, 3, 8])
@pytest.mark.parametrize("bounds", [{}, {"FEW": 1, "SPANNED": 4, "LONG_AGO": 5}, {"SEARCHED": 9}])
def test_the_pages_show_each_that_matches_once(company, choices, monkeypatch, looked_at, bounds):
    chance = random.Random(looked_at)
    monkeypatch.setattr(looking, "LOOKED_THROUGH", looked_at)
    for name, value in bounds.items():
        monkeypatch.setattr(filtering, name, value)
    were_cut = 0
    for _ in range(20):
        names = chance.sample(sorted(choices), chance.choice((1, 2, 2, 3)))
        wanted = DeliveryFilter(**{name: chance.choice(choices[name]) for name in names})
        query = select_deliveries(db.session, company.id, wanted).with_only_columns(Delivery.id)
        matching = list(db.session.scalars(query.order_by(Delivery.id.desc())))
        limit = chance.choice((2, 20))
        were_cut += log.page_deliveries(db.session, company.id, wanted, limit=20).is_cut
        assert walk(company, wanted, limit) == (matching, matching), (wanted, limit)
    assert were_cut


@BOTH
def test_before_the_filters_time_no_part_is_looked_at(company, choices, monkeypatch):
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 3)
    newest = NOON + timedelta(minutes=NUMBER - 3)
    page = log.page_deliveries(db.session, company.id, DeliveryFilter(level=2, since=newest))
    assert (page.is_cut, page.next_cursor) == (False, None)


@BOTH
@pytest.mark.parametrize("time", [{"since": NOON - timedelta(hours=1)}, {"until": NOON + timedelta(minutes=NUMBER)}])
def test_a_time_that_goes_on_beyond_the_look_is_not_counted(company, choices, monkeypatch, time):
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 3)
    monkeypatch.setattr(looking, "numbers_within", None)
    assert log.page_deliveries(db.session, company.id, DeliveryFilter(level=2, **time)).is_cut


@BOTH
@pytest.mark.parametrize(("place", "is_counted"), [({}, False), ({"cursor": "21"}, False), ({"cursor": "12"}, True)])
def test_the_latest_that_a_search_looks_at_are_counted_where_the_look_may_go_beyond_them(
    company, choices, monkeypatch, place, is_counted
):
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 3)
    monkeypatch.setattr(filtering, "SEARCHED", 11)
    asked: list[str] = []
    event.listen(db.engine, "before_cursor_execute", lambda *words: asked.append(repr(words[3])))
    page = log.page_deliveries(db.session, company.id, DeliveryFilter(search="404"), **place)
    assert (any(re.search(r"\b11\b", each) for each in asked), page.is_cut) == (is_counted, not is_counted)
