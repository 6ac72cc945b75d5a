"""Admins are told by mail when their CRM gets nothing, and when it does again: once, in words, never too often."""

import logging
import re
import socket
import threading
import time
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal import clock, mail
from portal.company import endpoint as endpoints
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.i18n import speaking
from portal.mail import MailServer
from portal.models import Company, Delivery, Endpoint
from portal.notices import due
from portal.notices.telling import Teller
from portal.worker import notifier
from portal.working_models import Outage
from tests import factories
from tests.conftest import BOTH, MakeApp, running_worker
from tests.factories import (
    actor_of,
    attempt_of,
    endpoint_of,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
    send_test,
)
from tests.notices.conftest import MailHost
from tests.postgres import free_port

TUESDAY = factories.NOON.replace(hour=17, minute=10)  # 14:10 in São Paulo
SENDER = "Portal <portal@example.com>"


@pytest.fixture
def app(make_app: MakeApp, mail_host: MailHost):
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER, base_url="http://portal.example.com")
    with app.app_context():
        yield app


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    company = factories.make_company(url=receiver.url)
    make_user(company, email="ana@example.com")
    return company


@pytest.fixture
def tuesday():
    with time_machine.travel(TUESDAY, tick=False) as moved:
        yield moved


def server_at(port: int) -> MailServer:
    return MailServer(host="127.0.0.1", port=port, security="smtp")


def teller_of(app: Flask) -> Teller:
    means = app.extensions["portal"]
    return Teller(db.engine, means.settings, partial(speaking, app), means.vault, means.egress)


def look(app: Flask, *, after: timedelta = timedelta(0), moved: Any = None) -> bool:
    db.session.commit()
    if moved is not None:
        moved.shift(after)
    return teller_of(app).tell_due()


def wait(company: Company, *levels: int) -> list[Delivery]:
    """Deliveries that wait, one of each level."""
    return [make_delivery(make_contact(company), level) for level in levels]


def set_endpoint(company: Company, **facts: Any) -> Endpoint:
    endpoint = endpoint_of(company)
    for name, value in facts.items():
        setattr(endpoint, name, value)
    db.session.commit()
    return endpoint


def fail(delivery: Delivery, *, status: str = "failed", **facts: Any) -> None:
    """The delivery's last attempt failed now."""
    shown = {"reason": "server_error", "status_code": 500, "url": "http://x/", "number": 1, "trigger": "retry"} | facts
    db.session.add(attempt_of(delivery, started_at=clock.utcnow(), **shown))
    delivery.status, delivery.next_attempt_at = status, None
    db.session.commit()


def break_down(company: Company, delivery: Delivery, **facts: Any) -> None:
    fail(delivery, status="pending")
    state = {"state": "failing", "failing_since": clock.utcnow(), "last_failed_delivery_id": delivery.id}
    set_endpoint(company, **(state | facts))


def test_first_trouble_is_told_with_its_impact_its_cause_and_where_to_look(app, company, mail_host, tuesday):
    break_down(company, wait(company, 3, 3, 1)[0])
    look(app, after=timedelta(minutes=5), moved=tuesday)
    ((envelope, message),) = mail_host.arrived
    assert envelope.rcpt_tos == ["ana@example.com"]
    assert message["From"] == SENDER
    assert message["Subject"] == "2 contatos de nível alto não chegaram ao CRM desde terça-feira 14:10"
    text = message.get_content()
    for words in (
        "2 contatos de nível alto não chegaram ao CRM desde terça-feira 14:10.",
        "O destino respondeu com o código 500: o problema está do lado dele. Pela regra da integração",
        "Ao todo, 3 contatos não chegaram ao CRM. Nada se perde: o portal continua tentando",
        "http://portal.example.com/webhook",
        "aos administradores de Vendas Exemplo",
    ):
        assert words in text.replace("\r\n", " ").replace("\n", " ")
    look(app, after=timedelta(hours=5), moved=tuesday)
    assert len(mail_host.messages) == 1


def test_the_letter_is_in_the_companys_language_and_time_zone(app, company, mail_host, tuesday):
    company.locale, company.timezone = "en", "Europe/Lisbon"
    break_down(company, wait(company, 2)[0])
    look(app)
    assert mail_host.messages[0]["Subject"] == "1 contact has not reached the CRM since Tuesday 17:10"
    assert "The destination" in mail_host.messages[0].get_content()


def test_admins_who_may_log_in_get_it_and_nobody_else(app, company, mail_host, tuesday):
    make_user(company, email="bia@example.com")
    make_user(company, email="member@example.com", role="member")
    make_user(company, email="gone@example.com").disabled_at = clock.utcnow()
    make_user(factories.make_company("Outra"), email="stranger@example.com")
    break_down(company, wait(company, 1)[0])
    look(app)
    assert [envelope.rcpt_tos for envelope, _ in mail_host.arrived] == [["ana@example.com", "bia@example.com"]]


def test_nobody_to_tell_is_no_fault_and_is_told_once_there_is_somebody(app, receiver, mail_host, tuesday):
    company = factories.make_company("Sem gente", url=receiver.url)
    break_down(company, wait(company, 1)[0])
    assert look(app)
    make_user(company, email="new@example.com")
    look(app)
    assert len(mail_host.messages) == 1


def test_a_delivery_that_failed_for_good_is_told_and_the_next_ones_once_a_day(app, company, mail_host, tuesday):
    first, second, third = wait(company, 3, 2, 1)
    fail(first, reason="client_error", status_code=422)
    look(app)
    assert mail_host.messages[0]["Subject"] == "1 contato de nível alto não chegou ao CRM desde terça-feira 14:10"
    text = mail_host.messages[0].get_content()
    assert "algum campo não serve para ele" in text.replace("\r\n", " ")
    assert "/deliveries?status=failed" in text
    tuesday.shift(timedelta(hours=2))
    fail(second)
    look(app)
    assert len(mail_host.messages) == 1
    tuesday.shift(timedelta(hours=22))
    look(app)
    assert len(mail_host.messages) == 2
    look(app, after=timedelta(days=2), moved=tuesday)
    assert third.status == "pending"
    assert len(mail_host.messages) == 2


def test_what_the_crm_had_taken_before_it_was_sent_again_is_no_contact_that_did_not_arrive(app, company, mail_host):
    (delivery,) = wait(company, 3)
    mark_delivered(delivery)
    fail(delivery)
    assert look(app)
    assert mail_host.messages == []


def test_a_failure_is_not_told_when_a_newer_delivery_of_the_contact_exists_or_it_is_a_test(app, company, mail_host):
    contact = make_contact(company)
    old = make_delivery(contact, 1)
    make_delivery(contact, 2)
    fail(old)
    send_test(company, "http://127.0.0.1:2/")
    look(app)
    assert not mail_host.messages


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("gone", "este endereço foi desativado"),
        ("outage", "Há três dias nenhum envio dá certo."),
        ("restored", "restaurado de uma cópia de segurança"),
    ],
)
def test_a_pause_is_told(app, company, mail_host, tuesday, reason, words):
    (delivery,) = wait(company, 3)
    fail(delivery, status="pending", reason="gone", status_code=410)
    set_endpoint(company, state="paused", paused_reason=reason, last_failed_delivery_id=delivery.id)
    look(app)
    subject = "Envio parado: 1 contato de nível alto não chegou ao CRM desde terça-feira 14:10"
    assert mail_host.messages[0]["Subject"] == subject
    assert words in mail_host.messages[0].get_content().replace("\r\n", " ")


@pytest.mark.slow
def test_a_pause_that_an_admin_made_is_no_news(app, company, mail_host):
    endpoints.pause(db.session, actor_of(company))
    look(app)
    assert not mail_host.messages


def test_a_pause_after_trouble_is_told_too_but_not_within_an_hour(app, company, mail_host, tuesday):
    (delivery,) = wait(company, 3)
    break_down(company, delivery)
    look(app)
    set_endpoint(company, state="paused", paused_reason="outage")
    look(app, after=timedelta(minutes=59), moved=tuesday)
    assert len(mail_host.messages) == 1
    look(app, after=timedelta(minutes=1), moved=tuesday)
    assert mail_host.messages[1]["Subject"].startswith("Envio parado: ")


def test_recovery_is_told_once_and_only_when_something_arrived(app, company, mail_host, tuesday):
    first, _second = wait(company, 3, 1)
    break_down(company, first)
    look(app)
    endpoints.close_circuit(set_endpoint(company))
    look(app, after=timedelta(hours=2), moved=tuesday)
    assert len(mail_host.messages) == 1
    first.status, first.delivered_at, first.contact.delivered_level = "delivered", clock.utcnow(), 3
    set_endpoint(company, last_success_at=clock.utcnow())
    look(app)
    assert mail_host.messages[1]["Subject"] == "O CRM voltou a receber"
    assert "1 contato está na fila." in mail_host.messages[1].get_content()
    look(app, after=timedelta(hours=2), moved=tuesday)
    assert len(mail_host.messages) == 2


def test_recovery_says_what_the_outage_was(app, company, mail_host, tuesday):
    began_at = clock.utcnow() - timedelta(days=3, hours=1)
    outage = Outage(company_id=company.id, began_at=began_at, ended_at=clock.utcnow(), reason="server_error", held=0)
    outage.status_code = 503
    db.session.add(outage)
    set_endpoint(company, notified_state="failing", notified_at=began_at, last_success_at=clock.utcnow())
    look(app)
    text = mail_host.messages[0].get_content()
    assert "Fora de sábado 07/03 13:10 a terça-feira 10/03 14:10 (HTTP 503); nenhuma entrega esperou." in text


def test_recovery_names_what_must_be_sent_again(app, company, mail_host, tuesday):
    fail(wait(company, 2)[0])
    set_endpoint(company, notified_state="paused", notified_at=clock.utcnow() - timedelta(days=2),
                 last_success_at=clock.utcnow())  # fmt: skip
    look(app)
    text = mail_host.messages[0].get_content()
    assert "1 contato não chega sozinho: é preciso enviá-lo de novo." in text


def test_recovery_never_says_that_there_is_nothing_to_do_while_a_warning_is_open(app, company, mail_host, tuesday):
    mark_delivered(wait(company, 2)[0], warning="error_words")
    told = {"notified_state": "failing", "notified_at": clock.utcnow() - timedelta(days=2)}
    set_endpoint(company, **told, last_success_at=clock.utcnow())
    look(app)
    text = mail_host.messages[0].get_content()
    assert "1 contato foi recebido com um aviso que fala em erro: confira no CRM se foi salvo." in text
    assert "Não é preciso fazer nada" not in text


def test_trouble_that_comes_and_goes_within_the_hour_is_told_once(app, company, mail_host, tuesday):
    (delivery,) = wait(company, 3)
    for state in ("failing", "active", "failing"):
        break_down(company, delivery, state=state, last_success_at=clock.utcnow())
        look(app, after=timedelta(minutes=10), moved=tuesday)
    assert len(mail_host.messages) == 1


def test_without_a_base_address_the_letter_says_where_to_look(make_app, mail_host, receiver, tuesday):
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER)
    with app.app_context():
        company = factories.make_company(url=receiver.url)
        make_user(company)
        break_down(company, wait(company, 1)[0])
        look(app)
    text = mail_host.messages[0].get_content()
    assert "No portal, a página Webhook mostra a situação." in text
    assert "http" not in text.replace("HTTP", "")


def test_a_mail_server_that_is_down_is_tried_again_and_the_page_says_so(make_app, mail_host, receiver, tuesday, caplog):
    app = make_app(smtp_url=server_at(free_port()), mail_from=SENDER)
    with app.app_context():
        company = factories.make_company(url=receiver.url)
        make_user(company)
        break_down(company, wait(company, 1)[0])
        logging.getLogger("portal").propagate = True
        assert not look(app)
        assert logged(caplog) == [
            ("WARNING", "endpoint_in_trouble", company.id, "failing"),
            ("ERROR", "notice_failed", company.id, "failing"),
        ]
        db.session.expire_all()
        assert "refused" in endpoint_of(company).notice_error
        assert endpoint_of(company).notified_state == "active"
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER)
    with app.app_context():
        assert look(app)
        assert len(mail_host.messages) == 1
        db.session.expire_all()
        assert endpoint_of(company).notice_error is None


def test_what_the_mail_server_refuses_for_good_is_not_tried_for_ever_and_keeps_nobody_else_waiting(
    app, company, receiver, mail_host, tuesday
):
    break_down(company, wait(company, 1)[0])
    mail_host.refusal = "550 no such user"
    assert look(app)
    db.session.expire_all()
    assert endpoint_of(company).notice_error == "550 no such user"
    mail_host.refusal = None
    look(app)
    assert not mail_host.messages


@BOTH
def test_many_workers_send_one_letter(app, company, mail_host):
    break_down(company, wait(company, 3)[0])
    db.session.remove()
    barrier = threading.Barrier(4)
    tellers = [teller_of(app) for _ in range(4)]

    def go(teller: Teller) -> None:
        barrier.wait()
        teller.tell_due()

    threads = [threading.Thread(target=go, args=(teller,)) for teller in tellers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mail_host.messages) == 1


@BOTH
def test_a_notice_is_found_and_claimed_once(app, company):
    fail(wait(company, 3)[0])
    now = clock.utcnow()
    (notice,) = due.find_due(db.session, Endpoint, now=now)
    assert (notice.state, notice.told, notice.told_at) == ("failed", "active", None)
    assert due.claim(db.session, notice, now=now)
    assert not due.claim(db.session, notice, now=now)
    due.give_back(db.session, notice, claimed_at=now, error="x" * 500)
    db.session.commit()
    assert len(due.find_due(db.session, Endpoint, now=now)) == 1
    db.session.rollback()


def test_a_running_worker_mails_by_itself_what_a_real_receiver_did(app, company, receiver, mail_host, monkeypatch):
    monkeypatch.setattr(notifier, "LOOK_SECONDS", 0.2)
    receiver.reply = Reply(410, b"gone")
    wait(company, 3)
    db.session.remove()
    with running_worker(app):
        deadline = time.monotonic() + 60
        while not mail_host.messages and time.monotonic() < deadline:
            time.sleep(0.05)
    assert re.match(r"Envio parado: 1 contato de nível alto", mail_host.messages[0]["Subject"])
    assert "código 410" in mail_host.messages[0].get_content()
    assert db.session.scalars(select(Endpoint.notified_state)).all() == ["paused"]


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, int, str]]:
    """What the log says of notices: how grave, what happened, to which company, in which state."""
    told = [record for record in dict.fromkeys(caplog.records) if "state" in vars(record)]
    return [(each.levelname, each.action, each.company_id, each.state) for each in told]


def test_without_a_mail_server_the_log_tells_once_and_nothing_is_claimed(make_app, receiver, caplog):
    app = make_app(mail_from=SENDER)
    with app.app_context():
        factories.make_company("Outra", url=receiver.url)  # of which there is nothing to tell
        company, left = (factories.make_company(name, url=receiver.url) for name in ("Vendas", "Terceira"))
        make_user(company)
        break_down(left, wait(left, 1)[0])
        break_down(company, wait(company, 1)[0])
        logging.getLogger("portal").propagate = True
        teller = teller_of(app)
        assert [teller.tell_due() for _ in range(3)] == [True] * 3
        assert endpoint_of(company).notified_at is None
        set_endpoint(company, state="active", last_success_at=clock.utcnow())
        set_endpoint(left, state="active", url=None)
        assert [teller.tell_due() for _ in range(2)] == [True] * 2
        assert logged(caplog) == [
            ("WARNING", "endpoint_in_trouble", company.id, "failing"),
            ("WARNING", "endpoint_in_trouble", left.id, "failing"),
            ("INFO", "endpoint_recovered", company.id, "active"),
        ]
    assert "O destino respondeu com o código 500" in caplog.text


def test_what_is_wrong_with_one_notice_holds_up_no_other(app, company, receiver, mail_host, tuesday, caplog):
    logging.getLogger("portal").propagate = True
    other = factories.make_company("Outra", url=receiver.url)
    third = factories.make_company("Terceira", url=receiver.url)
    for each, email in ((other, "bia@example.com"), (third, "caio@example.com")):
        make_user(each, email=email)
    for each in (company, other, third):
        break_down(each, wait(each, 1)[0])
    company.timezone = "Nowhere/Land"
    mail_host.refusals["bia@example.com"] = "450 greylisted"
    assert not look(app)
    look(app)
    assert [message["To"] for message in mail_host.messages] == ["caio@example.com"]
    mail_host.refusals.clear()
    look(app)
    assert [message["To"] for message in mail_host.messages] == ["caio@example.com", "bia@example.com"]
    broken = "notice_failed", company.id
    first, second = (
        [broken, ("notice_failed", other.id)],
        [broken, ("notice_sent", third.id), ("notice_failed", other.id)],
    )
    told = [(action, number) for _, action, number, _ in logged(caplog) if action != "endpoint_in_trouble"]
    assert told == [*first, *second, broken, ("notice_sent", other.id)]


def test_a_hanging_mail_server_holds_up_no_worker_that_stops(make_app, receiver, monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 60)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app = make_app(smtp_url=server_at(silent.getsockname()[1]), mail_from=SENDER)
        with app.app_context():
            company = factories.make_company(url=receiver.url)
            make_user(company)
            break_down(company, wait(company, 1)[0])
            db.session.remove()
            started = time.monotonic()
            with running_worker(app):
                time.sleep(0.3)
            assert time.monotonic() - started < 30
    for thread in threading.enumerate():
        if thread.name == "notices":
            thread.join(60)  # what it notes once the server is gone belongs into this test's database


def test_recovery_from_what_was_no_outage_tells_of_no_old_one(app, company, mail_host, tuesday):
    began_at = clock.utcnow() - timedelta(days=60)
    old = {"began_at": began_at, "ended_at": began_at + timedelta(hours=1), "reason": "server_error", "held": 0}
    db.session.add(Outage(company_id=company.id, **old))
    paused_at = clock.utcnow() - timedelta(hours=2)
    set_endpoint(company, notified_state="paused", notified_at=paused_at, last_success_at=clock.utcnow())
    look(app)
    text = mail_host.messages[0].get_content()
    assert "O CRM voltou a receber." in text
    assert "Fora de" not in text
