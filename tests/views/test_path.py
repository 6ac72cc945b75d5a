"""A portal below a path of its host: every address that it writes leads below that path."""

import re

import pytest
from flask import Flask

from portal import clock
from portal.database.db import db
from tests.factories import make_company, make_contact, make_delivery, make_user
from tests.views.conftest import Person

ADDRESS = re.compile(r'\b(?:href|src|action|formaction|hx-(?:get|post|put|delete)|data-[a-z-]*url)="(/[^"]*)"')
ROOT = "https://portal.example.com/portal"


@pytest.fixture
def app(make_app):
    app = make_app(base_url=ROOT)
    with app.app_context():
        yield app


@pytest.fixture
def admin(app: Flask) -> Person:
    company = make_company(url="http://127.0.0.1:9999/hook")
    make_delivery(make_contact(company))
    user = make_user(company)
    db.session.commit()
    admin = Person(app.test_client(), None)
    with admin.client.session_transaction(base_url=ROOT) as session:
        session["_user_id"], session["_fresh"] = user.get_id(), True
        session["since"] = int(clock.utcnow().timestamp())
    return admin


def pages(app: Flask) -> list[str]:
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in rule.methods and not rule.arguments]
    return [*sorted(rule.rule for rule in rules), "/contacts/1", "/contacts/1/edit", "/missing"]


@pytest.mark.parametrize("is_kept", [True, False], ids=["the proxy leaves the path", "the proxy takes the path away"])
def test_every_address_on_every_page_leads_below_the_path(app: Flask, admin: Person, is_kept: bool) -> None:
    found = 0
    for url in pages(app):
        environ = {"SCRIPT_NAME": "", "PATH_INFO": f"/portal{url}"} if is_kept else {}
        answer = admin.get(url, base_url=ROOT, environ_overrides=environ)
        text = answer.get_data().decode(errors="replace")  # a ZIP is no text
        addresses = [*ADDRESS.findall(text), *([answer.location] if answer.location else [])]
        assert [address for address in addresses if not address.startswith("/portal/")] == [], url
        found += len(addresses)
    assert found > 300


def test_who_is_not_logged_in_comes_back_to_the_page_asked_for(app: Flask) -> None:
    sent = app.test_client().get("/deliveries?status=failed", base_url=ROOT)
    assert sent.location == "/portal/login?next=/portal/deliveries?status%3Dfailed"


def test_the_cookie_is_for_the_path_alone(app: Flask) -> None:
    answer = app.test_client().get("/login", base_url=ROOT)
    assert answer.headers["Set-Cookie"].startswith("__Secure-session=")
    assert "; Path=/portal" in answer.headers["Set-Cookie"]
