from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import create_engine, text

from portal.clock import utcnow
from portal.db import Base, db, prepare_engine
from portal.migrating import upgrade_schema
from portal.schema import HEAD_REVISION, MIGRATIONS, SchemaError, check_schema
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


def test_the_head_revision_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD_REVISION


def test_an_empty_database_is_refused_until_it_is_upgraded(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'new.db'}")
    prepare_engine(engine)
    with pytest.raises(SchemaError, match="portal upgrade"):
        check_schema(engine)
    assert upgrade_schema(engine, backups=tmp_path / "backups", now=utcnow()) is None
    check_schema(engine)
    engine.dispose()
