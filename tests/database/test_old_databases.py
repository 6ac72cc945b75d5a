"""Databases of every earlier state are brought to this version, or refused by name; dying on the way does no harm."""

import gzip
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, text

from portal.clock import utcnow
from portal.database.db import prepare_engine
from portal.database.indexes import tables_on
from portal.database.schema import HEAD_REVISION, SchemaError, check_schema
from portal.database.structure import find_flaws
from portal.database.tables import Base
from portal.database.upgrading import config_for, upgrade_schema
from tests.database.old_databases import FOLDER

STORED = sorted(FOLDER.glob("*.sql.gz"))
LYING = {
    "0003-21d7d339": "already has company.keep_audit_days",
    "0004-2a44dae2": "lacks attempt_count.company_id",
    "0004-3c8dc67a": "lacks attempt_count.company_id",
    "0004-522b89a6": "lacks attempt_count.company_id",
    "0004-85c49292": "lacks user_account.timezone",
    "0004-868b8c47": "lacks attempt_count.company_id",
    "0005-b31b9bcb": "lacks endpoint.header_secret",
    "0016-b2d8038f": "lacks chat.address_secret",
    "0017-27e66409": "lacks chat.address_secret",
    "0018-8abc30ba": "lacks chat.address_secret",
    "0019-363cd921": "lacks chat.address_secret",
    "0020-af25f32b": "lacks chat.address_secret",
    "0021-70a33f8d": "lacks chat.address_secret",
}
"""Databases that were made between two releases: their revision is one that came to mean other columns."""
LEFT_OVER = {"0004-cc9f1425": ["idempotency_key.status"]}
"""Columns that came to be nobody's: they are in no one's way, as an operator's own would be."""
TRUE = [file.name.partition(".")[0] for file in STORED if file.name.partition(".")[0] not in LYING]
COUNTED = ("company", "user_account", "campaign", "contact", "classification", "endpoint", "delivery", "attempt")


def unpack(name: str, folder: Path) -> Path:
    path = folder / "portal.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript(gzip.decompress((FOLDER / f"{name}.sql.gz").read_bytes()).decode())
    return path


@pytest.fixture
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{unpack(request.param, tmp_path)}")
    prepare_engine(engine)
    yield engine
    engine.dispose()


def rows_in(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in COUNTED]


def test_there_is_one_of_every_revision_from_the_first_that_could_be_run() -> None:
    """After a migration: `python -m tests.database.old_databases`. 0015 came along with 0016."""
    stored = {int(file.name[:4]) for file in STORED}
    assert stored >= set(range(4, int(HEAD_REVISION))) - {15}, "an upgrade from there is tried with nobody's rows"


@pytest.mark.parametrize(("engine", "name"), [(name, name) for name in TRUE], indirect=["engine"], ids=TRUE)
def test_an_older_database_is_brought_to_this_version_with_all_its_rows(
    engine: Engine, name: str, tmp_path: Path
) -> None:
    before = rows_in(engine)
    upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    check_schema(engine, Base.metadata)
    with engine.connect() as connection:
        said = tables_on("sqlite", Base.metadata)
        differences = compare_metadata(MigrationContext.configure(connection), said)
        assert [f"{each[2]}.{each[3].name}" for each in differences] == LEFT_OVER.get(name, [])
        assert list(find_flaws(connection, Base.metadata)) == []
    assert rows_in(engine) == before == [1] * len(COUNTED)


@pytest.mark.parametrize(("engine", "fault"), LYING.items(), indirect=["engine"])
def test_a_revision_that_lies_about_its_columns_is_refused_by_name_and_nothing_is_changed(
    engine: Engine, fault: str, tmp_path: Path
) -> None:
    with closing(sqlite3.connect(tmp_path / "portal.db")) as file:
        before = list(file.iterdump())
    with pytest.raises(SchemaError, match=f"{fault}: it was made between two releases. Nothing was changed."):
        upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    with closing(sqlite3.connect(tmp_path / "portal.db")) as file:
        assert list(file.iterdump()) == before


@pytest.mark.parametrize("engine", [TRUE[-1]], indirect=True)
def test_what_an_operator_added_stops_no_upgrade_and_stays(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        for added in (
            "ALTER TABLE contact ADD COLUMN crm_note TEXT",
            "ALTER TABLE delivery ADD COLUMN seen INTEGER NOT NULL DEFAULT 0",
            "CREATE INDEX ix_own ON contact (crm_note)",
            "CREATE TABLE own (id INTEGER)",
        ):
            connection.execute(text(added))
        connection.execute(text("UPDATE contact SET crm_note = 'kept'"))
    upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    check_schema(engine, Base.metadata)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT crm_note FROM contact")).scalars().all() == ["kept"]
        names = connection.execute(text("SELECT name FROM sqlite_master WHERE name IN ('ix_own', 'own')"))
        assert sorted(names.scalars()) == ["ix_own", "own"]


@pytest.mark.parametrize("engine", [TRUE[-1]], indirect=True)
def test_a_column_of_an_operators_that_no_row_can_be_without_stops_the_upgrade(engine: Engine, tmp_path: Path) -> None:
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM idempotency_key"))
        connection.execute(text("ALTER TABLE idempotency_key ADD COLUMN own INTEGER NOT NULL"))
    with pytest.raises(SchemaError, match=r"already has idempotency_key\.own"):
        upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("ALTER TABLE endpoint DROP COLUMN header_origin", "lacks endpoint.header_origin"),
        ("DROP TABLE column_mapping", "lacks column_mapping.choices"),
        ("ALTER TABLE idempotency_key ADD COLUMN status INTEGER NOT NULL", "would not fill, idempotency_key.status"),
    ],
)
@pytest.mark.parametrize("engine", [TRUE[-1]], indirect=True)
def test_a_database_at_this_revision_is_refused_for_what_it_lacks_or_has_too_much(
    engine: Engine, statement: str, fault: str, tmp_path: Path
) -> None:
    upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM idempotency_key"))
        connection.execute(text(statement))
    with pytest.raises(SchemaError, match=fault):
        check_schema(engine, Base.metadata)


@pytest.mark.slow
def test_an_upgrade_that_dies_at_any_statement_is_made_by_the_next_start(tmp_path: Path) -> None:
    path = unpack(TRUE[0], tmp_path)
    command = [sys.executable, "-m", "tests.database.killed_upgrades", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent.parent)
    assert done.returncode == 0, done.stderr
    *found, last, statements = done.stdout.split()
    assert int(statements) > 100
    assert found == sorted(found)
    assert set(found) <= {TRUE[0][:4], HEAD_REVISION}, "an upgrade is made whole or not at all"
    assert last == HEAD_REVISION


def test_a_classification_whose_contact_is_gone_stops_no_upgrade_and_goes(tmp_path: Path) -> None:
    path = unpack(next(name for name in TRUE if name.startswith("0036")), tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("UPDATE classification SET contact_id = 99")
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    upgrade_schema(engine, backups=tmp_path, now=utcnow())
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM classification")).scalar_one() == 0
    engine.dispose()


TIMES = {
    "0001-01-01 00:00:00.000000": -62_135_596_800_000_000,
    "1969-12-31 23:59:59.999999": -1,
    "1970-01-01 00:00:01.000005": 1_000_005,
    "2026-03-10 12:00:00.999999": 1_773_144_000_999_999,
    "9999-12-31 23:59:59.999999": 253_402_300_799_999_999,
    "no time": "no time",
}


def test_times_become_numbers_by_an_upgrade_and_texts_again_without_it_and_indexes_keep_their_order(
    tmp_path: Path,
) -> None:
    path = unpack("0040-9bc0c761", tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        for table, name in times_in(database):
            database.execute(f"UPDATE {table} SET {name} = '2026-03-10 12:00:00.000000'")
        for number, moment in enumerate([*TIMES, "2026-03-10 12:00", "2026-03-10 12:00:00.5"], 10):
            row = "INSERT INTO login_failure (id, account_key, ip, at) VALUES (?, 'a', '::1', ?)"
            database.execute(row, (number, moment))
    before = indexes_in(path)
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    upgrade_schema(engine, backups=tmp_path, now=utcnow())
    noon = 1_773_144_000_000_000
    assert failures_in(engine) == [*TIMES.values(), noon, noon + 500_000]
    with closing(sqlite3.connect(path)) as file:
        kept = {
            (table, name, *file.execute(f"SELECT {name} FROM {table} ORDER BY rowid").fetchone())
            for table, name in times_in(file)
        }
    assert len(kept) > 40
    assert {row for row in kept if row[2] != noon} == set()
    shorter = [(table, words.replace(", id)", ")") if table == "delivery" else words) for table, words in before]
    assert indexes_in(path) == shorter != before
    with engine.begin() as connection:
        command.downgrade(config_for(connection), "0040")
    engine.dispose()
    assert indexes_in(path) == before
    assert failures_in(engine) == [*TIMES, "2026-03-10 12:00:00.000000", "2026-03-10 12:00:00.500000"]


def times_in(database: sqlite3.Connection) -> list[tuple[str, str]]:
    columns = "FROM sqlite_master AS t, pragma_table_info(t.name) AS c WHERE t.type = 'table' AND c.type = 'DATETIME'"
    return database.execute(f"SELECT t.name, c.name {columns}").fetchall()


def failures_in(engine: Engine) -> list[object]:
    with engine.connect() as connection:
        return list(connection.execute(text("SELECT at FROM login_failure WHERE id >= 10 ORDER BY id")).scalars())


def indexes_in(path: Path) -> list[tuple[str, str]]:
    """SQLite chooses among such as are alike by the order in which they were made."""
    with closing(sqlite3.connect(path)) as file:
        query = (
            "SELECT tbl_name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY tbl_name, rowid"
        )
        return file.execute(query).fetchall()


def test_names_of_campaigns_are_brought_into_one_form_and_none_becomes_anothers(tmp_path: Path) -> None:
    path = unpack(max(name for name in TRUE if name < "0035"), tmp_path)
    names = ["A  B", "Verão", " Verão", "Verão\u200b ", "Copa  2026", "\t", "A B"]
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executemany("INSERT INTO campaign (id, company_id, name) VALUES (?, 1, ?)", enumerate(names, 10))
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    upgrade_schema(engine, backups=tmp_path, now=utcnow())
    with engine.begin() as connection:
        found = connection.execute(text("SELECT name FROM campaign WHERE id >= 10 ORDER BY id")).scalars().all()
        told = connection.execute(text("SELECT count(*) FROM delivery")).scalar_one()
    engine.dispose()
    assert (found, told) == (["A B (2)", "Verão", "Verão (2)", "Verão (3)", "Copa 2026", "?", "A B"], 1)
