"""Lists: walked both ways, ordered, counted, narrowed by parts that can be taken out, and found by what people type."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import expect

from portal import clock
from portal.contacts import listing
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.deliveries import filtering, log
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Attempt, Contact, Delivery
from tests.conftest import BOTH, URL
from tests.factories import NOON, classify_contact, make_company, make_contact, make_delivery, set_url


def pages_of(read, **options) -> list[list[str]]:
    """Every page forwards, then back to the first."""
    page, found = read(), []
    while True:
        found.append(page.items)
        if page.next_cursor is None:
            break
        page = read(cursor=page.next_cursor)
    back = [page.items]
    while page.previous_cursor is not None:
        page = read(before=page.previous_cursor)
        back.append(page.items)
    assert back[::-1] == found
    return found


@BOTH
@pytest.mark.parametrize(
    ("sort", "expected"),
    [("name", "Ana Bia Caio Davi Eva"), ("newest", "Bia Eva Ana Davi Caio"), ("classified", "Davi Ana Bia Eva Caio")],
)
def test_contacts_are_walked_both_ways_in_every_order(app, sort, expected):
    company = make_company()
    by_name = {name: make_contact(company, name=name) for name in ("Caio", "Davi", "Ana", "Eva", "Bia")}
    for name in ("Ana", "Davi"):
        classify_contact(by_name[name], 1)

    def read(**at):
        return listing.page_contacts(db.session, company.id, ContactFilter(), limit=2, sort=sort, **at)

    found = pages_of(read)
    assert " ".join(contact.name for page in found for contact in page) == expected
    assert [len(page) for page in found] == [2, 2, 1]


@BOTH
def test_the_log_is_walked_both_ways(app):
    company = make_company(url=URL)
    for _ in range(5):
        make_delivery(make_contact(company))
    found = pages_of(lambda **at: log.page_deliveries(db.session, company.id, DeliveryFilter(), limit=2, **at))
    assert [len(page) for page in found] == [2, 2, 1]
    middle = found[1][0]
    newer, older = log.pages_beside(db.session, middle, DeliveryFilter())
    assert ([*newer.items], [*older.items]) == ([found[0][1]], [found[1][1]])
    assert not log.pages_beside(db.session, found[0][0], DeliveryFilter())[0].items


def test_a_page_that_is_gone_is_the_first_again(member, company):
    contact = make_contact(company, name="Ana")
    assert "Ana" in member.get(f"/contacts?before={contact.id}").text


@pytest.mark.parametrize(
    "search",
    ["souza ana", "Ana acme", "90000-1234", "(11) 90000 1234", "+5511900001234", "AÇÃO ana"],
)
def test_contacts_are_found_by_words_in_any_order_and_by_phone(member, company, search):
    make_contact(company, name="Ana de Souza", phone="+55 (11) 90000-1234", current_company="Acme Ação")
    make_contact(company, name="Souza Outro", phone="+55 11 1234-0000")
    page = member.get("/contacts", query_string={"search": search}).text
    assert "Ana de Souza" in page
    assert "Souza Outro" not in page
    assert "1 contato" in page


def test_a_short_number_is_no_phone(member, company):
    make_contact(company, name="Ana", phone="123")
    assert "Nenhum contato encontrado" in member.get("/contacts?search=123").text


@pytest.fixture
def answered(company) -> Delivery:
    """A delivery that was answered with 404, beside one that has no answer yet."""
    set_url(company, URL)
    delivery = make_delivery(make_contact(company, name="Ana Souza", phone="11 90000-1234"))
    make_delivery(make_contact(company, name="Bia Reis"))
    delivery.webhook_id = "msg_0a1b2c" + "0" * 20 + "f9e8d7"
    delivery.status, delivery.reason, delivery.attempt_count = "failed", "client_error", 1
    facts = {"number": 1, "trigger": "manual", "started_at": NOON, "duration_ms": 87, "url": URL}
    db.session.add(Attempt(delivery_id=delivery.id, reason="client_error", status_code=404, **facts))
    db.session.commit()
    return delivery


@pytest.mark.parametrize(
    "search",
    ["{id}", "{bare}", "msg_0a1b", "0a1b2c", "f9e8d7", "404", "souza ana", "900001234"],
)
def test_deliveries_are_found_by_what_people_read_to_each_other(member, answered, search):
    search = search.format(id=answered.webhook_id, bare=answered.webhook_id.removeprefix("msg_"))
    page = member.get("/deliveries", query_string={"search": search}).text
    assert "Ana Souza" in page
    assert "Bia Reis" not in page


@pytest.mark.parametrize("search", ["500", "0a1b2d", "msg_ff", "1b2c00"])
def test_what_is_not_it_is_not_found(member, answered, search):
    assert "Nenhuma entrega aqui" in member.get("/deliveries", query_string={"search": search}).text


def test_a_row_tells_code_time_and_that_it_was_sent_again(member, answered):
    assert "HTTP 404 · 87 ms · reenviada" in member.get("/deliveries").text
    home = member.get("/").text
    assert home.count("HTTP 404 · 87 ms · reenviada") == 2, "beside the cause, and in its row"


def test_each_part_of_a_filter_can_be_taken_out(member, answered):
    page = member.get("/deliveries?status=failed&level=2&search=ana&since=2026-01-01").text
    chips = dict(re.findall(r'class="chip" href="([^"]+)".*?<strong>([^<]*)</strong>', page))
    assert set(chips.values()) == {"ana", "Médio", "1 de jan. de 2026"}
    by_value = {value: url.replace("&amp;", "&") for url, value in chips.items()}
    assert by_value["ana"] == "/deliveries?status=failed&level=2&since=2026-01-01"
    assert "<strong>amanhã</strong>" in member.get("/deliveries?until=amanhã").text
    assert "<strong>20260101</strong>" in member.get("/deliveries?since=20260101").text
    page = member.get("/contacts?level=2&sort=newest").text
    assert 'class="chip" href="/contacts?sort=newest"' in page


def test_days_that_are_asked_for_most_are_one_click(member, answered):
    page = member.get("/deliveries?status=failed").text
    days = re.findall(r"since=(\d{4}-\d\d-\d\d)", page[page.index('class="presets"') :])
    days = days[:3]
    assert days[0] > days[1]
    assert days[2].endswith("-01")


def test_a_total_is_exact_up_to_a_thousand(member, company, monkeypatch):
    monkeypatch.setattr(listing, "COUNT_CAP", 2)
    for number in range(2):
        make_contact(company, name=f"Ana {number}")
    assert ">2 contatos<" in member.get("/contacts").text
    make_contact(company)
    assert "mais de 2 contatos" in member.get("/contacts").text


def test_the_way_back_leads_to_the_page_and_the_row(page, site):
    company = make_company("Acme Prospecção")
    for number in range(30):
        make_contact(company, name=f"Paula {number:02}")
    db.session.commit()
    page.goto("/contacts?search=paula")
    page.get_by_role("link", name="Próximos").click()
    page.get_by_role("link", name="Paula 25", exact=True).click()
    page.get_by_role("main").get_by_role("link", name="Contatos").click()
    expect(page.get_by_role("link", name="Paula 25", exact=True)).to_be_focused()
    page.get_by_role("link", name="Anteriores").click()
    expect(page.get_by_role("link", name="Paula 00", exact=True)).to_be_visible()


def test_next_and_previous_stay_within_the_filter(admin, company):
    set_url(company, URL)
    made = [make_delivery(make_contact(company)) for _ in range(3)]
    for delivery in (made[0], made[2]):
        delivery.status = "failed"
        delivery.created_at = clock.utcnow() - timedelta(days=1)
    db.session.commit()
    first, last = made[0].webhook_id, made[2].webhook_id
    page = admin.get(f"/deliveries/{last}?status=failed").text
    assert f'rel="next" href="/deliveries/{first}?status=failed"' in page
    assert 'rel="prev"' not in page
    assert f'rel="next" href="/deliveries/{made[1].webhook_id}"' in admin.get(f"/deliveries/{last}").text
    assert db.session.query(Contact).count() == 3


@BOTH
@pytest.mark.parametrize("search", ["503", "{first}", "{last}"])
def test_what_no_index_finds_is_looked_for_among_the_latest_and_the_page_says_so(member, company, monkeypatch, search):
    set_url(company, URL)
    rows = [make_delivery(make_contact(company)) for _ in range(3)]
    for row in rows:
        row.status, row.attempt_count = "failed", 1
        facts = {"number": 1, "trigger": "classification", "started_at": NOON, "url": URL, "reason": "server_error"}
        db.session.add(Attempt(delivery_id=row.id, status_code=503, **facts))
        row.webhook_id = f"msg_{row.id}1b2c3{'0' * 20}{row.id}9e8d7"
    db.session.commit()
    search = search.format(first=rows[0].webhook_id[4:10], last=rows[0].webhook_id[-6:])
    note = "olha as últimas"
    page = member.get(f"/deliveries?search={search}").text
    assert (f'entrega-{rows[0].id}"' in page, note in page) == (True, False)
    monkeypatch.setattr(filtering, "SEARCHED", 2)
    page = member.get(f"/deliveries?search={search}").text
    assert (f'entrega-{rows[0].id}"' in page, note in page) == (False, True)
    whole = member.get(f"/deliveries?search={rows[0].webhook_id[:-1]}").text
    assert (f'entrega-{rows[0].id}"' in whole, note in whole) == (True, False)


def test_a_narrow_screen_shows_first_what_failed(member, company):
    set_url(company, URL)
    failed, other = [make_delivery(make_contact(company, name=name)) for name in ("Ana", "Rui")]
    failed.status = "failed"
    db.session.commit()
    page = member.get("/deliveries").text
    first, rows = page.partition('class="failed-first"')[2].split("<table", 1)
    assert (f"/deliveries/{failed.webhook_id}" in first, other.webhook_id in first) == (True, False)
    assert failed.webhook_id in rows
    for narrowed in ("?status=failed", "?search=ana"):
        assert "failed-first" not in member.get(f"/deliveries{narrowed}").text
