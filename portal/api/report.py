"""The report by API: who reached which level in a span of time, and whether the CRM knows."""

from typing import Any
from zoneinfo import ZoneInfo

from marshmallow import fields

from portal.api import examples
from portal.api.protocol.fields import AnswerSchema, FilterSchema, Moment, TimeParameter, about
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse, refuse_unknown
from portal.api.webhook import OutageSchema
from portal.database.db import db
from portal.models import Company
from portal.report import BadSpan, Report, make_report, read_filter
from portal.report.words import say
from portal.web.access import current_actor

blueprint = ApiBlueprint("report", __name__, tag="sync")


class ReportQuerySchema(FilterSchema):
    since = TimeParameter(metadata=about("The beginning of this month where it is not given."))
    until = TimeParameter(metadata=about("The end of this month where it is not given."))


class TallySchema(AnswerSchema):
    level = fields.Integer()
    contacts = fields.Integer(metadata=about("Who was set to it in that time, each once."))
    in_crm = fields.Integer(
        metadata=about("Of these, whose last such level, or something later, was delivered, or is what the CRM has.")
    )
    with_warning = fields.Integer(metadata=about("The same, with an open warning that speaks of an error."))
    missing = fields.Integer()


class GroupSchema(AnswerSchema):
    id = fields.Integer()
    name = fields.String()
    levels = fields.List(fields.Nested(TallySchema))


class WeekSchema(AnswerSchema):
    since = Moment()
    until = Moment()
    levels = fields.List(fields.Nested(TallySchema))


class ReportSchema(AnswerSchema):
    message = fields.String(metadata=about("The report in a sentence."))
    since = Moment()
    until = Moment()
    levels = fields.List(fields.Nested(TallySchema))
    campaigns = fields.List(fields.Nested(GroupSchema))
    owners = fields.List(fields.Nested(GroupSchema))
    weeks = fields.List(fields.Nested(WeekSchema), metadata=about("From Monday to Monday in the company's time zone."))
    median_seconds = fields.Float(allow_none=True, metadata=about("From a classification until the CRM had it."))
    timed = fields.Integer(metadata=about("How many that was told from, at most 1000."))
    outages = fields.List(fields.Nested(OutageSchema))


@blueprint.route("GET /report", access="member")
@blueprint.arguments(ReportQuerySchema, location="query")
@blueprint.response(200, ReportSchema, example=examples.REPORT)
def get_report(given: dict[str, Any]) -> dict[str, Any]:
    """Who reached which level, and whether the CRM knows

    A contact counts once for each level that it was set to within the time, which is at most a year. With `reached`,
    `listContacts` lists whom a number counts.
    """
    company = db.session.get_one(Company, current_actor().company_id)
    zone = ZoneInfo(company.timezone)
    wanted = refuse_unknown(read_filter(db.session, company.id, given, zone=zone), given)
    try:
        return shape_of(make_report(db.session, company.id, wanted, zone=zone), zone)
    except BadSpan as refusal:
        refuse([("until", refusal.code)])


def shape_of(report: Report, zone: ZoneInfo) -> dict[str, Any]:
    """The report as `ReportSchema` has it."""
    whole = report.whole.wanted
    return {
        "message": say(report, zone=zone),
        "since": whole.since,
        "until": whole.until,
        "levels": report.whole.levels,
        "campaigns": [{"id": part.wanted.campaign_id, **vars(part)} for part in report.campaigns],
        "owners": [{"id": part.wanted.owner_id, **vars(part)} for part in report.owners],
        "weeks": [{**vars(part.wanted), "levels": part.levels} for part in report.weeks],
        **{name: getattr(report, name) for name in ("median_seconds", "timed", "outages")},
    }
