"""The steps of backups and restores, of both databases: what is made, who is kept out, what is refused."""

import os
import sqlite3
import stat
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import create_engine, insert, select

from portal.clock import utcnow
from portal.database import backup
from portal.database.backup import BackupError, contents, postgresql, sqlite
from portal.database.db import db
from portal.models import Company, Endpoint
from portal.vault import DamagedSecret
from portal.working_models import WorkerHeartbeat
from tests.conftest import URL
from tests.factories import endpoint_of, make_company, set_url

PASSWORD = "s3cret"
SERVER = create_engine(f"postgresql+psycopg://ana:{PASSWORD}@db.example:5433/portal")


def modes(folder: Path) -> dict[str, str]:
    return {file.name: stat.filemode(file.stat().st_mode) for file in folder.iterdir()}


def test_a_backup_is_for_its_owners_eyes_whole_and_alone_in_its_folder(app: Flask, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    make_company()
    size = backup.back_up(db.engine, folder / "a.db")
    assert modes(folder) == {"a.db": "-rw-------"}
    assert size == (folder / "a.db").stat().st_size > 0
    make_company("Outra")
    with pytest.raises(BackupError, match=r"a\.db exists already: choose another name, or overwrite it with --force"):
        backup.back_up(db.engine, folder / "a.db")
    assert backup.read_column(folder / "a.db", "company", "name") == {"Vendas Exemplo"}
    backup.back_up(db.engine, folder / "a.db", force=True)
    assert backup.read_column(folder / "a.db", "company", "name") == {"Vendas Exemplo", "Outra"}
    assert modes(folder) == {"a.db": "-rw-------"}
    with pytest.raises(BackupError, match=r"cannot be written \(No such file or directory\)"):
        backup.back_up(db.engine, tmp_path / "nowhere" / "a.db")


def test_where_there_is_no_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'none.db'}")
    with pytest.raises(BackupError, match="There is no database yet: nothing to back up"):
        backup.back_up(engine, tmp_path / "a.db")
    assert list(tmp_path.iterdir()) == []


def test_a_column_is_read_of_a_backup_of_the_portal_and_of_nothing_else(app: Flask, tmp_path: Path) -> None:
    make_company()
    path, other, text = (tmp_path / name for name in ("a.db", "other.db", "note.txt"))
    backup.back_up(db.engine, path)
    with closing(sqlite3.connect(other)) as file:
        file.execute("CREATE TABLE company (name)")
    text.write_text("SQLite is what this only begins with")
    assert backup.read_column(path, "company", "name") == {"Vendas Exemplo"}
    assert backup.read_column(path, "invoice", "name") == set()
    assert [backup.read_column(each, "company", "name") for each in (other, text, tmp_path / "none")] == [None] * 3
    assert set(modes(tmp_path)) >= {"a.db", "other.db", "note.txt"}
    assert not [name for name in modes(tmp_path) if name.endswith(("-wal", "-shm", "-journal"))]


def restore(path: Path, tmp_path: Path, proof: Any = lambda _engine: None) -> Path | None:
    db.session.remove()
    return backup.restore(db.engine, path, proof=proof, keep_at=tmp_path / "kept")


def test_a_restore_holds_what_waits_and_keeps_what_was_there(app: Flask, tmp_path: Path, instance: Path) -> None:
    company = make_company(url=URL)
    make_company("Sem endereço")
    endpoint_of(company).state, endpoint_of(company).next_probe_at = "failing", utcnow()
    db.session.execute(insert(WorkerHeartbeat).values(worker="gone", seen_at=utcnow()))
    db.session.commit()
    backup.back_up(db.engine, tmp_path / "a.db")
    make_company("Depois da cópia")
    kept = restore(tmp_path / "a.db", tmp_path)
    assert kept is not None
    assert modes(tmp_path / "kept") == {kept.name: "-rw-------"}
    assert stat.filemode((tmp_path / "kept").stat().st_mode) == "drwx------"
    assert (instance / "portal.db").stat().st_mode & 0o777 == 0o600
    assert [name for name in modes(instance) if "restoring" in name] == []
    assert backup.read_column(kept, "company", "name") == {"Vendas Exemplo", "Sem endereço", "Depois da cópia"}
    assert set(db.session.scalars(select(Company.name))) == {"Vendas Exemplo", "Sem endereço"}
    found = db.session.execute(select(Endpoint.url, Endpoint.state, Endpoint.paused_reason, Endpoint.next_probe_at))
    assert {tuple(row) for row in found} == {(URL, "paused", "restored", None), (None, "active", None, None)}
    assert db.session.scalars(select(WorkerHeartbeat.worker)).all() == []


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (DamagedSecret("a secret"), "a secret"),
        (
            ZeroDivisionError("by our own fault"),
            "is no whole backup of the portal, and nothing was changed: by our own",
        ),
    ],
)
def test_what_proves_to_be_bad_changes_nothing(
    app: Flask, tmp_path: Path, instance: Path, fault: Any, told: str
) -> None:
    backup.back_up(db.engine, tmp_path / "a.db")
    make_company("Depois da cópia")
    seen: list[str] = []

    def refuse(engine: Any) -> None:
        seen.append(str(engine.url))
        raise fault

    with pytest.raises((BackupError, DamagedSecret), match=told):
        restore(tmp_path / "a.db", tmp_path, refuse)
    assert seen[0].endswith("/.portal.db.restoring")
    assert [name for name in modes(instance) if "restoring" in name] == []
    assert db.session.scalars(select(Company.name)).all() == ["Depois da cópia"]


def test_what_the_proof_itself_has_spoilt_is_not_put_back(app: Flask, tmp_path: Path) -> None:
    make_company(url=URL)
    backup.back_up(db.engine, tmp_path / "a.db")

    def spoil(engine: Any) -> None:
        with engine.connect() as connection:
            connection.connection.driver_connection.executescript("PRAGMA foreign_keys = OFF; DELETE FROM company")

    with pytest.raises(BackupError, match=r"/a\.db is damaged: a row of \w+ belongs to one of company"):
        restore(tmp_path / "a.db", tmp_path, spoil)
    assert db.session.scalars(select(Company.name)).all() == ["Vendas Exemplo"]


def test_nobody_restores_or_moves_what_somebody_else_has_open(
    app: Flask, tmp_path: Path, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "WAIT_SECONDS", 0.05)
    make_company()
    backup.back_up(db.engine, tmp_path / "a.db")
    db.session.remove()
    with closing(sqlite3.connect(instance / "portal.db")) as other:
        assert other.execute("SELECT count(*) FROM company").fetchone() == (1,)
        with pytest.raises(BackupError, match=r"^A portal is running on this database"):
            restore(tmp_path / "a.db", tmp_path)
        with pytest.raises(BackupError, match=r"^A portal is running"), sqlite.open_alone(instance / "portal.db"):
            pass
    db.engine.dispose()
    with sqlite.open_alone(instance / "portal.db") as held:
        assert held.execute(select(Company.name)).scalars().all() == ["Vendas Exemplo"]
        with (
            closing(sqlite3.connect(instance / "portal.db", timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("SELECT * FROM company")
    with closing(sqlite3.connect(instance / "portal.db", timeout=0)) as other:
        assert other.execute("SELECT count(*) FROM company").fetchone() == (1,)


def test_a_file_beyond_reading_gives_way_and_is_kept_as_it_is(app: Flask, tmp_path: Path, instance: Path) -> None:
    make_company()
    backup.back_up(db.engine, tmp_path / "a.db")
    db.session.remove()
    db.engine.dispose()
    (instance / "portal.db").write_bytes(b"no database" * 1000)
    kept = restore(tmp_path / "a.db", tmp_path)
    assert kept is not None
    assert kept.read_bytes() == b"no database" * 1000
    assert db.session.scalars(select(Company.name)).all() == ["Vendas Exemplo"]


def test_rows_that_belong_to_none_are_damage(app: Flask, tmp_path: Path) -> None:
    set_url(make_company(), URL)
    path = tmp_path / "a.db"
    backup.back_up(db.engine, path)
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("DELETE FROM company")
    with pytest.raises(
        BackupError, match=r"a\.db is damaged: a row of \w+ belongs to one of company that is not there"
    ):
        restore(path, tmp_path)
    with pytest.raises(BackupError, match=r"none\.db is no file"):
        restore(tmp_path / "none.db", tmp_path)


@pytest.mark.parametrize("revisions", [[], ["0001", "0002"]])
def test_a_backup_says_which_one_version_made_it(revisions: list[str]) -> None:
    assert contents.only_revision(["0001"], "a.db") == "0001"
    with pytest.raises(
        BackupError, match=r"a\.db is no whole backup: it does not say which version of the portal made"
    ):
        contents.only_revision(revisions, "a.db")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts a script in the place of PostgreSQL's programs; returns where they note what they were told."""
    folder, told = tmp_path / "bin", tmp_path / "told"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("PGPASSWORD", raising=False)

    def make(name: str, script: str) -> Path:
        file = folder / name
        file.write_text(f'#!/bin/sh\necho "$0 $*" > {told}\necho "password $PGPASSWORD" >> {told}\n{script}\n')
        file.chmod(0o755)
        return told

    return make


def told_to(program: Path) -> list[str]:
    name, _, rest = program.read_text().splitlines()[0].rpartition("/bin/")[2].partition(" ")
    return [name, *rest.split(), program.read_text().splitlines()[1].strip()]


def test_postgresqls_programs_get_the_address_without_the_password_which_goes_by_the_environment(
    program: Any, tmp_path: Path
) -> None:
    told = program("pg_dump", "exit 0")
    postgresql.dump(SERVER, tmp_path / "a.dump")
    address = "--dbname=postgresql://ana@db.example:5433/portal"
    as_they_are = ["--no-owner", "--no-privileges"]
    words = ["--format=custom", *as_they_are, f"--file={tmp_path / 'a.dump'}", address, f"password {PASSWORD}"]
    assert told_to(told) == ["pg_dump", *words]
    told = program("pg_restore", "exit 0")
    postgresql._load(SERVER, tmp_path / "a.dump")
    how = ["--clean", "--if-exists", "--single-transaction", "--exit-on-error", *as_they_are]
    assert told_to(told) == ["pg_restore", *how, address, f"{tmp_path / 'a.dump'}", f"password {PASSWORD}"]


def test_a_dump_tells_its_version_and_its_columns(program: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.dump"
    path.write_bytes(b"PGDMP and the rest")
    (tmp_path / "alembic_version").write_text("SET x;\nCOPY public.a (version_num) FROM stdin;\n0037\n\\.\n\n")
    rows = "1\tAna\n2\tBia\n\\.\nCOPY x (id) FROM stdin;\n3\n\\.\n"
    (tmp_path / "user").write_text(f'COPY public.user (id, "name") FROM stdin;\n{rows}')
    told = program("pg_restore", f"cd {tmp_path}; cat ${{2#--table=}}")
    assert postgresql.read_revision(path) == "0037"
    asked = ["--data-only", "--table=alembic_version", "--file=-", f"{path}"]
    assert told_to(told) == ["pg_restore", *asked, "password"]
    assert backup.read_column(path, "user", "name") == {"Ana", "Bia"}
    with pytest.raises(BackupError, match="none is no file"):
        postgresql.read_revision(tmp_path / "none")


@pytest.mark.parametrize(
    ("script", "told"), [("echo first >&2; echo more >&2; exit 1", "first"), ("exit 3", "it did not say why")]
)
def test_what_a_program_says_first_is_told(program: Any, tmp_path: Path, script: str, told: str) -> None:
    program("pg_dump", script)
    with pytest.raises(BackupError, match=f"^pg_dump failed: {told}$"):
        postgresql.dump(SERVER, tmp_path / "a.dump")


def test_without_its_programs_it_says_where_they_come_from(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackupError, match=r"^pg_dump is not installed: it comes with PostgreSQL's client package"):
        postgresql.dump(SERVER, tmp_path / "a.dump")


@pytest.mark.parametrize(("others", "is_used"), [("SELECT 0", False), ("SELECT 1", True)])
def test_postgresql_is_put_back_from_a_copy_that_was_proven_and_while_nobody_has_it_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, others: str, is_used: bool
) -> None:
    told: list[tuple[Any, ...]] = []
    engine, copy = create_engine("sqlite://"), create_engine("sqlite://")

    def proof(_engine: Any) -> None: ...

    monkeypatch.setattr(postgresql, "OTHERS", others)
    monkeypatch.setattr(postgresql, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(postgresql, "_beside", lambda _: nullcontext(copy))
    for step in ("_load", "prove_copy", "dump"):
        monkeypatch.setattr(postgresql, step, lambda *given, step=step: told.append((step, *given)))
    path = tmp_path / "a.dump"
    if is_used:
        with pytest.raises(BackupError, match=r"^A portal is running on this database"):
            postgresql.load(engine, path, proof=proof, keep_at=tmp_path)
        assert told == []
        return
    assert postgresql.load(engine, path, proof=proof, keep_at=tmp_path) is None
    proven = told[-1][2]
    assert told == [
        ("_load", copy, path),
        ("prove_copy", copy, path, proof),
        ("dump", copy, proven),
        ("_load", engine, proven),
    ]
    assert not proven.exists()
