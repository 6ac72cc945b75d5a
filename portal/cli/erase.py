"""`portal erase`."""

import click

from portal.audit import Actor
from portal.cli.console import ACTOR, ROW_NUMBER, contact_of_any_company, open_app
from portal.database.db import db
from portal.privacy import erasing
from portal.privacy.copies import find_old
from portal.runtime import runtime


@click.command()
@click.option("--contact", "contact_id", required=True, type=ROW_NUMBER, metavar="ID")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase(contact_id: int, yes: bool) -> None:
    """Erase a person: the contact, and the bodies and answers of its deliveries.

    What waits to be sent is cancelled. The log keeps that something was sent, when and with what result, and nothing
    about the person. Copies made before still hold the data: it says which lie in the instance's folder. It cannot be
    undone.
    """
    with open_app():
        name = contact_of_any_company(contact_id).name
        db.session.rollback()
        if not yes:
            click.confirm(f"Erase {name} (contact {contact_id}) for good?", abort=True, err=True)
        contact = contact_of_any_company(contact_id)
        held = runtime()
        done = erasing.erase_contact(db.session, contact, Actor(contact.company_id, ACTOR), vault=held.vault)
        db.session.commit()
        is_emptied = erasing.finish(db.engine, held.settings.instance)
        click.echo(f"Contact {contact_id} is erased. Deliveries kept as proof, without data: {done.deliveries}.")
        if done.tasks:
            click.echo(f"Imports that were ended because they hold the person: {done.tasks}.")
        if not is_emptied:
            click.echo("The database's log is in use: a worker empties it within the hour.", err=True)
        old = find_old(held.settings)
    if old and old.staying:
        click.echo(f"Copies made before may still hold the person. To remove them: {old.command}")
    if old and old.passing:
        click.echo(f"So may nightly backups, which go by themselves within weeks: {len(old.passing)}.")
