"""`portal restore`."""

from pathlib import Path

import click
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from portal import audit, create_app
from portal.audit import Actor
from portal.cli.console import ACTOR, check_stored_secrets
from portal.cli.upgrade import bring_to_this_version
from portal.database import backup as backups
from portal.database.db import db
from portal.database.schema import check_schema
from portal.models import Company
from portal.runtime import runtime


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Put a backup in the place of the database, with the outbox held.

    Stop the portal first. A copy of the backup is brought to this version and looked at before anything changes. What
    the backup holds waiting may have been sent since, so nothing is sent until an admin resumes on the Webhook page.
    The database that was there is kept in the backups folder of the instance; on PostgreSQL make a backup of it before.
    """
    app = create_app()
    with app.app_context():
        held = runtime()
        done = backups.restore(db.engine, file, proof=prove, keep_at=held.settings.backups)
        for company_id in db.session.scalars(select(Company.id)):
            audit.record(db.session, Actor(company_id, ACTOR), "backup.restored", subject=file.name)
        db.session.commit()
        db.engine.dispose()
    click.echo(f"Restored {file}.")
    if done.replaced is not None:
        click.echo(f"The database that was there is kept as {done.replaced}.")
    click.echo(
        "Nothing is sent yet: what waits in this backup may have been sent since it was made. An admin looks at it and "
        "resumes on the Webhook page."
    )


def prove(engine: Engine) -> None:
    """Bring a copy of a backup to this version. Raises what keeps this version, or this key, from working with it."""
    bring_to_this_version(engine)
    check_schema(engine, db.metadata)
    with Session(engine) as session:
        check_stored_secrets(session)
