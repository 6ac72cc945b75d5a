"""The options that narrow the delivery log down, for every command that takes them."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import click

from portal.cli.console import ROW_NUMBER, Command, Words, refuse_unknown
from portal.database.db import db
from portal.deliveries import filtering
from portal.deliveries.filtering import DeliveryFilter
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Company
from portal.rules.reasons import WORDS
from portal.rules.verdict import WARNINGS

OPTIONS = (
    click.option("--status", type=click.Choice(DELIVERY_STATUSES)),
    click.option("--contact", type=ROW_NUMBER, metavar="ID"),
    click.option("--campaign", metavar="NAME", type=Words(200)),
    click.option("--owner", metavar="EMAIL", type=Words(254)),
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
    click.option("--outage", type=ROW_NUMBER, metavar="ID", help="Only what that outage held up."),
    click.option(
        "--search", metavar="TEXT", type=Words(200), help="A contact's name or LinkedIn id, or a delivery's id."
    ),
)


def filter_options(command: Command) -> Command:
    """Add the options; the command gets what was given as keyword arguments, for `read_filter`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def read_filter(company: Company, given: dict[str, Any]) -> DeliveryFilter:
    """What was asked for. Raises BadParameter for what does not exist."""
    moments = {name: read_time(given[name], company, option=f"--{name}") for name in ("since", "until")}
    wanted = filtering.read_filter(db.session, company.id, given | moments)
    refuse_unknown(wanted, company.id, given)
    return wanted


def read_time(text: str | None, company: Company, *, option: str) -> datetime | None:
    """A moment as typed; without a zone it is the company's time. Raises BadParameter."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(company.timezone))).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise click.BadParameter(f"{text!r} is no time.", param_hint=option) from error
