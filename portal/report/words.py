"""The report in words: the one sentence that stands first, the same on page, in the mail and on the command line."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from flask_babel import format_date, format_timedelta
from flask_babel import gettext as _

from portal import clock
from portal.contacts.reaching import Reached
from portal.i18n import ngettext, number
from portal.report import Report, ReportFilter, Tally, days_of, month_of


def say(report: Report, *, zone: ZoneInfo) -> str:
    """Such as `Novembro: 41 contatos de nível alto; 39 no CRM, 1 com aviso, 1 não.`"""
    return f"{name_span(report.whole.wanted, zone)}: {say_tally(report.whole.levels[0])}."


def name_span(wanted: ReportFilter, zone: ZoneInfo) -> str:
    """`Novembro`, `Novembro de 2025`, or the first and the last day."""
    first, last = days_of(wanted, zone)
    if (wanted.since, wanted.until) == month_of(first, zone):
        is_recent = first.year == clock.utcnow().astimezone(zone).year
        name = str(format_date(first, "LLLL" if is_recent else _("LLLL 'de' y")))
        return name[:1].upper() + name[1:]
    if first == last:
        return str(format_date(first, "long"))
    return str(_("De %(first)s a %(last)s", first=format_date(first, "short"), last=format_date(last, "short")))


def say_reached(reached: Reached, *, zone: ZoneInfo) -> str:
    """Whom a number of the report counts, such as `nível 3, Novembro, não está no CRM`."""
    span = name_span(ReportFilter(since=reached.since, until=reached.until), zone)
    words = {"in_crm": _("no CRM"), "with_warning": _("com aviso"), "missing": _("não está no CRM")}
    known = [words[reached.arrival]] if reached.arrival else []
    return ", ".join((str(_("nível %(level)s", level=reached.level)), span, *map(str, known)))


def say_time(report: Report) -> str:
    """How long a level took to the CRM; nothing where that is not known."""
    seconds = report.median_seconds
    if seconds is None:
        return ""
    time = _("menos de um segundo") if seconds < 1 else format_timedelta(timedelta(seconds=seconds), threshold=1.5)
    return str(_("Da classificação ao CRM: %(time)s (mediana).", time=time))


def say_tally(tally: Tally) -> str:
    """The contacts of the highest level, such as `41 contatos de nível alto; todos no CRM`."""
    if not tally.contacts:
        return str(_("nenhum contato de nível alto"))
    contacts = ngettext("%(num)s contato de nível alto", "%(num)s contatos de nível alto", tally.contacts)
    if tally.in_crm == tally.contacts:
        known = ngettext("está no CRM", "todos no CRM", tally.contacts)
        return f"{contacts}; {known}"
    parts = [
        (tally.in_crm, _("%(num)s no CRM", num=number(tally.in_crm))),
        (tally.with_warning, _("%(num)s com aviso", num=number(tally.with_warning))),
        (tally.missing, _("%(num)s não", num=number(tally.missing))),
    ]
    return f"{contacts}; " + ", ".join(str(words) for number, words in parts if number or words is parts[0][1])
