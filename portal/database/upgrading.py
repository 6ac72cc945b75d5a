"""Bringing the database to this version's schema, after a backup. Only this imports Alembic, slow to import."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, StaticPool, create_engine, text

from portal.database.backup import beside
from portal.database.backup.sqlite import copy_database
from portal.database.owning import make_folder
from portal.database.schema import (
    HEAD_REVISION,
    MIGRATIONS,
    SchemaError,
    columns_in,
    current_revision,
    is_needed,
    refuse_unknown,
    refuse_unnamed,
    revision_in,
)
from portal.database.tables import Base
from portal.database.upkeep import rewrite_where_there_is_room

KEPT_BACKUPS = 5
# The name of a copy that an upgrade made. Whatever else lies in the folder belongs to the operator.
_OWN_BACKUP = re.compile(r"portal-[0-9]{4}-([0-9]{8}T[0-9]{6}Z)\.db")
ADVISORY_LOCK = 0x706F7274616C  # any number: only one process at a time migrates a PostgreSQL database


def upgrade_schema(engine: Engine, *, backups: Path | None, now: datetime) -> Path | None:
    """Bring the database to this version's revision. Safe when several processes start at once.

    Returns the backup's path, or None when there was nothing to back up (no change, an empty database, or PostgreSQL,
    which is backed up with its own tools). Raises SchemaError when the database is newer than this version.
    """
    revision = current_revision(engine)
    if revision == HEAD_REVISION:
        return None
    if revision is not None:
        refuse_unknown(revision)
    backup = None
    if backups is not None and revision is not None and engine.dialect.name == "sqlite":
        backup = back_up(engine, backups / f"portal-{revision}-{now:%Y%m%dT%H%M%SZ}.db")
    with engine.connect() as connection, _foreign_keys_set_aside(connection), connection.begin():
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL lock_timeout = 0"))  # another process may be at it, for long
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        _refuse_lie(connection)
        command.upgrade(config_for(connection), "head")
    if revision is not None:
        rewrite_where_there_is_room(engine)
    return backup


def _refuse_lie(connection: Connection) -> None:
    """Raise SchemaError for a database whose tables are not those of its revision: migrations would garble it.

    Such were made between two releases. Other tables may be the operator's, and so may columns that no migration is
    going to make, if rows can be made without them.
    """
    revision = revision_in(connection)
    if revision is None:
        refuse_unnamed(connection, Base.metadata)
    if revision is None or revision == HEAD_REVISION:
        return
    memory = create_engine("sqlite://", poolclass=StaticPool)
    with memory.begin() as scratch:
        command.upgrade(config_for(scratch), revision)
        promised = columns_in(scratch)
    memory.dispose()
    found, to_come = columns_in(connection), {name: table.c.keys() for name, table in Base.metadata.tables.items()}
    for table, columns in sorted(promised.items()):
        there, new = found.get(table, {}), to_come.get(table, ())
        strange = {name for name in there.keys() - columns if name in new or is_needed(there[name])}
        for fault, names in (("lacks", columns.keys() - there), ("already has", strange)):
            if names:
                raise SchemaError(
                    f"The database says that it is at revision {revision}, but it {fault} {table}.{min(names)}: it was "
                    "made between two releases. Nothing was changed. Restore a backup that a release made."
                )


@contextmanager
def _foreign_keys_set_aside(connection: Connection) -> Iterator[None]:
    """SQLite changes a table by making it anew: dropping the old one must not take along what refers to its rows.

    That works only before a transaction begins (https://www.sqlite.org/lang_altertable.html#otheralter).
    """
    if connection.dialect.name != "sqlite":
        yield
        return
    driver: Any = connection.connection.driver_connection
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        yield
    finally:
        driver.execute("PRAGMA foreign_keys = ON")


def back_up(engine: Engine, path: Path) -> Path:
    """Copy a live SQLite database, whole or not at all; of the copies of upgrades only the newest few are kept."""
    make_folder(path.parent)
    with beside(path) as fresh:
        copy_database(Path(str(engine.url.database)), fresh)
        if not path.exists():  # else another upgrade made it in this second, and this copy may be of what came of that
            fresh.replace(path)
    own = {found[1]: file for file in path.parent.iterdir() if (found := _OWN_BACKUP.fullmatch(file.name))}
    for made_at in sorted(own)[:-KEPT_BACKUPS]:
        own[made_at].unlink()
    return path


def config_for(connection: Connection) -> Config:
    """Alembic's configuration for the migrations in the package, to run on this connection."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config
