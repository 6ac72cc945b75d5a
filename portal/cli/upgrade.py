"""`portal upgrade`."""

from pathlib import Path

import click
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.cli.holding import hold_app
from portal.company.sealed import has_old, reseal
from portal.config import load_settings
from portal.database.db import db, reading
from portal.database.schema import HEAD_REVISION, current_revision
from portal.runtime import runtime


@click.command()
def upgrade() -> None:
    """Bring the database to this version, after a backup.

    `portal serve` does the same at its start. PostgreSQL is not backed up: use its own tools before.
    """
    with hold_app(load_settings()):
        was_current = current_revision(db.engine) == HEAD_REVISION
        backup = bring_up_to_date()
    if was_current:
        click.echo("The database is up to date.")
        return
    if backup is not None:
        click.echo(f"Backed up to {backup}.")
    click.echo("The database was upgraded.")


def bring_up_to_date() -> Path | None:
    """`bring_to_this_version` for the current application's database, after a backup. Returns the backup's path."""
    return bring_to_this_version(db.engine, backups=runtime().settings.backups)


def bring_to_this_version(engine: Engine, *, backups: Path | None = None) -> Path | None:
    """Migrate the database, and seal anew what an older version sealed. Raises WrongKey.

    Returns the path of its backup in the folder `backups`, if there was anything to back up.
    """
    backup = None
    if current_revision(engine) != HEAD_REVISION:
        from portal.database.upgrading import upgrade_schema

        backup = upgrade_schema(engine, backups=backups, now=clock.utcnow())
    with reading(), Session(engine) as session:
        is_sealed_anew = not has_old(session)
    if not is_sealed_anew:
        with Session(engine) as session, session.begin():
            reseal(session, runtime().vault)
    return backup
