"""Files in the shapes of the tools that people use: what must come out of each, by every way in."""

import io
import json
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from portal.cli import cli
from portal.database.db import db
from portal.models import Company, Contact, Delivery
from portal.tasks import store
from tests.conftest import BOTH, URL
from tests.factories import do_tasks, make_company, make_import, make_user, save_many
from tests.importing.conftest import DATA
from tests.views.conftest import Person
from tests.views.test_imports import begin, choices_of

CORPUS = DATA / "corpus"
MANIFEST = [json.loads(line) for line in (CORPUS / "manifest.jsonl").read_text().splitlines()]
every_file = pytest.mark.parametrize("row", MANIFEST, ids=[row["file"] for row in MANIFEST])


@pytest.fixture
def company(app, receiver) -> Company:
    company = make_company(url=receiver.url)
    make_user(company, email="chefe@example.com")
    db.session.commit()
    return company


def contacts(company: Company) -> list[dict[str, Any]]:
    """The company's contacts, as far as the manifest speaks of them."""
    zone = ZoneInfo("America/Sao_Paulo")
    found = []
    for contact in db.session.query(Contact).filter_by(company_id=company.id).order_by(Contact.id):
        names = ("name", "linkedin_public_id", "email", "current_company", "role", "phone", "interest_level")
        facts = {name: getattr(contact, name) for name in names}
        accepted = contact.accept_date
        facts["accept_date"] = accepted.astimezone(zone).date().isoformat() if accepted else None
        found.append(facts)
    db.session.commit()
    return found


def check(company: Company, row: dict[str, Any]) -> None:
    found = contacts(company)
    assert [
        {name: facts[name] for name in wanted} for facts, wanted in zip(found, row["contacts"], strict=True)
    ] == row["contacts"]
    for facts, wanted in zip(found, row["contacts"], strict=True):
        for name in ("linkedin_public_id", "interest_level"):
            assert facts[name] == wanted.get(name), "what is no profile and no level is stored nowhere"
    assert db.session.query(Delivery).filter_by(company_id=company.id).count() == row["webhooks"]


@every_file
def test_a_file_gives_its_contacts_and_the_second_time_nothing(company, run_tasks, row):
    content = (CORPUS / row["file"]).read_bytes()
    first, second = make_import(company, content), None
    store.start(db.session, first)
    run_tasks()
    assert first.counts.get("bad", 0) == row["bad_rows"]
    check(company, row)
    second = make_import(company, content)
    store.start(db.session, second)
    run_tasks()
    assert not {"created", "changed", "classified", "sent"} & set(second.counts)
    check(company, row)


@every_file
def test_the_api_gives_the_same_contacts(company, row):
    """Of the facts that a call can bring: what a file writes around them is no matter of the API."""
    facts = [{name: value for name, value in wanted.items() if value is not None} for wanted in row["contacts"]]
    save_many(company, [{"contact": each} for each in facts])
    db.session.commit()
    check(company, row)
    again = save_many(company, [{"contact": each} for each in facts])
    assert not any(saved.created or saved.changed or saved.classified or saved.sent for saved in again)


def import_by_page(person: Person, content: bytes) -> dict[str, int]:
    """What an import counted that somebody sent and started as the page offered it."""
    file = io.BytesIO(content), "contatos.csv"
    sent = person.post("/imports", {"file": file}, content_type="multipart/form-data")
    do_tasks()
    url = sent.location.replace("/jobs/", "/imports/")
    begin(person, url, choices_of(person.get(url).text))
    return do_tasks().counts


@pytest.mark.slow
@BOTH
def test_every_file_by_the_page(app):
    for row in MANIFEST:
        company = make_company(row["file"], url=URL)
        person = Person(app.test_client(), make_user(company))
        assert import_by_page(person, (CORPUS / row["file"]).read_bytes()).get("bad", 0) == row["bad_rows"], row["file"]
        check(company, row)
        again = import_by_page(person, (CORPUS / row["file"]).read_bytes())
        assert not {"created", "changed", "classified", "sent"} & set(again), row["file"]


def import_by_command(company: Company, content: bytes, environ: dict[str, str], *options: str) -> dict[str, Any]:
    """What `portal import` says as JSON, of a file that comes through a pipe."""
    db.session.commit()
    arguments = ["import", "-", "--company", company.name, "--json", *options]
    result = CliRunner().invoke(cli, arguments, input=content, env=environ)
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == (1 if report["bad"] else 0)
    return report


def environ_of(instance: Path) -> dict[str, str]:
    """What makes the console use the database of the test."""
    url = db.engine.url.render_as_string(hide_password=False)
    return {"PORTAL_INSTANCE": str(instance), "PORTAL_SECRET_KEY": "k" * 48, "PORTAL_DATABASE_URL": url}


@pytest.mark.slow
@BOTH
def test_every_file_by_the_command(app, instance):
    environ = environ_of(instance)
    for row in MANIFEST:
        company = make_company(row["file"], url=URL)
        make_user(company)
        assert import_by_command(company, (CORPUS / row["file"]).read_bytes(), environ)["bad"] == row["bad_rows"], row[
            "file"
        ]
        check(company, row)
        again = import_by_command(company, (CORPUS / row["file"]).read_bytes(), environ)
        assert [again[name] for name in ("created", "changed", "classified", "sent")] == [0, 0, 0, 0], row["file"]
