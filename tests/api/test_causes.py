"""Why contacts have not arrived, by API and by command: the groups and notes of the page."""

import json

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import AuditEntry, Company, Delivery
from portal.rules.reasons import explain_warning
from tests.api.conftest import Caller, check_problem
from tests.cli.conftest import Run, environ, run  # noqa: F401
from tests.company.test_outages import break_down
from tests.factories import make_contact, make_delivery, mark_delivered, set_url


@pytest.fixture
def troubles(app: Flask, api: Caller) -> None:
    """Contacts that wait for a receiver that answers 503, and one that arrived with a warning."""
    with app.app_context():
        company = db.session.get_one(Company, api.company_id)
        set_url(company, "http://127.0.0.1:9999/hook")
        break_down(company, waiting=1)
        odd = make_delivery(make_contact(company, name="Rui"), 2)
        mark_delivered(odd, warning="error_words")


@pytest.mark.usefixtures("troubles")
def test_causes_are_listed_with_their_notes(api: Caller, member: Caller, stranger: Caller) -> None:
    written = api.put("/causes/server_error/note", {"text": "  Falei com o suporte\r\nprotocolo 123 "})
    assert written.json["note"] == {
        "text": "Falei com o suporte\nprotocolo 123",
        "actor": api.email,
        "written_at": written.json["note"]["written_at"],
    }
    items = {item["cause"]: item for item in member.get("/causes").json["items"]}
    assert items["server_error"]["note"] == written.json["note"]
    assert (items["server_error"]["status"], items["server_error"]["contacts"] > 0) == ("pending", True)
    assert "503" in items["server_error"]["message"]
    assert stranger.get("/causes").json == {"items": []}
    assert api.put("/causes/server_error/note", {"text": None}).json == {"cause": "server_error", "note": None}
    assert all(item["note"] is None for item in api.get("/causes").json["items"])
    check_problem(member.put("/causes/server_error/note", {"text": "x"}), 403, "forbidden")
    check_problem(api.put("/causes/nothing/note", {"text": "x"}), 404, "not_found")


@pytest.mark.usefixtures("troubles")
def test_a_command_lists_them_and_writes_a_note(app: Flask, run: Run) -> None:  # noqa: F811
    company = ("--company", "Vendas Exemplo")
    assert "The note is saved." in run("causes", "note", "server_error", "ticket 123", *company).stdout
    assert "console: ticket 123" in run("causes", "list", *company).stdout
    found = json.loads(run("causes", "list", *company, "--json").stdout)["items"]
    assert [each["note"]["text"] for each in found if each["cause"] == "server_error"] == ["ticket 123"]
    assert "There is no note." in run("causes", "note", "server_error", *company).stdout
    assert "note [OPTIONS] CAUSE [TEXT]\n" in run("causes", "note").stderr
    with app.app_context():
        notes = [entry.subject for entry in db.session.query(AuditEntry).filter_by(action="cause.noted")]
    assert notes == ["server_error: ticket 123", "server_error: "]


@pytest.mark.usefixtures("troubles")
def test_an_open_warning_outlives_its_delivery(app: Flask, api: Caller) -> None:
    with app.app_context():
        db.session.delete(db.session.query(Delivery).filter_by(warning="error_words").one())
        db.session.commit()
    (item,) = [item for item in api.get("/causes").json["items"] if item["cause"] == "error_words"]
    assert (item["status"], item["contacts"]) == ("delivered", 1)
    with app.test_request_context(headers={"Accept-Language": "pt-BR"}):
        assert item["message"] == explain_warning("error_words")
