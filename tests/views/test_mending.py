"""The mend stands beside the fault: a dead address, a good test, a successor, a portal that stopped by itself."""

import time

import pytest
from playwright.sync_api import expect

from portal import clock
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Delivery, Endpoint
from portal.rules.reasons import is_dead_address
from tests.conftest import running_worker
from tests.factories import classify_contact, make_contact, make_delivery, set_url

CHECK = "Conferir a URL"


@pytest.mark.parametrize(
    ("reason", "code", "is_dead"),
    [
        ("gone", 410, True),
        ("client_error", 404, True),
        ("client_error", 401, False),
        ("dns_failure", None, True),
        ("server_error", 500, False),
        ("connection_refused", None, False),
    ],
)
def test_only_what_another_address_mends_is_a_dead_address(reason, code, is_dead):
    assert is_dead_address(reason, code) is is_dead


def primary_of(page: str) -> list[str]:
    """The words of the primary buttons, without their pictures."""
    pieces = page.split('class="btn btn-primary')[1:]
    return [
        piece[piece.index(">") + 1 :].split("</a>")[0].split("</button>")[0].split("</svg>")[-1] for piece in pieces
    ]


@pytest.fixture
def dead(app, company, receiver) -> Delivery:
    """A delivery that a receiver answered with 410, which stops the portal."""
    receiver.reply = Reply(410, b"Gone")
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company, name="Ana"), 3)
    with running_worker(app):
        assert receiver.wait_for(1)
        assert wait_until_settled(delivery)
    return delivery


def wait_until_settled(delivery: Delivery) -> bool:
    delivery_id = delivery.id
    for _ in range(200):
        db.session.rollback()
        time.sleep(0.05)
        if db.session.get_one(Delivery, delivery_id, populate_existing=True).reason:
            db.session.rollback()
            return True
    return False


def test_a_dead_address_is_looked_at_first(admin, dead, company):
    for url in ("/", f"/deliveries/{dead.webhook_id}", "/contacts"):
        page = admin.get(url).text
        assert primary_of(page)[0].strip() == CHECK, url
        assert page.count(CHECK) == 1, url
    with Receiver() as other:
        set_url(company, other.url)
        assert CHECK not in admin.get("/").text


def test_an_address_that_passed_a_test_since_is_not_looked_at_first(admin, dead, receiver):
    receiver.reply = Reply(200)
    admin.post("/webhook/resume")
    assert primary_of(admin.get("/").text)[0].strip() == "Colocar em dia"
    for url in ("/", f"/deliveries/{dead.webhook_id}", "/contacts"):
        assert CHECK not in admin.get(url).text, url


def test_members_are_not_sent_where_they_may_not_go(member, dead):
    assert CHECK not in member.get("/").text


def test_what_stopped_by_itself_is_in_the_audit_log_and_so_is_its_return(admin, dead):
    assert "Parou de enviar sozinho" in admin.get("/audit").text
    entry = db.session.query(AuditEntry).filter_by(action="webhook.stopped").one()
    assert (entry.actor, entry.subject) == ("portal", "gone")
    assert "O portal" in admin.get("/audit").text


def test_a_recovery_is_written_down(app, company, receiver):
    set_url(company, receiver.url)
    endpoint = db.session.query(Endpoint).one()
    endpoint.state, endpoint.failing_since, endpoint.next_probe_at = "failing", clock.utcnow(), clock.utcnow()
    db.session.commit()
    delivery = make_delivery(make_contact(company))
    with running_worker(app):
        assert receiver.wait_for(1)
        assert wait_until_settled(delivery)
    assert db.session.query(AuditEntry).filter_by(action="webhook.recovered").count() == 1


def test_what_was_superseded_leads_to_its_successor_without_advice(admin, company):
    set_url(company, "http://127.0.0.1:9999/hook")
    contact = make_contact(company)
    first = make_delivery(contact, 1)
    first.attempt_count = 1
    db.session.commit()
    classify_contact(contact, 2)
    second = db.session.query(Delivery).order_by(Delivery.id.desc()).first().webhook_id
    page = admin.get(f"/deliveries/{first.webhook_id}").text
    assert f'href="/deliveries/{second}">Ver a entrega que a substituiu' in page


def test_a_good_test_offers_to_save_its_address(page, site):
    with Receiver() as other:
        page.goto("/webhook")
        page.get_by_label("URL de destino").fill(other.url)
        page.get_by_role("button", name="Testar Webhook").click()
        page.get_by_role("button", name="Salvar esta URL").click()
        expect(page.get_by_text("URL salva.")).to_be_visible()
        expect(page.get_by_label("URL de destino")).to_have_value(other.url)
        page.get_by_role("button", name="Testar Webhook").click()
        expect(page.get_by_role("heading", name="O teste deu certo.")).to_be_visible()
        expect(page.get_by_role("button", name="Salvar esta URL")).to_have_count(0)


def test_the_first_field_and_the_first_error_have_the_focus(chromium, site):
    context = chromium.new_context(locale="pt-BR", base_url=site.url)
    page = context.new_page()
    page.goto("/login")
    expect(page.get_by_label("E-mail")).to_be_focused()
    page.get_by_role("button", name="Entrar").click()
    expect(page.locator("[aria-invalid=true]").first).to_be_focused()
    context.close()
