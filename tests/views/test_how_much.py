"""How much a page shows of what there may be more of, to the last one."""

import re
from datetime import timedelta

import pytest
import time_machine

from portal.database.db import db
from portal.models import Company, Delivery
from portal.views.deliveries import select_moving
from tests.conftest import URL
from tests.factories import NOON, make_company, make_contact, make_delivery, save
from tests.views.conftest import Person


@pytest.fixture
def company(app) -> Company:
    return make_company(url=URL)


def test_the_first_page_shows_the_eight_latest_deliveries(company: Company, member: Person) -> None:
    made = [make_delivery(make_contact(company)).webhook_id for _ in range(9)]
    page = member.get("/").text
    assert page.count("<tr data-row") == 8
    assert [each for each in made if each not in page] == made[:1]


def test_ten_who_may_be_the_same_person_are_offered(company: Company, admin: Person) -> None:
    for number in range(12):
        save(company, {"contact": {"name": f"Zoé {'abcdefghijkl'[number] * 9}"}})
    first = save(company, {"contact": {"name": "Ana"}})
    page = admin.get(f"/contacts/{first.id}/merge?search=Zoé").text
    assert len(set(re.findall(r"other=(\d+)", page))) == 10


def test_the_last_six_messages_stand_open_where_a_level_is_chosen(company: Company, member: Person) -> None:
    for count in (6, 7, 9):
        said = [{"sender_name": "Ana", "message": f"mensagem-{number}."} for number in range(count)]
        contact = save(company, {"contact": {"name": f"Ana {count}"}, "messages": said})
        closed, _, opened = member.get(f"/triage/{contact.id}").text.rpartition('<ol class="thread">')
        shown = [[int(number) for number in re.findall(r"mensagem-(\d+)\.", part)] for part in (closed, opened)]
        assert shown == [list(range(count - 6)), list(range(count - 6, count))]


def test_news_are_told_of_fifty_contacts_at_a_time(company: Company, member: Person) -> None:
    contact, asked = make_contact(company), "&".join(["id=999"] * 49)
    for more, is_told in (("", True), ("&id=999", False)):
        news = member.get(f"/contacts/live?{asked}{more}&id={contact.id}").text
        assert (f"sync-{contact.id}" in news) is is_told


def test_a_year_and_a_month_of_months_are_offered(company: Company, member: Person) -> None:
    months = re.findall(r'value="(\d{4}-\d{2})"', member.get("/report").text)
    assert len(months) == len(set(months)) == 13


def test_a_page_looks_for_news_of_what_is_tried_within_a_minute(company: Company) -> None:
    delivery = db.session.get_one(Delivery, make_delivery(make_contact(company)).id)
    for facts, moves in (
        ({"next_attempt_at": NOON}, True),
        ({"next_attempt_at": NOON + timedelta(seconds=59)}, True),
        ({"next_attempt_at": NOON + timedelta(seconds=60)}, False),
        ({"status": "sending"}, True),
        ({"status": "delivered", "next_attempt_at": None}, False),
    ):
        for name, value in facts.items():
            setattr(delivery, name, value)
        with time_machine.travel(NOON, tick=False):
            assert select_moving([delivery]) == [delivery] * moves
