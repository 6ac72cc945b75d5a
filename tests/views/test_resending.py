"""Sending many again and bringing the CRM in sync, on pages: said first, done as a job, watched to its result."""

import re

import pytest

from portal.clock import utcnow
from portal.database.db import db
from portal.models import AuditEntry, Delivery, Task
from portal.privacy import closing, retention
from portal.views import job_kinds
from portal.worker import kinds as worker_kinds
from portal.worker.task_runner import TaskRunner
from portal.working_models import WorkerHeartbeat
from tests.conftest import running_worker
from tests.factories import (
    NOON,
    attempt_of,
    endpoint_of,
    forget_body,
    make_contact,
    make_delivery,
    mark_delivered,
    save,
    set_url,
)


@pytest.fixture
def failed(company, receiver) -> list[Delivery]:
    """Three deliveries that failed, of levels 3, 2 and 1."""
    set_url(company, receiver.url)
    return [fail(make_delivery(make_contact(company), level)) for level in (3, 2, 1)]


def fail(delivery: Delivery, *, sent: bool = False) -> Delivery:
    delivery.status, delivery.reason, delivery.attempt_count = "failed", "timeout", 1
    delivery.next_attempt_at = None
    facts = {"trigger": "classification", "started_at": NOON, "url": "https://crm.example/", "reason": "timeout"}
    db.session.add(attempt_of(delivery, number=1, request_sent=sent, **facts))
    db.session.commit()
    return delivery


def text_of(answer) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", answer.text).split())


def run_task() -> None:
    db.session.commit()
    TaskRunner(db.engine, on_due=lambda: None).run_one()
    db.session.expire_all()


def test_the_log_offers_to_send_again_what_matches_with_the_real_count(admin, member, failed):
    page = admin.get("/deliveries?status=failed").text
    assert "Reenviar as 3 que correspondem" in page
    assert "/deliveries/resend?status=failed" in page
    assert "Reenviar esta entrega</a>" in admin.get("/deliveries?status=failed&level=3").text
    assert "que correspondem" not in admin.get("/deliveries").text
    assert "que correspondem" not in member.get("/deliveries?status=failed").text


def test_before_many_go_the_page_says_how_many_of_which_level_and_from_when(admin, failed):
    page = text_of(admin.get("/deliveries/resend?status=failed"))
    assert "Reenviar 3 entregas?" in page
    assert "Alto 3 1 Médio 2 1 Baixo 1 1" in page
    assert "Da mais antiga" in page
    assert "decida o que mais vai junto" not in page


def test_what_has_a_risk_is_counted_apart_and_goes_only_when_ticked(admin, company, failed):
    fail(make_delivery(make_contact(company)), sent=True)
    mark_delivered(make_delivery(make_contact(company)))
    page = admin.get("/deliveries/resend?trigger=classification").text
    assert "1 que o CRM já recebeu" in page
    assert "1 que pode ter sido recebida" in page
    assert " checked" not in page
    answer = admin.post("/deliveries/resend?trigger=classification", {"risk": "maybe_received"})
    task = db.session.query(Task).one()
    assert (answer.status_code, answer.location) == (303, f"/jobs/{task.id}")
    assert (task.kind, task.total) == ("resend", 4)


def test_many_are_sent_again_and_the_job_tells(app, admin, failed, receiver):
    job = admin.post("/deliveries/resend?status=failed").location
    assert "Na fila" in admin.get(job).text
    assert f'hx-get="{job}/progress"' in admin.get(job).text
    db.session.commit()
    with running_worker(app):
        assert receiver.wait_for(3)
    assert sorted(post.body for post in receiver.received) == sorted(row.body for row in failed)
    page = admin.get(job).text
    assert "3 entregas voltaram para a fila." in page
    assert "hx-get" not in page
    entry = db.session.query(AuditEntry).filter_by(action="deliveries.resent").one()
    assert (entry.actor, entry.subject) == (admin.email, "3")


def test_a_filter_that_matches_nothing_sends_nothing(admin, failed):
    assert "Nada a reenviar aqui" in admin.get("/deliveries/resend?status=cancelled").text
    answer = admin.post("/deliveries/resend?status=cancelled")
    assert (answer.status_code, "Nada a reenviar aqui" in answer.text) == (422, True)
    assert db.session.query(Task).count() == 0


def test_where_all_need_a_tick_and_none_has_one_the_page_asks_again(admin, failed):
    for delivery in failed:
        mark_delivered(delivery)
    answer = admin.post("/deliveries/resend?status=delivered", {"newest_id": failed[-1].id})
    assert answer.status_code == 422
    assert "Marque o que deve ir." in answer.text
    assert 'value="delivered"' in answer.text
    assert "precisa disso" not in admin.get("/deliveries").text
    assert db.session.query(Task).count() == 0


def test_the_way_back_keeps_the_filter_and_nothing_else_of_the_address(admin, failed):
    page = admin.get("/deliveries/resend?status=failed&_external=1&_scheme=javascript").text
    assert 'href="/deliveries?status=failed"' in page
    assert "javascript:" not in page


@pytest.mark.parametrize("url", ["/deliveries/resend?status=failed", "/sync"])
def test_without_an_address_nothing_is_begun(admin, company, failed, url):
    admin.post("/webhook/remove")
    admin.post(url)
    assert db.session.query(Task).count() == 0


def test_a_row_offers_to_send_it_again_and_leads_back_to_the_list(admin, member, failed):
    page = admin.get("/deliveries?status=failed").text
    assert f'formaction="/deliveries/{failed[0].webhook_id}/resend"' in page
    assert "formaction" not in member.get("/deliveries?status=failed").text
    values = {"seen_attempts": "1", "next": "/deliveries?status=failed"}
    answer = admin.post(f"/deliveries/{failed[0].webhook_id}/resend", values)
    assert answer.location == "/deliveries?status=failed"


def test_the_button_of_a_row_says_whose_delivery_it_sends_again(admin, failed):
    page = admin.get("/deliveries?status=failed").text
    names = [delivery.contact.name for delivery in failed]
    assert sorted(re.findall(r'aria-label="Reenviar: ([^"]+)"', page)) == sorted(names)
    of_contact = admin.get(f"/contacts/{failed[0].contact_id}").text
    names = re.findall(r'aria-label="Reenviar: ([^"]+)"', of_contact)
    assert [bool(re.fullmatch(r"\d+ de .+ \d\d:\d\d:\d\d", name)) for name in names] == [True]  # its moment


def test_what_may_have_been_received_is_said_and_asked_about(admin, company, failed):
    delivery = fail(make_delivery(make_contact(company)), sent=True)
    url = f"/deliveries/{delivery.webhook_id}"
    assert "Pode ter sido recebido:" in admin.get(url).text
    assert "Pode ter sido recebido:" not in admin.get(f"/deliveries/{failed[0].webhook_id}").text
    answer = admin.post(f"{url}/resend", {"seen_attempts": "1"})
    assert answer.location == f"{url}/resend"
    assert "O CRM pode ter recebido esta entrega." in admin.get(answer.location).text
    admin.post(f"{url}/resend", {"seen_attempts": "1", "confirmed": "yes"})
    db.session.refresh(delivery)
    assert delivery.status == "pending"


def test_a_failed_one_that_a_newer_one_overtook_is_asked_about(admin, company, failed):
    contact = make_contact(company)
    old = fail(make_delivery(contact, 1))
    mark_delivered(make_delivery(contact, 3))
    answer = admin.post(f"/deliveries/{old.webhook_id}/resend", {"seen_attempts": "1"})
    assert "voltar atrás" in admin.get(answer.location).text


def test_what_was_erased_is_not_sent_again(admin, failed):
    forget_body(failed[0])
    db.session.commit()
    answer = admin.post(f"/deliveries/{failed[0].webhook_id}/resend", {"seen_attempts": "1"})
    assert "já foi apagado" in admin.get(answer.location).text


def test_bringing_in_sync_says_how_many_and_then_that_they_are(app, admin, company, failed, receiver):
    make_contact(company).interest_level = 3
    db.session.commit()
    page = text_of(admin.get("/sync"))
    assert "O seu CRM não sabe o nível de 4 contatos." in page
    assert "Alto 3 2 Médio 2 1 Baixo 1 1" in page
    job = admin.post("/sync").location
    assert admin.post("/sync").location == job, "asking twice begins once"
    db.session.commit()
    with running_worker(app):
        assert receiver.wait_for(4)
    assert "4 contatos em dia." in admin.get(job).text
    assert "Sim. Tudo o que foi classificado chegou." in admin.get("/").text
    assert "Não há nada a enviar" in admin.get("/sync").text
    entry = db.session.query(AuditEntry).filter_by(action="contacts.synced").one()
    assert (entry.actor, entry.subject) == (admin.email, "4")


def test_a_job_that_waits_for_the_crm_says_so_and_looks_again(admin, failed):
    job = admin.post("/sync").location
    run_task()
    page = admin.get(f"{job}/progress").text
    assert "3 contatos estão na fila para o CRM." in page
    assert "hx-get" in page


def test_it_is_offered_where_people_notice(admin, member, company, failed):
    for url in ("/", "/contacts?sync=out_of_sync", "/webhook"):
        assert 'href="/sync"' in admin.get(url).text, url
    for url in ("/", "/contacts?sync=out_of_sync"):
        assert 'href="/sync"' not in member.get(url).text, url
    for row in failed:
        mark_delivered(row)
    for url in ("/", "/contacts?sync=in_sync", "/webhook"):
        assert 'href="/sync"' not in admin.get(url).text, url


def test_a_job_of_admins_is_not_shown_to_members(admin, member, failed):
    job = admin.post("/sync").location
    assert [member.get(url).status_code for url in (job, f"{job}/progress")] == [403, 403]


def test_every_kind_of_job_that_people_begin_has_its_page(app):
    assert {*job_kinds.KINDS, retention.KIND, closing.KIND} == worker_kinds.KINDS.keys()


def test_a_delivery_with_data_of_then_is_asked_about_and_those_of_now_are_offered(admin, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company)
    delivery = make_delivery(contact)
    delivery.status, delivery.next_attempt_at = "failed", None
    db.session.commit()
    url = f"/deliveries/{delivery.webhook_id}/resend"
    assert "os dados daquele momento" not in admin.get(url).text
    save(company, {"contact": {"id": contact.id, "role": "Sócia"}})
    assert admin.post(url).location == url
    page = admin.get(url).text
    assert "Esta entrega leva os dados daquele momento." in page
    assert f'action="/contacts/{contact.id}/send"' in page
    assert admin.post(url, {"confirmed": "yes"}).status_code == 303
    db.session.expire_all()
    assert db.session.get_one(type(delivery), delivery.id).status == "pending"


@pytest.mark.parametrize(
    ("state", "is_served", "words"),
    [
        ("active", True, "Sai agora."),
        ("active", False, "O processo que envia está parado: sai quando ele voltar."),
        ("failing", False, "O CRM não está recebendo: sai quando ele voltar."),
        ("paused", False, "O envio está em pausa: sai quando alguém o retomar."),
    ],
)
def test_when_it_leaves_is_said_as_it_is(admin, company, failed, state, is_served, words):
    changed = make_contact(company)
    mark_delivered(make_delivery(changed))
    save(company, {"contact": {"id": changed.id, "role": "Sócia"}})
    endpoint_of(company).state = state
    if is_served:
        db.session.add(WorkerHeartbeat(worker="w", seen_at=utcnow()))
    db.session.commit()
    acts = {
        f"/deliveries/{failed[0].webhook_id}/resend": "Reenvio pedido.",
        f"/contacts/{changed.id}/send": "O envio dos dados atuais foi pedido.",
    }
    for url, done in acts.items():
        assert f"{done} {words}" in admin.post(url, follow_redirects=True).text


def test_an_address_that_is_saved_in_a_pause_sends_nothing_and_says_so(admin, company, failed, receiver):
    said = "O envio continua em pausa: nada sai até que alguém o retome."
    url = f"{receiver.url}another"
    assert said not in admin.post("/webhook", {"url": url}, follow_redirects=True).text
    admin.post("/webhook/pause")
    assert said in admin.post("/webhook", {"url": receiver.url}, follow_redirects=True).text


def test_what_was_taken_before_is_never_said_not_to_have_arrived(admin, company, failed):
    delivery = mark_delivered(make_delivery(make_contact(company)))
    url = f"/deliveries/{delivery.webhook_id}"
    admin.post(f"{url}/resend", {"confirmed": "1"})
    assert "O reenvio está na fila. O seu CRM já tinha recebido" in admin.get(url).text
    fail(delivery)
    page = admin.get(url).text
    assert "O reenvio não chegou, e o portal não tenta mais sozinho. O seu CRM já tinha recebido" in page
    assert "Não chegou ao seu CRM" not in page
