"""The webhook's settings: the address, its test, its secret."""

import re
from datetime import timedelta

import pytest

from portal import clock
from portal.database.db import db
from portal.demo.server import Reply
from portal.models import Attempt, AuditEntry, Delivery
from portal.working_models import WorkerHeartbeat
from tests.conftest import URL
from tests.factories import endpoint_of, make_contact, make_delivery, mark_delivered, secret_of, set_url

REFUSED = ["http://169.254.169.254/", "ftp://crm.example/", "javascript:alert(1)", "http://user:pass@crm.example/", "x"]


def test_an_address_is_saved_and_written_in_the_audit_log(admin, company, receiver):
    assert admin.post("/webhook", {"url": f"  {receiver.url}#top "}).status_code == 303
    assert endpoint_of(company).url == receiver.url
    entry = db.session.query(AuditEntry).filter_by(action="webhook.url_set").one()
    assert (entry.actor, entry.subject) == (admin.email, receiver.url)
    assert receiver.url in admin.get("/webhook").text


def test_however_much_there_is_to_say_of_one_act_there_is_one_notice_for_each_tone(admin, company, receiver):
    key = {"header_kind": "bearer", "header_value": "abc"}
    admin.post("/webhook", {"url": receiver.url, **key})
    mark_delivered(make_delivery(make_contact(company), 3))
    admin.post("/webhook/pause")
    admin.get("/webhook")
    page = admin.post("/webhook", {"url": "https://missing.invalid/hook"}, follow_redirects=True).text
    said = page.partition('id="flashes"')[2].partition('class="page-head"')[0]
    sentences = (
        "URL salva.",
        "continua em pausa",
        "ainda não foi encontrado",
        "não vai para este",
        "Quem estava em dia",
    )
    assert [words for words in sentences if words not in said] == []
    assert said.count('class="notice ') == 2


@pytest.mark.parametrize("url", ["", *REFUSED])
@pytest.mark.parametrize("action", ["/webhook", "/webhook/test"])
def test_a_refused_address_is_explained_at_its_field_and_kept_there(admin, company, url, action):
    answer = admin.post(action, {"url": url})
    assert answer.status_code == 422
    assert 'id="url-error"' in answer.text
    assert f'value="{url}"' in answer.text
    assert endpoint_of(company).url is None
    assert db.session.query(Delivery).count() == 0


def test_the_test_goes_to_what_is_in_the_field_and_saves_nothing(admin, company, receiver):
    answer = admin.post("/webhook/test", {"url": receiver.url})
    assert answer.status_code == 303
    page = admin.get(answer.location).text
    assert "O teste deu certo." in page
    assert f'value="{receiver.url}"' in page
    assert endpoint_of(company).url is None
    assert b'"name":"Contato Teste"' in receiver.received[0].body


def test_the_test_shows_what_came_back_and_what_was_sent(admin, receiver):
    receiver.reply = Reply(500, b"<b>Fatal error</b>: no such table", "text/html; charset=utf-8")
    page = admin.get(admin.post("/webhook/test", {"url": receiver.url}).location).text
    for words in ("O teste não deu certo.", "500", "&lt;b&gt;Fatal error", "text/html; charset=utf-8", "webhook-id"):
        assert words in page
    assert "Contato Teste" in page


def test_a_test_is_in_the_log_marked_as_one(admin, receiver):
    admin.post("/webhook/test", {"url": receiver.url})
    assert db.session.query(Delivery).one().trigger == "test"
    assert "Teste" in admin.get("/deliveries").text


def test_tests_are_limited_to_some_a_minute(admin, receiver, monkeypatch):
    monkeypatch.setattr("portal.company.asking.MAX_A_MINUTE", 10)
    statuses = [admin.post("/webhook/test", {"url": receiver.url}).status_code for _ in range(11)]
    assert statuses == [303] * 10 + [429]
    assert len(receiver.received) == 10


def test_a_test_of_another_company_is_not_shown(admin, stranger, receiver):
    location = stranger.post("/webhook/test", {"url": receiver.url}).location
    assert "O teste deu certo." not in admin.get(location).text


def test_another_crm_is_asked_about_where_somebody_is_in_sync(admin, company):
    box = 'name="other_crm" value="yes"'
    set_url(company, URL)
    assert box not in admin.get("/webhook").text
    contact = make_contact(company)
    mark_delivered(make_delivery(contact))
    db.session.commit()
    assert f"{box} aria" in admin.get("/webhook").text
    assert f"{box} checked" in admin.post("/webhook", {"url": "x", "other_crm": "yes"}).text
    page = admin.get(admin.post("/webhook", {"url": f"{URL}/2"}).location).text
    assert "Quem estava em dia continua contado assim" in page
    assert "Em dia" in admin.get(f"/contacts/{contact.id}").text
    page = admin.get(admin.post("/webhook", {"url": f"{URL}/2", "other_crm": "yes"}).location).text
    assert "O seu CRM não sabe o nível de 1 contato." in page
    assert "Quem estava em dia" not in page
    assert "Desatualizado" in admin.get(f"/contacts/{contact.id}").text
    assert "Disse que o webhook leva a outro CRM" in admin.get("/audit").text


def test_deliveries_that_wait_may_be_cancelled_with_a_new_address(admin, company, receiver):
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company))
    assert "1 entrega está na fila" in admin.get("/webhook").text
    admin.post("/webhook", {"url": receiver.url + "new", "waiting": "cancel"})
    db.session.refresh(delivery)
    assert delivery.status == "cancelled"
    assert "para este endereço. 1 entrega cancelada." in admin.get("/").text


def test_what_was_chosen_for_what_waits_stays_chosen_where_the_url_is_refused(admin, company):
    set_url(company, URL)
    make_delivery(make_contact(company))
    for path, chosen in (("/webhook", "cancel"), ("/webhook/test", "cancel"), ("/webhook/test", "send")):
        page = admin.post(path, {"url": "not a url", "waiting": chosen}).text
        assert re.findall(r'name="waiting" value="(\w+)" checked', page) == [chosen]


def test_deliveries_that_wait_go_to_the_new_address_by_default(admin, company, receiver):
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company))
    admin.post("/webhook", {"url": receiver.url + "new"})
    db.session.refresh(delivery)
    assert delivery.status == "pending"


def test_removing_the_address_cancels_what_waits(admin, company, receiver):
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company))
    admin.post("/webhook/remove")
    db.session.refresh(delivery)
    assert (endpoint_of(company).url, delivery.status) == (None, "cancelled")
    assert "1 entrega cancelada." in admin.get("/").text


def test_the_secret_is_shown_on_request_only_and_that_is_written_down(admin, company):
    secret = secret_of(company)
    assert secret not in admin.get("/webhook").text
    assert secret in admin.post("/webhook/secret").text
    entry = db.session.query(AuditEntry).filter_by(action="webhook.secret_shown").one()
    assert secret not in str((entry.subject, entry.actor))


def test_a_new_secret_is_shown_once_and_the_old_one_signs_too_for_a_day(admin, company):
    old = secret_of(company)
    page = admin.post("/webhook/secret", {"rotate": "yes"}).text
    new = secret_of(company)
    assert new in page
    assert old not in page
    assert "O segredo anterior também assina até" in page
    later = admin.get("/webhook").text
    assert "O segredo anterior também assina até" in later
    assert new not in later


def test_a_pause_is_said_on_every_page_until_sending_is_resumed(admin, member, company, receiver):
    set_url(company, receiver.url)
    admin.post("/webhook/pause")
    assert endpoint_of(company).state == "paused"
    for url in ("/", "/contacts", "/deliveries"):
        assert "O envio ao CRM está em pausa." in member.get(url).text
    resumed = admin.post("/webhook/resume", follow_redirects=True).text
    assert endpoint_of(company).state == "active"
    assert "foi retomado, o nível alto primeiro. O processo que envia está parado" in resumed
    assert "em pausa" not in member.get("/contacts").text


def test_sending_is_resumed_only_when_a_test_arrives(admin, company, receiver):
    set_url(company, receiver.url)
    admin.post("/webhook/pause")
    receiver.reply = Reply(500, b"still broken")
    page = admin.get(admin.post("/webhook/resume").location).text
    assert endpoint_of(company).state == "paused"
    assert "O envio continua como estava." in page
    assert "still broken" in page
    assert page.count("O teste não deu certo") == page.count("o problema está do lado dele") == 1, "it is said once"


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("failing", None, "O seu CRM não está recebendo nada."),
        ("paused", "gone", "Endereço desativado (410)"),
        ("paused", "outage", "O portal parou de enviar ao CRM: três dias seguidos só com falhas."),
        ("paused", "restored", "O portal foi restaurado de uma cópia de segurança"),
    ],
)
def test_trouble_is_said_on_every_page(member, company, receiver, state, reason, words):
    set_url(company, receiver.url)
    endpoint = endpoint_of(company)
    endpoint.state, endpoint.paused_reason = state, reason
    page = member.get("/contacts").text
    assert words in page
    assert "Ver o que fazer" not in page


def test_a_worker_that_is_gone_is_said_on_every_page_once_something_lies_there(member, company, receiver):
    words = "O portal não está enviando: o processo que envia está parado."
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company), 3)
    assert words not in member.get("/contacts").text, "it has just been made"
    delivery.next_attempt_at = clock.utcnow() - timedelta(seconds=61)
    db.session.commit()
    assert words in member.get("/contacts").text
    db.session.add(WorkerHeartbeat(worker="w", seen_at=clock.utcnow()))
    db.session.commit()
    assert words not in member.get("/contacts").text


def test_no_worker_is_missed_where_nothing_of_the_readers_company_waits(member, company, stranger, receiver):
    set_url(company, receiver.url)
    make_delivery(make_contact(company), 3).next_attempt_at = clock.utcnow() - timedelta(hours=1)
    db.session.commit()
    assert "está parado" not in stranger.get("/contacts").text
    assert "está parado" in member.get("/contacts").text


def test_trouble_is_said_with_its_impact(member, company, receiver):
    set_url(company, receiver.url)
    endpoint_of(company).state = "failing"
    make_delivery(make_contact(company), 1)
    assert "1 contato não chegou ao seu CRM." in member.get("/contacts").text
    for level in (2, 3, 3):
        make_delivery(make_contact(company), level)
    assert "2 contatos de nível alto não chegaram ao seu CRM." in member.get("/deliveries").text
    assert "2 contatos de nível alto" not in member.get("/").text  # there the answer says it


TYPED = {"header_kind": "other", "header_name": "X-Api-Key", "header_value": "s3cr3t-0123456789"}


def test_a_header_is_saved_with_the_address_and_its_value_is_shown_nowhere(admin, company, receiver):
    admin.post("/webhook", {"url": receiver.url, **TYPED})
    admin.post("/webhook/test", {"url": receiver.url, "header_kind": "saved"})
    assert receiver.received[0].headers["X-Api-Key"] == TYPED["header_value"]
    test = db.session.query(Delivery).one().webhook_id
    pages = ("/webhook", f"/webhook?test={test}", f"/deliveries/{test}", f"/deliveries/{test}/support.txt", "/audit")
    for url in pages:
        text = admin.get(url).text
        assert "X-Api-Key" in text
        assert TYPED["header_value"] not in text
    assert "X-Api-Key: …" in admin.get(f"/webhook?test={test}").text  # in the command to copy
    assert "Content-Type: application/json" in admin.get(f"/deliveries/{test}/support.txt").text


def test_a_pair_is_sent_as_basic_authentication_and_a_token_as_bearer(admin, receiver):
    pair = {"header_kind": "basic", "header_user": "ana", "header_value": "senha"}
    admin.post("/webhook/test", {"url": receiver.url, **pair})
    admin.post("/webhook/test", {"url": receiver.url, "header_kind": "bearer", "header_value": "abc"})
    sent = [received.headers["Authorization"] for received in receiver.received]
    assert sent == ["Basic YW5hOnNlbmhh", "Bearer abc"]


def test_what_was_typed_for_a_test_is_asked_for_again_before_it_is_saved(admin, company, receiver):
    page = admin.get(admin.post("/webhook/test", {"url": receiver.url, **TYPED}).location).text
    assert '<option selected value="other">' in page
    assert TYPED["header_value"] not in page
    answer = admin.post("/webhook", {"url": receiver.url, **TYPED, "header_value": ""})
    assert answer.status_code == 422
    assert 'id="header_value-error"' in answer.text
    assert endpoint_of(company).url is None


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({**TYPED, "header_name": "Host"}, "header_name"),
        ({**TYPED, "header_value": "a\nb"}, "header_value"),
        ({"header_kind": "basic", "header_user": "a:b", "header_value": "x"}, "header_user"),
        ({"header_kind": "bearer", "header_value": " "}, "header_value"),
    ],
)
def test_a_refused_header_is_explained_at_its_field(admin, company, receiver, more, field):
    answer = admin.post("/webhook", {"url": receiver.url, **more})
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert "s3cr3t" not in answer.text
    assert endpoint_of(company).url is None


def test_a_test_of_another_origin_says_that_the_saved_header_did_not_go_along(admin, company, receiver):
    admin.post("/webhook", {"url": receiver.url, **TYPED})
    told = "O cabeçalho X-Api-Key não vai para este endereço"
    for url, is_told in ((receiver.url, False), (receiver.url.replace("127.0.0.1", "localhost"), True)):
        admin.post("/webhook/test", {"url": url, "header_kind": "saved"})
        assert (told in admin.get("/webhook").text) is is_told
        assert ("X-Api-Key" in receiver.received[-1].headers) is not is_told


def test_a_header_is_removed_and_another_origin_says_that_it_is_left_out(admin, company, receiver):
    admin.post("/webhook", {"url": receiver.url, **TYPED})
    admin.post("/webhook", {"url": "http://127.0.0.1:9999/", "header_kind": "saved"})
    assert "O cabeçalho X-Api-Key não vai para este endereço" in admin.get("/webhook").text
    assert endpoint_of(company).header_name is None
    admin.post("/webhook", {"url": receiver.url, **TYPED})
    admin.post("/webhook", {"url": receiver.url, "header_kind": "none"})
    assert (endpoint_of(company).url, endpoint_of(company).header_name) == (receiver.url, None)


def test_the_crm_s_health_is_drawn_once_something_was_tried(admin, company, monkeypatch):
    assert "Saúde do CRM" not in admin.get("/webhook").text
    set_url(company, URL)
    make_delivery(make_contact(company))
    delivery = make_delivery(make_contact(company))
    facts = {"started_at": clock.utcnow(), "duration_ms": 120, "reason": "ok_json", "warning": "error_words"}
    db.session.add(Attempt(delivery_id=delivery.id, number=1, trigger="classification", url=URL, **facts))
    db.session.commit()
    page = admin.get("/webhook").text
    assert "1 tentativa, 1 recebida, 1 com aviso" in page
    assert "De 1 tentativa, 1 foi recebida." in page
    assert page.count(": sem tentativas") == page.count(": sem tempo medido") == 29  # and not 0 of 0, in 0 ms
    assert page.count('<rect class="chart-untried"') == 58
    assert "mediana 120 ms, 95% até 120 ms" in page
    assert "as últimas 5.000 entregas" not in page
    monkeypatch.setattr("portal.deliveries.health.LOOKED_AT", 1)
    assert "as últimas 5.000 entregas" in admin.get("/webhook").text
