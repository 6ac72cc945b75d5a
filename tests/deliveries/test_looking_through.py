"""A long log is looked through in parts, where no index finds just what matches: the page says so, and leads on."""

from typing import Any

import pytest

from portal.database.db import db
from portal.deliveries import log, looking
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Company
from tests.conftest import BOTH
from tests.factories import make_contact, make_delivery

pytestmark = BOTH
NAMES = ("Ana", "Bia", "Caio", "Davi", "Elza", "Fabio", "Gil")
RARE = {"level": 3}
"""What only the first and the fifth of seven deliveries meet."""


@pytest.fixture
def numbers(company: Company, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Seven deliveries, of which a page looks at two."""
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 2)
    levels = (3, 1, 1, 1, 3, 1, 1)
    made = [make_delivery(make_contact(company, name=name), level) for name, level in zip(NAMES, levels, strict=True)]
    for delivery in made:
        delivery.status, delivery.reason = "delivered", "ok_json"
    made[2].reason = "ok_text"
    db.session.commit()
    return [delivery.id for delivery in made]


def parts_of(company: Company, wanted: DeliveryFilter, **options: Any) -> list[list[int]]:
    """What each page shows, as each leads to the next."""
    page = log.page_deliveries(db.session, company.id, wanted, **options)
    parts = [[each.id for each in page.items]]
    while page.next_cursor:
        page = log.page_deliveries(db.session, company.id, wanted, cursor=page.next_cursor, **options)
        parts.append([each.id for each in page.items])
    return parts


def test_each_part_leads_to_the_next_until_all_was_looked_at(company, numbers):
    assert parts_of(company, DeliveryFilter(**RARE)) == [[], [numbers[4]], [], [numbers[0]]]
    assert parts_of(company, DeliveryFilter(reason="ok_text")) == [[], [], [numbers[2]], []]
    others = [[number] for number in reversed(numbers) if number not in (numbers[0], numbers[4])]
    assert parts_of(company, DeliveryFilter(level=1), limit=1) == others


def test_the_parts_lead_back_too(company, numbers):
    wanted, found = DeliveryFilter(**RARE), []
    page = log.page_deliveries(db.session, company.id, wanted, cursor=str(numbers[0]))
    while page.previous_cursor:
        page = log.page_deliveries(db.session, company.id, wanted, before=page.previous_cursor)
        found += [each.id for each in page.items]
        assert page.next_cursor
    assert found == [numbers[0], numbers[4]]


def test_beside_a_delivery_a_neighbour_that_is_far_is_led_to(company, numbers):
    oldest = log.page_deliveries(db.session, company.id, DeliveryFilter(), cursor=str(numbers[1])).items[0]
    newer, older = log.pages_beside(db.session, oldest, DeliveryFilter(**RARE))
    assert (newer.items, newer.is_cut, older.is_cut) == ([], True, False)
    found = log.page_deliveries(db.session, company.id, DeliveryFilter(**RARE), before=newer.previous_cursor)
    assert [each.id for each in found.items] == [numbers[4]]


@pytest.mark.parametrize("wanted", [{}, {"status": "delivered"}, {"campaign_id": 1}, {"search": "elza"}])
def test_what_an_index_finds_is_found_at_once(company, numbers, wanted):
    if "campaign_id" in wanted:
        wanted = {"campaign_id": log.page_deliveries(db.session, company.id, DeliveryFilter()).items[0].campaign_id}
    page = log.page_deliveries(db.session, company.id, DeliveryFilter(**wanted))
    assert (len(page.items), page.is_cut) == (1 if "search" in wanted else 7, False)


def test_of_two_conditions_the_one_that_less_meets_bounds_the_look(company, numbers):
    rare = log.page_deliveries(db.session, company.id, DeliveryFilter()).items[-1]
    rare.warning = "error_in_json"
    db.session.commit()
    for other in ({"status": "delivered"}, {"campaign_id": rare.campaign_id}, {"reason": "ok_json", "level": 3}):
        page = log.page_deliveries(db.session, company.id, DeliveryFilter(warning="error_in_json", **other))
        assert ([each.id for each in page.items], page.is_cut) == ([numbers[0]], False), other


def test_what_matches_is_counted_only_when_all_was_looked_at(company, numbers, monkeypatch):
    assert log.count_matching_by_status(db.session, company.id, DeliveryFilter(**RARE)) is None
    monkeypatch.setattr(log, "COUNT_CAP", 2)
    assert log.count_matching_by_status(db.session, company.id, DeliveryFilter(level=1)) == {}
    monkeypatch.setattr(log, "COUNT_CAP", 1000)
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 7)
    counts = log.count_matching_by_status(db.session, company.id, DeliveryFilter(**RARE))
    assert counts
    assert counts["delivered"] == 2
