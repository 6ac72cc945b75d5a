"""Backup while people work, and restore with the outbox held."""

import json
import os
import shutil
import signal
import sqlite3
import stat
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import create_engine, select, text

from portal.contacts.merging import merge
from portal.database.backup import back_up, sqlite
from portal.database.db import db, prepare_engine
from portal.database.upgrading import config_for
from portal.demo.server import Receiver
from portal.models import AuditEntry, Contact, Delivery
from tests.cli.conftest import Run, Start
from tests.cli.test_serve import READY, get, serve
from tests.conftest import MakeApp
from tests.factories import actor_of, classify_contact, endpoint_of, make_company, make_contact, make_delivery, set_url
from tests.programs import be_portal, run_portal
from tests.system.faults.conftest import wait_until

ALL_ROWS = "SELECT (SELECT count(*) FROM contact), (SELECT count(*) FROM classification)"


@contextmanager
def people_at_work(app: Flask) -> Iterator[list[int]]:
    """Contacts are made and classified, each in two transactions, until the end; yields their ids as they come."""
    made: list[int] = []
    stop = threading.Event()

    def work() -> None:
        with app.app_context():
            company = make_company()
            while not stop.is_set():
                contact = make_contact(company)
                classify_contact(contact, 3)
                made.append(contact.id)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()


def rows_of(path: Path) -> tuple[int, int]:
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        contacts, classifications = connection.execute(ALL_ROWS).fetchone()
        return contacts, classifications


def test_a_backup_of_a_running_portal_under_writes_is_one_moment_of_it(
    app: Flask, start: Start, run: Run, receiver: Receiver, tmp_path: Path
) -> None:
    make_company(url=receiver.url)
    db.session.rollback()
    serve(start)[0].wait_for(READY)
    with people_at_work(app) as made:
        for number in range(2):
            receiver.wait_for((number + 1) * 3, timeout=20)
            before = len(made)
            result = run("backup", tmp_path / f"{number}.db")
            assert result.exit_code == 0, result.output
            contacts, classifications = rows_of(tmp_path / f"{number}.db")
            assert contacts >= before
            assert contacts - classifications in (0, 1)  # one may be made and not yet classified


def test_a_backup_is_private_and_names_the_key_that_it_does_not_hold(app: Flask, run: Run, tmp_path: Path) -> None:
    make_company()
    result = run("backup", tmp_path / "b.db")
    assert stat.S_IMODE((tmp_path / "b.db").stat().st_mode) == 0o600
    assert "PORTAL_SECRET_KEY" in result.stderr
    assert b"k" * 48 not in (tmp_path / "b.db").read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_backup_overwrites_only_when_told(app: Flask, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "b.db"
    file.touch()
    refused = run("backup", file)
    assert (refused.exit_code, file.read_text()) == (1, "")
    assert "--force" in refused.stderr
    assert run("backup", file, "--force").exit_code == 0
    assert rows_of(file) == (0, 0)


def test_a_backup_overwrites_nothing_but_backups(app: Flask, run: Run, tmp_path: Path) -> None:
    key, live, pipe = tmp_path / "secret.key", Path(str(db.engine.url.database)), tmp_path / "pipe"
    key.write_text("k" * 48)
    os.mkfifo(pipe)
    (tmp_path / "link.db").symlink_to(live)
    for file, said in (key, "is no backup"), (pipe, "is no backup"), (live, "itself"), (tmp_path / "link.db", "itself"):
        before = file.lstat()
        refused = run("backup", file, "--force")
        assert (refused.exit_code, said in refused.stderr) == (1, True)
        assert (file.lstat().st_ino, file.lstat().st_size) == (before.st_ino, before.st_size)


def test_a_backup_into_a_folder_that_is_not_there_is_one_sentence(app: Flask, run: Run, tmp_path: Path) -> None:
    result = run("backup", tmp_path / "none" / "b.db")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert len(result.stderr.splitlines()) == 1


def test_a_restore_brings_the_database_back_and_keeps_what_was_there(app: Flask, run: Run, instance: Path) -> None:
    company = make_company()
    make_contact(company, name="Antes")
    db.session.rollback()
    run("backup", instance / "b.db")
    make_contact(company, name="Depois")
    close(app)
    result = run("restore", instance / "b.db")
    assert result.exit_code == 0, result.output
    assert set(db.session.scalars(select(Contact.name))) == {"Antes"}
    assert "backup.restored" in db.session.scalars(select(AuditEntry.action)).all()
    [kept] = (instance / "backups").glob("before-restore-*.db")
    assert rows_of(kept)[0] == 2


@pytest.fixture
def with_erased(app: Flask, run: Run, instance: Path) -> Path:
    """A backup that holds Zu and, merged into Zu since, Zuzu; Zu was erased after it. Returns the backup."""
    company = make_company(url="http://127.0.0.1:9999/hook")
    make_contact(company, name="Fica")
    erased, other = (make_contact(company, name=f"{name} Quintanilha") for name in ("Zu", "Zuzu"))
    make_delivery(erased)
    erased_id = erased.id
    db.session.rollback()
    assert run("backup", instance / "b.db").exit_code == 0
    merge(db.session, actor_of(company), erased_id, other.id)
    db.session.commit()
    result = run("erase", "--contact", erased_id, "--yes")
    assert result.exit_code == 0, result.output
    close(app)
    return instance / "b.db"


def assert_erased(instance: Path) -> None:
    assert db.session.scalars(select(Contact.name)).all() == ["Fica"]
    assert [delivery.body for delivery in db.session.scalars(select(Delivery))] == [None]
    db.session.rollback()
    db.engine.dispose()
    assert b"Quintanilha" not in (instance / "portal.db").read_bytes()


def test_who_was_erased_since_the_backup_stays_erased(with_erased: Path, run: Run, instance: Path) -> None:
    result = run("restore", with_erased)
    assert result.exit_code == 0, result.output
    assert "Erased again, because they had been erased since the backup was made: 2." in result.stdout
    assert_erased(instance)
    (instance / "erasures").unlink()
    assert "Erased again" in run("restore", with_erased).stdout, "the restored database itself knows who was erased"


@pytest.mark.parametrize("there", ["damaged", "gone"])
def test_the_instance_folder_knows_who_was_erased_when_the_database_does_not(
    with_erased: Path, run: Run, instance: Path, there: str
) -> None:
    (instance / "portal.db").unlink()
    if there == "damaged":
        (instance / "portal.db").write_bytes(b"no database at all, though long enough to be looked at " * 20)
    result = run("restore", with_erased)
    assert result.exit_code == 0, result.output
    assert ("could not be read" in result.stderr) is (there == "damaged")
    assert_erased(instance)
    kept = [path.read_bytes()[:14] for path in (instance / "backups").glob("before-restore-*.db")]
    assert kept == ([b"no database at"] if there == "damaged" else []), "what was there is kept, whatever it is"


def test_a_company_that_was_closed_since_the_backup_stays_closed(app: Flask, run: Run, instance: Path) -> None:
    for name in ("Sai", "Fica"):
        make_contact(make_company(name, url="http://127.0.0.1:9999/hook"), name=f"De {name}")
    db.session.commit()
    assert run("backup", instance / "b.db").exit_code == 0
    assert run("company", "close", "--company", "Sai", "--yes").exit_code == 0
    close(app)
    result = run("restore", instance / "b.db")
    assert result.exit_code == 0, result.output
    assert "Companies that were closed since the backup was made, and are erased again: 1." in result.stdout
    assert db.session.scalars(select(Contact.name)).all() == ["De Fica"]
    db.session.rollback()
    db.engine.dispose()
    assert b"De Sai" not in (instance / "portal.db").read_bytes()


def test_a_restore_says_when_nobody_knows_who_was_erased(with_erased: Path, run: Run, instance: Path) -> None:
    (instance / "portal.db").unlink()
    (instance / "erasures").unlink()
    result = run("restore", with_erased)
    assert "whoever was erased since the backup was made is in it again" in result.stderr
    assert len(db.session.scalars(select(Contact.name)).all()) == 3


def test_a_new_contact_with_an_erased_ones_number_is_nobody_that_was_erased(
    with_erased: Path, app: Flask, run: Run, instance: Path
) -> None:
    (instance / "erasures").unlink()
    (instance / "portal.db").rename(instance / "before.db")
    run("restore", with_erased)
    db.session.execute(text("UPDATE contact SET created_at = created_at - 1000000"))
    db.session.commit()
    run("backup", instance / "other.db")
    close(app)
    (instance / "before.db").rename(instance / "portal.db")
    assert "Erased again" not in run("restore", instance / "other.db").stdout
    assert len(db.session.scalars(select(Contact.name)).all()) == 3


def test_what_waits_in_a_backup_is_held_until_an_admin_resumes(
    app: Flask, run: Run, start: Start, receiver: Receiver, instance: Path
) -> None:
    company = make_company(url=receiver.url)
    make_delivery(make_contact(company))
    db.session.rollback()
    run("backup", instance / "b.db")
    close(app)
    run("restore", instance / "b.db")
    start("worker").wait_for(READY)
    shown = run("webhook", "show").stdout
    assert "paused (restored)" in shown
    assert not receiver.wait_for(1, timeout=2)
    assert db.session.scalars(select(Delivery.status)).all() == ["pending"]
    db.session.rollback()
    assert run("webhook", "resume").exit_code == 0
    assert receiver.wait_for(2)  # the test, and what waited


def test_a_new_address_does_not_let_a_restored_outbox_go(app: Flask, receiver: Receiver) -> None:
    company = make_company(url=receiver.url)
    endpoint = endpoint_of(company)
    endpoint.state, endpoint.paused_reason = "paused", "restored"
    db.session.commit()
    set_url(company, receiver.url + "other")
    assert (endpoint.state, endpoint.paused_reason) == ("paused", "restored")


def test_a_restore_refuses_while_a_portal_runs(app: Flask, run: Run, start: Start, instance: Path) -> None:
    make_company()
    db.session.rollback()
    run("backup", instance / "b.db")
    close(app)
    running, _address = serve(start, "--no-worker")
    before = (instance / "portal.db").read_bytes()
    result = run("restore", instance / "b.db")
    assert result.exit_code == 1
    assert "A portal is running on this database" in result.stderr
    assert (instance / "portal.db").read_bytes() == before
    assert get(f"{_address}/healthz")[0] == 200
    running.stop()
    assert run("restore", instance / "b.db").exit_code == 0


def test_a_restore_with_another_key_is_refused_and_changes_nothing(app: Flask, run: Run, instance: Path) -> None:
    make_company("Antes")
    db.session.rollback()
    run("backup", instance / "b.db")
    close(app)
    result = run("restore", instance / "b.db", PORTAL_SECRET_KEY="x" * 48)
    assert result.exit_code == 1
    assert "Put back the secret.key that belongs to this database" in result.stderr
    assert not list(instance.glob("backups/*"))
    assert run("webhook", "show").exit_code == 0


def test_a_restore_says_first_that_the_key_is_missing_and_makes_none(app: Flask, run: Run, tmp_path: Path) -> None:
    run("backup", tmp_path / "day.db")
    environ: dict[str, Any] = {"PORTAL_INSTANCE": str(tmp_path / "new"), "PORTAL_SECRET_KEY": None}
    result = run("restore", tmp_path / "day.db", **environ)
    assert result.exit_code == 1
    assert f"PORTAL_SECRET_KEY: is not set, and {tmp_path / 'new' / 'secret.key'} does not exist" in result.stderr
    assert not (tmp_path / "new").exists()


def test_a_restore_refuses_what_a_newer_version_made(app: Flask, run: Run, instance: Path) -> None:
    run("backup", instance / "b.db")
    with closing(sqlite3.connect(instance / "b.db")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    result = run("restore", instance / "b.db")
    assert result.exit_code == 1
    assert "newer version" in result.stderr


@pytest.mark.slow
def test_a_restore_brings_an_older_backup_to_this_version(run: Run, instance: Path) -> None:
    engine = create_engine(f"sqlite:///{instance / 'old.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0003")
    engine.dispose()
    result = run("restore", instance / "old.db")
    assert result.exit_code == 0, result.output
    assert run("upgrade").stdout == "The database is up to date.\n"


DROPPED = "ALTER TABLE endpoint DROP COLUMN header_origin"
SPOILED = {
    "a revision that is none": ("UPDATE alembic_version SET version_num = 'abc'", "newer version"),
    "an older revision than its tables": ("UPDATE alembic_version SET version_num = '0004'", "nothing was changed"),
    "no revision": ("DELETE FROM alembic_version", "does not say which version"),
    "two revisions": ("INSERT INTO alembic_version VALUES ('0001')", "does not say which version"),
    "a missing table": ("DROP TABLE attempt", "lacks attempt."),
    "a missing column": (DROPPED, "lacks endpoint.header_origin"),
    "a row without its company": ("UPDATE contact SET company_id = 99", "belongs to one of company"),
    "a secret of another key": ("UPDATE endpoint SET secret = 'v2.000000000000.AAAA'", "Put back the secret.key"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_restore_proves_the_backup_before_it_touches_the_database(
    app: Flask, run: Run, instance: Path, case: str
) -> None:
    statement, words = SPOILED[case]
    make_contact(make_company())
    db.session.rollback()
    run("backup", instance / "b.db")
    with closing(sqlite3.connect(instance / "b.db")) as connection, connection:
        connection.execute(statement)
    close(app)
    before = (instance / "portal.db").read_bytes()
    result = run("restore", instance / "b.db")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert words in result.stderr
    assert (instance / "portal.db").read_bytes() == before
    assert [path.name for path in instance.iterdir() if "restor" in path.name] == []


def test_a_restore_of_another_products_tables_is_refused(run: Run, instance: Path) -> None:
    with closing(sqlite3.connect(instance / "other.db")) as other, other:
        other.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        other.execute("INSERT INTO alembic_version VALUES ('0003')")
        other.execute("CREATE TABLE endpoint (id INTEGER PRIMARY KEY, secret TEXT)")
        other.execute("CREATE TABLE invoice (id INTEGER PRIMARY KEY)")
    before = (instance / "portal.db").read_bytes()
    result = run("restore", instance / "other.db")
    assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1)
    assert "is no whole backup of the portal, and nothing was changed" in result.stderr
    assert (instance / "portal.db").read_bytes() == before


def test_the_disk_that_is_full_is_the_one_that_is_written(
    app: Flask, run: Run, instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    assert run("backup", elsewhere / "b.db").exit_code == 0

    def fill_up(_source: Path, target: Path) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr("portal.database.backup.sqlite.copy_database", fill_up)
    for arguments, folder in ((["backup", elsewhere / "c.db"], elsewhere), (["restore", elsewhere / "b.db"], instance)):
        result = run(*arguments)
        assert (result.exit_code, result.stderr) == (
            1,
            f"Error: The disk of {folder} is full: free some space on it.\n",
        )


def test_programs_are_told_where_the_backup_is_and_how_large(app: Flask, run: Run, instance: Path) -> None:
    make_company()
    made = json.loads(run("backup", instance / "b.db", "--json").stdout)
    assert made == {"file": str(instance / "b.db"), "bytes": (instance / "b.db").stat().st_size}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"no database at all, though long enough " * 30, "b.db cannot be used. SQLite says: file is not a database."),
        (b"", "b.db holds no database"),
    ],
)
def test_a_file_that_is_no_backup_is_refused(run: Run, instance: Path, content: bytes, words: str) -> None:
    (instance / "b.db").write_bytes(content)
    result = run("restore", instance / "b.db")
    assert result.exit_code == 1
    assert words in result.stderr
    assert run("upgrade").exit_code == 0


def test_a_damaged_backup_is_refused(app: Flask, run: Run, instance: Path) -> None:
    for _ in range(50):
        make_contact(make_company(), role="x" * 200)
    db.session.rollback()
    run("backup", instance / "b.db")
    with (instance / "b.db").open("r+b") as file:
        file.seek(4096 * 3)
        file.write(b"\xff" * 4096 * 8)
    close(app)
    result = run("restore", instance / "b.db")
    assert result.exit_code == 1
    assert db.session.scalars(select(Contact.id)).first() is not None


def test_a_plain_copy_of_a_running_portals_file_is_refused(instance: Path, run: Run, tmp_path: Path) -> None:
    live = tmp_path / "live.db"
    with closing(sqlite3.connect(live)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE endpoint (secret TEXT)")
        shutil.copy(live, instance / "copied.db")
    result = run("restore", instance / "copied.db")
    assert result.exit_code == 1
    assert "use `portal backup`" in result.stderr


@pytest.mark.slow
def test_postgresql_is_backed_up_and_restored_by_its_own_tools(
    make_app: MakeApp, run: Run, postgres_url: str, tmp_path: Path, receiver: Receiver
) -> None:
    there = {"PORTAL_DATABASE_URL": postgres_url}
    app = make_app(database_url=postgres_url)
    with app.app_context():
        company = make_company(url=receiver.url)
        make_contact(company, name="Antes")
        db.session.rollback()
        made = run("backup", tmp_path / "b.dump", **there)
        assert made.exit_code == 0, made.output
        make_contact(company, name="Depois")
        refused = run("restore", tmp_path / "b.dump", **there)
        assert "A portal is running" in refused.stderr
        close(app)
        assert "another key" in run("restore", tmp_path / "b.dump", PORTAL_SECRET_KEY="x" * 48, **there).stderr
        result = run("restore", tmp_path / "b.dump", **there)
        assert result.exit_code == 0, result.output
        assert db.session.scalars(select(Contact.name)).all() == ["Antes"]
        assert endpoint_of(company).paused_reason == "restored"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("DELETE FROM alembic_version", "does not say which version"),
        ("DROP TABLE exchange", "lacks exchange."),
        (DROPPED, "lacks endpoint.header_origin"),
        ("UPDATE alembic_version SET version_num = '0004'", "nothing was changed"),
    ],
)
def test_on_postgresql_too_a_backup_is_proven_first(
    make_app: MakeApp, run: Run, postgres_url: str, tmp_path: Path, statement: str, words: str
) -> None:
    there = {"PORTAL_DATABASE_URL": postgres_url}
    app = make_app(database_url=postgres_url)
    with app.app_context():
        make_contact(make_company(), name="Antes")
        db.session.rollback()
        run("backup", tmp_path / "good.dump", **there)
        with db.engine.begin() as connection:
            connection.execute(text(statement))
        back_up(db.engine, tmp_path / "b.dump")
        close(app)
        restored = run("restore", tmp_path / "good.dump", **there)
        assert restored.exit_code == 0, restored.output
        result = run("restore", tmp_path / "b.dump", **there)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.stderr
        assert words in result.stderr
        assert db.session.scalars(select(Contact.name)).all() == ["Antes"]
        wait_until(lambda: not count_left())  # another test may be restoring, on the same server


def count_left() -> int:
    """How many databases there are in which a backup is, or was, tried."""
    with db.engine.connect() as connection:
        query = text("SELECT count(*) FROM pg_database WHERE datname LIKE 'portal_restoring%'")
        return int(connection.execute(query).scalar_one())


def test_without_postgresqls_tools_it_says_what_to_run(
    run: Run, postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("backup", tmp_path / "b.dump", PORTAL_DATABASE_URL=postgres_url)
    assert result.exit_code == 1
    assert "apt-get install postgresql-client" in result.stderr
    assert list(tmp_path.glob("*.dump")) == []


def close(app: Flask) -> None:
    """This test's own connections are of no running portal."""
    db.session.remove()
    db.engine.dispose()


def be_interrupted(number: signal.Signals, *arguments: str) -> None:
    """A portal that is sent a signal when a backup has been written, and not yet been looked at."""
    sqlite._check = lambda *_: os.kill(os.getpid(), number)  # type: ignore[assignment]
    be_portal(*arguments)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_backup_that_is_ended_leaves_no_part_of_itself(
    environ: dict[str, str], sqlite_url: str, tmp_path: Path, number: signal.Signals
) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    result = run_portal(environ, "backup", str(folder / "a.db"), act=partial(be_interrupted, number))
    assert (result.returncode, list(folder.iterdir())) == (1, [])
