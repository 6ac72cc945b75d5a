"""`portal import`."""

import json
import os
import signal
import sqlite3
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from portal.cli import importing as import_command
from portal.cli.console import NOBODY
from portal.database.db import db
from portal.importing import chunks
from portal.models import Classification, Contact, Delivery, Task
from portal.working_models import ImportedContact
from tests.cli.conftest import Run
from tests.factories import do_tasks, make_company, make_user
from tests.importing.conftest import DATA, WORKBOOKS
from tests.programs import be_portal, run_portal


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
        NOBODY,
    ]
    assert "created 2, changed 0, unchanged 0, classified 1, sent 1, warned 1, bad 1." in result.stdout
    assert "Columns: Nome = Full name, E-mail = E-mail, Nível = Interest level." in result.stdout
    assert "Left out: Notas." in result.stdout
    assert names() == ["Ana", "Caio"]
    ana = db.session.query(Contact).first()
    assert (ana.campaign.name, ana.owner.email) == ("Verão", "chefe@example.com")
    assert db.session.query(Delivery).one().actor == "console"


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_many_warnings_of_one_kind_are_counted_and_every_bad_row_is_told(run: Run, company, tmp_path, options):
    path = tmp_path / "contatos.csv"
    rows = [f"Pessoa {number},arroba {number}" for number in range(15)] + [f",b{n}@example.com" for n in range(12)]
    path.write_text("\n".join(["Nome,E-mail", *rows]) + "\n")
    told = run("import", path, *options).stderr.splitlines()
    assert sum("warning: E-mail" in line for line in told) == 10
    assert told[-1] == "5 more warnings: E-mail: is not an e-mail address. (E-mail) All of them: --json."
    assert sum("Full name" in line for line in told) == 12
    assert len(json.loads(run("import", path, *options, "--json").stdout)["warnings"]) == 15


def test_a_good_file_ends_well_and_the_second_time_nothing_changes(run: Run, company):
    assert run("import", DATA / "linkedin_preamble_3.csv").exit_code == 0
    assert "unchanged 3" in run("import", DATA / "linkedin_preamble_3.csv").stdout
    assert len(names()) == 3


def test_standard_output_is_the_report_and_progress_is_for_a_terminal(run: Run, company, bad_file):
    told = run("import", bad_file).stdout.splitlines()
    assert [line.replace(":", "").split()[0] for line in told] == [
        "List",
        "Webhooks",
        "Columns",
        "Left",
        "created",
        "`portal",
    ]


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
        (b"PK\x03\x04", "is broken"),
        (b"\xd0\xcf\x11\xe0" * 9, "Open it in the spreadsheet program"),
        (b"BEGIN:VCARD\n", "business cards (vCard)"),
        (b"%PDF-1.4", "This is a PDF"),
        (b"", "no row with data"),
        (b"Quem\nAna\n", "No column was chosen for the contact's name. Choose the one that says it. There are: Quem."),
        ("Empresa,Responsável\nMoinho,Ana\n".encode(), 'It may be: Responsável. Use --map "COLUMN=name".'),
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
    assert result.stderr == f"{NOBODY}\n"


def test_standard_input_and_pipes_are_read(run: Run, company, bad_file, tmp_path):
    assert "created 1" in run("import", "-", stdin="Nome,E-mail\nDora,dora@example.com\n").stdout
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[b"Nome,E-mail\nEva,eva@example.com\n"])
    writer.start()
    assert run("import", pipe).exit_code == 0
    writer.join()
    assert names() == ["Dora", "Eva"]


def columns_of(result) -> dict[str, str | None]:
    return {column["name"]: column["field"] for column in json.loads(result.stdout)["columns"]}


@pytest.fixture
def odd_file(tmp_path: Path) -> Path:
    path = tmp_path / "odd.csv"
    path.write_text("Quem;LinkedIn;Perfil;Cargo\nAna Lima;;ana-lima;Gerente\n")
    return path


CHOICES = ("--map", "quem=name", "--map", "Perfil=linkedin", "--ignore", "Cargo")


def test_columns_go_where_they_are_told_and_that_is_remembered_for_the_same_header(run: Run, company, odd_file):
    first = run("import", odd_file, *CHOICES)
    assert "Columns: Quem = Full name, Perfil = LinkedIn profile." in first.stdout
    assert "Left out: LinkedIn, Cargo." in first.stdout
    assert "earlier file" not in first.stdout
    ana = db.session.query(Contact).one()
    assert (ana.name, ana.linkedin_public_id, ana.role) == ("Ana Lima", "ana-lima", None)
    db.session.commit()
    second = run("import", odd_file)
    assert "Some columns go where they were put for an earlier file of the same header." in second.stdout
    assert "unchanged 1" in second.stdout
    third = run("import", odd_file, "--map", "Cargo=role", "--json")
    assert json.loads(third.stdout)["remembered"] is True
    assert columns_of(third) == {"Quem": "name", "LinkedIn": None, "Perfil": "linkedin", "Cargo": "role"}


def test_a_dry_run_says_the_columns_and_remembers_nothing(run: Run, company, odd_file):
    first = run("import", odd_file, *CHOICES, "--dry-run")
    assert "Columns: Quem = Full name, Perfil = LinkedIn profile." in first.stdout
    assert run("import", odd_file).exit_code == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            ["--map", "Nada=name"],
            "Nada: The file has no column of this name. There are: Quem, LinkedIn, Perfil, Cargo.",
        ),
        (["--ignore", "Nada"], "Nada: The file has no column of this name. There are: Quem, LinkedIn, Perfil, Cargo."),
        (["--map", "Quem=nome"], "nome: A contact has no field of this name. There are: name, first_name,"),
        (["--sheet", "Contatos"], "This is a text and no workbook"),
    ],
)
def test_a_wrong_name_is_one_error_that_says_what_there_is(run: Run, company, odd_file, options, words):
    result = run("import", odd_file, *options)
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert words in result.stderr
    assert names() == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--map", "Quem"], "has no =. Write COLUMN=FIELD; fields are name, first_name,"),
        (["--encoding", "klingon"], "klingon is none of utf-8, utf-16, cp1252, mac_roman, cp850."),
    ],
)
def test_a_wrong_value_is_a_usage_error_that_says_what_there_is(run: Run, company, odd_file, options, words):
    result = run("import", odd_file, *options)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_second_table_beside_the_first_is_said(run: Run, company, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("Nome;E-mail;;Nome;E-mail\nAna;a@x.test;;Bia;b@x.test\n")
    said = "There seem to be two tables side by side: the header repeats Nome, E-mail."
    assert said in run("import", people, "--dry-run").stdout
    assert json.loads(run("import", people, "--json").stdout)["repeated_names"] == ["Nome", "E-mail"]


def test_the_first_row_is_a_contact_where_somebody_says_so(run: Run, company, tmp_path):
    people = tmp_path / "people.csv"
    people.write_text("Ana Lima;Moinho Azul\nBia Reis;Casa Clara\n")
    refused = run("import", people, "--dry-run")
    assert "Choose the one that says it. It may be: Ana Lima, Moinho Azul." in refused.stderr
    report = json.loads(run("import", people, "--no-header", "--map", "Coluna 2=current_company", "--json").stdout)
    assert (report["created"], names()) == (2, ["Ana Lima", "Bia Reis"])


def test_encoding_and_sheet_can_be_chosen(run: Run, company, tmp_path):
    text = tmp_path / "dos.csv"
    text.write_bytes("Nome,E-mail\nJoão Ávila,joao@example.com\n".encode("cp850"))
    shape = json.loads(run("import", text, "--encoding", "IBM850", "--json").stdout)
    assert (shape["encoding"], shape["sheet"], names()) == ("cp850", None, ["João Ávila"])
    wrong = run("import", WORKBOOKS / "people.xls", "--sheet", "Nada")
    assert "Nada: The workbook has no sheet of this name. There are: Leia-me, Contatos." in wrong.stderr
    assert "A workbook says itself" in run("import", WORKBOOKS / "people.xls", "--encoding", "cp850").stderr
    shape = json.loads(run("import", WORKBOOKS / "people.xls", "--sheet", "Contatos", "--json").stdout)
    assert (shape["sheet"], names()) == ("Contatos", ["João Ávila", "Ana Lima"])
    said = "Sheet: Contatos. Left out: Leia-me. Another is chosen by --sheet."
    assert (shape["other_sheets"], said in run("import", WORKBOOKS / "people.xls").stdout) == (["Leia-me"], True)


def test_columns_without_a_header_are_called_by_their_number(run: Run, company):
    rows = "Ana Lima,ana@example.com,Gerente\nBia Mota,bia@example.com,Chefe\n"
    result = run("import", "-", "--map", "Coluna 3=role", stdin=rows)
    assert "Columns: Column 1 = Full name, Column 2 = E-mail, Column 3 = Role." in result.stdout
    assert names() == ["Ana Lima", "Bia Mota"]


def test_whose_contacts_they_are_can_be_said(run: Run, company, tmp_path: Path):
    path = tmp_path / "contatos.csv"
    path.write_text("Nome,E-mail,E-mail do responsável\nAna,ana@x.test,nova@x.test\nBia,bia@x.test,\n")
    refused = run("import", path, "--owner", "ninguem@x.test")
    assert (refused.exit_code, "Nobody of" in refused.stderr) == (1, True)
    first = run("import", path, "--owner", "membro@example.com")
    assert "nobody of your company has this e-mail" in first.stderr
    assert owners() == {"Ana": "membro@example.com", "Bia": "membro@example.com"}
    assert run("import", path, "--new-owners").stderr == ""
    assert owners() == {"Ana": "nova@x.test", "Bia": "membro@example.com"}


def owners() -> dict[str, str]:
    found = {contact.name: contact.owner.email for contact in db.session.query(Contact)}
    db.session.commit()
    return found


def test_the_number_of_webhooks_is_said_before_the_first_goes(run: Run, company, bad_file):
    out = run("import", bad_file).stdout
    assert out.index("Webhooks to send: 1.") < out.index("created 2")
    assert "Webhooks to send: 0." in run("import", bad_file).stdout


def test_a_level_of_a_person_stays_unless_it_is_to_be_replaced(run: Run, company, bad_file):
    run("import", bad_file, "--no-webhook")
    assert run("classify", "1", "1").exit_code == 0
    assert "classified 0, sent 0, warned 1, bad 1, kept 1." in run("import", bad_file).stdout
    assert "classified 1, sent 1, warned 1, bad 1." in run("import", bad_file, "--levels", "replace").stdout


def test_who_is_elsewhere_is_said_and_can_be_changed_there(run: Run, company, bad_file):
    run("import", bad_file, "--campaign", "Verão")
    dry = run("import", bad_file, "--campaign", "Inverno", "--dry-run", "--json")
    report = json.loads(dry.stdout)
    assert (report["created"], report["elsewhere"]) == (2, 1), "of Caio only the name is known"
    assert (
        "created 1, changed 0, unchanged 1"
        in run("import", bad_file, "--campaign", "Inverno", "--elsewhere", "update").stdout
    )


def test_an_import_by_command_is_one_like_the_others(run: Run, company, bad_file):
    run("import", bad_file)
    (task,) = db.session.query(Task)
    assert (task.status, task.position, task.counts["created"]) == ("done", 3, 2)
    assert db.session.query(ImportedContact).filter_by(task_id=task.id, is_created=True).count() == 2


def test_an_import_is_taken_back_by_command(run: Run, company, bad_file):
    out = run("import", bad_file, "--no-webhook").stdout
    assert "`portal undo 1` takes it back." in out
    counted = run("undo", "1", "--dry-run")
    assert "nobody touched since: 2. Touched, and stay: 0." in counted.stdout
    assert len(names()) == 2
    assert "Job 2: a worker removes 2 contacts." in run("undo", "1", "--yes").stdout
    do_tasks()
    assert names() == []
    assert run("undo", "2").exit_code == 1, "it is no import"


FULL = sqlite3.OperationalError("database or disk is full")
FULL.sqlite_errorcode = sqlite3.SQLITE_FULL


@pytest.mark.parametrize(
    ("act", "fault"), [("save_batch", KeyboardInterrupt()), ("keep_links", KeyboardInterrupt()), ("save_batch", FULL)]
)
def test_an_import_that_is_interrupted_says_what_becomes_of_it(
    run: Run, company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: str, fault: BaseException
) -> None:
    path = tmp_path / "contatos.csv"
    path.write_text("Nome\n" + "".join(f"Pessoa {number}\n" for number in range(chunks.CHUNK_ROWS + 1)))
    done, original = [], getattr(chunks, act)

    def interrupted(*given: Any, **more: Any) -> Any:
        if done:
            raise fault
        done.append(act)
        return original(*given, **more)

    monkeypatch.setattr(chunks, act, interrupted)
    result = run("import", path, "--no-webhook")
    task = db.session.query(Task).one()
    assert (task.status, task.reason, task.position) == ("failed", "interrupted", chunks.CHUNK_ROWS)
    assert f"What is saved stays; `portal undo {task.id}` takes it back." in result.stderr
    assert (result.exit_code, len(names())) == (1, chunks.CHUNK_ROWS)


def be_interrupted(number: signal.Signals, *arguments: str) -> None:
    """A portal that is sent a signal after the first chunk of an import."""
    original = import_command.do_chunk

    def do_one(*given: Any) -> Any:
        done = original(*given)
        os.kill(os.getpid(), number)
        return done

    import_command.do_chunk = do_one  # type: ignore[assignment]
    be_portal(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_other_signals_are_what_ctrl_c_is_and_json_says_how_far_it_came(
    environ: dict[str, str], company, sqlite_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    path = tmp_path / "contatos.csv"
    path.write_text("Nome\n" + "".join(f"Pessoa {number}\n" for number in range(chunks.CHUNK_ROWS + 1)))
    act = partial(be_interrupted, number)
    result = run_portal(environ, "import", str(path), "--no-webhook", "--json", act=act)
    task = db.session.query(Task).one()
    assert (task.status, task.reason, result.returncode) == ("failed", "interrupted", 1)
    said = json.loads(result.stdout)
    assert (said["interrupted"], said["rows"], said["created"]) == (True, chunks.CHUNK_ROWS + 1, chunks.CHUNK_ROWS)
    assert f"`portal undo {task.id}` takes it back." in result.stderr
