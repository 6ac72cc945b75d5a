"""`portal token`."""

from datetime import datetime

import click

from portal.audit import Actor
from portal.cli.console import ACTOR, Words, in_console_language, open_app
from portal.company.refusals import Refusal
from portal.database.db import db
from portal.models import SCOPES
from portal.people import logging_in, tokens, users


@click.group()
def token() -> None:
    """Tokens for the API."""


@token.command()
@click.option("--email", required=True, help="Whose token: it may do what this person may.")
@click.option("--label", required=True, type=Words(100), help="What it is for, to know it again.")
@click.option(
    "--scope",
    default="manage",
    show_default=True,
    type=click.Choice(SCOPES),
    help="read: only GET; classify: contacts and levels too; manage: everything.",
)
@click.option("--until", type=click.DateTime(["%Y-%m-%d"]), help="Its last day, of the company's time zone.")
def add(email: str, label: str, scope: str, until: datetime | None) -> None:
    """Print a new API token, alone on standard output. It cannot be shown again."""
    last_day = until.date() if until else None
    with open_app(), in_console_language():
        email = users.normalise_email(email)
        person = logging_in.find_user(db.session, email)
        if person is None:
            raise click.ClickException(f"Nobody logs in as {email}.")
        try:
            made = tokens.create_token(
                db.session, person, label=label, scope=scope, last_day=last_day, actor=Actor(person.company_id, ACTOR)
            )
        except Refusal as refusal:
            raise click.ClickException(refusal.sentence) from refusal
        db.session.commit()
        click.echo(made)
