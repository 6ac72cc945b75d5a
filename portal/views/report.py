"""The report: who reached which level in a month or any other span, and whether the CRM knows; also as a file."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from flask import abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_login import current_user

from portal import clock
from portal.contacts.campaigns import campaigns_of
from portal.contacts.reaching import Reached
from portal.database.db import db
from portal.i18n import reader_zone
from portal.models import REPORTS
from portal.people.users import people_of
from portal.report import BadSpan, Part, Report, ReportFilter, days_of, make_report, month_of, read_filter
from portal.report.mailing import subscribe
from portal.report.words import name_span, say, say_time
from portal.runtime import runtime
from portal.web import access, files
from portal.web.asked import asked, asked_days, asked_numbers, or_say
from portal.web.charts import stack
from portal.web.redirects import done, see_other

MONTHS = 13  # how many months the page offers
SPAN_COLUMNS = (_l("Por"), _l("Nome"), _l("De"), _l("Até"))
COLUMNS = (*SPAN_COLUMNS, _l("Nível"), _l("Contatos"), _l("No CRM"), _l("Com aviso"), _l("Não"))

bp = access.Pages("report", __name__, url_prefix="/report")


@bp.get("", access="member")
def index() -> ResponseReturnValue:
    report, zone = read_report(), reader_zone()
    company_id = current_user.company_id
    now = clock.utcnow()
    weeks = [week for week in report.weeks if week.wanted.since <= now]  # nothing is drawn of those to come
    return render_template(
        "report/index.html",
        report=report,
        sentence=say(report, zone=zone),
        months=months(),
        asked=asked_span(),
        campaigns=campaigns_of(db.session, company_id),
        people=people_of(db.session, company_id),
        weeks=weeks,
        chart=stack([high_of(week) for week in weeks]),
        first_day=lambda part: days_of(part.wanted, zone)[0],
        days=days_of(report.whole.wanted, zone),
        now=now,
        name_span=lambda part: name_span(part.wanted, zone),
        took=say_time(report),
        opened_by=opened_by,
        has_mail=runtime().settings.smtp_url is not None,
    )


@bp.get("/report.csv", access="member")
def download() -> ResponseReturnValue:
    """The report as CSV; of a span that cannot be, the page, which says so."""
    zone, wanted = reader_zone(), or_say(read_wanted(), ".index", asked_span())
    try:
        report = make_report(db.session, current_user.company_id, wanted, zone=zone)
    except BadSpan:
        return see_other(url_for(".index", **asked_span()))
    rows = list(rows_of(report))
    return files.download(_("relatorio"), COLUMNS, lambda _cursor: (rows, None), zone=zone, action="report.exported")


@bp.post("/mail", access="member")
def mail() -> ResponseReturnValue:
    """Mail the report to the reader from the next time on, or no more."""
    every = request.form.get("every") or None
    if every not in (None, *REPORTS):
        abort(400)
    subscribe(current_user, every)
    words = {"week": _("O relatório vai para %(email)s às segundas-feiras.", email=current_user.email)}
    words["month"] = _("O relatório vai para %(email)s no dia 1º de cada mês.", email=current_user.email)
    return done(words[every] if every else _("O relatório não vai mais por e-mail."), url_for(".index"))


def read_report() -> Report:
    """What the page's address asks for; in place of a span that cannot be, this month."""
    company_id, zone, wanted = current_user.company_id, reader_zone(), read_wanted()
    try:
        return make_report(db.session, company_id, wanted, zone=zone)
    except BadSpan as refusal:
        db.session.rollback()
        flash(refusal.sentence, "warning")
        since, until = month_of(today(), zone)
        return make_report(db.session, company_id, replace(wanted, since=since, until=until), zone=zone)


def read_wanted() -> ReportFilter:
    """A month, or two days and what lies between them, of a campaign and an owner."""
    zone, days = reader_zone(), asked_days()
    since, until = month_of(read_month(request.args.get("month")) or today(), zone)
    if "since" in days:
        until = clock.begin_of(today() + timedelta(days=1), zone)
    meant = {"since": since, "until": until} | days | asked_numbers("campaign", "owner")
    return read_filter(db.session, current_user.company_id, meant, zone=zone)


def read_month(text: str | None) -> date | None:
    """The first day of a month such as `2026-11`, when there may be one."""
    try:
        month = datetime.strptime(text or "", "%Y-%m").date()
    except ValueError:
        return None
    return month if 2 <= month.year <= 9998 else None


def today() -> date:
    return clock.utcnow().astimezone(reader_zone()).date()


def months() -> Iterator[tuple[str, str]]:
    """The last months, the newest first, as an address has them and in words."""
    day = today().replace(day=1)
    for _number in range(MONTHS):
        since, until = month_of(day, reader_zone())
        yield f"{day:%Y-%m}", name_span(ReportFilter(since=since, until=until), reader_zone())
        day = (day - timedelta(days=1)).replace(day=1)


def asked_span() -> dict[str, Any]:
    """The part of the page's address that says what is reported."""
    return asked(("month", "since", "until", "campaign", "owner"))


def opened_by(part: Part, level: int) -> dict[str, Any]:
    """What the list of contacts is narrowed to by a click on a number: as many contacts as it says.

    At its end stands who reached a level, and after a comma one of `ARRIVALS` may follow.
    """
    wanted = part.wanted
    reached = Reached(current_user.company_id, level, wanted.since, wanted.until)
    return {"campaign": wanted.campaign_id, "owner": wanted.owner_id, "reached": str(reached)}


def high_of(week: Part) -> dict[str, int]:
    """What stands above one another in the picture: the contacts of the highest level."""
    high = week.levels[0]
    return {"delivered": high.in_crm, "warned": high.with_warning, "failed": high.missing}


def rows_of(report: Report) -> Iterator[list[str]]:
    """The report as the rows of a file: the whole, then each part, by level."""
    groups: Sequence[tuple[Any, Sequence[Part]]] = (
        (_("Tudo"), [report.whole]),
        (_("Campanha"), report.campaigns),
        (_("Responsável"), report.owners),
        (_("Semana"), report.weeks),
    )
    for group, parts in groups:
        for part in parts:
            days = [str(day) for day in days_of(part.wanted, reader_zone())]
            for tally in part.levels:
                counts = (tally.level, tally.contacts, tally.in_crm, tally.with_warning, tally.missing)
                yield [str(group), part.name or "", *days, *map(str, counts)]
