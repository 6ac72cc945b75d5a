"""The database's own trouble is told by its name: on pages, by the API, in the log, by doctor and by `/readyz`."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, OperationalError

from portal.cli.errors import MENDS
from portal.clock import utcnow
from portal.database.db import db
from portal.database.schema import SchemaError, check_schema
from portal.database.troubles import TROUBLES, name_sqlite_trouble, name_trouble
from portal.models import Company
from portal.people import tokens
from portal.working_models import WorkerHeartbeat
from tests.cli.conftest import Run, environ, run
from tests.conftest import BOTH
from tests.factories import make_user
from tests.views.conftest import Person

__all__ = ["environ", "run"]  # fixtures

Break = Callable[[Path], None]


def forbid_writing(file: Path) -> None:
    """A file whose write version is unknown is only read (https://www.sqlite.org/fileformat2.html, 1.3.3)."""
    with file.open("r+b") as opened:
        opened.seek(18)
        opened.write(b"\x03")


def lose_a_column(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE contact RENAME COLUMN current_company TO old_name")


def lose_a_column_of_users(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("ALTER TABLE user_account RENAME COLUMN name TO old_name")


def damage(file: Path) -> None:
    size = file.stat().st_size
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"x" * (size - 4096))


def lock_out(file: Path) -> None:
    file.unlink()
    file.mkdir()


CASES = [
    (lock_out, "database_away"),
    (forbid_writing, "database_read_only"),
    (lose_a_column, "schema_mismatch"),
    (lose_a_column_of_users, "schema_mismatch"),
    (damage, "database_damaged"),
]


@pytest.fixture(autouse=True)
def unprobed(app: Flask) -> Iterator[None]:
    """Nothing is known from a moment ago, before and after."""
    app.extensions.pop("health", None)
    yield
    app.extensions.pop("health", None)


def breaking(break_it: Break, instance: Path) -> None:
    """Break the file while nobody has it open, its log emptied."""
    db.session.remove()
    db.engine.dispose()
    file = instance / "portal.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    break_it(file)


@pytest.mark.parametrize(("break_it", "code"), CASES)
def test_pages_the_api_and_the_log_name_it(
    app: Flask, company: Company, instance: Path, break_it: Break, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    user = make_user(company)
    headers = {"Authorization": f"Bearer {tokens.create_token(db.session, user, label='test')}"}
    db.session.commit()
    admin = Person(app.test_client(), user)
    form = {"csrf_token": admin.token(), "name": "Ana"}
    breaking(break_it, instance)
    method, path = ("POST", "/webhook/remove") if code == "database_read_only" else ("GET", "/contacts")
    page = admin.client.open(path, method=method, data=form)
    answer = app.test_client().post("/api/v1/contacts", json={"contact": {"name": "Ana"}}, headers=headers)
    assert (page.status_code, answer.status_code, answer.json["code"]) == (503, 503, code)
    assert str(TROUBLES[code].title) in page.text
    assert answer.json["detail"] == TROUBLES[code].sentence
    told = [record.getMessage() for record in caplog.records if getattr(record, "action", "") == code]
    assert len(told) == 2
    assert all(len(message) > len("The database refused: ") for message in told)


@pytest.mark.parametrize(("break_it", "code"), CASES)
def test_readyz_and_doctor_name_it(
    app: Flask, run: Run, company: Company, instance: Path, break_it: Break, code: str
) -> None:
    db.session.add(WorkerHeartbeat(worker="a", seen_at=utcnow()))
    db.session.commit()
    before = app.test_client().get("/readyz").json
    assert before["ready"], str(before)
    breaking(break_it, instance)
    del app.extensions["health"]  # five seconds later
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["ready"], answer.json["trouble"]) == (503, False, code)
    told = run("doctor")
    assert told.exit_code == 1
    assert "fail  database" in told.stdout


def test_a_full_disk_is_told_from_the_error_that_sqlite_gives(app: Flask) -> None:
    with db.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(OperationalError) as caught:
            connection.execute(text("CREATE TABLE big AS SELECT zeroblob(1000000) AS b"))
        connection.invalidate()
    assert name_trouble(caught.value) == TROUBLES["disk_full"]


@BOTH
def test_a_column_that_is_not_there_is_a_schema_of_another_version(app: Flask) -> None:
    with pytest.raises(DBAPIError) as caught:
        db.session.execute(text("SELECT no_such FROM contact"))
    db.session.rollback()
    assert name_trouble(caught.value) == TROUBLES["schema_mismatch"]
    db.session.execute(text("ALTER TABLE task RENAME COLUMN kind TO sort"))
    db.session.commit()
    with pytest.raises(SchemaError, match=r"lacks task\.kind"):
        check_schema(db.engine, db.metadata)


@pytest.mark.parametrize(
    ("url", "words"), [("127.0.0.1:1/none", "onnection refused"), ("{there}/no_such_database", "does not exist")]
)
def test_a_postgresql_that_is_away_is_no_busy_one(run: Run, postgres_url: str, url: str, words: str) -> None:
    there = postgres_url.partition("://")[2].rpartition("/")[0]
    told = run("doctor", PORTAL_DATABASE_URL="postgresql://" + url.format(there=there))
    assert words in told.stdout
    assert MENDS["database_away"] in told.stdout


def test_every_trouble_says_to_an_operator_what_to_do() -> None:
    assert MENDS.keys() == TROUBLES.keys()


@BOTH
def test_what_the_asker_did_wrong_is_no_trouble_of_the_database(app: Flask) -> None:
    with pytest.raises(DBAPIError) as caught:
        db.session.execute(text("INSERT INTO alembic_version VALUES (NULL)"))
    db.session.rollback()
    assert name_trouble(caught.value) is None


@BOTH
def test_readyz_does_not_wait_for_what_somebody_else_holds(app: Flask) -> None:
    """It says within its own patience that the database is busy."""
    with db.engine.connect() as holding, holding.begin():
        if db.engine.dialect.name != "sqlite":  # there a transaction holds everything from its beginning
            holding.execute(text("LOCK TABLE worker_heartbeat IN ACCESS EXCLUSIVE MODE"))
        began = time.monotonic()
        answer = app.test_client().get("/readyz")
        took = time.monotonic() - began
    assert (answer.status_code, answer.json["trouble"]) == (503, "database_busy")
    assert took < 10, "others wait for 15 seconds"


@pytest.mark.parametrize(
    ("errorcode", "code"),
    [
        (sqlite3.SQLITE_FULL, "disk_full"),
        (sqlite3.SQLITE_IOERR, "disk_error"),
        (sqlite3.SQLITE_IOERR_FSYNC, "disk_error"),
        (sqlite3.SQLITE_CANTOPEN, "database_away"),
        (sqlite3.SQLITE_CANTOPEN_ISDIR, "database_away"),
        (sqlite3.SQLITE_READONLY, "database_read_only"),
        (sqlite3.SQLITE_READONLY_DBMOVED, "database_read_only"),
        (sqlite3.SQLITE_CORRUPT, "database_damaged"),
        (sqlite3.SQLITE_CORRUPT_INDEX, "database_damaged"),
        (sqlite3.SQLITE_NOTADB, "database_damaged"),
        (sqlite3.SQLITE_BUSY, "database_busy"),
        (sqlite3.SQLITE_LOCKED, "database_busy"),
    ],
)
def test_each_error_of_sqlite_has_its_own_trouble(errorcode: int, code: str) -> None:
    error = sqlite3.OperationalError("x")
    error.sqlite_errorcode = errorcode
    for trouble in (name_sqlite_trouble(error), name_trouble(OperationalError("x", None, error))):
        assert trouble is not None
        assert trouble.code == code


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT x FROM a",
        "SELECT * FROM b",
        "INSERT INTO a (x) VALUES (1)",
        "ALTER TABLE a ADD COLUMN id",
        "CREATE TABLE a (id)",
        "CREATE INDEX ix ON a (id)",
    ],
)
def test_other_tables_than_this_versions_are_told_from_what_sqlite_says(statement: str) -> None:
    with closing(sqlite3.connect(":memory:")) as file:
        file.executescript("CREATE TABLE a (id); CREATE INDEX ix ON a (id)")
        with pytest.raises(sqlite3.OperationalError) as caught:
            file.execute(statement)
    assert name_sqlite_trouble(caught.value) == TROUBLES["schema_mismatch"]


def test_what_makes_either_database_read_only_is_told() -> None:
    """SQLite gives its log the mode of a file that could only be read, and it keeps it when that is mended."""
    told = MENDS["database_read_only"]
    assert "its -wal and -shm" in told
    assert "default_transaction_read_only" in told


@pytest.mark.parametrize(
    ("sqlstate", "code"),
    [
        ("53100", "disk_full"),
        ("25006", "database_read_only"),
        *((state, "schema_mismatch") for state in ("42703", "42P01", "42701", "42P07")),
        *((state, "database_damaged") for state in ("XX001", "XX002")),
        *((state, "database_away") for state in (None, "08006", "28P01", "3D000", "57P01", "57P03")),
        ("55P03", "database_busy"),
        ("40001", "database_busy"),
    ],
)
def test_each_error_of_postgresql_has_its_own_trouble(sqlstate: str | None, code: str) -> None:
    class Error(Exception): ...

    error = Error("x")
    error.sqlstate = sqlstate  # type: ignore[attr-defined]
    trouble = name_trouble(OperationalError("x", None, error))
    assert trouble is not None
    assert trouble.code == code
