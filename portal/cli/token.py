"""`portal token`."""

from datetime import date
from typing import Any

import click

from portal.audit import Actor
from portal.cli.console import ACTOR, ROW_NUMBER, Words, for_company, json_option, open_app, or_fail, print_answer
from portal.database.db import db, reading
from portal.models import SCOPES, ApiToken
from portal.people import logging_in, tokens, users


class Day(click.ParamType[date]):
    """A day as programs write it."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day such as 2026-01-31.", param, ctx)


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
@click.option("--until", type=Day(), help="Its last day, of the company's time zone.")
def add(email: str, label: str, scope: str, until: date | None) -> None:
    """Print a new API token, alone on standard output. It cannot be shown again."""
    with open_app():
        email = users.normalise_email(email)
        person = or_fail(logging_in.find_user(db.session, email), f"Nobody logs in as {email}.")
        actor = Actor(person.company_id, ACTOR)
        made = tokens.create_token(db.session, person, label=label, scope=scope, last_day=until, actor=actor)
        db.session.commit()
        click.echo(made)


@token.command(name="list")
@reading()
@for_company
@json_option
def list_tokens(actor: Actor, as_json: bool) -> None:
    """List the company's tokens that nobody revoked, newest first; what a token is made of is not kept."""
    shapes = [shape_of(each) for each in tokens.tokens_of(db.session, actor.company_id)]
    print_answer({"items": shapes}, map(line_of, shapes), as_json=as_json)


@token.command()
@click.argument("token_id", type=ROW_NUMBER)
@for_company
def revoke(actor: Actor, token_id: int) -> None:
    """Make a token worthless from now on; `portal token list` tells its number."""
    row = or_fail(tokens.get_token(db.session, actor.company_id, token_id), f"The company has no token {token_id}.")
    tokens.revoke_token(db.session, row, actor=actor)
    db.session.commit()
    click.echo(f"Token {token_id} is revoked.")


def line_of(shape: dict[str, Any]) -> str:
    """One token as a line for people."""
    until = f"until {shape['last_day']}" if shape["last_day"] else ""
    used = f"used {shape['last_used_at']}" if shape["last_used_at"] else "never used"
    facts = ", ".join(filter(None, (until, "over" if shape["is_over"] else used)))
    return f"{shape['id']:>8}  {shape['scope']:<8} {shape['email']:<32} {shape['label']}  ({facts})"


def shape_of(row: ApiToken) -> dict[str, Any]:
    """A token, for programs."""
    return {
        "id": row.id,
        "label": row.label,
        "email": row.user.email,
        "scope": row.scope,
        "last_day": row.last_day.isoformat() if row.last_day else None,
        "is_over": tokens.is_over(row),
        "last_used_at": row.last_used_at.isoformat(timespec="seconds") if row.last_used_at else None,
    }
