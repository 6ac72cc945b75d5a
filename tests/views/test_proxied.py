"""Whom a trusted proxy has logged in comes in without a password."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests

from portal.config import SettingError, load_settings
from portal.database.db import db
from portal.models import AuditEntry
from portal.people import users
from tests.factories import make_company, make_user
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


def test_who_is_not_known_or_disabled_is_told_whom_to_ask(company, person):
    gone = make_user(company, email="gil@example.com")
    gone.disabled_at = gone.created_at
    make_user(company, email="dona@example.com", role=None)
    db.session.commit()
    for email in ("x@example.com", "gil@example.com", "dona@example.com"):
        answer = ask(person(), "/login", email)
        assert (answer.status_code, f"como {email}" in answer.text) == (403, True)
        assert "Peça um convite" in answer.text


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


def test_a_peer_of_the_open_internet_is_no_proxy(company, person):
    make_user(company, email=EMAIL)
    assert ask(person(), "/login", peer="8.8.8.8").status_code == 200


def test_another_companys_invitation_takes_nobody_in(company, person):
    make_user(company, email=EMAIL)
    other = make_company("Rival")
    for name in (EMAIL, "nova@example.com"):
        users.add_user(db.session, other, name="X", email=name, role="member", password=None)
    users.add_user(db.session, company, name="X", email="nova@example.com", role="member", password=None)
    db.session.commit()
    browser = person()
    ask(browser, "/login")
    assert company.name in ask(browser, "/").text
    assert ask(person(), "/login", "nova@example.com").status_code == 403


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
