"""`portal user` and `portal token`."""

import sys
from datetime import datetime
from typing import Any

import click
from sqlalchemy import select

from portal.audit import CONSOLE, Actor
from portal.cli import console
from portal.database.db import db, reading
from portal.models import ROLES, SCOPES, ApiToken, User
from portal.people import emails, logging_in, second_factor, tokens, users
from portal.runtime import runtime


@click.group()
def user() -> None:
    """People who log in."""


@user.command()
@console.company_option
@click.option("--email", required=True, type=console.Words(254))
@click.option("--name", required=True, type=console.Words(200), help="How others see the person.")
@click.option("--role", required=True, type=click.Choice(ROLES))
@click.option("--password-stdin", is_flag=True, help="Read the password from the first line of standard input.")
def add(company_name: str | None, email: str, name: str, role: str, password_stdin: bool) -> None:
    """Give somebody a log-in; a company, or a portal, that does not exist yet is made.

    Without a password it prints a link, good for one use within 7 days, by which the person chooses one.
    """
    password = sys.stdin.readline().removeprefix("\ufeff").rstrip("\r\n") if password_stdin else None
    with console.open_app(or_make=company_name is not None):
        is_new = company_name is not None and users.find_company(db.session, company_name) is None
        if company_name is None:
            company = console.pick_company(None)
        else:
            company = users.get_or_create_company(db.session, company_name, vault=runtime().vault)
        actor = Actor(company.id, CONSOLE)
        person, token = users.admit(
            db.session, company, name=name, email=email, role=role, password=password, actor=actor
        )
        db.session.commit()
        new = ", a new company" if is_new else ""
        click.echo(f"{person.email} is {role} of {company.name}{new}.", err=token is not None)
        if token is not None:
            show_invitation(token)


@user.command(name="list")
@reading()
@console.for_company
@console.json_option
def list_users(actor: Actor, as_json: bool) -> None:
    """List the company's people, with a log-in or without."""
    people = [shape_of(person) for person in users.people_of(db.session, actor.company_id)]
    lines = (f"{each['role'] or '-':<8} {each['state']:<14} {each['email']:<32} {each['name']}" for each in people)
    console.print_answer({"items": people}, lines, as_json=as_json)


@user.command()
@click.option("--email", required=True, help="Whose.")
def reset_second_factor(email: str) -> None:
    """Let somebody who lost the phone log in with the password alone."""
    with console.open_app():
        person = find_login(email)
        if person.totp_secret is None:
            raise click.ClickException(f"{person.email} has no second factor.")
        second_factor.turn_off(db.session, person, actor=Actor(person.company_id, CONSOLE))
        db.session.commit()
        click.echo(f"{person.email} logs in with the password alone.")


@user.command()
@click.option("--email", required=True, help="Whose: the address until now.")
@click.option("--to", "new", required=True, type=console.Words(254), help="The address from now on.")
def change_email(email: str, new: str) -> None:
    """Give somebody who logs in another e-mail, at once; their sessions end.

    For who has not accepted the invitation yet it prints a new link.
    """
    with console.open_app():
        person = find_login(email)
        actor = Actor(person.company_id, CONSOLE)
        old = emails.change(db.session, person, new, actor=actor)
        token = emails.renew_invitation(db.session, person, actor=actor)
        db.session.commit()
        click.echo(f"{old} logs in as {person.email} from now on.", err=token is not None)
        if token is not None:
            show_invitation(token)


def find_login(email: str) -> User:
    """Who logs in with this address; who has a password goes before others' invitations to it."""
    email = users.normalise_email(email)
    who_may = select(User).where(User.email == email, User.role.is_not(None))
    found = db.session.scalars(who_may.order_by(User.password_hash.is_(None))).first()
    return console.or_fail(found, f"Nobody logs in as {email}.")


def shape_of(person: User) -> dict[str, str | bool | None]:
    """A person, for programs."""
    return {
        "name": person.name,
        "email": person.email,
        "role": person.role,
        "state": users.state_of(person),
        "second_factor": person.totp_secret is not None,
    }


def show_invitation(token: str) -> None:
    """Print the link alone on standard output."""
    base_url = runtime().settings.base_url
    click.echo(f"{base_url or 'http://127.0.0.1:8000'}/invitation/{token}")
    if base_url is None:
        click.echo("Set PORTAL_BASE_URL so that links name the address under which people reach the portal.", err=True)


@click.group()
def token() -> None:
    """Tokens for the API."""


@token.command(name="add")
@click.option("--email", required=True, help="Whose token: it may do what this person may.")
@click.option("--label", required=True, type=console.Words(100), help="What it is for, to know it again.")
@click.option(
    "--scope",
    default="manage",
    show_default=True,
    type=click.Choice(SCOPES),
    help="read: only GET; classify: contacts and levels too; manage: everything.",
)
@click.option(
    "--until", type=click.DateTime(["%Y-%m-%d"]), metavar="DATE", help="Its last day, of the company's time zone."
)
def add_token(email: str, label: str, scope: str, until: datetime | None) -> None:
    """Print a new API token, alone on standard output. It cannot be shown again."""
    with console.open_app():
        email = users.normalise_email(email)
        person = console.or_fail(logging_in.find_user(db.session, email), f"Nobody logs in as {email}.")
        actor = Actor(person.company_id, CONSOLE)
        made = tokens.create_token(
            db.session, person, label=label, scope=scope, last_day=until and until.date(), actor=actor
        )
        db.session.commit()
        click.echo(made)


@token.command(name="list")
@reading()
@console.for_company
@console.json_option
def list_tokens(actor: Actor, as_json: bool) -> None:
    """List the company's tokens that nobody revoked, newest first; what a token is made of is not kept."""
    shapes = [shape_of_token(each) for each in tokens.tokens_of(db.session, actor.company_id)]
    console.print_answer({"items": shapes}, map(line_of_token, shapes), as_json=as_json)


@token.command()
@click.argument("token_id", type=console.ROW_NUMBER)
@console.for_company
def revoke(actor: Actor, token_id: int) -> None:
    """Make a token worthless from now on; `portal token list` tells its number."""
    found = tokens.get_token(db.session, actor.company_id, token_id)
    row = console.or_fail(found, f"The company has no token {token_id}.")
    tokens.revoke_token(db.session, row, actor=actor)
    db.session.commit()
    click.echo(f"Token {token_id} is revoked.")


def line_of_token(shape: dict[str, Any]) -> str:
    until = f"until {shape['last_day']}" if shape["last_day"] else ""
    used = f"used {shape['last_used_at']}" if shape["last_used_at"] else "never used"
    facts = ", ".join(filter(None, (until, "over" if shape["is_over"] else used)))
    return f"{shape['id']:>8}  {shape['scope']:<8} {shape['email']:<32} {shape['label']}  ({facts})"


def shape_of_token(row: ApiToken) -> dict[str, Any]:
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
