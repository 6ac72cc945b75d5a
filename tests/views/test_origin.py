"""Whether a form comes from a page of the portal: by its Origin, else its Referer, whatever a proxy does to Host."""

import json
import re

import pytest

from portal.cli.checks import check_origins
from portal.database.db import db
from portal.models import AuditEntry
from portal.people import links
from tests.factories import PASSWORD, make_user
from tests.views.conftest import Person

BASE = "https://portal.example:8443"


@pytest.fixture
def app(make_app):
    app = make_app(base_url=BASE, proxy_hops=1, trusted_hosts=("other.example",))
    with app.app_context():
        yield app


@pytest.fixture
def log_in(app, company):
    """Logs in behind a proxy that sends on these headers; the answer."""
    user = make_user(company)
    email = user.email

    def send(*, scheme: str = "https", host: str = "portal.example", **headers: str):
        browser = Person(app.test_client(), None)
        proxy = {"X-Forwarded-Proto": scheme, "Host": host, **headers}
        secure = {"base_url": f"{scheme}://{host}", "headers": proxy}
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', browser.get("/login", **secure).text)[1]
        form = {"csrf_token": token, "email": email, "password": PASSWORD}
        return browser.open("/login", method="POST", data=form, **secure)

    return send


GOOD = [
    {"Origin": BASE},
    {"Origin": BASE, "Referer": "https://evil.example/"},
    {"Referer": f"{BASE}/login"},
    {"Origin": "null", "Referer": f"{BASE}/login"},
    {"Origin": "null", "Sec-Fetch-Site": "same-origin"},
    {"Origin": "https://portal.example"},
    {"Origin": "https://other.example", "host": "other.example"},
]
BAD = [
    ({"Origin": "https://evil.example"}, "origin", "Origin"),
    ({"Origin": "https://evil.example", "Referer": f"{BASE}/login"}, "origin", "Origin"),
    ({"Referer": f"https://portal.example:8444/?{BASE}"}, "origin", "Referer"),
    ({"Origin": "https://portal.example@evil.example"}, "origin", "Origin"),
    ({"Origin": "https://[::1"}, "origin", "Origin"),
    ({"Origin": "http://portal.example"}, "use_https", "Origin"),
    ({}, "stripped", "Referer"),
    ({"Sec-Fetch-Site": "same-site"}, "stripped", "Referer"),
    ({"Origin": "https://evil.example", "Sec-Fetch-Site": "same-origin"}, "origin", "Origin"),
    ({"Origin": "null"}, "stripped", "Referer"),
]


@pytest.mark.parametrize("headers", GOOD)
def test_a_page_of_the_portal_is_known(log_in, headers):
    assert log_in(**headers).status_code == 303


@pytest.mark.parametrize(("headers", "cause", "header"), BAD)
def test_what_disagrees_is_named_on_the_page_in_the_log_and_by_doctor(log_in, caplog, headers, cause, header):
    answer = log_in(**headers)
    assert answer.status_code == 400
    for name in (f"<dt>{header}</dt>", "<dt>PORTAL_BASE_URL</dt>", BASE):
        assert name in answer.text
    (said,) = [record for record in caplog.records if getattr(record, "action", "") == "origin_refused"]
    assert (said.cause, BASE in said.message) == (cause, True)
    (finding,) = check_origins()
    assert finding.level == "warn"
    assert f"{header}: " in finding.message
    assert f"PORTAL_BASE_URL: {BASE}" in finding.message


def test_it_is_noted_once_a_day(log_in):
    for number in range(3):
        log_in(Origin=f"https://evil{number}.example")
    assert db.session.query(AuditEntry).filter_by(action="origin.refused").count() == 1


def test_without_headers_a_portal_without_tls_goes_by_the_token_alone(make_app, person, company):
    assert person().post("/login", {"email": make_user(company).email, "password": PASSWORD}).status_code == 303


def test_by_plain_http_the_page_says_to_use_https(app, person):
    """There the browser keeps no cookie, and so no token holds."""
    browser = person()
    answer = browser.open(
        "/login", method="POST", data={"csrf_token": "x"}, headers={"Origin": "http://portal.example"}
    )
    assert answer.status_code == 400
    assert "Abra o portal por https" in answer.text
    assert f'href="{BASE}"' in answer.text


def test_a_foreign_name_is_named(person):
    answer = person().get("/login", headers={"Host": "backend<b>.internal"})
    assert answer.status_code == 400
    assert "PORTAL_TRUSTED_HOSTS" in answer.text
    assert "<b>" not in answer.text
    answer = person().get("/login", headers={"Host": "backend.internal"})
    assert "“backend.internal”" in answer.text


def test_a_token_of_the_api_needs_no_origin(app, person):
    answer = person().open("/api/v1/contacts", method="POST", data=json.dumps([]), base_url="https://portal.example")
    assert answer.status_code == 401


def test_a_used_link_says_that_it_was_used(app, person, company):
    user = make_user(company, role=None)
    user.role = "member"
    token = links.create_link(db.session, purpose="invitation", user=user)
    db.session.commit()
    links.create_link(db.session, purpose="invitation", user=user)
    db.session.commit()
    answer = person().get(f"/invitation/{token}")
    assert answer.status_code == 410
    assert "Este link já foi usado" in answer.text
    assert person().get("/invitation/unknown").status_code == 404
