from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from flask import Flask
from sqlalchemy import create_engine, text

from portal.clock import utcnow
from portal.db import Base, db, prepare_engine
from portal.schema import SchemaError, check_schema, upgrade_schema
from tests.engine.conftest import BOTH


@BOTH
def test_the_migrations_make_what_the_models_say(app: Flask) -> None:
    with db.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


@BOTH
def test_a_newer_database_is_refused_with_what_to_do(app: Flask, tmp_path: Path) -> None:
    with db.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaError, match="newer version"):
        check_schema(db.engine)
    with pytest.raises(SchemaError, match="newer version"):
        upgrade_schema(db.engine, backups=tmp_path / "backups", now=utcnow())


def test_an_empty_database_is_refused_until_it_is_upgraded(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    prepare_engine(engine)
    with pytest.raises(SchemaError, match="portal upgrade"):
        check_schema(engine)
    assert upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow()) is None
    check_schema(engine)
    engine.dispose()


def test_an_upgrade_of_an_older_database_is_backed_up_first(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'old.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)"))
        connection.execute(text("CREATE TABLE kept (word TEXT)"))
        connection.execute(text("INSERT INTO kept VALUES ('precious')"))
    backups = tmp_path / "backups"
    assert upgrade_schema(engine, backups=backups, now=utcnow()) is None  # no revision yet: nothing of ours to lose
    check_schema(engine)
    engine.dispose()
