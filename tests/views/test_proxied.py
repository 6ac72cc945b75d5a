"""Whom a trusted proxy has logged in comes in without a password."""

import logging
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from portal.audit import Actor
from portal.config import SettingError, load_settings
from portal.database.db import db
from portal.models import AuditEntry, Company, User
from portal.people import emails, users
from portal.people.links import create_link
from portal.people.passwords import InvalidAccount
from tests.conftest import BOTH
from tests.factories import PASSWORD, make_company, make_user
from tests.postgres import free_port
from tests.views.browser import served
from tests.views.test_behind_nginx import nginx

EMAIL = "ana@example.com"
PROXY = {"REMOTE_ADDR": "127.0.0.1"}


@pytest.fixture
def app(make_app):
    app = make_app(proxy_hops=1, remote_user_header="Remote-Email")
    with app.app_context():
        yield app


def ask(browser, url, email=EMAIL, peer="127.0.0.1", **more):
    return browser.get(
        url, headers={"Remote-Email": email, "X-Forwarded-For": "192.0.2.7"}, environ_base={"REMOTE_ADDR": peer}, **more
    )


def test_a_known_person_comes_in_to_the_page_that_was_asked_for(company, person):
    make_user(company, email=EMAIL)
    browser = person()
    assert ask(browser, "/login?next=/contacts", "Ana@Example.com").location == "/contacts"
    assert ask(browser, "/contacts").status_code == 200
    entry = db.session.query(AuditEntry).filter_by(action="login.proxied").one()
    assert (entry.actor, entry.ip, entry.company_id) == (EMAIL, "192.0.2.7", company.id)


def test_who_is_not_known_or_disabled_is_told_whom_to_ask(company, person, caplog):
    logging.getLogger("portal").propagate = True
    gone = make_user(company, email="gil@example.com")
    gone.disabled_at = gone.created_at
    make_user(company, email="dona@example.com", role=None)
    db.session.commit()
    for email in ("x@example.com", "gil@example.com", "dona@example.com"):
        answer = ask(person(), "/login", email)
        assert (answer.status_code, f"como {email}" in answer.text) == (403, True)
        assert "ninguém com acesso a este portal" in answer.text
        assert "Entrar com senha" not in answer.text, "it would lead nowhere"
    assert [vars(record)["action"] for record in dict.fromkeys(caplog.records)] == ["proxied_unknown"] * 3


def test_the_session_of_somebody_else_is_over(company, person):
    make_user(company, email=EMAIL)
    make_user(company, email="bia@example.com")
    browser = person()
    ask(browser, "/login")
    assert ask(browser, "/account", "bia@example.com").location.startswith("/login")
    assert ask(browser, "/login", "bia@example.com").location == "/"
    assert "bia@example.com" in ask(browser, "/account", "bia@example.com").text


def test_logging_out_does_not_come_back_in_by_itself(company, person):
    make_user(company, email=EMAIL)
    browser = person()
    ask(browser, "/login")
    token = browser.token()
    headers = {"Remote-Email": EMAIL}
    answer = browser.open("/logout", method="POST", data={"csrf_token": token}, headers=headers, environ_base=PROXY)
    assert answer.location == "/login?left=yes"
    assert ask(browser, answer.location).status_code == 200
    assert ask(browser, "/contacts").status_code == 302


def test_a_form_needs_its_token_all_the_same(company, person):
    make_user(company, email=EMAIL)
    browser = person()
    ask(browser, "/login")
    assert browser.open("/logout", method="POST", headers={"Remote-Email": EMAIL}).status_code == 400


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        *((peer, 303) for peer in ("", "::1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "::ffff:10.1.2.3")),
        *((peer, 303) for peer in ("169.254.0.9", "fe80::1", "fd00::1")),
        *((peer, 200) for peer in ("8.8.8.8", "100.64.0.1", "198.18.0.1", "203.0.113.5", "2001:db8::1", "172.32.0.1")),
        ("no address", 200),
    ],
)
def test_only_a_peer_of_this_machine_its_link_or_a_private_network_is_a_proxy(company, person, peer, status):
    make_user(company, email=EMAIL)
    assert ask(person(), "/login", peer=peer).status_code == status


def send(browser, url, data, email=EMAIL):
    headers = {"Remote-Email": email, "X-Forwarded-For": "192.0.2.7"}
    return browser.post(url, data, headers=headers, environ_base=PROXY)


def invite(company, email=EMAIL):
    """Invite somebody; the path of the link."""
    actor = Actor(company.id, "test")
    _, token = users.invite(db.session, company, name="X", email=email, role="member", actor=actor)
    db.session.commit()
    return f"/invitation/{token}"


def place_of(browser, email=EMAIL):
    """The status of the log-in by proxy, and whose page then comes."""
    answer = ask(browser, "/login", email)
    page = ask(browser, "/", email)
    return answer.status_code, [each.name for each in db.session.query(Company) if each.name in page.text]


@BOTH
def test_whom_the_proxy_has_let_in_stays_there_whatever_another_company_does(company, person):
    rival = make_company("Rival")
    invite(company)
    assert place_of(person()) == (303, [company.name])
    link = invite(rival)
    assert place_of(person()) == (303, [company.name]), "an invitation locks nobody out"
    answer = person().post(link, {"password": PASSWORD})
    assert (answer.status_code, "Alguém já entra no portal com este e-mail." in answer.text) == (422, True)
    assert person().post("/login", {"email": EMAIL, "password": PASSWORD}).status_code == 422
    bob = make_user(rival, email="bob@example.com")
    with pytest.raises(InvalidAccount):
        emails.change(db.session, bob, EMAIL, actor=Actor(rival.id, "test"))
    db.session.rollback()
    assert place_of(person()) == (303, [company.name])


@BOTH
def test_an_invitation_that_another_company_accepts_itself_takes_nobody_in(company, person):
    """Before the proxy let the person in anywhere."""
    invite(company)
    assert person().post(invite(make_company("Rival")), {"password": PASSWORD}).location == "/"
    assert place_of(person()) == (403, [])


@BOTH
def test_of_several_invitations_the_person_accepts_one_and_the_proxy_means_that_from_then_on(company, person):
    links = invite(make_company("Rival")), invite(company)
    answer = ask(person(), "/login")
    assert (answer.status_code, "Entrar com senha" in answer.text) == (403, False)
    assert send(person(), links[1], {"password": PASSWORD}).location == "/"
    assert place_of(person()) == (303, [company.name])
    assert send(person(), links[0], {"password": PASSWORD}).status_code == 422


def test_who_has_a_password_shows_it_once_where_another_company_invited_the_address_too(company, person):
    make_user(company, email=EMAIL)
    invite(make_company("Rival"))
    browser = person()
    assert "Entrar com senha" in ask(browser, "/login").text
    assert send(browser, "/login?left=yes", {"email": EMAIL, "password": PASSWORD}).location == "/"
    assert place_of(person()) == (303, [company.name])


def test_who_is_shut_out_may_come_in_by_the_proxy_elsewhere(company, person):
    user, other = make_user(company, email=EMAIL), make_company("Rival")
    make_user(company, email="bia@example.com")
    assert place_of(person()) == (303, [company.name])
    invite(other)
    users.disable(db.session, user, actor=Actor(company.id, "test"))
    assert place_of(person()) == (303, ["Rival"])


def test_an_address_that_an_account_gets_later_is_no_longer_the_proxys(company, person):
    """Another company gives the e-mail of somebody to an account that the proxy let in under another."""
    rival = make_company("Rival")
    invite(rival, "bob@example.com")
    place_of(person(), "bob@example.com")
    bob = db.session.query(User).filter_by(email="bob@example.com").one()
    emails.change(db.session, bob, EMAIL, actor=Actor(rival.id, "test"))
    invite(company)
    assert place_of(person()) == (403, [])


def test_while_the_proxy_names_somebody_no_other_e_mail_comes_in(company, person):
    make_user(company, email=EMAIL)
    browser, sentence = person(), "A sua organização diz que quem está aqui é x@example.com"
    refused = [
        send(browser, "/login?left=yes", {"email": EMAIL, "password": PASSWORD}, "x@example.com"),
        send(browser, invite(company, "nova@example.com"), {"password": PASSWORD}, "x@example.com"),
    ]
    assert [(answer.status_code, sentence in answer.text) for answer in refused] == [(422, True)] * 2
    assert db.session.query(AuditEntry).filter(AuditEntry.action.like("login.%")).all() == []
    assert db.session.query(User).filter_by(email="nova@example.com").one().password_hash is None


def test_a_portal_is_not_set_up_for_another_e_mail_than_the_proxy_names(app, person):
    token = create_link(db.session, purpose="setup")
    first = {"company": "Uma", "name": "Ana", "email": EMAIL, "password": PASSWORD}
    assert send(person(), f"/setup/{token}", first, "x@example.com").status_code == 422
    assert db.session.query(Company).all() == []
    assert send(person(), f"/setup/{token}", first).location == "/"


def test_without_the_setting_the_header_says_nothing(make_app, person):
    app = make_app(proxy_hops=1)
    with app.app_context():
        make_user(make_company(), email=EMAIL)
        answer = app.test_client().get("/login", headers={"Remote-Email": EMAIL})
    assert answer.status_code == 200


@pytest.mark.parametrize("more", [{}, {"PORTAL_PROXY_HOPS": "0"}])
def test_without_proxy_hops_the_start_refuses(tmp_path, more):
    with pytest.raises(SettingError, match="needs PORTAL_PROXY_HOPS"):
        load_settings({"PORTAL_INSTANCE": str(tmp_path), "PORTAL_REMOTE_USER_HEADER": "Remote-Email", **more})


class LogIn(BaseHTTPRequestHandler):
    """Stands in for the service that nginx asks: who has its cookie is Ana."""

    def do_GET(self):
        known = "sso=ana" in self.headers.get("Cookie", "")
        self.send_response(200 if known else 401)
        self.send_header("Remote-Email", EMAIL) if known else None
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def test_behind_nginx_with_auth_request(make_app, tmp_path, authority):
    service, port = HTTPServer(("127.0.0.1", 0), LogIn), free_port()
    threading.Thread(target=service.serve_forever, args=(0.02,), daemon=True).start()
    headers = f"""
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-Proto https;
      proxy_set_header X-Forwarded-For $remote_addr;
      auth_request /auth; auth_request_set $email $upstream_http_remote_email; proxy_set_header Remote-Email $email;
      location = /auth {{ internal; auth_request off; proxy_pass http://127.0.0.1:{service.server_port}; }}
    """
    app = make_app(proxy_hops=1, remote_user_header="Remote-Email", base_url=f"https://localhost:{port}")
    with app.app_context():
        make_user(make_company(), email=EMAIL)
        make_user(make_company("Rival"), email="vera@example.com")
        with (
            served(app) as upstream,
            nginx(tmp_path, authority, port=port, upstream=upstream, headers=headers) as url,
            requests.Session() as browser,
        ):
            browser.verify, browser.trust_env = str(authority.file), False
            assert browser.get(f"{url}/login").status_code == 401, "nginx lets in whom its service knows"
            browser.cookies.set("sso", "ana")
            page = browser.get(f"{url}/account", headers={"Remote-Email": "vera@example.com"}).text
    service.shutdown()
    service.server_close()
    assert EMAIL in page
    assert "vera@example.com" not in page


def test_who_has_no_password_is_told_so_where_one_is_asked_for(company, person):
    make_user(company, email=EMAIL).password_hash = None
    db.session.commit()
    browser = person()
    ask(browser, "/login")
    headers, peer = {"Remote-Email": EMAIL, "X-Forwarded-For": "192.0.2.7"}, {"REMOTE_ADDR": "127.0.0.1"}
    given = {"name": company.name, "current": "guessed it"}
    answer = browser.post("/company/close", given, headers=headers, environ_base=peer)
    assert answer.status_code == 422
    assert "Você ainda não tem senha no portal." in answer.text
