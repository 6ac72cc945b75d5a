"""`portal deliveries`."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from portal import audit, clock, outbox
from portal.accounts import find_person
from portal.api.deliveries import details_of, facts_of
from portal.api.delivery_schemas import DeliveryPageSchema, DeliverySchema
from portal.cli.console import ACTOR, company_option, in_console_language, open_app, pick_company, time_in
from portal.cli.outcomes import show_attempt
from portal.contacts import find_campaign
from portal.db import db, reading
from portal.deliveries import DeliveryFilter, attempts_of, get_delivery, page_deliveries
from portal.endpoints import is_configured
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Company, Delivery

ASK_BEFORE = ("delivered", "superseded")
"""Statuses after which a re-send surprises the CRM: with a duplicate, or with a state that is no longer true."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, in the API's shape.")


@click.group()
def deliveries() -> None:
    """The delivery log, and sending again."""


@deliveries.command(name="list")
@company_option
@click.option("--status", type=click.Choice(DELIVERY_STATUSES))
@click.option("--contact", "contact_id", type=int, metavar="ID")
@click.option("--campaign", metavar="NAME")
@click.option("--owner", metavar="EMAIL")
@click.option("--level", type=click.Choice([*map(str, LEVELS)]))
@click.option("--reason", metavar="CODE", help="What came of it, such as timeout or html_page.")
@click.option("--trigger", type=click.Choice(TRIGGERS))
@click.option("--since", metavar="TIME", help="Made then or later; 2026-01-31 or 2026-01-31T12:00.")
@click.option("--until", metavar="TIME", help="Made before then.")
@click.option("--search", default="", metavar="TEXT", help="A contact's name or LinkedIn id, or a delivery's id.")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR", help="Go on where the last page ended.")
@json_option
def list_deliveries(
    company_name: str | None,
    campaign: str | None,
    owner: str | None,
    level: str | None,
    since: str | None,
    until: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
    **equal: Any,
) -> None:
    """List deliveries, newest first."""
    with reading(), open_app():
        company = pick_company(company_name)
        wanted = DeliveryFilter(
            campaign_id=campaign_id_of(campaign, company),
            owner_id=owner_id_of(owner, company),
            level=None if level is None else int(level),
            since=read_time(since, company, option="--since"),
            until=read_time(until, company, option="--until"),
            **equal,
        )
        page = page_deliveries(db.session, company.id, wanted, limit=limit, cursor=cursor)
        if as_json:
            shape = {"items": [facts_of(item) for item in page.items], "next_cursor": page.next_cursor}
            click.echo(json.dumps(DeliveryPageSchema().dump(shape), indent=2))
            return
        for item in page.items:
            click.echo(line_of(item, company))
        if page.next_cursor:
            click.echo(f"There are more: --cursor {page.next_cursor}", err=True)


@deliveries.command()
@click.argument("delivery_id")
@company_option
@json_option
def show(delivery_id: str, company_name: str | None, as_json: bool) -> None:
    """Show one delivery and every try of it, newest first."""
    with reading(), open_app():
        company = pick_company(company_name)
        row = get_delivery_or_fail(company, delivery_id)
        if as_json:
            with in_console_language():
                click.echo(json.dumps(DeliverySchema().dump(details_of(row)), indent=2))
            return
        click.echo(line_of(row, company))
        for attempt in attempts_of(db.session, row):
            click.echo()
            click.echo(f"Try {attempt.number}, {attempt.trigger}, {time_in(company, attempt.started_at)}")
            show_attempt(attempt)


@deliveries.command()
@click.argument("delivery_id")
@company_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def resend(delivery_id: str, company_name: str | None, yes: bool) -> None:
    """Send a delivery again: the same id and the same bytes, with a fresh budget of tries."""
    with open_app():
        company = pick_company(company_name)
        row = get_delivery_or_fail(company, delivery_id)
        if row.is_test:
            raise click.ClickException("A test is not sent again: `portal webhook test` makes a new one.")
        if not is_configured(db.session, company.id):
            raise click.ClickException("No address is set: set one with `portal webhook set URL`.")
        seen_attempts, status = row.attempt_count, row.status
        if status in ASK_BEFORE and not yes:
            db.session.rollback()
            click.confirm(f"This delivery is {status}: the CRM gets it once more. Send it?", abort=True, err=True)
            row = get_delivery_or_fail(company, delivery_id)
        changed = outbox.resend(db.session, row, actor=ACTOR, now=clock.utcnow(), seen_attempts=seen_attempts)
        if changed:
            audit.record(db.session, company.id, actor=ACTOR, action="delivery.resent", subject=row.webhook_id)
        db.session.commit()
        if not changed:
            raise click.ClickException("Nothing changed: it is being sent, is due already, or its body was purged.")
        click.echo(f"Delivery {row.webhook_id} is on its way again.")


def get_delivery_or_fail(company: Company, delivery_id: str) -> Delivery:
    """The company's delivery. Raises a ClickException when it has none of that id."""
    row = get_delivery(db.session, company.id, delivery_id)
    if row is None:
        raise click.ClickException(f"{company.name} has no delivery {delivery_id!r}.")
    return row


def campaign_id_of(name: str | None, company: Company) -> int | None:
    """The campaign that was named, if one was. Raises BadParameter when the company has none of that name."""
    if name is None:
        return None
    campaign = find_campaign(db.session, company.id, name)
    if campaign is None:
        raise click.BadParameter(f"{company.name} has no campaign {name!r}.", param_hint="--campaign")
    return campaign.id


def owner_id_of(email: str | None, company: Company) -> int | None:
    """The person whose e-mail was given, if one was. Raises BadParameter when the company has nobody of that e-mail."""
    if email is None:
        return None
    person = find_person(db.session, company.id, email)
    if person is None:
        raise click.BadParameter(f"{company.name} has nobody of the e-mail {email!r}.", param_hint="--owner")
    return person.id


def read_time(text: str | None, company: Company, *, option: str) -> datetime | None:
    """A moment as typed; without a zone it is the company's time. Raises BadParameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(company.timezone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no time.", param_hint=option) from error


def line_of(row: Delivery, company: Company) -> str:
    """One delivery as a line for people."""
    contact = row.contact.name if row.contact else "-"
    level = f"{row.previous_level or '-'} -> {row.interest_level or '-'}"
    made_at = time_in(company, row.created_at)
    return f"{row.webhook_id}  {made_at}  {row.status:<10} {row.reason or '-':<18} {level}  {contact}"
