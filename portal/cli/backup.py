"""`portal backup`."""

from pathlib import Path

import click

from portal import audit
from portal.cli.console import ACTOR, open_app
from portal.database import backup as backups
from portal.database.db import db
from portal.runtime import runtime

MEGABYTE = 1_000_000


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--force", is_flag=True, help="Overwrite FILE when it exists.")
def backup(file: Path, force: bool) -> None:
    """Write the database to one file, while the portal runs.

    It holds everything but the secret key, which belongs into a safe place of its own. PostgreSQL is backed up by
    pg_dump, which has to be installed here. FILE appears only when it is whole.
    """
    with open_app():
        size = backups.back_up(db.engine, file, force=force)
        click.echo(f"Backed up to {file} ({size / MEGABYTE:.1f} MB).")
        click.echo(
            f"Not in it: the secret key ({place_of_key()}). Keep a copy of it elsewhere: without it this backup cannot "
            "be restored.",
            err=True,
        )
        audit.record_everywhere(db.session, ACTOR, "backup.made", subject=file.name)
        db.session.commit()


def place_of_key() -> str:
    """Where the operator finds the key in use."""
    kept = runtime().settings.instance / "secret.key"
    return str(kept) if kept.exists() else "PORTAL_SECRET_KEY"
