"""`portal deliveries`."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import click

from portal import clock
from portal.api.deliveries import DeliveryPageSchema, DeliverySchema
from portal.audit import Actor
from portal.cli import console, filtered
from portal.cli.filtered import Asked, Doing, do_in_job, job_options, page_options, read_wanted
from portal.database.db import db, reading
from portal.deliveries import resending
from portal.deliveries.figures import say_when_it_leaves
from portal.deliveries.filtering import NAMES, DeliveryFilter, read_filter
from portal.deliveries.log import get_delivery, page_deliveries
from portal.deliveries.resending import RISKS, NeedsConfirmation
from portal.models import Company, Delivery
from portal.outbox.next_try import next_try_of

SENDING_AGAIN = Doing("send", "sent", "deliveries", "again")


def filter_options(command: console.Command) -> console.Command:
    """Add the options of the log's filter; what is outstanding is a flag, and so is an open warning."""
    warning = "Only those with a warning that speaks of an error and that nobody has settled."
    newest = "Only the newest of each contact that the CRM does not know."
    for flag, value, words in (("--open-warning", "warning", warning), ("--outstanding", "yes", newest)):
        command = click.option(flag, "outstanding", flag_value=value, default=None, help=words)(command)
    return filtered.filter_options(DeliveryFilter, without=("outstanding",))(command)


@click.group()
def deliveries() -> None:
    """The delivery log, and sending again."""


@deliveries.command(name="list")
@reading()
@console.for_company
@filter_options
@page_options
def list_deliveries(actor: Actor, limit: int, cursor: str | None, as_json: bool, **given: Any) -> None:
    """List deliveries, newest first."""
    company = db.session.get_one(Company, actor.company_id)
    wanted = read_wanted(read_filter, actor, given)
    page = page_deliveries(db.session, company.id, wanted, limit=limit, cursor=cursor)
    lines = (line_of(item, company) for item in page.items)
    if any(row.status == "pending" for row in page.items):
        console.warn_of_nobody()
    console.print_answer(DeliveryPageSchema().dump(page), lines, as_json=as_json)


@deliveries.command()
@click.argument("delivery_id")
@reading()
@console.for_company
@console.json_option
def show(actor: Actor, delivery_id: str, as_json: bool) -> None:
    """Show one delivery and every try of it, newest first."""
    company = db.session.get_one(Company, actor.company_id)
    row = get_delivery_or_fail(company, delivery_id)
    lines = [line_of(row, company), *lines_of_tries(row, company)]
    if row.status == "pending":
        console.warn_of_nobody()
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
@job_options
def resend(actor: Actor, delivery_ids: tuple[str, ...], include: tuple[str, ...], asked: Asked, **given: Any) -> None:
    """Send deliveries again: the same ids and the same bytes, with a fresh budget of tries.

    Name them by their ids, or give a filter: then a worker does it as a job. With a filter, what the CRM has already
    (`delivered`), what is older than it knows (`older`) and what it may have (`maybe_received`) stays out unless it is
    included, or named by --status.
    """
    company = db.session.get_one(Company, actor.company_id)
    if not delivery_ids:
        resend_matching(actor, read_wanted(read_filter, actor, given), include, asked)
    for delivery_id in delivery_ids:
        resend_one(actor, company, delivery_id, yes=asked.yes)


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
    console.warn_of_nobody()


def resend_matching(actor: Actor, wanted: DeliveryFilter, include: tuple[str, ...], asked: Asked) -> None:
    """Count what matches, and let a worker send it again as a job. Raises Refusal."""
    risks = resending.risks_meant(wanted, include)
    matching = resending.look(db.session, actor.company_id, wanted)
    counted = matching.tell(risks)
    if left_out := ", ".join(f"{number} {risk}" for risk, number in counted["left_out"].items() if number):
        click.echo(f"Left out: {left_out}. --include sends them too.", err=True)
    start = partial(resending.start, db.session, actor, wanted, risks=risks, newest_id=matching.newest_id)
    do_in_job(counted, start, "Nothing was sent again.", asked, SENDING_AGAIN)


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
    if coming.at <= clock.utcnow():
        return "  (due: no worker has taken it yet)"
    words = "the portal probes the receiver again" if coming.waits_for == "probe" else "next try"
    return f"  ({words}: {console.time_in(company, coming.at)})"
