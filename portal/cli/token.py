"""`portal token`."""

from datetime import datetime

import click

from portal.audit import Actor
from portal.cli.console import ACTOR, Words, open_app
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
    with open_app():
        email = users.normalise_email(email)
        person = logging_in.find_user(db.session, email)
        if person is None:
            raise click.ClickException(f"Nobody logs in as {email}.")
        actor = Actor(person.company_id, ACTOR)
        made = tokens.create_token(db.session, person, label=label, scope=scope, last_day=last_day, actor=actor)
        db.session.commit()
        click.echo(made)
