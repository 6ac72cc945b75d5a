"""Every address of the corpus, at every place where one comes in: the page, the API, the console; saved and tested."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask.testing import FlaskClient

from portal.cli import cli
from portal.database.db import db
from portal.egress import AddressError
from portal.models import Company, Delivery, User
from portal.people import tokens
from portal.runtime import runtime
from tests import factories
from tests.conftest import MakeApp

LINES = (Path(__file__).parent.parent / "data" / "urls.jsonl").read_text().splitlines()
STUB_DNS: dict[str, list[str]] = json.loads(LINES[0])["stub_dns"]
ROWS = [json.loads(line) for line in LINES[1:]]
REFUSED = [row for row in ROWS if row["expected"] == "refuse"]


@pytest.fixture(autouse=True)
def stub_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        if host not in STUB_DNS:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        kinds = [(socket.AF_INET6 if ":" in address else socket.AF_INET, address) for address in STUB_DNS[host]]
        return [(family, socket.SOCK_STREAM, 6, "", (address, port)) for family, address in kinds]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    """An installation that permits public addresses only."""
    app = make_app(allowed_networks=())
    app.config["WTF_CSRF_ENABLED"] = False
    with app.app_context():
        yield app


@pytest.fixture
def company(app: Flask) -> Company:
    return factories.make_company()


@pytest.fixture
def admin(company: Company) -> User:
    return factories.make_user(company)


def nothing_was_saved_or_sent(company: Company) -> bool:
    db.session.rollback()
    db.session.expire_all()
    sent = db.session.query(Delivery).count()
    url = factories.endpoint_of(company).url
    db.session.rollback()
    return sent == 0 and url is None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["id"])
def test_the_one_rule_judges_an_address_as_the_corpus_says(company: Company, row: dict[str, Any]) -> None:
    try:
        judged = "allow" if runtime().egress.check(row["url"]).addresses else "unresolvable"
    except AddressError:
        judged = "refuse"
    assert judged == row["expected"], row["why"]


@pytest.mark.slow
def test_the_api_neither_saves_nor_tests_a_refused_address(app: Flask, company: Company, admin: User) -> None:
    token = tokens.create_token(db.session, admin, label="test")
    db.session.commit()
    db.session.remove()
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    for row in REFUSED:
        saved = client.put("/api/v1/webhook", json={"url": row["url"]}, headers=headers)
        tested = client.post("/api/v1/webhook/test", json={"url": row["url"]}, headers=headers)
        assert (saved.status_code, tested.status_code) == (422, 422), row
        assert saved.json is not None
        assert saved.json["code"] in ("invalid_url", "blocked_address")
    assert nothing_was_saved_or_sent(company)


def log_in(app: Flask, email: str) -> FlaskClient:
    client = app.test_client()
    answer = client.post("/login", data={"email": email, "password": factories.PASSWORD})
    assert answer.status_code == 303
    return client


@pytest.mark.slow
def test_the_page_neither_saves_nor_tests_a_refused_address(app: Flask, company: Company, admin: User) -> None:
    db.session.remove()
    client = log_in(app, admin.email)
    for row in REFUSED:
        for path in ("/webhook", "/webhook/test"):
            assert client.post(path, data={"url": row["url"]}).status_code == 422, row
    assert nothing_was_saved_or_sent(company)


@pytest.mark.slow
def test_the_console_neither_saves_nor_tests_a_refused_address(
    app: Flask, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = runtime().settings
    monkeypatch.setenv("PORTAL_INSTANCE", str(settings.instance))
    monkeypatch.setenv("PORTAL_DATABASE_URL", settings.database_url)
    monkeypatch.setenv("PORTAL_SECRET_KEY", settings.secret_key)
    db.session.remove()
    for row in REFUSED[::8]:
        for command in (["set"], ["test"]):
            done = CliRunner().invoke(cli, ["webhook", *command, "--company", company.name, "--", row["url"]])
            assert done.exit_code in (1, 2), (row, done.output)
    assert nothing_was_saved_or_sent(company)


def test_addresses_that_pass_are_saved_in_their_normal_form(app: Flask, company: Company, admin: User) -> None:
    db.session.remove()
    client = log_in(app, admin.email)
    for row in ROWS:
        if row["expected"] != "refuse":
            assert client.post("/webhook", data={"url": row["url"]}).status_code == 303, row
            db.session.expire_all()
            url = factories.endpoint_of(company).url
            db.session.rollback()
            assert url is not None
            assert url == url.strip()
            assert "#" not in url
