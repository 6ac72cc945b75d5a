"""The keyboard and the way back: pages are walked, rows are ticked and classified once, and a level is undone."""

import re
import time
from collections import Counter
from datetime import timedelta

import pytest
from playwright.sync_api import Page, Route, expect
from sqlalchemy import select

from portal.database.db import db
from portal.models import Classification, Contact, Delivery
from tests.factories import classify_contact, make_company, make_contact
from tests.views.browser import row

LEVELS = "123"


@pytest.fixture
def thirty(site) -> list[str]:
    """Two pages of contacts; their names in order."""
    company = make_company("Acme Prospecção")
    for number in range(27):
        make_contact(company, name=f"Paula {number:02}")
    names = sorted(contact.name for contact in db.session.query(Contact))
    db.session.commit()
    return names


def test_thirty_contacts_are_classified_over_two_pages_each_once(page, site, thirty):
    page.goto("/contacts")
    for place, name in enumerate(thirty):
        page.keyboard.press("j")
        expect(page.get_by_role("link", name=name, exact=True)).to_be_focused()
        page.keyboard.press(LEVELS[place % 3])
    expect(row(page, thirty[-1]).get_by_text("Em dia")).to_be_visible(timeout=20_000)
    assert site.receiver.wait_for(30)
    db.session.rollback()
    made = Counter(db.session.scalars(select(Classification.contact_id)))
    assert sorted(made.values()) == [1] * 30
    levels = {contact.name: contact.interest_level for contact in db.session.query(Contact)}
    assert levels == {name: 1 + place % 3 for place, name in enumerate(thirty)}


def test_until_the_next_page_is_there_no_key_classifies(page, thirty):
    def later(route: Route) -> None:
        time.sleep(1)
        route.continue_()

    page.goto("/contacts")
    page.route("**/contacts?cursor=*", later)
    page.get_by_role("link", name=thirty[19], exact=True).focus()
    page.keyboard.press("j")
    for key in "3x3":
        page.keyboard.press(key)
    expect(page.get_by_role("link", name=thirty[20], exact=True)).to_be_focused()
    db.session.rollback()
    assert db.session.query(Classification).count() == 0


def test_a_key_ticks_the_row_and_says_so(page):
    page.goto("/contacts")
    for key in "jjx":
        page.keyboard.press(key)
    expect(page.get_by_label("Marcar Bruno Lima")).to_be_checked()
    expect(page.locator("#announcer")).to_have_text("Marcar Bruno Lima: marcado")
    page.keyboard.press("x")
    expect(page.get_by_label("Marcar Bruno Lima")).not_to_be_checked()


def offer(page: Page):
    return page.locator("#desfazer")


def test_a_key_undoes_what_a_key_did_and_the_focus_is_there_again(page, site):
    site.receiver.stop()
    page.goto("/contacts")
    for key in "jj3":
        page.keyboard.press(key)
    expect(offer(page)).to_contain_text("Bruno Lima: Alto 3")
    assert offer(page).get_attribute("aria-live") == "polite"
    page.keyboard.press("u")
    expect(page.get_by_text("Desfeito: 1 contato voltou ao que era.")).to_be_visible()
    expect(row(page, "Bruno Lima").locator("[aria-pressed=true]")).to_have_count(0)
    expect(page.get_by_role("link", name="Bruno Lima", exact=True)).to_be_focused()


def test_what_has_left_is_set_back_and_what_the_crm_keeps_is_said(page, site):
    page.goto("/contacts")
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(row(page, "Ana Souza").get_by_text("Em dia")).to_be_visible()
    offer(page).get_by_role("button", name="Desfazer").click()
    expect(page.get_by_text("O CRM continua com 3")).to_be_visible()
    assert len(site.receiver.received) == 1


def test_the_offer_ends_by_itself(page, monkeypatch):
    monkeypatch.setattr("portal.views.undoing.OFFERED", timedelta(seconds=1))
    page.goto("/contacts")
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(offer(page).get_by_role("button")).to_be_visible()
    expect(offer(page).get_by_role("button")).to_have_count(0)


def test_ticked_contacts_and_a_contact_s_page_offer_it_too(member, company):
    contacts = [make_contact(company) for _ in range(3)]
    classify_contact(contacts[0], 1)
    ids = [str(contact.id) for contact in contacts]
    page = member.post("/contacts/classify", {"contact": ids, "level": "3"}, follow_redirects=True).text
    form = fields_of(page)
    assert form["contact"] == ids
    assert "3 contatos" in page
    assert 'action="/contacts/undo"' not in member.get("/contacts").text
    answer = member.post("/contacts/undo", form, follow_redirects=True)
    assert "Desfeito: 3 contatos voltaram ao que eram." in answer.text
    assert [contact.interest_level for contact in db.session.query(Contact).order_by(Contact.id)] == [1, None, None]
    page = member.post(f"/contacts/{ids[0]}/level", {"level": "none"}, follow_redirects=True).text
    assert fields_of(page)["contact"] == [ids[0]]


@pytest.mark.parametrize("set_at", ["", "x", "-1", "9" * 18, "0"])
def test_a_moment_that_is_none_undoes_nothing(member, company, set_at):
    contact = make_contact(company)
    classify_contact(contact, 1)
    answer = member.post("/contacts/undo", {"contact": str(contact.id), "set_at": set_at}, follow_redirects=True)
    assert "Nada foi desfeito" in answer.text
    assert db.session.query(Delivery).count() == 0
    assert db.session.get(Contact, contact.id).interest_level == 1


def fields_of(page: str) -> dict[str, list[str] | str]:
    """The fields of the form that undoes."""
    form = re.search(r'<form class="undo".*?</form>', page, re.DOTALL)[0]
    found = dict(re.findall(r'name="(set_at|next)" value="([^"]*)"', form))
    return found | {"contact": re.findall(r'name="contact" value="(\d+)"', form)}
