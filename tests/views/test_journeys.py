"""Whole journeys in a real browser, from trouble to its end: with a real receiver, a real worker, and no shortcut.

Those that carry the daily work are made without scripts too.
"""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect
from sqlalchemy import String, cast, func, insert, literal, select

from portal import clock
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import Contact, Delivery
from portal.people import links
from portal.rules.retry import parse_schedule
from tests.conftest import MakeApp
from tests.factories import insert_deliveries, make_company, make_contact
from tests.importing.conftest import DATA
from tests.views.browser import WIDE, Site, Watched, row, served

TOOLS = sorted((DATA / "tools").glob("*.csv"))
"""What eight tools export, with columns that are no matter of the portal."""
NAMES = (b"Contato Teste", b"Ana Souza")
SECONDS = 10
"""How long anything may take that the worker does meanwhile."""


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    """With a schedule that a slow browser does not outlast."""
    app = make_app(retry_schedule=parse_schedule("0s" + ",1s" * 9))
    with app.app_context():
        yield app


@pytest.fixture(params=[True, False], ids=["with-scripts", "without-scripts"])
def scripts(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def walker(chromium: Browser, site: Site, scripts: bool) -> Iterator[Page]:
    """An admin at a browser, with scripts and without."""
    watched = Watched(chromium, site, viewport=WIDE, java_script_enabled=scripts)
    yield watched.log_in(site.admin_email)
    watched.close()


def arrives(page: Page, locator: Locator) -> None:
    """Wait for what the worker brings about, looking again as a person would who has no scripts."""
    end = time.monotonic() + SECONDS
    while not locator.first.is_visible() and time.monotonic() < end:
        page.wait_for_timeout(200)
        page.reload()
    expect(locator.first).to_be_visible()


def go(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Principal").get_by_role("link", name=name, exact=True).click()


def classify(page: Page, name: str, level: str) -> None:
    row(page, name).get_by_role("button", name=level).click()
    if row(page, name).count():  # without scripts the contact's list comes back as a whole page
        expect(row(page, name).get_by_role("button", name=level)).to_have_attribute("aria-pressed", "true")


def test_from_the_set_up_link_to_the_first_delivery(chromium, app, receiver, scripts):
    token = links.create_link(db.session, purpose="setup")
    db.session.commit()
    with served(app) as url:
        watched = Watched(chromium, Site(url, receiver), viewport=WIDE, java_script_enabled=scripts)
        page = watched.page
        page.goto(f"/setup/{token}")
        page.get_by_label("Empresa").fill("Acme")
        page.get_by_label("Seu nome").fill("Mariana")
        page.get_by_label("E-mail").fill("mariana@acme.example")
        for field in page.locator("[type=password]").all():
            field.fill("uma senha bem comprida")
        page.get_by_role("button", name="Criar e entrar").click()
        page.get_by_role("link", name="Configurar o webhook").click()
        page.get_by_label("URL de destino").fill(receiver.url)
        page.get_by_role("button", name="Testar Webhook").click()
        expect(page.get_by_role("heading", name="O teste deu certo.")).to_be_visible()
        page.get_by_role("button", name="Salvar URL").click()
        go(page, "Contatos")
        page.get_by_role("link", name="Novo contato").first.click()
        page.get_by_label("Nome", exact=True).fill("Ana Souza")
        page.get_by_label("Campanha").fill("Primavera")
        page.get_by_role("button", name="Salvar").click()
        page.get_by_role("button", name="Alto").click()
        arrives(page, page.get_by_text("Em dia"))
        go(page, "Início")
        expect(page.get_by_role("heading", name="Sim. Tudo o que foi classificado chegou.")).to_be_visible()
        watched.close()
    assert [name in got.body for name, got in zip(NAMES, receiver.received, strict=True)] == [True, True]


def test_a_wrong_address_is_understood_mended_and_made_good(walker, site):
    site.receiver.reply = Reply(410, b"Gone")
    go(walker, "Contatos")
    classify(walker, "Ana Souza", "Alto")
    go(walker, "Início")
    arrives(walker, walker.get_by_text("O destino respondeu com o código 410"))
    expect(walker.get_by_role("heading", name="1 contato não chegou ao seu CRM.")).to_be_visible()
    walker.get_by_role("link", name="Conferir a URL").click()
    with Receiver() as mended:
        walker.get_by_label("URL de destino").fill(mended.url)
        walker.get_by_role("button", name="Salvar URL").click()
        go(walker, "Início")
        walker.get_by_role("link", name="1 contato").click()
        walker.get_by_role("link", name="Ana Souza").click()
        walker.get_by_role("button", name="Reenviar").click()
        arrives(walker, walker.get_by_role("heading", name="Entregue: o seu CRM recebeu."))
        assert mended.received[0].body == site.receiver.received[0].body
    go(walker, "Início")
    expect(walker.get_by_role("heading", name="Sim. Tudo o que foi classificado chegou.")).to_be_visible()


def test_an_outage_is_announced_and_everything_arrives_afterwards(walker, site):
    company = make_company("Acme Prospecção")
    for number in range(3):
        make_contact(company, name=f"Paula {number}")
    names = ["Ana Souza", "Bruno Lima", "Carla Nunes", "Paula 0", "Paula 1", "Paula 2"]
    site.receiver.stop()
    for name in names:
        go(walker, "Contatos")
        classify(walker, name, "Médio")
    go(walker, "Início")
    arrives(walker, walker.get_by_text("O seu CRM não recebe nada desde"))
    expect(walker.get_by_role("heading", name="6 contatos não chegaram ao seu CRM.")).to_be_visible()
    walker.get_by_role("link", name="Ver o que fazer").click()
    resume = walker.get_by_role("button", name="Testar e retomar")
    expect(resume).to_be_visible()  # a probe may find the receiver as soon as it is back
    site.receiver.start()
    resume.click()
    go(walker, "Início")
    arrives(walker, walker.get_by_role("heading", name="Sim. Tudo o que foi classificado chegou."))
    expect(walker.get_by_text("O seu CRM não recebe nada desde")).to_have_count(0)
    assert {name for name in names if any(name.encode() in got.body for got in site.receiver.received)} == set(names)


def test_a_file_is_imported_classified_and_in_sync(walker, site):
    go(walker, "Contatos")
    walker.get_by_role("link", name="Importar").click()
    content = b"Nome;Email;Empresa\nDora Reis;dora@example.com;Acme\nElis Cruz;elis@example.com;Acme\n"
    walker.set_input_files("input[type=file]", files=[{"name": "rd.csv", "mimeType": "text/csv", "buffer": content}])
    walker.get_by_role("button", name="Enviar e conferir").click()
    check = walker.get_by_role("button", name="Conferir o que muda")
    arrives(walker, check)  # once the worker has examined the file
    check.click()
    arrives(walker, walker.get_by_text("Ela não envia nada ao seu CRM."))
    walker.get_by_role("button", name="Importar 2 linhas").click()
    arrives(walker, walker.get_by_text("Pronto: todas as linhas do arquivo foram importadas."))
    walker.get_by_role("link", name="Ver os contatos").click()
    for name, level in (("Dora Reis", "Alto"), ("Elis Cruz", "Baixo")):
        classify(walker, name, level)
        go(walker, "Contatos")
    arrives(walker, row(walker, "Elis Cruz").get_by_text("Em dia"))
    arrives(walker, row(walker, "Dora Reis").get_by_text("Em dia"))


@pytest.mark.parametrize("tool", [path.stem for path in TOOLS])
def test_the_file_of_any_tool_leads_to_a_contact_in_sync_by_the_buttons_alone(page, site, tool):
    go(page, "Contatos")
    page.get_by_role("link", name="Importar").click()
    page.set_input_files("input[type=file]", next(path for path in TOOLS if path.stem == tool))
    page.get_by_role("button", name="Enviar e conferir").click()
    page.get_by_role("button", name="Conferir o que muda").click()
    page.get_by_role("button", name="Importar").click()
    expect(page.get_by_role("heading", name="Pronto: todas as linhas do arquivo foram importadas.")).to_be_visible()
    page.get_by_role("link", name="Ver os contatos").click()
    expect(page.get_by_text("3 contatos")).to_be_visible()
    classify(page, "Carla Rocha", "Alto")
    arrives(page, row(page, "Carla Rocha").get_by_text("Em dia"))
    assert any(b'"linkedin_public_id":"carla-rocha-' in got.body for got in site.receiver.received)


def test_all_that_failed_is_sent_again_at_once(walker, site):
    company = make_company("Acme Prospecção")
    for number in range(12):
        contact = make_contact(company, name=f"Paula {number}")
        values = facts_of(contact) | FAILED | {"webhook_id": f"msg_{number:032x}", "body": b'{"n":%d}' % number}
        insert_deliveries(db.session.connection(), [values])
    db.session.commit()
    go(walker, "Entregas")
    walker.get_by_role("navigation", name="Estado").get_by_role("link", name="Falharam").click()
    walker.get_by_role("link", name="Reenviar as 12 que correspondem").click()
    expect(walker.get_by_role("heading", name="Reenviar 12 entregas?")).to_be_visible()
    walker.get_by_role("button", name="Reenviar 12 entregas").click()
    arrives(walker, walker.get_by_role("heading", name="12 entregas voltaram para a fila."))
    assert site.receiver.wait_for(12)
    assert {got.body for got in site.receiver.received} == {b'{"n":%d}' % number for number in range(12)}
    walker.get_by_role("link", name="Ver as entregas").click()
    arrives(walker, row(walker, "Paula 11").get_by_text("Entregue"))


def test_one_delivery_among_a_hundred_thousand_is_found_and_sent_again(page, site):
    fill_the_log(100_000)
    page.goto("/deliveries")
    page.keyboard.press("/")
    page.keyboard.type("zuleica rara")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Zuleica Rara", exact=True).click()
    expect(page.get_by_role("heading", name="Não chegou ao seu CRM")).to_be_visible()
    page.get_by_role("button", name="Reenviar").click()
    expect(page.get_by_text("Esta entrega leva os dados daquele momento.")).to_be_visible()
    page.get_by_role("button", name="Reenviar").click()
    expect(page.get_by_role("heading", name="Entregue: o seu CRM recebeu.")).to_be_visible()
    assert [received.body for received in site.receiver.received] == [b"{}"]


def fill_the_log(number: int) -> None:
    """So many delivered rows of the log, and in their midst one that failed, of a contact named Zuleica Rara."""
    company = make_company("Acme Prospecção")
    rare, often = make_contact(company, name="Zuleica Rara"), make_contact(company, name="Otto Comum")
    arrived = {"status": "delivered", "reason": "ok_text", "delivered_at": clock.utcnow() - timedelta(days=2)}
    add_rows(facts_of(often) | arrived, number // 2)
    insert_deliveries(db.session.connection(), [facts_of(rare) | FAILED | {"webhook_id": "msg_rare"}])
    add_rows(facts_of(often) | arrived, number // 2)
    db.session.commit()


FAILED = {"status": "failed", "reason": "client_error"}


def facts_of(contact: Contact) -> dict[str, Any]:
    """What every delivery of the contact has, made two days ago and tried once."""
    return {
        "company_id": contact.company_id,
        "contact_id": contact.id,
        "campaign_id": contact.campaign_id,
        "owner_id": contact.owner_id,
        "trigger": "classification",
        "next_trigger": "retry",
        "actor": "mariana@example.com",
        "interest_level": 2,
        "attempt_count": 1,
        "tries": 1,
        "created_at": clock.utcnow() - timedelta(days=2),
        "body": b"{}",
    }


def add_rows(values: dict[str, Any], number: int) -> None:
    """So many deliveries with these values, made by the database itself."""
    count = select(literal(1).label("n")).cte("count", recursive=True)
    count = count.union_all(select(count.c.n + 1).where(count.c.n < number))
    values = {name: value for name, value in values.items() if name != "body"} | {"has_body": False}
    names = ["webhook_id", *values]
    webhook_id = literal("msg_") + cast(func.random(), String)
    typed = [literal(value, Delivery.__table__.c[name].type) for name, value in values.items()]
    db.session.execute(insert(Delivery).from_select(names, select(webhook_id, *typed).select_from(count)))
