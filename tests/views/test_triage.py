"""Triage in a browser: sixty by keyboard, by a thumb, without scripts, two at once, and the way back."""

import re
from html import unescape

import pytest
from playwright.sync_api import expect
from sqlalchemy import select

from portal.database.db import db
from portal.models import Classification, Contact, Delivery
from tests.factories import classify_contact, make_company, make_contact, save
from tests.views.browser import NARROW, Watched

SIXTY = 60


@pytest.fixture
def sixty(site) -> list[str]:
    """Contacts, in the order of their names."""
    company = make_company("Acme Prospecção")
    for number in range(SIXTY - 3):
        make_contact(company, name=f"Paula {number:02}")
    names = [name for (name,) in db.session.query(Contact.name).order_by(Contact.search_name)]
    db.session.commit()
    return names


def levels() -> list[int | None]:
    """The contacts' by name; nobody waits for the look."""
    db.session.rollback()
    found = [level for (level,) in db.session.query(Contact.interest_level).order_by(Contact.search_name)]
    db.session.rollback()
    return found


def press(page, key: str) -> None:
    """Press it once the page that is shown listens to keys."""
    page.wait_for_load_state("domcontentloaded")
    page.keyboard.press(key)


@pytest.mark.slow(30)
def test_sixty_are_classified_by_keys_alone_in_order_each_once(page, site, sixty):
    page.get_by_role("link", name="Triagem", exact=True).click()
    for place, name in enumerate(sixty):
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        expect(
            page.get_by_text(f"Falta {SIXTY - place}" if place == SIXTY - 1 else f"Faltam {SIXTY - place}")
        ).to_be_visible()
        press(page, "123"[place % 3])
    expect(page.get_by_role("heading", name="Nada mais a classificar.")).to_be_visible()
    assert site.receiver.wait_for(SIXTY)
    db.session.rollback()
    done = db.session.execute(
        select(Contact.name, Classification.new_level)
        .join(Classification, Classification.contact_id == Contact.id)
        .order_by(Classification.id)
    ).all()
    count = db.session.query(Delivery).count()
    db.session.rollback()
    assert count == SIXTY
    assert [tuple(row) for row in done] == [(name, 1 + place % 3) for place, name in enumerate(sixty)]


def test_keys_skip_go_back_and_undo(page, site):
    site.receiver.stop()
    page.goto("/triage")
    heading = page.get_by_role("heading", level=1)
    for key, name in (("j", "Bruno Lima"), ("3", "Carla Nunes"), ("k", "Bruno Lima"), ("j", "Carla Nunes")):
        press(page, key)
        expect(heading).to_have_text(name)
    press(page, "2")
    expect(heading).to_have_text("Triagem")
    expect(page.get_by_text("1 contato continua na triagem.")).to_be_visible()
    press(page, "u")
    expect(heading).to_have_text("Carla Nunes")
    expect(page.get_by_text("Desfeito: 1 contato voltou ao que era.")).to_be_visible()
    press(page, "0")
    expect(page.get_by_text("2 contatos continuam na triagem.")).to_be_visible()
    assert levels() == [None, 3, None]


@pytest.mark.parametrize("scripts", [True, False])
def test_a_thumb_classifies_on_a_phone(chromium, site, scripts):
    company = make_company("Acme Prospecção")
    thread = [{"sender_name": "Íris", "message": f"Mensagem {number} " + "x" * 200} for number in range(9)]
    save(company, {"contact": {"name": "Ágata", "role": "R" * 300}, "messages": thread})
    watched = Watched(chromium, site, viewport=NARROW, java_script_enabled=scripts, has_touch=True)
    page = watched.log_in(site.admin_email)
    page.goto("/triage")
    expect(page.get_by_text("3 mensagens antes")).to_be_visible()
    expect(page.get_by_text("Mensagem 8 ")).to_be_attached()
    for name, level in (
        ("Ágata", "Alto"),
        ("Ana Souza", "Baixo"),
        ("Bruno Lima", "Médio"),
        ("Carla Nunes", "Sem nível"),
    ):
        expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
        if scripts:
            assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
        button = page.get_by_role("button", name=level)
        expect(button).to_be_in_viewport(ratio=1)
        assert button.bounding_box()["height"] >= 48
        button.tap()
    expect(page.get_by_text("1 contato continua na triagem.")).to_be_visible()
    watched.close()
    assert levels() == [3, 1, 2, None]


def test_the_filter_is_kept_from_turn_to_turn(member, company):
    for name, campaign in (("Ana", "Verão"), ("Bia", "Inverno"), ("Caio", "Verão")):
        save(company, {"contact": {"name": name}, "campaign": {"name": campaign}})
    page = member.get("/triage?campaign=Ver%C3%A3o").text
    assert "<h1>Ana</h1>" in page
    assert "Faltam 2" in page
    first = db.session.query(Contact).filter_by(name="Ana").one().id
    answer = member.post(f"/triage/{first}?campaign=Ver%C3%A3o", {"level": "2", "seen_at": ""})
    assert answer.status_code == 303
    assert "<h1>Caio</h1>" in member.get(answer.location).text


def test_what_somebody_else_chose_is_said_and_nothing_is_saved(member, company):
    contact = make_contact(company)
    classify_contact(contact, 3)
    answer = member.post(f"/triage/{contact.id}", {"level": "1", "seen_at": ""})
    assert answer.location == f"/triage/{contact.id}"
    assert "ana@example.com escolheu o nível 3." in member.get(answer.location).text
    assert db.session.get(Contact, contact.id).interest_level == 3


def test_who_is_gone_meanwhile_is_said_so_and_the_next_comes(member, company):
    """Erased while it was read, or merged: who was skipped before has no second turn for that."""
    ana, bia, caio = [make_contact(company, name=name) for name in ("Ana", "Bia", "Caio")]
    page = member.get(f"/triage?after={ana.id}").text
    form = dict(re.findall(r'type="hidden" name="(seen_at|previous)" value="([^"]*)"', page))
    skip = unescape(re.search(r'rel="next" href="([^"]+)"', page)[1])
    db.session.delete(db.session.get(Contact, bia.id))
    db.session.commit()
    answer = member.post(f"/triage/{bia.id}", form | {"level": "3"}, follow_redirects=True)
    assert "Este contato não existe mais" in answer.text
    assert "<h1>Caio</h1>" in answer.text
    assert "<h1>Caio</h1>" in member.get(skip).text
    assert levels() == [None, None]
    assert caio.id != ana.id


def test_two_people_go_through_one_list_and_each_contact_has_one_level(member, admin, company):
    """Both read the same one: the second to choose is told, sees what was chosen, and goes on."""
    for name in ("Ana", "Bia", "Caio", "Davi"):
        make_contact(company, name=name)
    both = {person: person.get("/triage") for person in (member, admin)}
    told = 0
    while any("<h1>Triagem</h1>" not in page.text for page in both.values()):
        for person, level in ((member, "1"), (admin, "3")):
            page = both[person]
            found = re.search(r'action="(/triage/\d+)', page.text)
            if found is None:
                continue
            seen = re.search(r'name="seen_at" value="([^"]*)"', page.text)[1]
            both[person] = person.post(found[1], {"level": level, "seen_at": seen}, follow_redirects=True)
            if "mudou enquanto você lia" in both[person].text:
                told += 1
                both[person] = person.get(unescape(re.search(r'rel="next" href="([^"]+)"', both[person].text)[1]))
    assert told > 0
    db.session.rollback()
    assert db.session.query(Classification).count() == 4
    assert set(levels()) <= {1, 3}


@pytest.mark.parametrize(
    "form", [{"level": "4"}, {"level": "1", "seen_at": "yesterday"}, {"level": "1", "seen_at": "2026-01-01"}]
)
def test_what_no_page_of_ours_sends_is_refused(member, company, form):
    assert member.post(f"/triage/{make_contact(company).id}", form).status_code == 400
