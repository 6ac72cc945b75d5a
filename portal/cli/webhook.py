"""`portal webhook`."""

from collections.abc import Callable
from functools import wraps
from typing import IO, Any

import click

from portal.api.protocol.exchange import result_of
from portal.api.webhook import TestResultSchema, WebhookSchema
from portal.audit import Actor
from portal.cli import TEXT_FILE, console
from portal.company import endpoint, testing
from portal.company.header import MAX_VALUE, HeaderChoice, read_header
from portal.database.db import db
from portal.deliveries.figures import say_when_it_leaves
from portal.egress.advice import Advice
from portal.models import Company
from portal.runtime import runtime


def header_options(command: console.Command) -> console.Command:
    """The options of the fixed header; its value comes from a file, so that no process list shows it."""
    file = click.option(
        "--header-file", type=TEXT_FILE, metavar="FILE", help="Holds the header's value; - reads standard input."
    )
    name = click.option("--header-name", metavar="NAME", help="One more header to send, such as X-Api-Key.")
    return name(file(command))


def read_options(name: str | None, file: IO[str] | None) -> HeaderChoice:
    """The header that the options name, or the saved one."""
    return "saved" if name is None or file is None else read_header(name, file.read(MAX_VALUE + 2))


check_header = console.check_usage(
    lambda given: (given["header_name"] is None) == (given["header_file"] is None),
    "--header-name and --header-file belong together.",
)


def for_webhook(command: console.Command) -> Callable[..., None]:
    """`for_company`, once the key is known to be the database's: a secret that does not open is damaged, then."""

    @wraps(command)
    def run(actor: Actor, **given: Any) -> None:
        console.check_stored_secrets(db.session)
        command(actor, **given)

    return console.for_company(run)


@click.group()
def webhook() -> None:
    """The address that deliveries go to."""


@webhook.command(name="set")
@click.argument("url")
@check_header
@for_webhook
@header_options
@click.option("--no-header", is_flag=True, help="Send no fixed header any more.")
@click.option("--other-crm", is_flag=True, help="It is another CRM, or another account: no contact is in sync with it.")
def set_address(
    actor: Actor, url: str, header_name: str | None, header_file: IO[str] | None, no_header: bool, other_crm: bool
) -> None:
    """Send deliveries to URL from now on, those that wait included.

    A saved header stays as long as scheme, host and port of the address stay.
    """
    header = None if no_header else read_options(header_name, header_file)
    address = endpoint.set_address(db.session, runtime(), actor, url, header=header, other_crm=other_crm)
    waiting = endpoint.describe(db.session, actor.company_id).waiting
    db.session.commit()
    show_advice(address.advice)
    click.echo(f"Deliveries go to {address.url}.")
    if waiting:
        click.echo(f"Waiting now: {waiting}.")
        console.warn_of_nobody()


@webhook.command()
@for_webhook
@click.option("--yes", is_flag=True, help="Do not ask.")
def remove(actor: Actor, yes: bool) -> None:
    """Send nothing any more. What waits is cancelled, and stays in the log. Where something waits, it asks first."""
    waiting = endpoint.describe(db.session, actor.company_id).waiting
    db.session.rollback()  # people take their time
    if waiting and not yes:
        click.confirm(f"Cancel the deliveries that wait ({waiting}), and send nothing any more?", abort=True, err=True)
    count = endpoint.remove_address(db.session, actor)
    db.session.commit()
    click.echo(f"Nothing is sent any more. Cancelled: {count}.")


@webhook.command()
@click.argument("url", required=False)
@check_header
@for_webhook
@header_options
@console.json_option
def test(actor: Actor, url: str | None, header_name: str | None, header_file: IO[str] | None, as_json: bool) -> None:
    """Send the sample to URL, or to the address that is set, and say what came of it.

    Exit code 0 when it counts as delivered, else 1. The log keeps it, marked as a test.
    """
    header = read_options(header_name, header_file)
    sent = testing.send_test(db.session, runtime(), actor, url, header=header)
    if as_json:
        console.print_json({"delivery_id": sent.webhook_id} | TestResultSchema().dump(result_of(sent)))
    else:
        show_advice(sent.advice)
        console.print_lines(console.lines_of_attempt(sent.outcome))
        click.echo(f"In the log: {sent.webhook_id}")
    if not sent.outcome.delivered:
        raise SystemExit(1)


@webhook.command()
@for_webhook
def pause(actor: Actor) -> None:
    """Send nothing until somebody resumes; deliveries wait, and nothing is lost."""
    endpoint.pause(db.session, actor)
    db.session.commit()
    click.echo("Paused: what is classified waits.")


@webhook.command()
@for_webhook
def resume(actor: Actor) -> None:
    """Send again, once a test has shown that somebody is there."""
    testing.resume(db.session, runtime(), actor)
    db.session.commit()
    click.echo(f"{testing.RESUMED} {say_when_it_leaves(db.session, actor.company_id)}")
    console.warn_of_nobody()


@webhook.command()
@for_webhook
def rotate_secret(actor: Actor) -> None:
    """Sign with a new key, which is printed alone; the one before signs too for 24 hours."""
    secret = endpoint.rotate_secret(db.session, actor, vault=runtime().vault)
    db.session.commit()
    click.echo(secret)


@webhook.command()
@for_webhook
@click.option("--secret", is_flag=True, help="Print only the key that signs; the audit log keeps that it was shown.")
@console.json_option
def show(actor: Actor, secret: bool, as_json: bool) -> None:
    """Show where deliveries go, and how it has been going."""
    if secret:
        key = endpoint.show_secret(db.session, actor, vault=runtime().vault)
        db.session.commit()
        click.echo(key)
        return
    status = endpoint.describe(db.session, actor.company_id)
    company = db.session.get_one(Company, actor.company_id)
    lines = (
        f"Address:       {status.url or '-'}",
        f"Header:        {status.header_name or '-'}",
        f"State:         {_say_state(status)}",
        f"Waiting:       {status.waiting}",
        f"Failed in row: {status.consecutive_failures}",
        f"Last success:  {console.time_in(company, status.last_success_at)}",
        f"Last failure:  {console.time_in(company, status.last_failure_at)}",
    )
    console.print_answer(WebhookSchema().dump(status), lines, as_json=as_json)


def _say_state(status: endpoint.Status) -> str:
    """The state with why nothing is sent; without an address what is going to be so once there is one."""
    if status.url is None:
        stays = status.paused_reason in endpoint.STAYS_PAUSED
        return f"unset; with an address it stays paused ({status.paused_reason})" if stays else "unset"
    return f"{status.state} ({status.paused_reason})" if status.paused_reason else status.state


def show_advice(advice: tuple[Advice, ...]) -> None:
    """Print what to mind about an address, aside from what a program reads."""
    for each in advice:
        click.echo(f"{'Note' if each.is_reminder else 'Warning'}: {each.sentence}", err=True)
