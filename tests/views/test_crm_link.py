"""*Abrir no CRM*: chosen by an admin in a real answer, and then a link of every contact that was delivered."""

import pytest
from playwright.sync_api import Page, expect

from portal.database.db import db
from portal.deliveries import opening
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Contact, Delivery, Endpoint, Exchange
from portal.working_models import CrmRecord
from tests.conftest import running_worker
from tests.factories import (
    actor_of,
    endpoint_of,
    make_company,
    make_contact,
    make_delivery,
    send_test,
    set_crm_link,
    set_url,
)
from tests.views.browser import row
from tests.worker.test_dispatcher import wait_until

TEMPLATE = "https://crm.example/leads/{id}"


@pytest.fixture
def delivered(app, company, receiver: Receiver):
    """A contact that the CRM knows by the number 41."""
    set_url(company, receiver.url)
    receiver.reply = Reply(200, b'{"data": {"id": 41, "url": "javascript:alert(1)"}}', "application/json")
    contact = make_contact(company, name="Ana")
    make_delivery(contact, 3)
    with running_worker(app):
        wait_until(is_delivered)
    return contact


def is_delivered() -> bool:
    found = db.session.query(Delivery.status).all()
    db.session.rollback()
    return found == [("delivered",)]


def test_no_contact_has_a_link_until_somebody_says_where(admin, member, delivered):
    assert "Abrir no CRM" not in member.get(f"/contacts/{delivered.id}").text
    page = admin.get("/webhook/link").text
    assert 'value="/data/id"' in page
    answer = admin.post("/webhook/link", {"pointer": "/data/id", "template": TEMPLATE}, follow_redirects=True)
    assert 'href="https://crm.example/leads/41"' in answer.text
    link = 'href="https://crm.example/leads/41" target="_blank" rel="noopener noreferrer nofollow"'
    for path in (f"/contacts/{delivered.id}", f"/triage/{delivered.id}"):
        assert link in member.get(path).text
    assert link in admin.get(f"/deliveries/{webhook_id()}").text
    assert actions() == ["delivery.viewed", "webhook.link_set"]
    admin.post("/webhook/link", {"remove": "yes"})
    assert "crm.example" not in member.get(f"/contacts/{delivered.id}").text


def webhook_id() -> str:
    found = db.session.query(Delivery).one().webhook_id
    db.session.commit()
    return found


def actions() -> list[str]:
    wanted = ("delivery.viewed", "webhook.link_set")
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id)
    found = [entry.action for entry in entries if entry.action in wanted]
    db.session.commit()
    return found[:2]


def test_a_link_that_the_answer_holds_is_opened_only_if_it_is_safe(admin, member, delivered):
    page = admin.post("/webhook/link", {"pointer": "/data/url", "template": ""}, follow_redirects=True).text
    assert "Esta resposta não dá um link." in page
    assert "javascript:alert" not in member.get(f"/contacts/{delivered.id}").text


@pytest.mark.parametrize(
    "form",
    [
        {"pointer": "/data/id", "template": "http://crm.example/{id}"},
        {"pointer": "/data/id", "template": "javascript:{id}"},
        {"pointer": "data", "template": TEMPLATE},
        {"template": TEMPLATE},
    ],
)
def test_what_cannot_be_used_is_refused_in_words(admin, delivered, form):
    answer = admin.post("/webhook/link", form)
    page = answer.text
    assert answer.status_code == 422
    assert f'value="{form["template"]}"' in page
    assert page.count(" checked") == (form.get("pointer") == "/data/id")
    assert "O endereço precisa começar com https://" in page or "Escolha na resposta" in page
    assert db.session.query(Endpoint).filter(Endpoint.link_template.is_not(None)).count() == 0


def test_another_company_s_answers_are_not_shown_and_their_contacts_have_no_link(admin, stranger, delivered):
    admin.post("/webhook/link", {"pointer": "/data/id", "template": TEMPLATE})
    assert "Ainda não há uma resposta JSON" in stranger.get("/webhook/link").text
    other = make_company("Outra Empresa")
    assert endpoint_of(other).link_template is None


def test_a_test_s_answer_serves_to_choose(admin, company, receiver):
    set_url(company, receiver.url)
    receiver.reply = Reply(200, b'{"id": "abc"}', "application/json")
    send_test(company)
    db.session.commit()
    assert 'value="/id"' in admin.get("/webhook/link").text


def test_it_is_chosen_by_clicks(page, site):
    site.receiver.reply = Reply(200, b'{"lead": {"id": 9}}', "application/json")
    page.goto("/contacts")
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(row(page, "Ana Souza").get_by_text("Em dia")).to_be_visible()
    page.goto("/webhook")
    page.get_by_role("region", name="Abrir no CRM").get_by_role("link").click()
    page.get_by_label("/lead/id").check()
    page.get_by_label("Como é o endereço no CRM?").fill(TEMPLATE)
    page.get_by_role("button", name="Salvar").click()
    expect(page.get_by_role("link", name="https://crm.example/leads/9")).to_be_visible()
    page.goto("/contacts")
    page.get_by_role("link", name="Ana Souza").click()
    expect(page.get_by_role("link", name="Abrir no CRM")).to_have_attribute("href", "https://crm.example/leads/9")


def test_a_key_opens_the_contact_in_the_crm(page, site):
    """From its row, its page and the triage; where the CRM said nothing of somebody, the key does nothing."""
    site.receiver.reply = Reply(200, b'{"id": "a/b"}', "application/json")
    company = make_company("Acme Prospecção")
    set_crm_link(company)
    contact_id = db.session.query(Contact).filter_by(name="Ana Souza").one().id
    make_delivery(db.session.get(Contact, contact_id), 3)
    wait_until(all_delivered)
    page.goto("/contacts")
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="Ana Souza")).to_be_focused()
    assert opened(page) == "https://crm.example/a%2Fb"
    for path in (f"/contacts/{contact_id}", f"/triage/{contact_id}", f"/deliveries/{webhook_id()}"):
        page.goto(path)
        assert opened(page) == "https://crm.example/a%2Fb"
    page.goto("/triage")
    expect(page.get_by_role("heading", name="Bruno Lima", level=1)).to_be_visible()
    page.keyboard.press("c")
    page.keyboard.press("3")  # which the page takes after it
    expect(page.get_by_role("heading", name="Carla Nunes", level=1)).to_be_visible()
    assert len(page.context.pages) == 1


def opened(page: Page) -> str:
    """What the key asks for, in a page of its own, which is closed again."""
    with (
        page.context.expect_event("request", lambda request: request.url.startswith("https://")) as asked,
        page.expect_popup() as popup,
    ):
        page.keyboard.press("c")
    popup.value.close()
    return asked.value.url


def test_the_link_outlives_the_answer_that_it_was_read_in(app, admin, member, company, receiver):
    set_url(company, receiver.url)
    admin.post("/webhook/link", {"pointer": "/id", "template": TEMPLATE})
    contact = deliver(app, company, receiver, b'{"id": 41}')
    db.session.query(Exchange).delete()
    db.session.commit()
    assert member.get(f"/contacts/{contact.id}/crm").location == "https://crm.example/leads/41"
    assert f'data-crm href="/contacts/{contact.id}/crm"' in member.get("/contacts").text
    assert ";https://crm.example/leads/41\r\n" in member.get("/contacts.csv").text
    admin.post("/webhook/link", {"pointer": "/other", "template": TEMPLATE})
    answer = member.get(f"/contacts/{contact.id}/crm")
    assert answer.location == f"/contacts/{contact.id}"
    assert "O CRM ainda não disse onde este contato está" in member.get(answer.location).text


def test_what_the_last_answer_says_is_kept_and_goes_with_the_contact(app, admin, member, company, receiver):
    set_url(company, receiver.url)
    admin.post("/webhook/link", {"pointer": "/id", "template": TEMPLATE})
    contact = deliver(app, company, receiver, b'{"id": 41}')
    for answer, known in ((b'{"id": 42}', 42), (b'{"ok": true}', 42)):
        deliver(app, company, receiver, answer, contact)
        assert member.get(f"/contacts/{contact.id}/crm").location == f"https://crm.example/leads/{known}"
    db.session.delete(db.session.get(Contact, contact.id))
    db.session.commit()
    assert db.session.query(CrmRecord).count() == 0


def deliver(app, company, receiver, answer: bytes, contact=None):
    """A contact whose next level the CRM answered so."""
    receiver.reply = Reply(200, answer, "application/json")
    contact = contact or make_contact(company, name="Ana")
    make_delivery(contact, 3 if contact.interest_level != 3 else 2)
    with running_worker(app):
        wait_until(all_delivered)
    return contact


def all_delivered() -> bool:
    found = {status for (status,) in db.session.query(Delivery.status)}
    db.session.rollback()
    return found == {"delivered"}


def test_an_example_is_looked_for_among_the_latest_deliveries_only(delivered, company, monkeypatch):
    assert opening.find_example(db.session, actor_of(company)) is not None
    monkeypatch.setattr(opening, "DELIVERIES_LOOKED_AT", 2)
    for level in (2, 1):
        make_delivery(delivered, level)
    assert opening.find_example(db.session, actor_of(company)) is None


def test_where_nobody_said_how_the_contact_s_page_says_that(member, company):
    contact = make_contact(company, name="Ana")
    answer = member.get(f"/contacts/{contact.id}/crm", follow_redirects=True)
    assert "Falta dizer onde o CRM mostra os contatos" in answer.text
    assert "O CRM ainda não disse" not in answer.text
