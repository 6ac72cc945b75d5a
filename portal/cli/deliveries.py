"""`portal deliveries`."""

import json
from collections.abc import Iterator
from typing import Any

import click

from portal.api.deliveries import DeliveryPageSchema, DeliverySchema
from portal.api.jobs import JobSchema
from portal.audit import Actor
from portal.cli import console
from portal.company.endpoint import say_when_it_leaves
from portal.database.db import db, reading
from portal.deliveries import filtering, resending
from portal.deliveries.filtering import NAMES, DeliveryFilter
from portal.deliveries.log import get_delivery, page_deliveries
from portal.deliveries.resending import RISKS, NeedsConfirmation
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Company, Delivery
from portal.outbox.next_try import next_try_of
from portal.rules.reasons import WORDS
from portal.rules.verdict import WARNINGS

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON, in the API's shape.")

FILTER_OPTIONS = (
    click.option("--status", type=click.Choice(DELIVERY_STATUSES)),
    click.option("--contact", type=console.ROW_NUMBER, metavar="ID"),
    click.option("--campaign", metavar="NAME", type=console.Words(200)),
    click.option("--owner", metavar="EMAIL", type=console.Words(254)),
    click.option("--level", type=click.Choice(LEVELS)),
    click.option(
        "--reason",
        metavar="CODE",
        type=click.Choice(tuple(WORDS)),
        help="What came of it, such as timeout or html_page.",
    ),
    click.option("--warning", type=click.Choice(WARNINGS), help="What was odd about the answer that was accepted."),
    click.option("--trigger", type=click.Choice(TRIGGERS)),
    click.option("--since", metavar="TIME", help="Made then or later; 2026-01-31 or 2026-01-31T12:00."),
    click.option("--until", metavar="TIME", help="Made before then."),
    click.option(
        "--outstanding",
        flag_value="yes",
        default=None,
        help="Only the newest of each contact that the CRM does not know.",
    ),
    click.option(
        "--open-warning",
        "outstanding",
        flag_value="warning",
        default=None,
        help="Only those with a warning that speaks of an error and that nobody has settled.",
    ),
    click.option("--outage", type=console.ROW_NUMBER, metavar="ID", help="Only what that outage held up."),
    click.option(
        "--search", metavar="TEXT", type=console.Words(200), help="A contact's name or LinkedIn id, or a delivery's id."
    ),
)


def filter_options(command: console.Command) -> console.Command:
    """Add the options; the command gets what was given as keyword arguments, for `read_filter`."""
    for option in reversed(FILTER_OPTIONS):
        command = option(command)
    return command


def read_filter(company: Company, given: dict[str, Any]) -> DeliveryFilter:
    """What was asked for. Raises BadParameter for what does not exist."""
    moments = {name: console.read_time(given[name], company, option=f"--{name}") for name in ("since", "until")}
    wanted = filtering.read_filter(db.session, company.id, given | moments)
    console.refuse_unknown(wanted, company.id, given)
    return wanted


@click.group()
def deliveries() -> None:
    """The delivery log, and sending again."""


@deliveries.command(name="list")
@reading()
@console.for_company
@filter_options
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000))
@click.option("--cursor", metavar="CURSOR", help="Go on where the last page ended.")
@json_option
def list_deliveries(actor: Actor, limit: int, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List deliveries, newest first."""
    company = db.session.get_one(Company, actor.company_id)
    page = page_deliveries(db.session, company.id, read_filter(company, given), limit=limit, cursor=cursor)
    lines = (line_of(item, company) for item in page.items)
    console.print_answer(DeliveryPageSchema().dump(page), lines, as_json=as_json)


@deliveries.command()
@click.argument("delivery_id")
@reading()
@console.for_company
@json_option
def show(actor: Actor, delivery_id: str, as_json: bool) -> None:
    """Show one delivery and every try of it, newest first."""
    company = db.session.get_one(Company, actor.company_id)
    row = get_delivery_or_fail(company, delivery_id)
    lines = [line_of(row, company), *lines_of_tries(row, company)]
    console.print_answer(DeliverySchema().dump(row), lines, as_json=as_json)


@deliveries.command()
@click.argument("delivery_ids", nargs=-1, metavar="[DELIVERY_ID]...")
@console.check_usage(
    lambda given: bool(given["delivery_ids"]) != console.is_any_given(given, NAMES),
    "Give either ids of deliveries or a filter, such as --status failed.",
)
@console.for_company
@filter_options
@click.option("--include", type=click.Choice(RISKS), multiple=True, help="With a filter: send these too.")
@click.option("--dry-run", is_flag=True, help="With a filter: only count.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def resend(
    actor: Actor,
    delivery_ids: tuple[str, ...],
    include: tuple[str, ...],
    dry_run: bool,
    yes: bool,
    as_json: bool,
    **given: Any,
) -> None:
    """Send deliveries again: the same ids and the same bytes, with a fresh budget of tries.

    Name them by their ids, or give a filter: then a worker does it as a job. With a filter, what the CRM has already
    (`delivered`), what is older than it knows (`older`) and what it may have (`maybe_received`) stays out unless it is
    included, or named by --status.
    """
    company = db.session.get_one(Company, actor.company_id)
    if not delivery_ids:
        resend_matching(actor, read_filter(company, given), include, dry_run=dry_run, yes=yes, as_json=as_json)
    for delivery_id in delivery_ids:
        resend_one(actor, company, delivery_id, yes=yes)


def resend_one(actor: Actor, company: Company, delivery_id: str, *, yes: bool) -> None:
    """Send one delivery again, after asking when that may surprise the CRM. Raises Refusal and ClickException."""
    row = get_delivery_or_fail(company, delivery_id)
    seen = row.attempt_count
    try:
        is_resent = resending.resend(db.session, actor, row, accepting=RISKS if yes else (), seen_attempts=seen)
    except NeedsConfirmation as doubt:
        db.session.rollback()
        click.confirm(f"{doubt.sentence} Send it?", abort=True, err=True)
        row = get_delivery_or_fail(company, delivery_id)
        is_resent = resending.resend(db.session, actor, row, accepting=(doubt.risk,), seen_attempts=seen)
    db.session.commit()
    if not is_resent:
        raise click.ClickException(f"{delivery_id}: {resending.explain_under_way(row)}")
    click.echo(f"{delivery_id}: {resending.RESENT} {say_when_it_leaves(db.session, company.id)}")


def resend_matching(
    actor: Actor, wanted: DeliveryFilter, include: tuple[str, ...], *, dry_run: bool, yes: bool, as_json: bool
) -> None:
    """Count what matches, and let a worker send it again as a job. Raises Refusal."""
    risks = resending.risks_meant(wanted, include)
    matching = resending.look(db.session, actor.company_id, wanted)
    counted = matching.tell(risks)
    count = counted["count"]
    if left_out := ", ".join(f"{number} {risk}" for risk, number in counted["left_out"].items() if number):
        click.echo(f"Left out: {left_out}. --include sends them too.", err=True)
    if dry_run:
        click.echo(json.dumps(counted) if as_json else f"{count} deliveries would be sent again.")
        return
    if not yes:
        click.confirm(f"Send {count} deliveries again?", abort=True, err=True)
    task = resending.start(db.session, actor, wanted, risks=risks, newest_id=matching.newest_id)
    db.session.commit()
    if as_json:
        console.print_json(JobSchema().dump(task))
    else:
        click.echo(
            f"Job {task.id}: a worker sends {task.total} deliveries again." if task.total else "Nothing was sent again."
        )


def get_delivery_or_fail(company: Company, delivery_id: str) -> Delivery:
    """The company's delivery. Raises a ClickException when it has none of that id."""
    found = get_delivery(db.session, company.id, delivery_id)
    return console.or_fail(found, f"{company.name} has no delivery {delivery_id!r}.")


def line_of(row: Delivery, company: Company) -> str:
    contact = "(test)" if row.is_test else row.contact.name if row.contact else "-"
    level = f"{row.previous_level or '-'} -> {row.interest_level or '-'}"
    made_at = console.time_in(company, row.created_at)
    line = f"{row.webhook_id}  {made_at}  {row.status:<10} {row.reason or '-':<18} {level}  {contact}"
    return line + next_of(row, company)


def lines_of_tries(row: Delivery, company: Company) -> Iterator[str]:
    """Every try of a delivery, newest first."""
    for attempt in reversed(row.attempts):
        yield f"\nTry {attempt.number}, {attempt.trigger}, {console.time_in(company, attempt.started_at)}"
        yield from console.lines_of_attempt(attempt)


def next_of(row: Delivery, company: Company) -> str:
    """What a waiting delivery waits for."""
    coming = next_try_of(row)
    if coming is None or (coming.waits_for == "its_time" and not row.attempt_count):
        return ""
    if coming.at is None:
        return "  (held: sending is paused)"
    words = "the portal probes the receiver again" if coming.waits_for == "probe" else "next try"
    return f"  ({words}: {console.time_in(company, coming.at)})"
