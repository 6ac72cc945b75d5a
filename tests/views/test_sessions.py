"""A session that ends while a page is open: it is said, the log-in comes next, and what was typed is kept."""

import pytest
from playwright.sync_api import Page, expect

from portal import clock
from portal.database.db import db
from portal.models import Contact, User
from tests.factories import PASSWORD, make_contact, make_user
from tests.views.browser import row

ENDED = "A sessão terminou: entre de novo."
NOTHING_SAVED = "Nada do que você enviou foi salvo ainda."


def end_sessions(email: str) -> None:
    """As somebody does who logs out elsewhere."""
    user = db.session.query(User).filter_by(email=email).one()
    user.session_version += 1
    db.session.commit()


def lose_cookie(person) -> None:
    """As a browser does with a cookie that is too old."""
    person.client.delete_cookie("session")


def test_a_form_sent_after_the_session_leads_to_the_log_in_and_back(member, company):
    contact = make_contact(company)
    end_sessions(member.email)
    page = f"/contacts/{contact.id}/edit"
    answer = member.post(page, {"name": "Outro"}, headers={"Referer": f"http://localhost{page}"})
    assert (answer.status_code, answer.location) == (303, f"/login?next={page}")
    text = member.get(answer.location).text
    assert ENDED in text
    assert NOTHING_SAVED in text
    answer = member.post(answer.location, {"email": member.email, "password": PASSWORD})
    assert (answer.status_code, answer.location) == (303, page)


@pytest.mark.parametrize("change", [{"role": None}, {"disabled_at": clock.utcnow()}, {"session_version": 77}])
def test_whoever_may_not_come_in_any_more_is_out_at_once(member, change):
    assert member.get("/contacts").status_code == 200
    db.session.query(User).filter_by(email=member.email).update(change)
    assert member.get("/contacts").status_code == 302


def test_so_does_one_whose_cookie_is_gone_with_its_token(member, company):
    token = member.token()
    lose_cookie(member)
    answer = member.open("/contacts/new", method="POST", data={"csrf_token": token, "name": "Ana"})
    assert (answer.status_code, answer.location) == (303, "/login?next=/contacts/new")
    assert NOTHING_SAVED in member.get(answer.location).text


def test_a_click_that_a_script_sends_leads_there_too(member, company):
    contact = make_contact(company)
    end_sessions(member.email)
    headers = {"HX-Request": "true", "HX-Current-URL": "http://localhost/contacts?level=3"}
    answer = member.post(f"/contacts/{contact.id}/level", {"level": "3"}, headers=headers)
    assert answer.headers["HX-Redirect"] == "/login?next=/contacts?level%3D3"
    assert db.session.get(Contact, contact.id).interest_level is None


@pytest.mark.parametrize("before", ["http://evil.example//evil.example", "http://localhost/webhook/secret", "x:"])
def test_what_cannot_be_opened_is_not_gone_back_to(member, before):
    end_sessions(member.email)
    answer = member.post("/webhook/secret", headers={"Referer": before})
    assert answer.location == "/login"


def test_a_page_that_is_asked_for_says_so_too(member, nobody):
    end_sessions(member.email)
    assert ENDED in member.get("/contacts", follow_redirects=True).text
    assert ENDED not in nobody.get("/contacts", follow_redirects=True).text


def test_a_form_of_an_earlier_session_leads_back_to_its_page(member):
    headers = {"Referer": "http://localhost/contacts/new"}
    answer = member.open("/contacts/new", method="POST", data={"csrf_token": "old", "name": "Ana"}, headers=headers)
    assert answer.status_code == 400
    assert 'href="/contacts/new" data-keeps-draft' in answer.text
    assert 'id="navegacao"' in answer.text


def log_in_again(page: Page, email: str) -> None:
    expect(page.get_by_text(ENDED)).to_be_visible()
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Senha").fill(PASSWORD)
    page.get_by_role("button", name="Entrar").click()


def test_what_was_typed_is_there_again_after_the_log_in(page, site):
    page.goto("/contacts/new")
    page.get_by_label("Nome", exact=True).fill("Dora Reis")
    page.get_by_label("Campanha").fill("Primavera")
    page.get_by_label("Cargo").fill("Diretora")
    end_sessions(site.admin_email)
    page.get_by_role("button", name="Salvar").click()
    log_in_again(page, site.admin_email)
    expect(page.get_by_text("O que você tinha digitado está de volta")).to_be_visible()
    expect(page.get_by_label("Cargo")).to_have_value("Diretora")
    page.get_by_role("button", name="Salvar").click()
    expect(page.get_by_role("heading", name="Dora Reis", level=1)).to_be_visible()
    page.goto("/contacts/new")  # once only
    expect(page.get_by_label("Cargo")).to_have_value("")


def test_what_was_typed_outlives_a_change_of_the_language(page):
    page.goto("/contacts/new")
    page.get_by_label("Nome", exact=True).fill("Dora Reis")
    page.get_by_label("Cargo").fill("Diretora")
    page.locator(".side-user summary").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_label("Role")).to_have_value("Diretora")
    expect(page.get_by_label("Name", exact=True)).to_have_value("Dora Reis")
    page.locator(".side-user summary").click()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_label("Role")).to_have_value("Diretora")
    page.goto("/contacts/new")
    expect(page.get_by_label("Role")).to_have_value("")


def test_nobody_else_finds_what_was_typed_and_no_secret_is_kept(page, site):
    other = make_user(db.session.query(User).filter_by(email=site.admin_email).one().company, role="admin")
    db.session.commit()
    page.goto("/account")
    page.get_by_label("Nome", exact=True).fill("Mariana Nova")
    end_sessions(site.admin_email)
    page.get_by_role("button", name="Salvar").first.click()
    log_in_again(page, other.email)
    expect(page.get_by_label("Nome", exact=True)).to_have_value(other.name)
    page.locator("[type=password]").first.fill("segredo antigo")
    end_sessions(other.email)
    page.get_by_role("button", name="Trocar senha").click()
    expect(page.get_by_text(ENDED)).to_be_visible()
    assert "segredo" not in page.evaluate("JSON.stringify(Object.values(sessionStorage))")


def test_what_is_put_back_after_the_log_in_undoes_nothing_that_was_saved_meanwhile(page, site):
    page.goto("/contacts/1/edit")
    page.get_by_label("Localização").fill("Recife")
    db.session.get_one(Contact, 1).role = "Presidente"
    end_sessions(site.admin_email)
    page.get_by_role("button", name="Salvar").click()
    log_in_again(page, site.admin_email)
    expect(page.get_by_text("O que você tinha digitado está de volta")).to_be_visible()
    page.get_by_role("button", name="Salvar").click()
    expect(page.get_by_text("Contato salvo.")).to_be_visible()
    db.session.rollback()
    contact = db.session.get_one(Contact, 1)
    assert (contact.role, contact.location) == ("Presidente", "Recife")


def test_an_open_list_leads_to_the_log_in_at_the_next_click(page, site):
    page.goto("/contacts?search=lima")
    end_sessions(site.admin_email)
    row(page, "Bruno Lima").get_by_role("button", name="Alto").click()
    log_in_again(page, site.admin_email)
    expect(row(page, "Bruno Lima")).to_be_visible()
    expect(page).to_have_url(f"{site.url}/contacts?search=lima")
