"""`portal deliveries`."""

import json
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click
from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import InstrumentedAttribute

from portal import clock, outbox
from portal.cli.console import ACTOR, company_option, open_app, pick_company, time_in
from portal.cli.outcomes import explain_attempt, show_attempt
from portal.db import db, reading
from portal.deliveries import DeliveryFilter, attempts_of, get_delivery, page_deliveries
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Attempt, Campaign, Company, Delivery, User

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
            campaign_id=find_id(Campaign.id, Campaign.name == campaign, company, given=campaign, option="--campaign"),
            owner_id=find_id(User.id, User.email == (owner or "").lower(), company, given=owner, option="--owner"),
            level=None if level is None else int(level),
            since=read_time(since, company, option="--since"),
            until=read_time(until, company, option="--until"),
            **equal,
        )
        page = page_deliveries(db.session, company.id, wanted, limit=limit, cursor=cursor)
        if as_json:
            shape = {"items": [shape_of(item) for item in page.items], "next_cursor": page.next_cursor}
            click.echo(json.dumps(shape, indent=2))
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
        attempts = attempts_of(db.session, row)
        if as_json:
            body = None if row.body is None else row.body.decode()
            shape = shape_of(row) | {"body": body, "attempts": [attempt_shape_of(attempt) for attempt in attempts]}
            click.echo(json.dumps(shape, indent=2))
            return
        click.echo(line_of(row, company))
        for attempt in attempts:
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
        seen_attempts, status = row.attempt_count, row.status
        if status in ASK_BEFORE and not yes:
            db.session.rollback()
            click.confirm(f"This delivery is {status}: the CRM gets it once more. Send it?", abort=True, err=True)
            row = get_delivery_or_fail(company, delivery_id)
        changed = outbox.resend(db.session, row, actor=ACTOR, now=clock.utcnow(), seen_attempts=seen_attempts)
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


def find_id(
    key: InstrumentedAttribute[int], condition: ColumnElement[bool], company: Company, *, given: str | None, option: str
) -> int | None:
    """The key of the company's row that was asked for by name. Raises BadParameter when there is none."""
    if given is None:
        return None
    found = db.session.scalars(select(key).where(condition, key.class_.company_id == company.id)).first()
    if found is None:
        raise click.BadParameter(f"{company.name} has no such one: {given!r}.", param_hint=option)
    return found


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
    level = f"{row.previous_level or '-'}->{row.interest_level or '-'}"
    made_at = time_in(company, row.created_at)
    return f"{row.webhook_id}  {made_at}  {row.status:<10} {row.reason or '-':<18} {level}  {contact}"


def shape_of(row: Delivery) -> dict[str, Any]:
    """One delivery as the API lists it."""
    names = ("status", "contact_id", "interest_level", "previous_level", "reason", "attempt_count")
    times = ("next_attempt_at", "created_at", "delivered_at")
    shape = {"id": row.webhook_id} | {name: getattr(row, name) for name in names}
    return shape | {name: rfc3339(getattr(row, name)) for name in times}


def attempt_shape_of(attempt: Attempt) -> dict[str, Any]:
    """One try as the API shows it."""
    names = ("number", "trigger", "duration_ms", "url", "status_code", "reason", "warning")
    answer = attempt.response_body
    return {name: getattr(attempt, name) for name in names} | {
        "started_at": rfc3339(attempt.started_at),
        "message": explain_attempt(attempt),
        "request_headers": attempt.request_headers,
        "response_headers": attempt.response_headers,
        "response_body": None if answer is None else answer.decode(errors="replace"),
    }


def rfc3339(moment: datetime | None) -> str | None:
    """A moment as the API writes it."""
    return None if moment is None else moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
