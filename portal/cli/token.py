"""`portal token`."""

import click
from sqlalchemy import select

from portal.audit import Actor
from portal.cli.console import ACTOR, Words, open_app
from portal.database.db import db
from portal.models import User
from portal.people import tokens, users


@click.group()
def token() -> None:
    """Tokens for the API."""


@token.command()
@click.option("--email", required=True, help="Whose token: it may do what this person may.")
@click.option("--label", required=True, type=Words(100), help="What it is for, to know it again.")
def add(email: str, label: str) -> None:
    """Print a new API token, alone on standard output. It cannot be shown again."""
    with open_app():
        email = users.normalise_email(email)
        person = db.session.scalars(select(User).where(User.email == email, User.role.is_not(None))).first()
        if person is None or person.disabled_at is not None:
            raise click.ClickException(f"Nobody logs in as {email}.")
        made = tokens.create_token(db.session, person, label=label, actor=Actor(person.company_id, ACTOR))
        db.session.commit()
        click.echo(made)
