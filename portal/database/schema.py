"""The schema's version: does the database fit this version of the portal? `database.upgrading` brings it there."""

from pathlib import Path

from sqlalchemy import Connection, Engine, MetaData, inspect, text
from sqlalchemy.engine.interfaces import ReflectedColumn

MIGRATIONS = Path(__file__).parent.parent / "migrations"
HEAD_REVISION = "0043"  # the newest migration: the revision that this version of the portal works with

UNFINISHED_MOVE = "moving"  # stands in a revision's place while a database is being filled from another


class SchemaError(Exception):
    """The database's schema and this version of the portal do not fit."""


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None when it is empty."""
    with engine.connect() as connection:
        return revision_in(connection)


def revision_in(connection: Connection) -> str | None:
    """`current_revision`, as this transaction sees it."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def columns_in(bind: Connection | Engine) -> dict[str, dict[str, ReflectedColumn]]:
    """Every table's columns, by their names."""
    found = inspect(bind).get_multi_columns()
    return {table: {column["name"]: column for column in columns} for (_, table), columns in found.items()}


def check_schema(engine: Engine, metadata: MetaData) -> None:
    """Raise SchemaError, with what to do, unless the database is at this version's revision and has its columns.

    `metadata` holds the tables that the portal works with.
    """
    revision = current_revision(engine)
    if revision == HEAD_REVISION:
        _check_columns(engine, metadata)
        return
    if revision is None:
        refuse_unnamed(engine, metadata)
    else:
        refuse_unknown(revision)
    raise SchemaError("The database is older than this version of the portal. Run: portal upgrade")


def _check_columns(engine: Engine, metadata: MetaData) -> None:
    """The revision is only a note: a restored table, or an upgrade that did not end, can make it false."""
    found = {
        f"{table}.{name}": column for table, columns in columns_in(engine).items() for name, column in columns.items()
    }
    there, wanted = found.keys(), {str(column) for table in metadata.sorted_tables for column in table.columns}
    strange = {name for name in there - wanted if name.partition(".")[0] in metadata.tables and is_needed(found[name])}
    for fault, names in (("lacks", wanted - there), ("has, and this version would not fill,", strange)):
        if names:
            raise SchemaError(
                f"The database says that it fits this version of the portal, but it {fault} {min(names)}. "
                "Stop the portal and restore a backup."
            )


def is_needed(column: ReflectedColumn) -> bool:
    """Whether a row cannot be made without it."""
    return not column["nullable"] and column["default"] is None and not column.get("autoincrement")


def refuse_unnamed(bind: Connection | Engine, metadata: MetaData) -> None:
    """Raise SchemaError where a table of this version's is there, and no note of the version that made it."""
    if names := metadata.tables.keys() & set(inspect(bind).get_table_names()):
        raise SchemaError(
            f"The database has a table {min(names)}, but does not say of which version. If another program made it, "
            "give the portal a database of its own; if the portal did, restore a backup."
        )


def refuse_unknown(revision: str) -> None:
    """Raise SchemaError for a revision that this version has no migration for: a newer one made it."""
    if revision == UNFINISHED_MOVE:
        raise SchemaError("A move into this database did not end: run portal move again from where it came.")
    if not any((MIGRATIONS / "versions").glob(f"{revision}_*.py")):
        raise SchemaError(
            "The database was made by a newer version of the portal. Install that version, or restore the backup "
            "that was taken before the upgrade."
        )
