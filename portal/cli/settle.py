"""`portal settle`."""

import click

from portal.audit import Actor
from portal.cli.console import ROW_NUMBER, check_usage, for_company, is_any_given
from portal.contacts import doubts
from portal.database.db import db
from portal.rules.verdict import WARNINGS


@click.command()
@click.argument("contact_id", required=False, type=ROW_NUMBER)
@click.option("--warning", type=click.Choice(WARNINGS), help="All open warnings of that kind.")
@check_usage(lambda given: is_any_given(given, ("contact_id", "warning")), "Give a contact's number, or --warning.")
@for_company
def settle(actor: Actor, contact_id: int | None, warning: str | None) -> None:
    """Say that what the CRM accepted with a warning is right there.

    Somebody looked. Name a contact, or a kind of warning. The next answer with a warning opens a new one.
    """
    count = doubts.settle(db.session, actor, contact_id=contact_id, warning=warning)
    db.session.commit()
    click.echo(f"Settled: {count}.")
