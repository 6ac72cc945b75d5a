"""`portal upgrade`."""

from pathlib import Path

import click

from portal import clock, create_app
from portal.company.sealed import has_old, reseal
from portal.database.db import db, reading
from portal.database.schema import HEAD_REVISION, current_revision
from portal.runtime import runtime


@click.command()
def upgrade() -> None:
    """Bring the database to this version, after a backup.

    `portal serve` does the same at its start. PostgreSQL is not backed up: use its own tools before.
    """
    with create_app().app_context():
        was_current = current_revision(db.engine) == HEAD_REVISION
        backup = bring_up_to_date()
    if was_current:
        click.echo("The database is up to date.")
        return
    if backup is not None:
        click.echo(f"Backed up to {backup}.")
    click.echo("The database was upgraded.")


def bring_up_to_date() -> Path | None:
    """Migrate the current application's database, and seal anew what an older version sealed. Raises WrongKey.

    Returns the backup's path, if there was anything to back up.
    """
    backup, held = None, runtime()
    if current_revision(db.engine) != HEAD_REVISION:
        from portal.database.upgrading import upgrade_schema

        backup = upgrade_schema(db.engine, backups=held.settings.instance / "backups", now=clock.utcnow())
    with reading():
        is_sealed_anew = not has_old(db.session)
        db.session.rollback()
    if not is_sealed_anew:
        reseal(db.session, held.vault)
        db.session.commit()
    return backup
