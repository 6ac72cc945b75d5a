"""`portal report`."""

from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask import g

from portal.api.report import ReportSchema, shape_of
from portal.audit import Actor
from portal.cli.console import for_company, json_option, print_answer
from portal.cli.filtered import filter_options, read_wanted
from portal.database.db import db, reading
from portal.models import Company
from portal.report import ReportFilter, make_report, read_filter
from portal.report.words import say, say_time


@click.command()
@reading()
@for_company
@filter_options(ReportFilter)
@json_option
def report(actor: Actor, as_json: bool, **given: Any) -> None:
    """Say who reached which level, and whether the CRM knows.

    It begins with this month, and ends with it, unless another time is given for either.
    """
    company = db.session.get_one(Company, actor.company_id)
    g.timezone = company.timezone
    zone = ZoneInfo(company.timezone)
    wanted = read_wanted(partial(read_filter, zone=zone), actor, given)
    made = make_report(db.session, company.id, wanted, zone=zone)
    lines = [say(made, zone=zone), say_time(made), *(outage.message for outage in made.outages)]
    print_answer(ReportSchema().dump(shape_of(made, zone)), filter(None, lines), as_json=as_json)
