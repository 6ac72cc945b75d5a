"""`portal undo`."""

import click

from portal.audit import Actor
from portal.cli.console import ROW_NUMBER, for_company
from portal.database.db import db, reading
from portal.importing import undoing
from portal.importing.order import KIND as IMPORT
from portal.tasks import store


@click.command()
@click.argument("number", type=ROW_NUMBER, metavar="IMPORT")
@for_company
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def undo(actor: Actor, number: int, dry_run: bool, yes: bool) -> None:
    """Take an import back, as a job that a worker does.

    The contacts that the import created and nobody touched since are removed. What it changed stays, and so does what
    the CRM was told. `portal import` says the number of an import; so does the address of its page.
    """
    with reading():
        file = store.get_task(db.session, actor.company_id, IMPORT, number)
        if file is None:
            raise click.ClickException(f"There is no import {number}.")
        found = undoing.look(db.session, actor.company_id, number)
        db.session.rollback()
    count = len(found.contact_ids)
    click.echo(f"Contacts that it created and nobody touched since: {count}. Touched, and stay: {found.touched}.")
    click.echo(f"The CRM was told of {found.told} of them, or may have been. Waiting webhooks: {found.waiting}.")
    if dry_run or not count:
        return
    if not yes:
        click.confirm(f"Remove {count} contacts for good?", abort=True, err=True)
    job = undoing.start(db.session, actor, file)
    db.session.commit()
    click.echo(f"Job {job.id}: a worker removes {job.total} contacts.")
