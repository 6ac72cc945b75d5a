import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import Engine, NullPool, create_engine, event, func, inspect, select, text
from sqlalchemy.orm import Session

from portal.clock import utcnow
from portal.database.db import db, patience, prepare_engine
from portal.database.indexes import tables_on
from portal.database.schema import HEAD_REVISION, MIGRATIONS, SchemaError, check_schema, current_revision
from portal.database.tables import Base
from portal.database.upgrading import config_for, upgrade_schema
from portal.database.upkeep import rewrite_where_there_is_room, size_of
from portal.models import Delivery, Exchange
from tests.conftest import BOTH, URL
from tests.factories import make_company, make_contact, make_delivery

FROZEN = {
    "0001_first_schema.py": "03d5eb1411d247e2",
    "0002_tasks.py": "91941cc183378d03",
    "0003_search_and_indexes.py": "87dd0429ce28f68b",
    "0004_people_privacy_notices.py": "a130a23b6bc48882",
    "0005_fixed_header.py": "241da5fc6c4413e7",
    "0006_identities.py": "8690b95d9d3a6c25",
    "0007_imported_contacts.py": "b466107cd43b32f2",
    "0008_token_scopes.py": "22798a9012e6dcde",
    "0009_warnings.py": "d52e7853c01440d7",
    "0010_column_mappings.py": "5226d15ccd8065ab",
    "0011_refusals_and_invitations.py": "33457813a4b5e074",
    "0012_data_changed.py": "959d1068df9773cd",
    "0013_numbers_given_once.py": "d379681288db0107",
    "0014_recovery_codes.py": "68731c51a592e3d8",
    "0015_chats.py": "2af768e003fe4e6c",
    "0016_erasures.py": "bc7eb522d61c8cc9",
    "0017_outages.py": "96bc72636fade7dc",
    "0018_bodies_apart.py": "2b55cbbc0deb724d",
    "0019_reports.py": "cd2c3664108c1e6f",
    "0020_cause_notes.py": "7f0b45eb3e0b9305",
    "0021_crm_link.py": "9ff7a09f998fe196",
    "0022_rare_deliveries.py": "a5a6e1db789ff4a5",
    "0023_email_changes.py": "5d0c11d27078112b",
    "0024_last_classified.py": "5df4cf8a4aefe296",
    "0025_closed_companies.py": "dfc97888c9751a82",
    "0026_deliveries_of_few.py": "d231250f538b3588",
    "0027_crm_records.py": "145934134afbcf8e",
    "0028_merged_contacts.py": "053004d000a605cd",
    "0029_absent_json.py": "e25bcb4e6f1d80f1",
    "0030_proxied_people.py": "12aff8afc0f497eb",
    "0031_former_keys.py": "74dfa6df34ec2015",
    "0032_purged_deliveries.py": "5b91f204425356b8",
    "0033_other_crm.py": "27013bdac539c657",
    "0034_removed_levels.py": "d068a6d410dcf9cb",
    "0035_campaign_names.py": "c272973b47f598da",
    "0036_counts_in_parts.py": "3e9113ecbafb02a7",
    "0037_reached_levels.py": "e547bdbdd69662d6",
    "0038_packed_bodies.py": "9ea86229dac27234",
    "0039_contacts_by_linkedin.py": "3b900175a69e3664",
    "0040_searched_contacts.py": "9c27204c967ba786",
    "0041_times_as_numbers.py": "b6952dd0fbf352cb",
    "0042_indexes_by_number.py": "6215815cc5234156",
    "0043_short_ids.py": "ede3c6d07b8aa149",
}
"""What each migration held when it was first released: the first digits of its SHA-256."""


@BOTH
def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    said = tables_on(db.engine.dialect.name, Base.metadata)
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), said) == []


@BOTH
def test_a_newer_database_is_refused_with_what_to_do(app: Flask, tmp_path: Path) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer version"):
        check_schema(db.engine, Base.metadata)
    with pytest.raises(SchemaError, match="newer version"):
        upgrade_schema(db.engine, backups=tmp_path / "backups", now=utcnow())


def test_the_head_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD_REVISION


@pytest.mark.parametrize(("name", "digest"), FROZEN.items())
def test_a_migration_that_people_have_run_is_never_edited(name: str, digest: str) -> None:
    assert hashlib.sha256((MIGRATIONS / "versions" / name).read_bytes()).hexdigest()[:16] == digest


def test_every_migration_is_pinned() -> None:
    assert sorted(FROZEN) == sorted(file.name for file in (MIGRATIONS / "versions").glob("0*.py"))


def test_an_upgrade_removes_its_own_old_copies_and_nothing_of_the_operators(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    folder.mkdir()
    theirs = [f"portal-2026-01-0{day}.db" for day in range(1, 10)] + ["portal-0003-friday.db", "portal-old.db"]
    own = [f"portal-000{number}-2026010{number}T000000Z.db" for number in range(1, 7)]
    for name in [*theirs, *own]:
        (folder / name).touch()
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0003")
    made = upgrade_schema(engine, backups=folder, now=utcnow())
    engine.dispose()
    assert made is not None
    assert {file.name for file in folder.iterdir()} == {*theirs, *own[2:], made.name}


def test_an_empty_database_is_refused_until_it_is_upgraded(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    prepare_engine(engine)
    with pytest.raises(SchemaError, match="portal upgrade"):
        check_schema(engine, Base.metadata)
    assert upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow()) is None
    check_schema(engine, Base.metadata)
    engine.dispose()


def test_an_upgrade_loses_no_row_and_knows_what_the_crm_had_learned_last(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0003")
        for statement in OLD_ROWS.split(";"):
            connection.execute(text(statement))
    upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    with engine.begin() as connection:
        found = connection.execute(
            text("SELECT classified_at, delivered_level, delivered_warning FROM contact ORDER BY id")
        ).all()
        assert connection.execute(text("SELECT count(*) FROM user_account, delivery")).scalar_one() == 3
        assert connection.execute(text("PRAGMA foreign_key_check")).all() == []
    engine.dispose()
    assert [tuple(row) for row in found] == [(DAY_2, 1, "error_words"), (None, None, None)]


def test_identities_are_stored_as_they_are_compared_and_nothing_else_changes(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    prepare_engine(engine)
    stored = [("https://www.linkedin.com/in/Jo%C3%A3o/", "Joao@X.test"), ("-", "arroba"), ("ana", "ana@x.test")]
    with engine.begin() as connection:
        command.upgrade(config_for(connection), "0003")
        for statement in OLD_ROWS.split(";"):
            connection.execute(text(statement))
        copied = (
            "company_id, campaign_id, owner_id, search_name, search_text, skills, experiences, created_at, updated_at"
        )
        connection.execute(
            text(f"INSERT INTO contact (id, name, {copied}) SELECT 3, 'C', {copied} FROM contact LIMIT 1")
        )
        for number, (linkedin, email) in enumerate(stored, 1):
            values = {"linkedin": linkedin, "email": email, "id": number}
            change = "UPDATE contact SET linkedin_public_id = :linkedin, email = :email WHERE id = :id"
            connection.execute(text(change), values)
    upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow())
    with engine.begin() as connection:
        wanted = "SELECT linkedin_public_id, email, search_text, updated_at FROM contact ORDER BY id"
        found = [tuple(row) for row in connection.execute(text(wanted))]
    engine.dispose()
    assert found == [
        ("joão", "joao@x.test", "a\njoao@x.test\njoao", DAY_1),
        (None, None, "b", DAY_1),
        ("ana", "ana@x.test", "a", DAY_1),
    ]


DAY_1, DAY_2 = 1767225600000000, 1767312000000000  # the two days of 2026, as SQLite keeps them
OLD_ROWS = """
INSERT INTO company (id, name, timezone, locale, created_at) VALUES (1, 'A', 'UTC', 'en', '2026-01-01');
INSERT INTO user_account (id, company_id, name, email, session_version, created_at)
    VALUES (1, 1, 'A', 'a@example.com', 1, '2026-01-01');
INSERT INTO campaign (id, company_id, name) VALUES (1, 1, 'A');
INSERT INTO contact (id, company_id, campaign_id, owner_id, name, search_name, search_text, skills, experiences,
    created_at, updated_at) VALUES (1, 1, 1, 1, 'A', 'a', 'a', '[]', '[]', '2026-01-01', '2026-01-01'),
    (2, 1, 1, 1, 'B', 'b', 'b', '[]', '[]', '2026-01-01', '2026-01-01');
INSERT INTO classification (company_id, contact_id, new_level, actor, created_at)
    VALUES (1, 1, 2, 'a', '2026-01-01'), (1, 1, 3, 'a', '2026-01-02');
INSERT INTO delivery (webhook_id, company_id, contact_id, trigger, next_trigger, actor, status, attempt_count, tries,
    interest_level, created_at, delivered_at, warning) VALUES
    ('m1', 1, 1, 'sync', 'sync', 'a', 'delivered', 1, 1, 1, '2026-01-01', '2026-01-04', 'error_words'),
    ('m2', 1, 1, 'sync', 'sync', 'a', 'delivered', 1, 1, 2, '2026-01-02', '2026-01-03', NULL),
    ('m3', 1, 1, 'sync', 'sync', 'a', 'failed', 1, 1, 3, '2026-01-03', NULL, NULL)
"""


OLD_WORDS = """
INSERT INTO company (id, name, timezone, locale, keep_bodies_days, keep_log_days, keep_audit_days, created_at)
    VALUES (1, 'A', 'UTC', 'en', 30, 365, 730, '2026-01-01');
INSERT INTO delivery
    (id, webhook_id, company_id, trigger, next_trigger, actor, status, attempt_count, tries, created_at, body)
    VALUES (1, 'm1', 1, 'sync', 'sync', 'a', 'pending', 1, 1, '2026-01-01', NULL),
    (2, 'm2', 1, 'sync', 'sync', 'a', 'failed', 1, 1, '2026-01-02', NULL);
INSERT INTO attempt (id, delivery_id, number, trigger, late, started_at, url, reason, request_sent, detail,
    request_headers, response_headers) VALUES
    (1, 1, 1, 'sync', false, '2026-01-01', 'u', 'timeout', true, 'slow', '[["a", "b"]]', '[]'),
    (2, 2, 1, 'sync', false, '2026-01-02', 'u', 'timeout', true, NULL, '[]', '[]')
"""


@pytest.fixture
def old_engine(database_url: str, instance: Path) -> Iterator[Engine]:
    """A database of before bodies had a table of their own, with one that has its body and one that lost it."""
    (instance / "portal.db").unlink(missing_ok=True)
    engine = create_engine(database_url)
    prepare_engine(engine)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("DROP SCHEMA public CASCADE"))
            connection.execute(text("CREATE SCHEMA public"))
        command.upgrade(config_for(connection), "0017")
        for statement in OLD_WORDS.split(";"):
            connection.execute(text(statement))
        connection.execute(text("UPDATE delivery SET body = :body WHERE id = 1"), {"body": b"{}"})
    yield engine
    engine.dispose()


@BOTH
def test_bodies_and_answers_find_their_own_tables(old_engine: Engine) -> None:
    before = indexes_of(old_engine)
    upgrade_schema(old_engine, backups=None, now=utcnow())
    check_moved(old_engine)
    after = indexes_of(old_engine)
    assert [[each for each in now if each in then] for now, then in zip(after, before, strict=True)] == before


MERGED_ROWS = """
INSERT INTO user_account (id, company_id, name, email, session_version, created_at, recovery_hashes)
    VALUES (1, 1, 'A', 'a@example.com', 1, '2026-01-01', 'null');
INSERT INTO campaign (id, company_id, name) VALUES (1, 1, 'A');
INSERT INTO contact (id, company_id, campaign_id, owner_id, name, search_name, search_text, skills, experiences,
    created_at, updated_at, is_level_imported, merged) VALUES
    (1, 1, 1, 1, 'A', 'a', 'a', '[]', '[]', '2026-01-01', '2026-01-01', false, :merged),
    (2, 1, 1, 1, 'B', 'b', 'b', '[]', '[]', '2026-01-01', '2026-01-01', false, 'null')
"""


@BOTH
def test_what_those_were_matched_by_who_were_merged_is_found_and_null_is_nothing(old_engine: Engine) -> None:
    person = {"linkedin_public_id": "ana", "email": None}
    merged = json.dumps([person, person | {"email": "a@x.test"}])
    with old_engine.begin() as connection:
        command.upgrade(config_for(connection), "0028")
        for statement in MERGED_ROWS.split(";"):
            connection.execute(text(statement), {"merged": merged} if ":merged" in statement else {})
    upgrade_schema(old_engine, backups=None, now=utcnow())
    with old_engine.begin() as connection:
        keys = connection.execute(text("SELECT contact_id, field, value FROM former_key ORDER BY field")).all()
        assert [tuple(key) for key in keys] == [(1, "email", "a@x.test"), (1, "linkedin_public_id", "ana")]
        assert connection.execute(text("SELECT id FROM contact WHERE merged IS NULL")).scalars().all() == [2]
        assert not connection.scalar(text("SELECT count(*) FROM user_account WHERE recovery_hashes IS NOT NULL"))


@pytest.mark.slow
@BOTH
def test_an_upgrade_that_dies_at_any_statement_has_changed_nothing(old_engine: Engine) -> None:
    """What others see before a statement is what a death at it leaves; at some of them it does die."""
    others = create_engine(old_engine.url, poolclass=NullPool)
    statements, deadly = 0, 1

    def look(*_: Any) -> None:
        nonlocal statements
        statements += 1
        found = current_revision(others), has_body(others)
        assert found in (("0017", True), (HEAD_REVISION, False)), "an upgrade is made whole or not at all"
        if statements == deadly:
            raise Died

    event.listen(old_engine, "before_cursor_execute", look)
    for deadly in (1, 20, 60, None):
        statements = 0
        with nullcontext() if deadly is None else pytest.raises(Died):
            upgrade_schema(old_engine, backups=None, now=utcnow())
    event.remove(old_engine, "before_cursor_execute", look)
    check_moved(old_engine)


@pytest.mark.parametrize("room", [2.9, 3.1])
def test_an_upgrade_writes_the_file_anew_where_there_is_room(
    old_engine: Engine, instance: Path, monkeypatch: pytest.MonkeyPatch, room: float
) -> None:
    old_engine.dispose()
    with closing(sqlite3.connect(instance / "portal.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("PRAGMA auto_vacuum = NONE")
        connection.execute("VACUUM")
        connection.execute("CREATE TABLE ballast AS SELECT zeroblob(3000000)")
        connection.execute("DROP TABLE ballast")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=room * (size_of(old_engine) or 0)))
    upgrade_schema(old_engine, backups=None, now=utcnow())
    check_moved(old_engine)
    assert ((size_of(old_engine) or 0) < 2_000_000) == (room > 3)


@pytest.mark.slow
def test_an_upgrade_leaves_a_file_that_somebody_uses_as_it_is(old_engine: Engine, caplog: Any) -> None:
    upgrade_schema(old_engine, backups=None, now=utcnow())
    with old_engine.begin() as connection:
        connection.execute(text("CREATE TABLE ballast AS SELECT zeroblob(3000000)"))
        connection.execute(text("DROP TABLE ballast"))
    old_engine.dispose()
    with old_engine.begin(), patience(1):
        assert not rewrite_where_there_is_room(old_engine)
    assert "was not rewritten" in caplog.text
    assert rewrite_where_there_is_room(old_engine)


class Died(Exception):
    """Stands for what ends an upgrade in its midst."""


def has_body(engine: Engine) -> bool:
    """Whether deliveries still have their bodies themselves, found without a lock on what somebody is changing."""
    if engine.dialect.name == "postgresql":
        asked = "SELECT 1 FROM information_schema.columns WHERE table_name = 'delivery' AND column_name = 'body'"
    else:
        asked = "SELECT 1 FROM pragma_table_info('delivery') WHERE name = 'body'"
    with engine.connect() as connection:
        return connection.scalar(text(asked)) is not None


MADE_ANEW = ("ix_delivery_day", "ix_delivery_reached")
"""Indexes that later migrations make of other columns; on SQLite those of deliveries hold the number no more."""


def indexes_of(engine: Engine) -> list[Any]:
    """The indexes of both tables; SQLite chooses among such as are alike by the order in which they were made."""
    tables = ("delivery", "attempt")
    if engine.dialect.name == "postgresql":
        found = [sorted(inspect(engine).get_indexes(table), key=str) for table in tables]
    else:
        kept = "FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL AND tbl_name = :table ORDER BY rowid"
        with engine.connect() as connection:
            rows = [connection.execute(text(f"SELECT name, sql {kept}"), {"table": table}) for table in tables]
            found = [[{"name": name, "sql": words.replace(", id)", ")")} for name, words in each] for each in rows]
    return [[index for index in indexes if index["name"] not in MADE_ANEW] for indexes in found]


def check_moved(engine: Engine) -> None:
    with Session(engine) as session:
        with_body, without = session.scalars(select(Delivery).order_by(Delivery.id))
        assert [(row.has_body, row.body) for row in (with_body, without)] == [(True, b"{}"), (False, None)]
        ((said,), (unsaid,)) = with_body.attempts, without.attempts
        assert (said.detail, said.request_headers, said.response_headers) == ("slow", [["a", "b"]], [])
        assert (unsaid.exchange, unsaid.request_headers) == (None, [])
        assert session.scalar(select(func.count()).select_from(Exchange)) == 1


@BOTH
def test_ids_become_bytes_on_sqlite_by_an_upgrade_and_texts_again_without_it(app: Flask) -> None:
    contact = make_contact(make_company(url=URL))
    whole, other = make_delivery(contact).webhook_id, make_delivery(contact, level=3)
    other.webhook_id = "msg_7"
    db.session.commit()

    def kept() -> list[Any]:
        with db.engine.connect() as connection:
            return list(connection.execute(text("SELECT webhook_id FROM delivery ORDER BY id")).scalars())

    now = kept()
    assert now == [bytes.fromhex(whole[4:]) if db.engine.dialect.name == "sqlite" else whole, "msg_7"]
    for revision, there in (("0042", [whole, "msg_7"]), ("0043", now)):
        with db.engine.begin() as connection:
            (command.upgrade if revision == "0043" else command.downgrade)(config_for(connection), revision)
        assert kept() == there
