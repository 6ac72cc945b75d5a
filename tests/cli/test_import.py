"""`portal import`."""

import json
from pathlib import Path

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import Classification, Contact, Delivery
from tests.cli.conftest import Run
from tests.factories import make_company, make_user
from tests.importing.conftest import DATA


@pytest.fixture
def company(app: Flask, receiver):
    company = make_company(url=receiver.url)
    make_user(company, role="member", email="membro@example.com")
    make_user(company, email="chefe@example.com")
    db.session.commit()
    return company


@pytest.fixture
def bad_file(tmp_path: Path) -> Path:
    path = tmp_path / "contatos.csv"
    path.write_text("Nome,E-mail,Nível,Notas\nAna,ana@example.com,3,\n,bia@example.com,1,\nCaio,arroba,,\n")
    return path


def names() -> list[str]:
    found = [contact.name for contact in db.session.query(Contact).order_by(Contact.id)]
    db.session.commit()
    return found


def test_a_file_is_imported_and_bad_rows_are_reported_by_line(run: Run, company, bad_file):
    result = run("import", bad_file, "--campaign", "Verão")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "line 3: Full name: is empty, and has to be filled.",
        "line 4: warning: E-mail: is not an e-mail address. (E-mail, arroba)",
    ]
    assert "created 2, changed 0, unchanged 0, classified 1, sent 1, warned 1, bad 1." in result.stdout
    assert "Columns: Nome = Full name, E-mail = E-mail, Nível = Interest level." in result.stdout
    assert "Left out: Notas." in result.stdout
    assert names() == ["Ana", "Caio"]
    ana = db.session.query(Contact).first()
    assert (ana.campaign.name, ana.owner.email) == ("Verão", "chefe@example.com")
    assert db.session.query(Delivery).one().actor == "console"


def test_a_good_file_ends_well_and_the_second_time_nothing_changes(run: Run, company):
    assert run("import", DATA / "linkedin_preamble_3.csv").exit_code == 0
    assert "unchanged 3" in run("import", DATA / "linkedin_preamble_3.csv").stdout
    assert len(names()) == 3


def test_a_dry_run_changes_nothing(run: Run, company, bad_file):
    result = run("import", bad_file, "--dry-run")
    assert "created 2" in result.stdout
    assert "(dry run)" in result.stdout
    assert names() == []
    assert db.session.query(Delivery).count() == 0


def test_without_webhooks_levels_are_recorded(run: Run, company, bad_file):
    run("import", bad_file, "--no-webhook")
    assert db.session.query(Classification).count() == 1
    assert db.session.query(Delivery).count() == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"PK\x03\x04", "broken"),
        (b"\xd0\xcf\x11\xe0" * 9, "Open it in the spreadsheet program"),
        (b"BEGIN:VCARD\n", "business cards (vCard)"),
        (b"%PDF-1.4", "This is a PDF"),
        (b"", "no row with data"),
        (b"Quem\nAna\n", "No column was chosen"),
    ],
)
def test_what_cannot_be_imported_is_said_in_one_sentence(run: Run, company, tmp_path, content, words):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    result = run("import", path)
    assert result.exit_code == 1
    assert words in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_company_with_nobody_is_told_to_add_a_user(run: Run, app: Flask, bad_file):
    make_company("Vazia")
    result = run("import", bad_file, "--company", "Vazia")
    assert result.exit_code == 1
    assert "add a user first" in result.stderr


def test_the_report_speaks_json(run: Run, company, bad_file):
    result = run("import", bad_file, "--json")
    shape = json.loads(result.stdout)
    assert (result.exit_code, shape["rows"], shape["created"], shape["bad"]) == (1, 3, 2, 1)
    assert [(row["line"], row["field"]) for row in shape["bad_rows"]] == [(3, "contact.name")]
    assert [(row["line"], row["column"], row["said"]) for row in shape["warnings"]] == [(4, "E-mail", "arroba")]
    assert shape["columns"][2:] == [
        {"name": "Nível", "field": "interest_level", "offer": None},
        {"name": "Notas", "field": None, "offer": None},
    ]
    assert result.stderr == ""
