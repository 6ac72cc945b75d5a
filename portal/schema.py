"""The schema's version: is the database ready, and how it gets there. Migrations live inside the package."""

import sqlite3
from datetime import datetime
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

MIGRATIONS = Path(__file__).parent / "migrations"
KEPT_BACKUPS = 5
ADVISORY_LOCK = 0x706F7274616C  # any number: only one process at a time migrates a PostgreSQL database


class SchemaError(Exception):
    """The database's schema and this version of the portal do not fit."""


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None when it is empty."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str:
    """The revision this version of the portal works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise SchemaError("The package holds no migrations: it is not installed whole.")
    return head


def check_schema(engine: Engine) -> None:
    """Raise SchemaError, with what to do, unless the database is at this version's revision."""
    revision = current_revision(engine)
    if revision == head_revision():
        return
    if revision is not None and not _is_known(revision):
        raise SchemaError(
            "The database was made by a newer version of the portal. Install that version, or restore the backup "
            "that was taken before the upgrade."
        )
    raise SchemaError("The database is older than this version of the portal. Run: portal upgrade")


def upgrade_schema(engine: Engine, *, backups: Path, now: datetime) -> Path | None:
    """Bring the database to this version's revision, after a backup. Safe when several processes start at once.

    Returns the backup's path, or None when there was nothing to back up (no change, an empty database, or PostgreSQL,
    which is backed up with its own tools). Raises SchemaError when the database is newer than this version.
    """
    revision = current_revision(engine)
    if revision == head_revision():
        return None
    if revision is not None and not _is_known(revision):
        check_schema(engine)
    backup = None
    if revision is not None and engine.dialect.name == "sqlite":
        backup = _back_up(engine, backups / f"portal-{revision}-{now:%Y%m%dT%H%M%SZ}.db")
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        command.upgrade(_config(connection), "head")
    return backup


def _back_up(engine: Engine, path: Path) -> Path:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = sqlite3.connect(str(engine.url.database))
    target = sqlite3.connect(path)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
    path.chmod(0o600)
    for old in sorted(path.parent.glob("portal-*.db"), key=lambda file: file.stat().st_mtime)[:-KEPT_BACKUPS]:
        old.unlink()
    return path


def _is_known(revision: str) -> bool:
    return any(script.revision == revision for script in _scripts().walk_revisions())


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    if connection is not None:
        config.attributes["connection"] = connection
    return config
