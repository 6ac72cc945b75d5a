"""The schema's version: does the database fit this version of the portal? `database.upgrading` brings it there."""

from pathlib import Path

from sqlalchemy import Engine, inspect, text

MIGRATIONS = Path(__file__).parent.parent / "migrations"
HEAD_REVISION = "0005"
"""The newest migration: the revision that this version of the portal works with."""


class SchemaError(Exception):
    """The database's schema and this version of the portal do not fit."""


def current_revision(engine: Engine) -> str | None:
    """The revision the database is at; None when it is empty."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
        return revision


def check_schema(engine: Engine) -> None:
    """Raise SchemaError, with what to do, unless the database is at this version's revision."""
    revision = current_revision(engine)
    if revision == HEAD_REVISION:
        return
    if revision is not None:
        refuse_unknown(revision)
    raise SchemaError("The database is older than this version of the portal. Run: portal upgrade")


def refuse_unknown(revision: str) -> None:
    """Raise SchemaError for a revision that this version has no migration for: a newer one made it."""
    if not any((MIGRATIONS / "versions").glob(f"{revision}_*.py")):
        raise SchemaError(
            "The database was made by a newer version of the portal. Install that version, or restore the backup "
            "that was taken before the upgrade."
        )
