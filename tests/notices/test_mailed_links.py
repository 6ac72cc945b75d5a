"""One-time links by e-mail: to whom an admin invites, and to whoever forgot the password."""

import re
import socket
import threading
import time
from datetime import timedelta

import pytest
import time_machine

from portal import clock, mail
from portal.database.db import db
from portal.models import AccessLink, AuditEntry, User
from portal.people import links, logging_in, users
from tests.factories import PASSWORD, make_company, make_user
from tests.notices.test_notices import SENDER, server_at
from tests.postgres import free_port
from tests.views.conftest import Person

BASE = "http://portal.example.com"
SENT = "/forgotten?sent=yes"


@pytest.fixture
def company_of(make_app):
    """Makes an application with these settings, its context open, and a company in it."""
    contexts = []

    def make(**settings):
        app = make_app(**settings)
        contexts.append(app.app_context())
        contexts[-1].push()
        return app, make_company("Ágil")

    yield make
    for thread in threading.enumerate():
        if thread.name == "reset mail":  # else it would write to the mail server of the next test
            thread.join(60)
    for context in reversed(contexts):
        context.pop()


@pytest.fixture
def site(company_of, mail_host):
    return company_of(smtp_url=mail_host.address, mail_from=SENDER, base_url=BASE)


def wait_for(mail_host, count: int) -> None:
    end = time.monotonic() + 60
    while len(mail_host.arrived) < count and time.monotonic() < end:
        time.sleep(0.02)
    assert len(mail_host.arrived) == count


def ask(app, email):
    answer = Person(app.test_client(), None).post("/forgotten", {"email": email})
    answer.close()  # as a server does once the answer is out
    return answer


def link_in(message) -> str:
    found = re.search(rf"^{re.escape(BASE)}(/\S+)\s*$", message.get_content(), re.MULTILINE)
    assert found, message.get_content()
    return found[1]


def test_who_forgot_the_password_gets_a_link_to_choose_another(site, mail_host):
    app, company = site
    user = make_user(company, email="bia@example.com", name="Bia", role="member")
    assert ask(app, "Bia@example.com ").location == SENT
    wait_for(mail_host, 1)
    ((envelope, message),) = mail_host.arrived
    assert envelope.rcpt_tos == ["bia@example.com"]
    assert message["Subject"] == "Senha nova para o portal da Ágil"
    browser = Person(app.test_client(), None)
    assert browser.post(link_in(message), {"password": "uma frase bem outra"}).location == "/"
    assert logging_in.find_log_in(db.session, user.email, ip="192.0.2.1").proves("uma frase bem outra")


def test_the_mail_speaks_the_readers_language(site, mail_host):
    app, company = site
    make_user(company, email="bia@example.com").locale = "en"
    db.session.commit()
    ask(app, "bia@example.com")
    wait_for(mail_host, 1)
    assert mail_host.messages[0]["Subject"] == "A new password for the portal of Ágil"


def test_who_never_chose_a_password_gets_a_link_too(site, mail_host):
    app, company = site
    users.add_user(db.session, company, name="Bia", email="bia@example.com", role="member", password=None)
    db.session.commit()
    ask(app, "bia@example.com")
    wait_for(mail_host, 1)
    assert "vence em 24 horas" in mail_host.messages[0].get_content()
    link = link_in(mail_host.messages[0])
    assert Person(app.test_client(), None).post(link, {"password": PASSWORD}).location == "/"


def test_an_unknown_and_a_disabled_address_get_the_same_answer_and_no_mail(site, mail_host):
    app, company = site
    make_user(company, email="gil@example.com").disabled_at = clock.utcnow()
    make_user(company, email="dona@example.com", role=None)
    make_user(company, email="bia@example.com")
    db.session.commit()
    asked = [ask(app, f"{name}@example.com") for name in ("nobody", "gil", "dona", "bia")]
    assert {(answer.status_code, answer.location, answer.text) for answer in asked} == {
        (303, SENT, asked[0].text),
    }
    wait_for(mail_host, 1)
    assert mail_host.arrived[0][0].rcpt_tos == ["bia@example.com"]


def test_the_answer_does_not_wait_for_the_mail_server(company_of, monkeypatch):
    monkeypatch.setattr(mail, "TIMEOUT_SECONDS", 60)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        app, company = company_of(smtp_url=server_at(silent.getsockname()[1]), mail_from=SENDER, base_url=BASE)
        make_user(company, email="bia@example.com")
        began = time.monotonic()
        assert ask(app, "bia@example.com").location == SENT
        assert time.monotonic() - began < 30


def test_a_mail_that_is_not_taken_is_in_the_log(company_of, capsys):
    app, company = company_of(smtp_url=server_at(free_port()), mail_from=SENDER, base_url=BASE)
    make_user(company, email="bia@example.com")
    ask(app, "bia@example.com")
    said, end = "", time.monotonic() + 60
    while "A link was not mailed" not in said and time.monotonic() < end:
        time.sleep(0.02)
        said += capsys.readouterr().err
    assert "A link was not mailed" in said
    assert "bia@" not in said


def test_nobody_floods_somebody_else_with_mail(site, mail_host):
    app, company = site
    make_user(company, email="bia@example.com")
    for _ in range(3):
        assert ask(app, "bia@example.com").location == SENT
    wait_for(mail_host, 1)
    with time_machine.travel(clock.utcnow() + links.PAUSE + timedelta(seconds=1)):
        ask(app, "bia@example.com")
        wait_for(mail_host, 2)
    db.session.commit()
    assert db.session.query(AuditEntry).filter_by(action="reset.requested").count() == 2


@pytest.mark.parametrize("email", ["bia@example.com", "nobody@example.com"])
def test_asking_again_and_again_is_slowed_down_whoever_is_meant(site, email):
    app, company = site
    make_user(company, email="bia@example.com")
    statuses = [ask(app, email).status_code for _ in range(logging_in.FREE_FAILURES + 1)]
    assert statuses == [303] * logging_in.FREE_FAILURES + [429]


@pytest.mark.parametrize("settings", [{}, {"base_url": BASE}])
def test_without_mail_the_page_says_whom_to_ask(company_of, settings):
    app, company = company_of(**settings)
    make_user(company, email="bia@example.com")
    browser = Person(app.test_client(), None)
    assert 'href="/forgotten"' in browser.get("/login").text
    page = browser.get("/forgotten").text
    assert "Peça a um administrador" in page
    assert 'name="email"' not in page
    assert browser.post("/forgotten", {"email": "bia@example.com"}).location == "/forgotten"
    assert db.session.query(AccessLink).count() == 0


def test_an_invitation_is_mailed_too(site, mail_host):
    app, company = site
    admin = Person(app.test_client(), make_user(company))
    page = admin.post("/team/new", {"name": "Bia", "email": "bia@example.com", "role": "member"}).text
    assert "Enviamos o link também a bia@example.com." in page
    assert link_in(mail_host.messages[0]) in page
    assert Person(app.test_client(), None).get(link_in(mail_host.messages[0])).status_code == 200


def test_an_invitation_that_cannot_be_mailed_is_shown_all_the_same(site, mail_host):
    app, company = site
    mail_host.refusal = "550 no such <b>box</b>"
    admin = Person(app.test_client(), make_user(company))
    page = admin.post("/team/new", {"name": "Bia", "email": "bia@example.com", "role": "member"}).text
    assert "O e-mail não foi enviado. A resposta foi: “550 no such &lt;b&gt;box" in page
    assert f"{BASE}/invitation/" in page
    assert db.session.query(User).filter_by(email="bia@example.com").one().role == "member"


LETTERS = {
    "invitation": ("O seu acesso ao portal da Ágil", "Escolha uma senha em:", "vence em 7 dias", "/invitation/"),
    "reset": ("Senha nova para o portal da Ágil", "uma senha nova", "vence em 24 horas", "/reset/"),
    "email": ("O seu e-mail novo no portal da Ágil", "confirme em:", "vence em 24 horas", "/account/email/"),
}


@pytest.mark.parametrize("purpose", LETTERS)
def test_the_letter_of_a_link_that_an_admin_made_says_what_it_is_for(site, mail_host, purpose):
    app, company = site
    admin = Person(app.test_client(), make_user(company, name="Ana"))
    bia = make_user(company, email="bia@example.com", name="Bia", role="member")
    if purpose == "invitation":
        bia.password_hash = None
        db.session.commit()
    address = {"email": "bia@nova.example"} if purpose == "email" else {}
    page = admin.post(f"/team/{bia.id}/{'email' if address else 'link'}", address)
    ((envelope, message),) = mail_host.arrived
    subject, text, end, path = LETTERS[purpose]
    to = address.get("email", "bia@example.com")
    assert (envelope.rcpt_tos, message["Subject"]) == ([to], subject)
    assert "Olá, Bia!" in message.get_content()
    assert all(words in message.get_content() for words in (text, end))
    assert link_in(message).startswith(path)
    assert f"{BASE}{link_in(message)}" in page.text
    assert f"Enviamos o link também a {to}." in page.text


ACTS = {
    "/notices/test": {},
    "/team/new": {"name": "Bia", "email": "bia@example.com", "role": "member"},
    "/account/email": {"email": "outra@example.com", "current": PASSWORD},
}


@pytest.mark.parametrize("path", ACTS)
def test_no_transaction_waits_for_the_mail_server(site, mail_host, monkeypatch, path):
    app, company = site
    held, send = [], mail.send

    def look(*given, **more) -> None:
        held.append(db.session().in_transaction())
        send(*given, **more)

    monkeypatch.setattr(mail, "send", look)
    Person(app.test_client(), make_user(company)).post(path, ACTS[path])
    assert (held, len(mail_host.arrived)) == ([False], 1)
