"""`portal upgrade`."""

from pathlib import Path

import click

from portal import clock, create_app
from portal.database.db import db
from portal.database.schema import HEAD_REVISION, current_revision
from portal.runtime import runtime


@click.command()
def upgrade() -> None:
    """Bring the database to this version, after a backup.

    `portal serve` does the same at its start. PostgreSQL is not backed up: use its own tools before.
    """
    with create_app().app_context():
        if current_revision(db.engine) == HEAD_REVISION:
            click.echo("The database is up to date.")
            return
        backup = bring_up_to_date()
    if backup is not None:
        click.echo(f"Backed up to {backup}.")
    click.echo("The database was upgraded.")


def bring_up_to_date() -> Path | None:
    """Migrate the current application's database; returns the backup's path, if there was anything to back up."""
    if current_revision(db.engine) == HEAD_REVISION:
        return None
    from portal.database.upgrading import upgrade_schema

    return upgrade_schema(db.engine, backups=runtime().settings.instance / "backups", now=clock.utcnow())
