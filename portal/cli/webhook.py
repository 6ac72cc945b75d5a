"""`portal webhook`."""

import click

from portal import audit, outbox
from portal.api.protocol.exchange import result_of, text_of
from portal.api.webhook import facts_of
from portal.api.webhook_schemas import TestResultSchema, WebhookSchema
from portal.audit import Actor
from portal.cli.console import (
    ACTOR,
    company_option,
    in_console_language,
    json_option,
    open_app,
    pick_company,
    print_json,
    time_in,
)
from portal.cli.outcomes import show_attempt
from portal.company import endpoint as endpoints
from portal.company.endpoint import TestSend, get_endpoint, state_of
from portal.database.db import db
from portal.deliveries.log import attempts_of, get_delivery
from portal.egress import AddressError, CheckedAddress
from portal.rules import reasons
from portal.runtime import runtime


@click.group()
def webhook() -> None:
    """The address that deliveries go to."""


@webhook.command(name="set")
@click.argument("url")
@company_option
def set_address(url: str, company_name: str | None) -> None:
    """Send deliveries to URL from now on, those that wait included."""
    with open_app():
        company_id = pick_company(company_name).id
        checked = check_url(url)
        endpoint = get_endpoint(db.session, company_id)
        endpoints.set_url(db.session, endpoint, checked, actor=ACTOR)
        db.session.commit()
        click.echo(f"Deliveries go to {checked.address.url}.")
        waiting = outbox.waiting_count(db.session, company_id)
        if waiting:
            click.echo(f"Waiting now: {waiting}.")


@webhook.command()
@click.argument("url", required=False)
@company_option
@json_option
def test(url: str | None, company_name: str | None, as_json: bool) -> None:
    """Send the sample to URL, or to the address that is set, and say what came of it.

    Exit code 0 when it counts as delivered, else 1. The log keeps it, marked as a test.
    """
    with open_app():
        company_id = pick_company(company_name).id
        url = url or get_endpoint(db.session, company_id).url
        if url is None:
            raise click.ClickException("No address is set: give one, or set it with `portal webhook set URL`.")
        checked = check_url(url)
        sent = runtime().send_test(company_id=company_id, url=checked.address.url, actor=ACTOR)
        if as_json:
            print_test(company_id, sent)
        else:
            show_attempt(sent.outcome)
            click.echo(f"In the log: {sent.webhook_id}")
    if not sent.outcome.delivered:
        raise SystemExit(1)


@webhook.command()
@company_option
@click.option("--secret", is_flag=True, help="Print only the key that signs; the audit log keeps that it was shown.")
@json_option
def show(company_name: str | None, secret: bool, as_json: bool) -> None:
    """Show where deliveries go, and how it has been going."""
    with open_app():
        company = pick_company(company_name)
        endpoint = get_endpoint(db.session, company.id)
        if secret:
            audit.record(db.session, Actor(company.id, ACTOR), "webhook.secret_shown")
            db.session.commit()
            click.echo(runtime().vault.decrypt(endpoint.secret))
            return
        if as_json:
            print_json(WebhookSchema().dump(facts_of(endpoint)))
            return
        click.echo(f"Address:       {endpoint.url or '-'}")
        paused = f" ({endpoint.paused_reason})" if endpoint.paused_reason else ""
        click.echo(f"State:         {state_of(endpoint)}{paused}")
        click.echo(f"Waiting:       {outbox.waiting_count(db.session, company.id)}")
        click.echo(f"Failed in row: {endpoint.consecutive_failures}")
        click.echo(f"Last success:  {time_in(company, endpoint.last_success_at)}")
        click.echo(f"Last failure:  {time_in(company, endpoint.last_failure_at)}")


def print_test(company_id: int, sent: TestSend) -> None:
    """What came of a test, in the API's shape, with its id in the log."""
    delivery = get_delivery(db.session, company_id, sent.webhook_id)
    if delivery is None:
        raise click.ClickException("The test was erased meanwhile.")
    (attempt,) = attempts_of(db.session, delivery)
    with in_console_language():
        result = result_of(attempt, delivered=sent.outcome.delivered, body=text_of(delivery.body))
        print_json({"delivery_id": sent.webhook_id} | TestResultSchema().dump(result))


def check_url(url: str) -> CheckedAddress:
    """The address, with its warnings printed. Raises a ClickException that says why it is refused.

    It asks the name service, so no transaction stays open.
    """
    db.session.rollback()
    with in_console_language():
        try:
            checked = runtime().egress.check(url)
        except AddressError as error:
            raise click.ClickException(reasons.explain_address(error.problem)) from error
        for code in checked.address.warnings + (() if checked.addresses else ("unresolved",)):
            click.echo(f"Warning: {reasons.explain_address_warning(code)}", err=True)
    return checked
