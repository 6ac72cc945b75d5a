"""`portal report`."""

from zoneinfo import ZoneInfo

import click
from flask import g

from portal import clock
from portal.api.report import ReportSchema, shape_of
from portal.audit import Actor
from portal.cli.console import Words, for_company, json_option, print_answer, read_time, refuse_unknown
from portal.database.db import db, reading
from portal.models import Company
from portal.report import make_report, month_of, read_filter
from portal.report.words import say, say_time


@click.command()
@reading()
@for_company
@click.option("--since", metavar="TIME", help="2026-01-31 or 2026-01-31T12:00; this month's beginning when left out.")
@click.option("--until", metavar="TIME", help="Before then; this month's end when left out.")
@click.option("--campaign", metavar="NAME", type=Words(200))
@click.option("--owner", metavar="EMAIL", type=Words(254))
@json_option
def report(actor: Actor, since: str | None, until: str | None, as_json: bool, **given: str | None) -> None:
    """Say who reached which level, and whether the CRM knows."""
    company = db.session.get_one(Company, actor.company_id)
    g.timezone = company.timezone
    zone = ZoneInfo(company.timezone)
    first, last = month_of(clock.utcnow().astimezone(zone).date(), zone)
    span = {
        "since": read_time(since, company, option="--since") or first,
        "until": read_time(until, company, option="--until") or last,
    }
    wanted = read_filter(db.session, company.id, given | span)
    refuse_unknown(wanted, company.id, given)
    made = make_report(db.session, company.id, wanted, zone=zone)
    lines = [say(made, zone=zone), say_time(made), *(outage.message for outage in made.outages)]
    print_answer(ReportSchema().dump(shape_of(made, zone)), filter(None, lines), as_json=as_json)
