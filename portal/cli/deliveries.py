"""`portal deliveries`."""

import json
from typing import Any

import click

from portal import audit, clock, outbox
from portal.api.deliveries import details_of, facts_of
from portal.api.delivery_schemas import DeliveryPageSchema, DeliverySchema
from portal.api.job_schemas import JobSchema
from portal.api.jobs import facts_of as job_facts
from portal.audit import Actor
from portal.cli.console import ACTOR, company_option, in_console_language, open_app, pick_company, time_in
from portal.cli.delivery_filter import filter_options, read_filter
from portal.cli.outcomes import show_attempt
from portal.company.endpoint import is_configured
from portal.database.db import db, reading
from portal.deliveries import resending
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.log import attempts_of, get_delivery, page_deliveries
from portal.deliveries.resending import RISKS
from portal.models import Company, Delivery

RISK_SENTENCES = {
    "delivered": "The CRM has this delivery: it gets it once more.",
    "older": "The contact has a newer delivery: the CRM would go back to this level.",
    "maybe_received": "The CRM may have this delivery: it was sent, but no whole answer came back.",
}

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, in the API's shape.")


@click.group()
def deliveries() -> None:
    """The delivery log, and sending again."""


@deliveries.command(name="list")
@company_option
@filter_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR", help="Go on where the last page ended.")
@json_option
def list_deliveries(company_name: str | None, limit: int, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List deliveries, newest first."""
    with reading(), open_app():
        company = pick_company(company_name)
        wanted = read_filter(company, given)
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
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]...")
@company_option
@filter_options
@click.option("--include", type=click.Choice(RISKS), multiple=True, help="With a filter: send these too.")
@click.option("--dry-run", is_flag=True, help="With a filter: only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def resend(
    delivery_ids: tuple[str, ...],
    company_name: str | None,
    include: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Send deliveries again: the same ids and the same bytes, with a fresh budget of tries.

    Name them by their ids, or give a filter: then a worker does it as a job. With a filter, what the CRM has already
    (`delivered`) and what is older than it knows (`older`) stays out unless it is included, or named by --status.
    """
    has_filter = any(value is not None for value in given.values())
    if bool(delivery_ids) == has_filter:
        raise click.UsageError("Give either ids of deliveries or a filter, such as --status failed.")
    with open_app():
        company = pick_company(company_name)
        if not dry_run and not is_configured(db.session, company.id):
            raise click.ClickException("No address is set: set one with `portal webhook set URL`.")
        if has_filter:
            resend_many(company, read_filter(company, given), include, dry_run=dry_run, yes=yes, as_json=as_json)
        for delivery_id in delivery_ids:
            resend_one(company, delivery_id, yes=yes)


def resend_one(company: Company, delivery_id: str, *, yes: bool) -> None:
    """Send one delivery again, after asking when that may surprise the CRM. Raises a ClickException."""
    row = get_delivery_or_fail(company, delivery_id)
    if row.is_test:
        raise click.ClickException("A test is not sent again: `portal webhook test` makes a new one.")
    seen_attempts, risk = row.attempt_count, resending.risk_of(db.session, row)
    if risk is not None and not yes:
        db.session.rollback()
        click.confirm(f"{RISK_SENTENCES[risk]} Send it?", abort=True, err=True)
        row = get_delivery_or_fail(company, delivery_id)
    changed = outbox.resend(db.session, row, actor=ACTOR, now=clock.utcnow(), seen_attempts=seen_attempts)
    if changed:
        audit.record(db.session, Actor(company.id, ACTOR), "delivery.resent", subject=row.webhook_id)
    db.session.commit()
    if not changed:
        raise click.ClickException("Nothing changed: it is being sent, is due already, or its body was purged.")
    click.echo(f"Delivery {row.webhook_id} is on its way again.")


def resend_many(
    company: Company, wanted: DeliveryFilter, include: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Count what matches, and let a worker send it again as a job."""
    db.session.rollback()
    with reading():  # looking through many deliveries holds up nobody who writes
        risks = {*include, *resending.meant_by(wanted)}
        chosen = resending.choose(db.session, company.id, wanted, risks=risks)
        db.session.rollback()
    if dry_run:
        click.echo(json.dumps({"count": len(chosen)}) if as_json else f"{len(chosen)} deliveries would be sent again.")
        return
    if not yes:
        click.confirm(f"Send {len(chosen)} deliveries again?", abort=True, err=True)
    task = resending.prepare(db.session, Actor(company.id, ACTOR), chosen)
    audit.record(db.session, Actor(company.id, ACTOR), "deliveries.resent", subject=str(len(chosen)))
    db.session.commit()
    if as_json:
        click.echo(json.dumps(JobSchema().dump(job_facts(task)), indent=2))
    else:
        click.echo(f"Job {task.id}: a worker sends {len(chosen)} deliveries again.")


def get_delivery_or_fail(company: Company, delivery_id: str) -> Delivery:
    """The company's delivery. Raises a ClickException when it has none of that id."""
    row = get_delivery(db.session, company.id, delivery_id)
    if row is None:
        raise click.ClickException(f"{company.name} has no delivery {delivery_id!r}.")
    return row


def line_of(row: Delivery, company: Company) -> str:
    """One delivery as a line for people."""
    contact = row.contact.name if row.contact else "-"
    level = f"{row.previous_level or '-'} -> {row.interest_level or '-'}"
    made_at = time_in(company, row.created_at)
    return f"{row.webhook_id}  {made_at}  {row.status:<10} {row.reason or '-':<18} {level}  {contact}"
