"""The delivery log: listed, searched, shown in full, sent again."""

import json
from urllib.parse import parse_qsl, urlencode

import pytest

from portal.database.db import db
from portal.deliveries import filtering
from portal.models import Attempt, AuditEntry, Delivery, Task
from portal.views.deliveries import MAX_LIVE
from tests.conftest import running_worker
from tests.factories import NOON, attempt_of, classify_contact, forget_body, make_contact, make_delivery, save, set_url


@pytest.fixture
def delivery(company, receiver) -> Delivery:
    set_url(company, receiver.url)
    return make_delivery(make_contact(company, name="Ana Souza", linkedin_public_id="ana-souza"))


def test_an_empty_log_promises_nothing_without_an_address(admin, member, company, receiver):
    page = admin.get("/deliveries").text
    assert "Nada é enviado até que haja uma URL de destino." in page
    assert "Configurar o webhook" in page
    assert "Configurar o webhook" not in member.get("/deliveries").text
    assert "Nada é enviado até que haja uma URL de destino." in member.get("/").text
    set_url(company, receiver.url)
    assert "Classifique um contato: a entrega aparece aqui" in member.get("/deliveries").text


def test_a_delivery_that_left_the_filter_s_state_is_one_step_away(member, delivery):
    page = member.get("/deliveries?status=failed&search=souza").text
    assert '<a class="btn btn-primary" href="/deliveries?search=souza">Ver em todos os estados</a>' in page
    assert "Ver em todos os estados" not in member.get("/deliveries?status=failed").text
    assert "Ver em todos os estados" not in member.get("/deliveries?status=failed&search=ninguem").text


def settle_as(delivery: Delivery, status: str, reason: str, **facts) -> Attempt:
    """The delivery after one attempt with this outcome."""
    attempt = attempt_of(
        delivery,
        number=1,
        trigger=delivery.trigger,
        started_at=NOON,
        duration_ms=42,
        url="https://crm.example/hook",
        reason=reason,
        request_headers=[["webhook-signature", "v1,c2VjcmV0LXNpZ25hdHVyZQ=="], ["Content-Type", "application/json"]],
        **facts,
    )
    delivery.status, delivery.reason, delivery.attempt_count, delivery.tries = status, reason, 1, 1
    delivery.delivered_at = NOON if status == "delivered" else None
    db.session.add(attempt)
    db.session.commit()
    return attempt


def url_of(delivery: Delivery, suffix: str = "") -> str:
    return f"/deliveries/{delivery.webhook_id}{suffix}"


@pytest.mark.parametrize(("tries", "said"), [(0, "Cancelada: não será enviada."), (1, "não será enviada de novo.")])
def test_a_cancelled_delivery_that_had_left_is_not_called_unsent(member, delivery, tries, said):
    delivery.status, delivery.attempt_count = "cancelled", tries
    db.session.commit()
    assert said in member.get(url_of(delivery)).text
    page = member.get("/deliveries").text
    assert '<span class="text-secondary">Sem resposta</span>' in page
    assert "Ainda sem resposta" not in page


def test_what_came_too_late_for_a_cancelled_delivery_is_told_in_its_row(member, delivery):
    delivery.status, delivery.attempt_count = "cancelled", 1
    facts = {"number": 1, "trigger": "classification", "started_at": NOON, "url": "http://127.0.0.1:9999/hook"}
    db.session.add(attempt_of(delivery, reason="ok_text", status_code=200, late=True, **facts))
    db.session.commit()
    page = member.get("/deliveries").text
    assert "<span>Recebida, resposta em texto</span>" in page
    assert "Sem resposta</span>" not in page


def test_the_list_shows_the_newest_first(member, company, delivery):
    newer = make_delivery(make_contact(company, name="Bia"))
    page = member.get("/deliveries").text
    assert page.index(newer.webhook_id) < page.index(delivery.webhook_id)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("status=failed", True),
        ("status=delivered", False),
        ("level=2", True),
        ("level=3", False),
        ("reason=server_error", True),
        ("reason=timeout", False),
        ("trigger=classification", True),
        ("trigger=test", False),
        ("search=SOUZA", True),
        ("search=ana-souza", True),
        ("search=other", False),
        ("search=%25", False),
        ("since=2001-01-01", True),
        ("until=2001-01-01", False),
        ("since=9999-12-31&until=9999-12-31", False),
        ("campaign=1", True),
        ("campaign=Geral", True),
        ("contact=1", True),
    ],
)
def test_the_list_is_filtered_by_its_address(member, delivery, query, found):
    settle_as(delivery, "failed", "server_error", status_code=500)
    assert (delivery.webhook_id in member.get(f"/deliveries?{query}").text) == found


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("status=nonsense", "Estado: “nonsense”"),
        ("level=4", "Nível: “4”"),
        ("level=none", "Nível: “none”"),
        ("reason=bad", "Resultado: “bad”"),
        ("trigger=me", "Origem: “me”"),
        ("contact=x", "Contato: “x”"),
        ("campaign=2", "Campanha: “2”"),
        (f"campaign={'9' * 60}", f"Campanha: “{'9' * 37}...”"),
        ("owner=99", "Responsável: “99”"),
        ("since=yesterday&until=2026-02-30", "De: “yesterday”; Até: “2026-02-30”"),
    ],
)
def test_what_does_not_exist_is_said_and_matches_nothing(admin, delivery, query, said):
    settle_as(delivery, "failed", "server_error", status_code=500)
    page = admin.get(f"/deliveries?{query}").text
    assert said in page
    assert delivery.webhook_id not in page
    assert f"than={delivery.id}" not in page
    for act in (admin.get, admin.post):
        answer = act(f"/deliveries/resend?{query}")
        assert (answer.status_code, answer.location) == (303, f"/deliveries?{urlencode(parse_qsl(query))}")
    assert admin.get(f"/deliveries.csv?{query}").status_code == 303
    assert (
        db.session.query(Task).count()
        == db.session.query(AuditEntry).filter_by(action="deliveries.exported").count()
        == 0
    )


def test_a_delivery_is_found_by_its_id(member, company, delivery):
    other = make_delivery(make_contact(company))
    page = member.get(f"/deliveries?search={delivery.webhook_id}").text
    assert url_of(delivery) in page
    assert url_of(other) not in page


def test_the_tabs_count_what_is_in_each_state(member, company, delivery):
    settle_as(delivery, "failed", "timeout")
    make_delivery(make_contact(company))
    page = " ".join(member.get("/deliveries").text.split())
    assert 'Falharam<span class="tabs-count">1</span>' in page
    assert 'Aguardando<span class="tabs-count">1</span>' in page


def test_tests_have_a_tab_of_their_own_and_count_nowhere_else(admin, company, delivery):
    test = make_delivery(make_contact(company, name="Teste do webhook"))
    test.trigger = "test"
    settle_as(test, "failed", "timeout")
    for url in (
        "/",
        "/deliveries",
        "/deliveries?status=failed",
        "/deliveries.csv",
        f"/deliveries/news?than={delivery.id}",
    ):
        page = " ".join(admin.get(url).text.split())
        assert test.webhook_id not in page, url
        assert 'Falharam<span class="tabs-count">1' not in page
        assert "1 nova" not in page
    page = " ".join(admin.get("/deliveries?trigger=test").text.split())
    assert '<a href="/deliveries?trigger=test" class="is-here" aria-current="page">Testes</a>' in page
    assert url_of(test) in page
    assert url_of(delivery) not in page
    assert 'Aguardando<span class="tabs-count">1</span>' in page
    assert '<a href="/deliveries?status=pending">' in page
    assert "que correspond" not in page


@pytest.mark.parametrize("few", [0, 500])
def test_a_search_finds_the_same_whether_it_finds_few_contacts_or_many(member, company, delivery, monkeypatch, few):
    monkeypatch.setattr(filtering, "FEW", few)
    other = make_delivery(make_contact(company, name="Bia Lima"))
    page = member.get("/deliveries?search=souza").text
    assert url_of(delivery) in page
    assert url_of(other) not in page
    assert url_of(delivery) not in member.get("/deliveries?search=nobody").text


def test_the_tabs_count_what_the_filter_leaves(member, company, delivery):
    settle_as(delivery, "failed", "timeout")
    settle_as(make_delivery(make_contact(company), level=3), "failed", "timeout")
    page = " ".join(member.get("/deliveries?level=3&status=delivered").text.split())
    assert 'Falharam<span class="tabs-count">1</span>' in page
    assert 'Entregues<span class="tabs-count">0</span>' in page


def test_long_logs_go_on_where_the_last_page_ended(member, company, delivery):
    contact = make_contact(company)
    for number in range(30):
        classify_contact(contact, number % 3 + 1)
    ids = [row.webhook_id for row in db.session.query(Delivery).order_by(Delivery.id.desc())]
    cursor = db.session.query(Delivery).filter_by(webhook_id=ids[19]).one().id
    second = member.get(f"/deliveries?cursor={cursor}").text
    assert f'{ids[19]}"' not in second
    assert f'{ids[20]}"' in second
    assert f'{ids[-1]}"' in second


@pytest.mark.parametrize("cursor", ["x", "-1", "²", "9" * 30])
def test_a_strange_cursor_is_refused(member, cursor):
    assert member.get("/deliveries", query_string={"cursor": cursor}).status_code == 400


def test_a_delivery_says_first_whether_it_arrived(member, delivery):
    settle_as(delivery, "delivered", "ok_text", status_code=200, response_body=b"OK", response_size=2)
    page = member.get(url_of(delivery)).text
    assert "Entregue: o seu CRM recebeu." in page
    assert page.index("Entregue: o seu CRM recebeu.") < page.index("O que foi enviado")
    assert "42 ms" in page


def test_the_signature_is_masked_and_the_rest_is_shown(member, delivery):
    settle_as(delivery, "delivered", "ok_empty", status_code=200)
    page = member.get(url_of(delivery)).text
    assert "v1,c2Vjc…" in page
    assert "c2VjcmV0LXNpZ25hdHVyZQ" not in page
    assert json.loads(delivery.body)["contact"]["linkedin_public_id"] in page


def test_what_the_receiver_answered_stays_text(member, delivery):
    body = b"<script>alert(1)</script>\x00\x1b[31m\xe2\x80\xaeabc\xff"
    settle_as(delivery, "failed", "html_page", status_code=200, response_body=body, response_size=99_999,
              response_headers=[["X-Evil", "<img src=x onerror=alert(1)>"]])  # fmt: skip
    page = member.get(url_of(delivery)).text
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "\\u0000\\u001b[31m\\u202eabc\ufffd" in page
    assert "16 KiB" in page


def test_a_delivery_on_its_way_looks_for_news_and_a_settled_one_does_not(member, delivery):
    assert 'hx-trigger="every 2s"' in member.get(url_of(delivery)).text
    settle_as(delivery, "delivered", "ok_empty", status_code=200)
    assert "every 2s" not in member.get(url_of(delivery)).text


def test_a_delivery_names_the_others_of_its_contact_and_not_itself(member, delivery):
    assert "Outras entregas deste contato" not in member.get(url_of(delivery)).text
    other = make_delivery(delivery.contact, level=3)
    page = member.get(url_of(delivery)).text.partition("Outras entregas deste contato")[2]
    assert (other.webhook_id in page, f'/deliveries/{delivery.webhook_id}"' in page) == (True, False)


def test_the_rows_of_the_list_are_told_the_news(member, delivery):
    assert f"id={delivery.webhook_id}" in member.get("/deliveries").text
    settle_as(delivery, "delivered", "ok_empty", status_code=200)
    news = member.get(f"/deliveries/live?id={delivery.webhook_id}&left=9").text
    assert f'id="status-{delivery.webhook_id}" hx-swap-oob="true"' in news
    assert "Entregue" in news
    assert "hx-get" not in news
    asked = "&".join(["id=x"] * (MAX_LIVE - 1))
    for more, is_told in (("", True), ("&id=x", False)):
        news = member.get(f"/deliveries/live?{asked}{more}&id={delivery.webhook_id}").text
        assert (delivery.webhook_id in news) is is_told


def test_the_list_tells_of_newer_deliveries_that_match_and_moves_none(member, company, delivery):
    assert f"/deliveries/news?than={delivery.id}&amp;left=240" in member.get("/deliveries").text
    asked = f"/deliveries/news?than={delivery.id}&left=5"
    assert "mostrar" not in member.get(asked).text
    make_delivery(make_contact(company), level=3)
    assert "1 nova: mostrar" in member.get(asked).text
    assert "mostrar" not in member.get(f"{asked}&level=1").text
    assert "hx-get" not in member.get(f"/deliveries/news?than={delivery.id}&left=1").text


def test_an_admin_sends_a_failed_delivery_again(app, admin, delivery, receiver):
    settle_as(delivery, "failed", "server_error", status_code=500)
    answer = admin.post(url_of(delivery, "/resend"), {"seen_attempts": "1"})
    assert (answer.status_code, answer.location) == (303, url_of(delivery))
    db.session.commit()
    with running_worker(app):
        assert receiver.wait_for(1)
    assert receiver.received[0].body == delivery.body
    entry = db.session.query(AuditEntry).filter_by(action="delivery.resent").one()
    assert (entry.actor, entry.subject) == (admin.email, delivery.webhook_id)


def test_a_double_click_sends_once(admin, delivery):
    settle_as(delivery, "failed", "timeout")
    for _ in range(2):
        admin.post(url_of(delivery, "/resend"), {"seen_attempts": "1"})
    assert db.session.query(AuditEntry).filter_by(action="delivery.resent").count() == 1
    assert "nada foi repetido" in admin.get("/").text


def test_what_was_taken_with_a_warning_has_the_sign_of_one(admin, delivery):
    settle_as(delivery, "delivered", "ok_text", status_code=200, warning="error_words")
    db.session.commit()
    page = admin.get(url_of(delivery)).text
    assert '<div class="answer tone-warn">' in page
    assert "Respondeu 200, com um aviso" in page


def test_what_is_being_sent_is_said_to_be(admin, delivery):
    delivery.status = "sending"
    db.session.commit()
    admin.post(url_of(delivery, "/resend"))
    assert "Esta entrega já está sendo enviada." in admin.get("/").text


@pytest.mark.parametrize(("status", "words"), [("delivered", "registro repetido"), ("superseded", "voltar atrás")])
def test_what_sending_again_would_do_is_said_first(admin, delivery, status, words):
    settle_as(delivery, status, "ok_empty")
    answer = admin.post(url_of(delivery, "/resend"), {"seen_attempts": "1"})
    assert answer.location == url_of(delivery, "/resend")
    assert words in admin.get(answer.location).text
    db.session.refresh(delivery)
    assert delivery.status == status
    admin.post(answer.location, {"seen_attempts": "1", "confirmed": "yes"})
    db.session.refresh(delivery)
    assert delivery.status == "pending"


def test_members_are_offered_no_resend(member, delivery):
    settle_as(delivery, "failed", "timeout")
    assert "Reenviar" not in member.get(url_of(delivery)).text


def test_a_test_is_never_sent_again(admin, delivery):
    settle_as(delivery, "failed", "timeout")
    delivery.trigger = "test"
    db.session.commit()
    assert "/resend" not in admin.get(url_of(delivery)).text
    assert "não é reenviada" in admin.get(admin.post(url_of(delivery, "/resend")).location).text


def test_an_unknown_delivery_is_not_found(member):
    assert member.get("/deliveries/msg_unknown").status_code == 404


def test_a_delivery_whose_contact_was_erased_shows_what_is_known(admin, delivery):
    settle_as(delivery, "failed", "timeout")
    forget_body(delivery)
    delivery.contact_id = None
    db.session.commit()
    page = admin.get(url_of(delivery)).text
    for words in ("Contato apagado", "Os dados deste contato foram apagados.", "<strong>Geral</strong>", "Médio"):
        assert words in page
    assert "Ana Souza" not in page
    assert "não pode ser reenviada" in page
    assert "/resend" not in page


def test_a_long_body_is_fetched_when_it_is_asked_for(admin, company, receiver, app):
    set_url(company, receiver.url)
    contact = save(company, {"contact": {"name": "Ana"}, "messages": [message(number) for number in range(2000)]})
    webhook_id = make_delivery(contact, 2).webhook_id
    with running_worker(app):
        assert receiver.wait_for(1)
    page = admin.get(f"/deliveries/{webhook_id}")
    assert len(page.data) < 300_000
    assert f'hx-get="/deliveries/{webhook_id}/body?attempt=1"' in page.text
    assert admin.get(f"/deliveries/{webhook_id}/body").data == receiver.received[0].body
    part = admin.get(f"/deliveries/{webhook_id}/body?attempt=1", headers={"HX-Request": "true"}).text
    assert "&lt;b&gt; 1999" in part
    assert "<b>" not in part


def message(number: int) -> dict[str, object]:
    return {"sender_name": "Ana", "message": f"<b> {number} {'x' * 80}"}


def test_an_erased_person_s_delivery_says_erased_and_not_retention(admin, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    webhook_id = make_delivery(contact, 2).webhook_id
    admin.post(f"/contacts/{contact.id}/erase")
    text = admin.get(f"/deliveries/{webhook_id}").text + admin.get(f"/deliveries/{webhook_id}/support.txt").text
    assert "foi apagado com os dados da pessoa" in text
    assert "retenção" not in text
    answer = admin.post(f"/deliveries/{webhook_id}/resend", {"seen_attempts": "0"}, follow_redirects=True)
    assert "Os dados desta pessoa foram apagados a pedido" in answer.text
