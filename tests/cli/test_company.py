"""A company's data as files, and closing it, on the console."""

import errno
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.database.db import db
from portal.models import AuditEntry, Company, Contact
from portal.worker.task_runner import TaskRunner
from tests.cli.conftest import Run
from tests.factories import make_company, make_contact
from tests.views.test_leaving import FILES


def test_a_companys_data_is_one_file_that_only_its_owner_reads(app: Flask, run: Run, tmp_path: Path) -> None:
    make_contact(make_company("Sai"), name="Zuleica")
    make_contact(make_company("Fica"), name="Alheia")
    file = tmp_path / "dados.zip"
    assert run("company", "export", file, "--company", "Sai").exit_code == 0
    assert file.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == FILES
        assert "Zuleica" in archive.read("contatos.csv").decode()
        assert "Alheia" not in archive.read("contatos.csv").decode()
    result = run("company", "export", file, "--company", "Sai")
    assert (result.exit_code, result.stderr) == (1, f"Error: {file} is there already.\n")
    with app.app_context():
        assert db.session.query(AuditEntry).filter_by(action="company.exported").count() == 1


def test_half_a_file_is_no_file(app: Flask, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_contact(make_company("Sai"))
    file = tmp_path / "dados.zip"

    def fill_up(files: Any) -> Iterator[bytes]:
        yield b"PK"
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("portal.cli.privacy.write_zip", fill_up)
        result = run("company", "export", file, "--company", "Sai")
    assert result.exit_code == 1
    assert f"{file} cannot be used (No space left on device)." in result.stderr
    assert not [*tmp_path.glob("*dados*")]
    with app.app_context():
        assert db.session.query(AuditEntry).filter_by(action="company.exported").count() == 0
    assert run("company", "export", file, "--company", "Sai").exit_code == 0


def test_closing_asks_for_the_name_and_erases_here_and_now(app: Flask, run: Run) -> None:
    make_contact(make_company("Sai"))
    make_contact(make_company("Fica"))
    refused = run("company", "close", "--company", "Sai", stdin="Fica\n")
    assert refused.exit_code == 1
    assert "contacts 1" in refused.stderr
    assert len(db.session.scalars(select(Company)).all()) == 2
    db.session.rollback()
    done = run("company", "close", "--company", "Sai", stdin="Sai\n")
    assert (done.exit_code, done.stdout) == (0, "Sai is closed, and everything of it is erased.\n")
    db.session.expire_all()
    assert db.session.scalars(select(Company.name)).all() == ["Fica"]
    assert len(db.session.scalars(select(Contact)).all()) == 1
    entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "company.closed")).one()
    assert (entry.actor, entry.subject, entry.company_id) == ("console", "Sai", None)


def test_no_worker_erases_the_same_at_the_same_time(app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make_contact(make_company("Sai"))
    found: list[bool] = []
    monkeypatch.setattr(clock, "sleep", lambda _: found.append(TaskRunner(db.engine, on_due=lambda: None).run_one()))
    assert run("company", "close", "--company", "Sai", "--yes").exit_code == 0
    assert found
    assert not any(found)
    assert db.session.scalars(select(Company)).all() == []
