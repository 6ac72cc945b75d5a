"""Another e-mail for oneself, by a mailed link, or by one that an admin hands over."""

import re

import pytest

from portal.database.db import db
from portal.models import AccessLink, User
from portal.people import logging_in
from tests.factories import PASSWORD, make_company, make_contact, make_user
from tests.notices.conftest import mail_host, start_mail
from tests.notices.test_notices import SENDER
from tests.views.test_account import log_in
from tests.views.test_team import last_act, link_on, reload

__all__ = ["mail_host", "start_mail"]
BASE = "http://localhost"
NEW = "nova@example.com"


@pytest.fixture
def app(make_app, mail_host, request):
    """With a mail server, unless a test asks for none (`UNMAILED`)."""
    mailing = {"smtp_url": mail_host.address, "mail_from": SENDER, "base_url": BASE}
    app = make_app(**({} if getattr(request, "param", None) == "unmailed" else mailing))
    with app.app_context():
        yield app


UNMAILED = pytest.mark.parametrize("app", ["unmailed"], indirect=True)


def link_in(message) -> str:
    found = re.search(rf"^{re.escape(BASE)}(/account/email/\S+)\s*$", message.get_content(), re.MULTILINE)
    assert found, message.get_content()
    return found[1]


def ask(browser, email=NEW, password=PASSWORD, **more):
    return browser.post("/account/email", {"email": email, "current": password}, **more)


def test_a_link_goes_to_the_new_address_and_the_old_one_is_told_once_it_is_opened(company, member, person, mail_host):
    old, elsewhere = member.email, person(db.session.get(User, member.id))
    assert ask(member).location == "/account"
    ((envelope, asked),) = mail_host.arrived
    assert envelope.rcpt_tos == [NEW]
    assert reload(db.session.get(User, member.id)).email == old
    assert NEW in member.get(link_in(asked)).text
    assert reload(db.session.get(User, member.id)).email == old, "a GET changes nothing"
    assert member.post(link_in(asked)).location == "/account"
    assert NEW in member.get("/account").text
    assert elsewhere.get("/account").status_code == 302
    (envelope, told) = mail_host.arrived[1]
    assert envelope.rcpt_tos == [old]
    assert NEW in told.get_content()
    assert log_in(person(), NEW).location == "/"
    assert log_in(person(), old).status_code == 422
    assert member.get(link_in(asked)).status_code == 410


def test_asking_takes_the_password_and_wrong_guesses_count(member, mail_host):
    statuses = [ask(member, password="wrong wrong").status_code for _ in range(logging_in.FREE_FAILURES + 1)]
    assert statuses == [422] * logging_in.FREE_FAILURES + [429]
    assert (mail_host.arrived, db.session.query(AccessLink).count()) == ([], 0)


def test_the_link_is_worth_nothing_to_whoever_reads_that_mail_and_is_not_the_person(member, admin, person, mail_host):
    ask(member)
    link = link_in(mail_host.messages[0])
    assert person().get(link).location.startswith("/login?next=/account/email/")
    assert (admin.get(link).status_code, admin.post(link).status_code) == (404, 404)
    assert member.get(link).status_code == 200


def test_an_address_that_is_taken_gets_the_same_answer_until_its_mail_is_opened(company, member, person, mail_host):
    make_user(make_company("Outra"), email="vera@example.com")
    second = person(make_user(company, role="member"))
    answers = [ask(member, "vera@example.com"), ask(second, "livre@example.com")]
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, "/account")}
    assert [envelope.rcpt_tos for envelope, _ in mail_host.arrived] == [["vera@example.com"], ["livre@example.com"]]
    page = member.post(link_in(mail_host.messages[0]), follow_redirects=True).text
    assert "Alguém já entra no portal com este e-mail." in page
    assert reload(db.session.get(User, member.id)).email == member.email


def test_nobody_floods_an_address_with_links(member, mail_host):
    assert [ask(member).status_code for _ in range(3)] == [303, 422, 422]
    assert len(mail_host.arrived) == 1


def test_a_mail_that_is_not_taken_is_said(member, mail_host):
    mail_host.refusal = "550 no such box"
    assert "550 no such box" in ask(member, follow_redirects=True).text
    mail_host.refusal = None
    assert "confirma" in ask(member, follow_redirects=True).text, "another may be asked for at once"
    assert member.get(link_in(mail_host.messages[-1])).status_code == 200
    assert db.session.query(AccessLink).filter_by(used_at=None).count() == 1


def test_an_admins_link_holds_nobody_up(admin, member, mail_host):
    mail_host.refusal = "550 no such box"
    link = link_on(admin.post(f"/team/{member.id}/email", {"email": NEW}))
    assert member.get(link).status_code == 200
    mail_host.refusal = None
    assert ask(member).status_code == 303


@pytest.mark.parametrize("email", ["", "ana", "a" * 255 + "@example.com"])
def test_what_is_no_address_is_refused_at_its_field(member, email):
    answer = ask(member, email)
    assert (answer.status_code, 'id="email-error"' in answer.text) == (422, True)


@UNMAILED
def test_without_a_mail_server_an_admin_hands_the_link_over(admin, member):
    assert "Peça a um administrador" in member.get("/account").text
    assert f'href="/team/{admin.id}"' in admin.get("/account").text
    assert ask(member).location == "/account"
    assert db.session.query(AccessLink).count() == 0
    link = link_on(admin.post(f"/team/{member.id}/email", {"email": NEW}))
    assert last_act()[:3] == ("email.change_asked", admin.email, f"{member.email} -> {NEW}")
    assert member.post(link).location == "/account"
    assert reload(db.session.get(User, member.id)).email == NEW


def test_an_admins_link_is_mailed_too(admin, member, mail_host):
    page = admin.post(f"/team/{member.id}/email", {"email": NEW}).text
    assert f"Enviamos o link também a {NEW}." in page
    assert link_in(mail_host.messages[0]) in page


@UNMAILED
def test_the_address_of_who_has_no_password_is_changed_at_once(admin, company):
    owner = make_user(company, role=None)
    admin.post(f"/team/{owner.id}/email", {"email": NEW})
    assert reload(owner).email == NEW


@UNMAILED
def test_who_was_invited_to_the_old_address_gets_another_link(admin, person):
    old = link_on(admin.post("/team/new", {"name": "Bia", "email": "bia@example.com", "role": "member"}))
    bia = db.session.query(User).filter_by(email="bia@example.com").one()
    page = admin.post(f"/team/{bia.id}/email", {"email": NEW})
    assert "E-mail trocado." in page.text
    assert person().get(old).status_code == 410
    assert person().post(link_on(page), {"password": PASSWORD}).location == "/"
    assert log_in(person(), NEW).location == "/"


@UNMAILED
def test_an_admin_is_told_what_is_wrong_with_an_address(admin, member):
    def said(email: str) -> str:
        return admin.post(f"/team/{member.id}/email", {"email": email}, follow_redirects=True).text

    assert "Este não é um endereço de e-mail válido." in said("x")
    assert "Este não é um endereço de e-mail válido." in said("")
    assert "Este já é o e-mail da conta." in said(member.email)


def test_a_new_name_is_news_for_the_crm(member, company):
    contact = make_contact(company)
    contact.owner_id, contact.data_changed_at = member.id, None
    db.session.commit()
    member.post("/account", {"name": "João", "language": "en"})
    assert contact.data_changed_at is None
    member.post("/account", {"name": "João Maria", "language": "en"})
    assert contact.data_changed_at is not None
