"""A long log that is looked through in parts: what the page says of it, and where it leads on."""

import csv
from datetime import timedelta

import pytest

from portal.database.db import db
from portal.deliveries import log, looking
from portal.models import Delivery
from tests.conftest import BOTH, URL
from tests.factories import NOON, attempt_of, make_contact, make_delivery, set_url


@pytest.fixture
def numbers(company, monkeypatch):
    """Seven deliveries, of which a page looks at two; the first and the fifth have the level 3."""
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 2)
    monkeypatch.setattr("portal.views.deliveries.LOOKED_THROUGH", 2)
    set_url(company, URL)
    levels = (3, 1, 1, 1, 3, 1, 1)
    made = [make_delivery(make_contact(company, name=f"Ana {n}"), level) for n, level in enumerate(levels)]
    return [delivery.id for delivery in made]


@BOTH
def test_the_page_says_how_far_it_looked_and_leads_on(admin, numbers):
    address, seen = "/deliveries?level=3", []
    while address:
        page = admin.get(address).text
        assert not [words for words in ("list-total", "tabs-count", "Reenviar esta") if words in page]
        told = "o portal olhou 2 entregas" in page.lower(), "Nenhuma entrega nesta parte" in page
        seen.append((*told, *(f'id="entrega-{numbers[at]}"' in page for at in (4, 0))))
        address = page.partition('rel="next" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert seen == [
        (True, True, False, False),
        (True, False, True, False),
        (True, True, False, False),
        (False, False, False, True),
    ]


def test_the_last_part_says_that_the_log_ends_there(admin, numbers):
    page = admin.get(f"/deliveries?status=failed&level=1&cursor={numbers[1]}").text
    assert "O registro termina aqui" not in page, "all of it can be looked at"
    page = admin.get(f"/deliveries?level=2&cursor={numbers[1]}").text
    assert "O registro termina aqui" in page
    assert 'rel="prev"' in page


def test_beside_a_delivery_the_page_leads_to_where_the_list_looks_on(admin, numbers):
    shown = db.session.get_one(Delivery, numbers[3]).webhook_id
    page = admin.get(f"/deliveries/{shown}?level=3").text
    further = f'href="/deliveries?level=3&amp;cursor={numbers[1]}"'
    assert (further in page, "Procurar nas mais antigas" in page, 'rel="prev"' in page) == (True, True, True)
    assert "Procurar nas mais recentes" not in page, "that one is near"
    assert "Procurar" not in admin.get(f"/deliveries/{shown}").text


def test_a_file_has_all_that_matches(admin, numbers):
    lines = list(csv.reader(admin.get("/deliveries.csv?level=3").text.splitlines(), delimiter=";"))
    assert len(lines) == 3


def test_of_many_tries_the_page_shows_the_latest_and_says_so(admin, company, numbers):
    delivery = db.session.get_one(Delivery, numbers[0])
    for number in range(1, 24):
        facts = {"number": number, "trigger": "manual", "url": URL, "reason": "server_error", "status_code": 503}
        at = NOON + timedelta(minutes=number)
        db.session.add(attempt_of(delivery, started_at=at, duration_ms=number + 700, **facts))
        db.session.commit()
        if number in (20, 23):
            page = admin.get(f"/deliveries/{delivery.webhook_id}?seen=22").text
            shown = [each for each in range(1, 24) if f'attempt-number">{each}<' in page]
            assert shown == list(range(number - 19, number + 1))
            assert ("Aqui estão as últimas 20 de 23 tentativas" in page) is (number == 23)
            assert ("Há uma tentativa nova" in page) is (number == 23)
            assert f'<time datetime="{(NOON + timedelta(minutes=1)).isoformat()}"' in page, "of the first"


@BOTH
def test_no_way_on_or_back_begins_the_log_anew(admin, company, numbers, monkeypatch):
    monkeypatch.setattr(log.page_deliveries, "__kwdefaults__", log.page_deliveries.__kwdefaults__ | {"limit": 1})
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 4)
    make_delivery(make_contact(company, name="Ana 8"), 3)
    make_delivery(make_contact(company, name="Ana 9"), 3)
    for number in numbers:
        db.session.get_one(Delivery, number).interest_level = 1
    db.session.commit()
    first = admin.get("/deliveries?level=3").text
    assert "Ana 9" in first, "a page that is full, of which nothing says that the look ended"
    last = admin.get(f"/deliveries?level=3&cursor={numbers[2]}").text
    assert "O registro termina aqui" in last
    assert "Ana 9" not in last


@BOTH
def test_the_newest_part_says_that_there_are_others_though_somebody_came_from_older_ones(admin, numbers):
    page = admin.get(f"/deliveries?level=3&before={numbers[4]}").text
    assert "Nenhuma entrega nesta parte" in page
    assert 'rel="next"' in page


@BOTH
def test_of_what_does_not_exist_no_part_says_that_there_may_be_others(admin, numbers):
    page = admin.get("/deliveries?campaign=999999&level=3").text
    assert "Nenhuma entrega corresponde" in page
    assert 'rel="next"' not in page


def test_how_many_have_one_status_is_not_told_when_only_all_were_counted(admin, numbers, monkeypatch):
    monkeypatch.setattr(looking, "LOOKED_THROUGH", 100)
    monkeypatch.setattr("portal.deliveries.log.COUNT_CAP", 3)
    db.session.get_one(Delivery, numbers[1]).status = "failed"
    db.session.commit()
    assert "mais de 3" in admin.get("/deliveries?level=1").text
    assert "list-total" not in admin.get("/deliveries?level=1&status=failed").text
