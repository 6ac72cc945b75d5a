"""The options that narrow the delivery log down, for every command that takes them."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import click

from portal.contacts.listing import find_campaign
from portal.database.db import db
from portal.deliveries.log import DeliveryFilter
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Company
from portal.people import find_person

Command = TypeVar("Command", bound=Callable[..., Any])

OPTIONS = (
    click.option("--status", type=click.Choice(DELIVERY_STATUSES)),
    click.option("--contact", "contact_id", type=click.IntRange(1, 2**63 - 1), metavar="ID"),
    click.option("--campaign", metavar="NAME"),
    click.option("--owner", metavar="EMAIL"),
    click.option("--level", type=click.Choice([*map(str, LEVELS)])),
    click.option("--reason", metavar="CODE", help="What came of it, such as timeout or html_page."),
    click.option("--trigger", type=click.Choice(TRIGGERS)),
    click.option("--since", metavar="TIME", help="Made then or later; 2026-01-31 or 2026-01-31T12:00."),
    click.option("--until", metavar="TIME", help="Made before then."),
    click.option("--search", metavar="TEXT", help="A contact's name or LinkedIn id, or a delivery's id."),
)


def filter_options(command: Command) -> Command:
    """Add the options; the command gets what was given as keyword arguments, for `read_filter`."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def read_filter(company: Company, given: dict[str, Any]) -> DeliveryFilter:
    """What was asked for. Raises BadParameter for what the company does not have."""
    named = ("campaign", "owner", "level", "since", "until", "search")
    return DeliveryFilter(
        campaign_id=campaign_id_of(given["campaign"], company),
        owner_id=owner_id_of(given["owner"], company),
        level=None if given["level"] is None else int(given["level"]),
        since=read_time(given["since"], company, option="--since"),
        until=read_time(given["until"], company, option="--until"),
        search=given["search"] or "",
        **{name: value for name, value in given.items() if name not in named},
    )


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
