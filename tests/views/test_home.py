"""The first page answers one question: does the CRM know what we know?"""

import re
from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from portal import clock
from portal.database.db import db
from portal.deliveries import log
from portal.models import Attempt
from tests.conftest import URL
from tests.deliveries.test_edges import settle
from tests.factories import (
    classify_contact,
    do_tasks,
    endpoint_of,
    make_company,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
    save,
    send_test,
    set_url,
)


def test_a_new_company_is_led_to_its_first_steps(admin):
    page = admin.get("/").text
    assert "Ainda não: falta dizer para onde enviar." in page
    assert 'href="/webhook"' in page
    assert 'href="/contacts/new"' in page


def test_first_steps_tick_themselves_off_in_place_of_zeros(admin, company, receiver):
    def done(page):
        return re.findall(r"<h3>([^<]+)<span[^>]*> \(feito\)", page)

    page = admin.get("/").text
    assert "Primeiros passos" in page
    assert "number-value" not in page
    assert done(page) == []
    set_url(company, receiver.url)
    assert done(admin.get("/").text) == ["Diga para onde enviar"]
    send_test(company)
    contact = make_contact(company)
    assert len(done(admin.get("/").text)) == 3
    delivery = make_delivery(contact)  # from now on there is something to count
    assert "number-value" in admin.get("/").text
    mark_delivered(delivery)
    page = admin.get("/").text
    assert "Primeiros passos" not in page
    assert "number-value" in page


def test_a_contact_that_came_with_its_level_is_classified(admin, member, company, receiver):
    save(company, {"contact": {"name": "Ana", "interest_level": 3}})
    set_url(company, receiver.url)
    page = " ".join(admin.get("/").text.split())
    assert re.search(r"<h3>Classifique o primeiro contato<span[^>]*> \(feito\)", page)
    assert "O portal não o envia sozinho: é preciso agir." in page
    assert "Quem faz isto é um administrador" not in page
    assert "Quem faz isto é um administrador" in member.get("/").text


def test_what_only_waits_its_turn_is_under_way_and_what_failed_once_has_not_arrived(admin, company):
    set_url(company, URL)
    deliveries = [make_delivery(make_contact(company), 3) for _ in range(2)]
    page = " ".join(admin.get("/").text.split())
    assert "2 contatos estão a caminho do seu CRM." in page
    assert "O portal está enviando." in page
    settle(deliveries[0], "pending", "server_error", status_code=500, request_sent=True)
    page = " ".join(admin.get("/").text.split())
    assert "2 contatos não chegaram ao seu CRM." in page
    assert "O portal continua tentando sozinho." in page
    endpoint_of(company).state = "paused"
    db.session.commit()
    assert "a caminho" not in admin.get("/").text


def test_a_test_that_failed_is_no_step(admin, company):
    set_url(company, "http://127.0.0.1:9999/hook")
    send_test(company)
    assert admin.get("/").text.count("(feito)") == 1


def test_a_member_is_not_sent_to_settings(member):
    assert 'href="/webhook"' not in member.get("/").text


def test_what_waits_and_what_failed_is_said_with_its_impact(admin, company, receiver):
    set_url(company, receiver.url)
    make_delivery(make_contact(company), level=3).status = "failed"
    make_delivery(make_contact(company), level=1)
    page = " ".join(admin.get("/").text.split())
    assert "2 contatos não chegaram ao seu CRM." in page
    assert "1 é de nível alto." in page
    assert "1 precisa de alguém: o portal não o envia sozinho." in page
    assert 'href="/sync"' in page
    assert "Ver o que falhou" in page


def test_why_it_did_not_arrive_and_what_to_do_stand_on_the_first_page(admin, company, receiver):
    set_url(company, receiver.url)
    make_attempt(make_delivery(make_contact(company)), "client_error", status_code=404, status="failed")
    for _ in range(2):
        waiting = make_delivery(make_contact(company))
        waiting.next_attempt_at = clock.utcnow() + timedelta(hours=2, minutes=1)
        make_attempt(waiting, "timeout", status="pending")
    page = words_of(admin.get("/").text)
    failed, waits = page.index("Recusada pelo destino HTTP 404"), page.index("2 contatos próxima tentativa em 2 horas")
    assert failed < page.index("Não existe nada nesta URL neste momento.") < waits
    assert "1 contato sem novas tentativas" in page


def make_attempt(delivery, reason, *, status, status_code=None):
    """The delivery's try, just made, and what became of the delivery."""
    delivery.status, delivery.reason = status, reason
    delivery.attempts.append(
        Attempt(
            number=1,
            trigger="classification",
            started_at=clock.utcnow(),
            url="https://crm.example",
            reason=reason,
            status_code=status_code,
        )
    )
    db.session.commit()


def words_of(html):
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_when_everything_arrived_the_answer_is_yes(admin, company, receiver):
    set_url(company, receiver.url)
    mark_delivered(make_delivery(make_contact(company)))
    assert "Sim. Tudo o que foi classificado chegou." in admin.get("/").text


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("failing", "O portal continua tentando sozinho."),
        ("paused", "O envio está em pausa até que um administrador o retome."),
    ],
)
def test_the_answer_is_not_yes_while_something_waits(admin, company, receiver, state, words):
    set_url(company, receiver.url)
    delivery = mark_delivered(make_delivery(make_contact(company)))
    for queued in ("pending", "sending"):
        delivery.status, endpoint_of(company).state = queued, state
        db.session.commit()
        home = admin.get("/").text
        assert "Sim" not in home
        assert words_of(home).count("Todos os níveis chegaram, mas 1 entrega ainda está na fila. " + words) == 1
        assert re.search(rf"/deliveries\?status={queued}[^>]*>Ver o que está na fila", home)


def test_beside_a_warning_too_not_all_is_said_to_have_arrived_while_something_waits(admin, company, receiver):
    set_url(company, receiver.url)
    mark_delivered(make_delivery(make_contact(company)), warning="error_words")
    mark_delivered(make_delivery(make_contact(company))).status = "pending"
    db.session.commit()
    home = admin.get("/").text
    assert "Todos os níveis chegaram, mas 1 contato foi recebido com aviso." in home
    assert "Tudo" not in home


def test_a_failure_that_a_newer_delivery_made_good_counts_no_more(admin, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    make_delivery(contact, level=1).status = "failed"
    mark_delivered(make_delivery(contact, level=2))
    assert "Sim." in admin.get("/").text


def test_the_page_speaks_of_the_own_company_only(company, receiver, person):
    set_url(company, receiver.url)
    make_delivery(make_contact(company)).status = "failed"
    other = make_company("Vizinha", url=receiver.url)
    db.session.commit()
    assert "não há nada a enviar" in person(make_user(other)).get("/").text


def test_the_days_are_shown_with_a_table(member, company, receiver):
    set_url(company, receiver.url)
    assert "chart-plot" not in member.get("/").text
    mark_delivered(make_delivery(make_contact(company)))
    make_delivery(make_contact(company)).status = "failed"
    db.session.commit()
    page = member.get("/").text
    assert 'aria-label="Entregas por dia: 1 entregue, 1 falhou"' in page
    assert "Ver em números" in page
    day = f"{clock.utcnow().astimezone(ZoneInfo('America/Sao_Paulo')):%Y-%m-%d}"
    assert f"/deliveries?since={day}&amp;until={day}" in page
    assert page.index("resposta") < page.index("chart-plot")


def test_days_that_the_log_forgot_or_the_filter_leaves_out_are_not_drawn_as_days_of_zero(member, company):
    set_url(company, URL)
    mark_delivered(make_delivery(make_contact(company)))
    company.keep_bodies_days = company.keep_log_days = 7
    db.session.commit()
    assert "Entregas nos últimos 7 dias" in member.get("/").text
    today = clock.utcnow().astimezone(ZoneInfo("America/Sao_Paulo")).date()
    page = member.get(f"/deliveries?since={today - timedelta(days=2)}").text
    assert page.count('class="chart-day"') == 3


@pytest.mark.parametrize(
    ("looked_at", "columns", "said"),
    [(2, 1, "mostra só os dias que cabem inteiros"), (0, 0, "Sem gráfico por dia"), (9, 30, "")],
)
def test_the_chart_says_which_days_are_more_than_it_looks_at(member, company, monkeypatch, looked_at, columns, said):
    set_url(company, URL)
    for days in (1, 1, 0):
        delivery = mark_delivered(make_delivery(make_contact(company)))
        delivery.created_at = clock.utcnow() - timedelta(days=days)
    db.session.commit()
    monkeypatch.setattr(log, "CHART_CAP", looked_at)
    for page in (member.get("/").text, member.get("/deliveries").text):
        assert page.count('class="chart-day"') == columns
        assert ("gráfico olha" in page or "Sem gráfico" in page) is bool(said)
        assert said in page


def test_data_of_before_is_said_where_every_level_arrived_and_is_sent_from_there(admin, member, company, receiver):
    set_url(company, receiver.url)
    contacts = [make_contact(company) for _ in range(3)]
    for contact in contacts:
        mark_delivered(make_delivery(contact, 3))
    for contact in contacts[:2]:
        save(company, {"contact": {"id": contact.id, "role": "Sócia"}})
    page = " ".join(admin.get("/").text.split())
    assert "Todos os níveis chegaram, mas o CRM tem os dados de antes de 2 contatos." in page
    assert "Ver 2 contatos com dados de antes" in page
    url = "/sync/contacts?state=data_changed"
    assert f'href="{url}"' in admin.get("/contacts?state=data_changed").text
    assert f'href="{url}"' not in member.get("/contacts?state=data_changed").text
    classify_contact(contacts[0], None)
    page = " ".join(admin.get(url).text.split())
    assert "Enviar os dados atuais de 1 contato?" in page
    assert "Outro não tem nível e não é enviado." in page
    job = admin.post(url, {"newest_id": "99"}).location
    do_tasks()
    assert "1 contato está na fila para o CRM." in admin.get(job).text
    assert "Contatos sem nível não são enviados" not in admin.get(url).text
    assert "Um contato sem nível não é enviado." in admin.get(url).text
