"""Files in the shapes of the tools that people use: what must come out of each, by every way in."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from portal.database.db import db
from portal.models import Company, Contact, Delivery
from portal.tasks import store
from tests.conftest import BOTH
from tests.factories import make_company, make_import, make_user, save_many
from tests.importing.conftest import DATA

CORPUS = DATA / "corpus"
MANIFEST = [json.loads(line) for line in (CORPUS / "manifest.jsonl").read_text().splitlines()]
every_file = pytest.mark.parametrize("row", MANIFEST, ids=[row["file"] for row in MANIFEST])


@pytest.fixture
def company(app, receiver) -> Company:
    company = make_company(url=receiver.url)
    make_user(company, email="chefe@example.com")
    db.session.commit()
    return company


def contacts() -> list[dict[str, Any]]:
    """All contacts, as far as the manifest speaks of them."""
    zone = ZoneInfo("America/Sao_Paulo")
    found = []
    for contact in db.session.query(Contact).order_by(Contact.id):
        names = ("name", "linkedin_public_id", "email", "current_company", "role", "phone", "interest_level")
        facts = {name: getattr(contact, name) for name in names}
        accepted = contact.accept_date
        facts["accept_date"] = accepted.astimezone(zone).date().isoformat() if accepted else None
        found.append(facts)
    db.session.commit()
    return found


def check(row: dict[str, Any]) -> None:
    found = contacts()
    assert [
        {name: facts[name] for name in wanted} for facts, wanted in zip(found, row["contacts"], strict=True)
    ] == row["contacts"]
    for facts, wanted in zip(found, row["contacts"], strict=True):
        for name in ("linkedin_public_id", "interest_level"):
            assert facts[name] == wanted.get(name), "what is no profile and no level is stored nowhere"
    assert db.session.query(Delivery).count() == row["webhooks"]


@BOTH
@every_file
def test_a_file_gives_its_contacts_and_the_second_time_nothing(company, run_tasks, row):
    content = (CORPUS / row["file"]).read_bytes()
    first, second = make_import(company, content), None
    store.start(db.session, first)
    run_tasks()
    assert first.counts.get("bad", 0) == row["bad_rows"]
    check(row)
    second = make_import(company, content)
    store.start(db.session, second)
    run_tasks()
    assert not {"created", "changed", "classified", "sent"} & set(second.counts)
    check(row)


@every_file
def test_the_api_gives_the_same_contacts(company, row):
    """Of the facts that a call can bring: what a file writes around them is no matter of the API."""
    facts = [{name: value for name, value in wanted.items() if value is not None} for wanted in row["contacts"]]
    save_many(company, [{"contact": each} for each in facts])
    db.session.commit()
    check(row)
