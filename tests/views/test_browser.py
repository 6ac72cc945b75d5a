"""The pages in a real browser: the daily work by mouse and keyboard, nothing from elsewhere, and no barrier."""

import threading
import urllib.request

import pytest
from playwright.sync_api import expect

from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import Contact, Endpoint, User
from portal.people.passwords import end_sessions
from tests.factories import classify_contact, make_delivery
from tests.views.browser import Watched, row


def test_a_click_classifies_and_the_row_shows_the_arrival(page, site):
    page.goto("/contacts")
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(row(page, "Ana Souza").get_by_text("Em dia")).to_be_visible()
    assert b'"interest_level":3' in site.receiver.received[0].body
    page.get_by_role("link", name="Entregas").click()
    expect(row(page, "Ana Souza").get_by_text("Entregue")).to_be_visible()


def test_keys_classify_the_row_that_has_the_focus(page, site):
    page.goto("/contacts")
    page.get_by_role("link", name="Bruno Lima").focus()
    page.keyboard.press("2")
    expect(row(page, "Bruno Lima").get_by_role("button", name="Médio")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("3")
    expect(row(page, "Bruno Lima").get_by_role("button", name="Alto")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("0")
    expect(row(page, "Bruno Lima").locator("[aria-pressed=true]")).to_have_count(0)


def test_keys_typed_into_the_search_only_write(page):
    page.goto("/contacts")
    page.keyboard.press("/")
    page.keyboard.type("12j3?/0")
    expect(page.get_by_label("Nome, e-mail, telefone, LinkedIn ou empresa")).to_have_value("12j3?/0")
    assert page.locator("[aria-pressed=true][data-key], dialog[open]").count() == 0


def test_rows_are_walked_classified_and_opened_by_keys_alone(page):
    page.goto("/contacts")
    for key in "jj3":
        page.keyboard.press(key)
    expect(row(page, "Bruno Lima").get_by_role("button", name="Alto")).to_have_attribute("aria-pressed", "true")
    expect(row(page, "Bruno Lima").get_by_text("Em dia")).to_be_visible()
    expect(page.get_by_role("link", name="Bruno Lima")).to_be_focused()
    for key in "jjjjk":  # the last row is the end
        page.keyboard.press(key)
    expect(page.get_by_role("link", name="Bruno Lima")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bruno Lima", level=1)).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_role("button", name="Baixo")).to_have_attribute("aria-pressed", "true")
    page.goto("/deliveries")
    page.keyboard.press("j")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bruno Lima", level=1)).to_be_visible()


def test_a_question_mark_shows_the_keys_and_escape_hides_them(page):
    page.goto("/contacts")
    page.keyboard.press("j")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Teclas")).to_be_visible()
    page.keyboard.press("3")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("link", name="Ana Souza")).to_be_focused()
    assert page.locator("[aria-pressed=true][data-key]").count() == 0


def test_the_webhook_is_tested_from_the_field(page, site):
    site.receiver.reply = Reply(200, b'{"message":"Workflow was started"}', "application/json")
    page.goto("/webhook")
    page.get_by_role("button", name="Testar Webhook").click()
    expect(page.get_by_role("heading", name="O teste deu certo.")).to_be_visible()
    page.get_by_text("Exatamente o que foi enviado").click()
    expect(page.get_by_text('"name": "Contato Teste"')).to_be_visible()


def test_what_becomes_of_what_waits_is_asked_once_the_url_is_another(page, site):
    db.session.query(Endpoint).one().state = "paused"
    db.session.commit()
    classify_contact(db.session.query(Contact).first(), 3)
    page.goto("/webhook")
    asked = page.get_by_text("1 entrega está na fila. Se a URL ou a conta mudar:")
    expect(asked).to_be_hidden()
    page.get_by_label("URL de destino").fill(site.receiver.url + "new")
    expect(asked).to_be_visible()
    page.get_by_label("URL de destino").fill(site.receiver.url)
    expect(asked).to_be_hidden()


def test_what_was_said_of_an_act_has_the_focus_and_tab_goes_on_from_there(page):
    page.goto("/webhook")
    page.get_by_role("button", name="Pausar o envio").press("Enter")
    expect(page.locator("#flashes")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Fechar")).to_be_focused()


def test_after_a_session_ended_the_keys_begin_in_the_field_of_the_log_in(page, site):
    page.goto("/webhook")
    end_sessions(db.session.query(User).filter_by(email=site.admin_email).one())
    db.session.commit()
    page.get_by_role("button", name="Pausar o envio").press("Enter")
    expect(page.get_by_text("A sessão terminou")).to_be_visible()
    expect(page.get_by_label("E-mail")).to_be_focused()


def test_on_a_phone_the_filters_open_by_the_keyboard_and_are_one_line_before(page):
    page.set_viewport_size({"width": 360, "height": 800})
    for path, inside in (("/contacts", "Nível"), ("/audit", "Quem"), ("/report", "Responsável")):
        page.goto(path)
        opener, choice = page.get_by_role("button", name="Filtros"), page.locator(".filters").get_by_label(inside)
        expect(choice).to_be_hidden()
        assert page.locator(".filters").bounding_box()["height"] < 80
        opener.focus()
        page.keyboard.press("Enter")
        expect(opener).to_have_attribute("aria-expanded", "true")
        page.keyboard.press("Tab")
        expect(page.locator(".filters-rest :focus")).to_have_count(1)
        expect(choice).to_be_visible()
    page.set_viewport_size({"width": 1280, "height": 800})
    expect(opener).to_be_hidden()
    expect(choice).to_be_visible()


def test_on_a_phone_the_search_and_the_filters_of_the_log_are_one_line(page, site):
    make_delivery(db.session.query(Contact).first(), 3)
    db.session.commit()
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/deliveries")
    assert page.locator(".filters").bounding_box()["height"] < 80


def test_on_a_phone_the_state_of_the_webhook_stands_above_what_ends_it(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.goto("/webhook")
    places = [page.get_by_role("heading", name=name).bounding_box()["y"] for name in ("Situação", "Parar de enviar")]
    assert places == sorted(places)


def test_trouble_is_said_above_the_address_where_the_state_stands_far_below(page, site):
    db.session.query(Endpoint).one().state = "failing"
    db.session.commit()
    page.goto("/webhook")
    said = page.get_by_text("O seu CRM não está recebendo nada.")
    expect(said).to_be_hidden()
    page.set_viewport_size({"width": 640, "height": 800})
    expect(said).to_be_visible()
    page.get_by_role("link", name="Ver o que fazer").click()
    expect(page.get_by_role("button", name="Testar e retomar")).to_be_in_viewport()


def test_the_inspector_shows_what_arrives_by_itself_and_verifies_it(page):
    page.goto("/webhook")
    page.get_by_role("button", name="Criar endereço de teste").click()
    expect(page.get_by_text("Nada ainda.")).to_be_visible()
    urllib.request.urlopen(page.locator("#endereco-valor").inner_text(), b'{"hello": "portal"}').close()
    expect(page.get_by_text("Sem assinatura")).to_be_visible()
    expect(page.get_by_text('"hello": "portal"').first).to_be_visible()
    page.get_by_role("link", name="Usar este endereço").click()
    page.get_by_role("button", name="Testar Webhook").click()
    expect(page.get_by_role("heading", name="O teste deu certo.")).to_be_visible()
    page.get_by_role("link", name="Abrir o inspetor").click()
    expect(page.get_by_text("Assinatura confere")).to_be_visible()


def held(receiver: Receiver) -> threading.Event:
    """The receiver answers once this is set: what a page shows before then is there however busy the machine is."""
    answering = threading.Event()

    def answer() -> Reply:
        answering.wait(9.0)  # less than the deadline of a delivery
        return receiver.reply

    receiver.answers = answer
    return answering


def test_a_delivery_page_shows_the_arrival_by_itself(page, site):
    answering = held(site.receiver)
    page.goto("/contacts")
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(row(page, "Ana Souza").get_by_text("Na fila")).to_be_visible()
    page.get_by_role("link", name="Entregas").click()
    page.get_by_role("link", name="Ana Souza").click()
    page.wait_for_url("**/deliveries/msg_*")
    answering.set()
    expect(page.get_by_role("heading", name="Entregue: o seu CRM recebeu.")).to_be_visible(timeout=8000)
    expect(page.locator("#announcer")).to_have_text("Entregue: o seu CRM recebeu.")  # a screen reader hears it too
    expect(page.get_by_text("O que o destino respondeu")).to_be_visible()


def test_the_paper_of_a_delivery_has_the_whole_body_and_says_when_it_was(page, site):
    make_delivery(db.session.query(Contact).first(), 3)
    db.session.commit()
    assert site.receiver.wait_for(1)
    page.goto("/deliveries")
    page.get_by_role("link", name="Ana Souza").click()
    body = page.locator("pre.body").first
    expect(body).to_be_visible()
    page.emulate_media(media="print")
    assert body.evaluate("(part) => part.scrollHeight - part.clientHeight") <= 0
    assert page.locator("time[title]").first.evaluate("(part) => getComputedStyle(part).fontSize") == "0px"
    expect(page.get_by_role("button", name="Copiar").first).to_be_hidden()


def test_the_sentence_of_a_contact_follows_its_badge(page, site):
    answering = held(site.receiver)
    page.goto("/contacts")
    page.get_by_role("link", name="Ana Souza").click()
    page.get_by_role("button", name="Alto").click()
    expect(page.get_by_text("o seu CRM ainda não confirmou este nível")).to_be_visible()
    answering.set()
    expect(page.locator("#announcer")).to_have_text("O seu CRM sabe: este nível foi entregue.")
    expect(page.locator("#situacao")).to_have_text("O seu CRM sabe: este nível foi entregue.")
    expect(page.locator("[id^=sync-]")).to_have_text("Em dia")
    expect(page.locator("#noticias")).to_have_count(0)


def test_what_a_warning_asks_for_comes_with_its_sentence(page, site):
    site.receiver.delay = 1.0
    site.receiver.reply = Reply(200, b"Erro ao salvar")
    page.goto("/contacts")
    page.get_by_role("link", name="Ana Souza").click()
    page.get_by_role("button", name="Alto").click()
    expect(page.locator("#situacao")).to_contain_text("a resposta fala em erro", timeout=8000)
    page.get_by_role("button", name="Conferi no CRM").click()
    expect(page.locator("[id^=sync-]")).to_have_text("Em dia")


def test_the_notice_of_a_tick_lies_beside_the_buttons_for_many(page, site):
    page.set_viewport_size({"width": 1280, "height": 420})
    page.goto("/contacts")
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("#announcer")).not_to_be_empty()
    notice, bar = page.locator("#announcer").bounding_box(), page.locator(".bulk").bounding_box()
    assert notice["y"] + notice["height"] <= bar["y"] or notice["y"] >= bar["y"] + bar["height"]


def test_the_theme_is_kept_and_painted_from_the_start(page, site):
    page.locator(".side-user summary").click()
    page.get_by_role("button", name="Escuro").click()
    page.goto("/contacts")
    assert page.evaluate("document.documentElement.dataset.bsTheme") == "dark"


def test_removing_the_address_is_asked_twice(page, site):
    page.goto("/webhook")
    page.get_by_role("button", name="Remover URL").press("Enter")
    page.keyboard.press("Enter")  # on the way back, with which the question begins
    expect(page.get_by_role("button", name="Remover URL")).to_be_focused()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Remover URL").click()
    expect(page.get_by_text("URL removida.")).to_be_visible()


def test_the_first_tab_leads_to_the_content(page):
    page.goto("/contacts")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Ir para o conteúdo")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_all_of_it_works_without_scripts(chromium, site):
    watched = Watched(chromium, site, java_script_enabled=False, viewport={"width": 390, "height": 844})
    page = watched.log_in(site.admin_email)
    page.get_by_role("link", name="Contatos", exact=True).click()
    row(page, "Ana Souza").get_by_role("button", name="Alto").click()
    expect(page.get_by_text("Nível de Ana Souza salvo.")).to_be_visible()
    watched.close()


def test_a_file_is_imported_while_one_watches(page, site):
    page.goto("/contacts")
    page.get_by_role("link", name="Importar").click()
    file = {"name": "rd.csv", "mimeType": "text/csv", "buffer": "Nome;Email;Nível\nDora;dora@example.com;3\n".encode()}
    page.set_input_files("input[type=file]", files=[file])
    page.get_by_role("button", name="Enviar e conferir").click()
    page.get_by_role("button", name="Conferir o que muda").click()
    page.get_by_role("button", name="Importar e enviar 1 webhook").click()
    expect(page.locator("#announcer")).to_have_text("Pronto: todas as linhas do arquivo foram importadas.")
    expect(page.get_by_role("heading", name="Pronto: todas as linhas do arquivo foram importadas.")).to_be_visible()
    assert site.receiver.wait_for(1)


WATCH_SHIFTS = """async () => {
    await document.fonts.ready;
    const frame = () => new Promise(requestAnimationFrame);
    await frame();
    await frame();
    window.shifts = [];
    new PerformanceObserver((list) => {
        for (const shift of list.getEntries()) if (!shift.hadRecentInput) window.shifts.push(shift.value);
    }).observe({ type: "layout-shift" });
}"""
"""From when the page stands, as drawn: a font that comes late on a busy machine is no news."""


@pytest.mark.parametrize(
    ("url", "news"), [("/deliveries", "Erro no destino"), ("/contacts", "Em dia"), ("/", "Erro no destino")]
)
def test_news_that_comes_in_by_itself_moves_nothing(page, site, url, news):
    answering = held(site.receiver)
    site.receiver.reply = Reply(200 if news == "Em dia" else 500)
    contact = db.session.query(Contact).filter_by(name="Ana Souza").one()
    classify_contact(contact, 3)
    page.goto(url)
    page.evaluate(WATCH_SHIFTS)
    expect(row(page, "Ana Souza").get_by_text(news)).to_have_count(0)
    answering.set()
    expect(row(page, "Ana Souza").get_by_text(news)).to_be_visible(timeout=8000)
    page.wait_for_timeout(100)
    assert page.evaluate("window.shifts") == []


def test_a_button_keeps_the_focus_while_the_page_renews_itself(page, site):
    answering = held(site.receiver)
    contact = db.session.query(Contact).filter_by(name="Ana Souza").one()
    delivery = make_delivery(contact, 3)
    page.goto(f"/deliveries/{delivery.webhook_id}")
    page.get_by_role("button", name="Copiar", exact=True).first.focus()
    answering.set()
    expect(page.get_by_role("heading", name="Entregue: o seu CRM recebeu.")).to_be_visible(timeout=8000)
    expect(page.locator("#announcer")).to_have_text("Entregue: o seu CRM recebeu.")  # a screen reader hears it too
    expect(page.get_by_role("button", name="Copiar", exact=True).first).to_be_focused()
