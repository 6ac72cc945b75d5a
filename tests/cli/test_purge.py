"""`portal purge` and `portal erase`."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select, update

from portal.clock import utcnow
from portal.database.db import db
from portal.models import AuditEntry, Contact, Delivery, DeliveryBody
from portal.privacy import retention
from tests.cli.conftest import Run
from tests.factories import make_company, make_contact, make_delivery

RARE = "529.982.247-25"


@pytest.fixture
def contact(app: Flask) -> Contact:
    """Somebody with a delivery that failed 40 days ago."""
    contact = make_contact(make_company(url="http://127.0.0.1:9099/"), name=f"Zuleica {RARE}")
    make_delivery(contact)
    long_ago = utcnow() - timedelta(days=40)
    db.session.execute(update(Delivery).values(status="failed", created_at=long_ago, next_attempt_at=None))
    db.session.commit()
    return contact


def bodies() -> list[bytes]:
    db.session.rollback()
    found = list(db.session.scalars(select(DeliveryBody.content)))
    db.session.rollback()
    return found


def test_a_purge_says_what_went(run: Run, contact: Contact) -> None:
    result = run("purge")
    assert result.exit_code == 0
    assert result.stdout.startswith("Vendas Exemplo: bodies 1, answers 0, deliveries 0, entries 0.\n")
    assert result.stderr == "Purging Vendas Exemplo\nGiving the space back to the disk\n"
    assert bodies() == []
    report = retention.last_report(db.session, contact.company_id)
    assert report is not None
    assert (report.actor, report.counts["bodies"]) == ("console", 1)


def test_a_dry_run_says_the_same_and_changes_nothing(run: Run, contact: Contact) -> None:
    result = run("purge", "--dry-run", "--json")
    report = json.loads(result.stdout)
    assert result.stderr == ""
    assert report["dry_run"]
    assert report["companies"] == [
        {"company": "Vendas Exemplo", "bodies": 1, "answers": 0, "deliveries": 0, "entries": 0}
    ]
    assert bodies() != []
    assert retention.last_report(db.session, contact.company_id) is None


def test_a_purge_of_one_company_leaves_the_others(run: Run, contact: Contact) -> None:
    make_company("Outra")
    db.session.rollback()
    run("purge", "--company", "Outra")
    assert bodies() != []


def test_a_file_that_does_not_shrink_by_itself_is_written_anew(run: Run, contact: Contact, instance: Path) -> None:
    db.session.remove()
    db.engine.dispose()
    with closing(sqlite3.connect(instance / "portal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        connection.execute("CREATE TABLE ballast (x)")
        connection.execute("INSERT INTO ballast SELECT zeroblob(3000000)")
        connection.execute("DROP TABLE ballast")
    freed = json.loads(run("purge", "--json").stdout)["freed_bytes"]
    assert freed > 2_900_000
    with closing(sqlite3.connect(instance / "portal.db")) as connection:
        assert connection.execute("PRAGMA auto_vacuum").fetchone() == (2,)


def test_erase_leaves_no_trace_of_the_person_in_the_files(run: Run, contact: Contact, instance: Path) -> None:
    contact_id = contact.id
    db.session.remove()
    assert any(RARE.encode() in file.read_bytes() for file in instance.glob("portal.db*"))
    result = run("erase", "--contact", contact_id, "--yes")
    assert result.exit_code == 0
    assert "kept as proof, without data: 1." in result.stdout
    assert not any(RARE.encode() in file.read_bytes() for file in instance.glob("portal.db*"))
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "contact.erased")).one()
    assert (entry.actor, entry.subject) == ("console", str(contact_id))


def test_erase_asks_and_takes_no_for_an_answer(run: Run, contact: Contact) -> None:
    contact_id = contact.id
    db.session.rollback()
    result = run("erase", "--contact", contact_id, stdin="n\n")
    assert result.exit_code == 1
    assert "Erase Zuleica" in result.stderr
    assert db.session.scalars(select(Contact.id)).all() == [contact_id]


def test_erasing_whom_there_is_not_is_one_sentence(run: Run, app: Flask) -> None:
    result = run("erase", "--contact", 77, "--yes")
    assert (result.exit_code, result.stderr) == (1, "Error: There is no contact 77.\n")
