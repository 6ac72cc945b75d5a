"""The report: who reached which level in a span of time, what the CRM knows of it, how soon it did, and the outages.

One function counts for the page, the file, the API, the command and the mail.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from operator import eq
from statistics import median
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from flask_babel import lazy_gettext as _l
from sqlalchemy import String, case, cast, func, literal, select, union_all
from sqlalchemy.orm import Session

from portal import clock
from portal.company.outages import OutageFacts, outages_between
from portal.company.refusals import Refusal
from portal.contacts.filtering import campaign_id_of, owner_id_of
from portal.contacts.reaching import ARRIVALS, are_last_before, are_levels_between, arrival_of
from portal.database import filters
from portal.database.filters import Filter, by, moment, narrow
from portal.models import LEVELS, Campaign, Classification, User

LONGEST = timedelta(days=366, hours=1)  # a year of any kind, and the hour by which a zone may change within it
TIMED = 1000  # how many of a span's latest levels are timed on their way to the CRM


class BadSpan(Refusal):
    """There is nothing to count in it, or too much."""

    code = "bad_span"
    words = _l("O período precisa terminar depois de começar, e ter no máximo 366 dias.")


@dataclass(frozen=True, kw_only=True)
class ReportFilter(Filter):
    """What is reported: a span of time, perhaps of one campaign or owner alone. `since` is included, `until` is not."""

    since: datetime = field(metadata=by(moment))
    until: datetime = field(metadata=by(moment))
    campaign_id: int | None = field(default=None, metadata=by(campaign_id_of, partial(eq, Classification.campaign_id)))
    owner_id: int | None = field(default=None, metadata=by(owner_id_of, partial(eq, Classification.owner_id)))


@dataclass(frozen=True)
class Tally:
    """How many contacts reached a level, by what the CRM knows of it."""

    level: int
    in_crm: int = 0
    with_warning: int = 0
    missing: int = 0

    @property
    def contacts(self) -> int:
        return self.in_crm + self.with_warning + self.missing


@dataclass(frozen=True)
class Part:
    """A part of a report: a campaign's, an owner's or a week's. `levels` are the highest first."""

    wanted: ReportFilter
    name: str | None
    levels: Sequence[Tally]


@dataclass(frozen=True)
class Report:
    """What `make_report` found. `whole` counts all of it; weeks count each contact again that reached a level again."""

    whole: Part
    campaigns: Sequence[Part]
    owners: Sequence[Part]
    weeks: Sequence[Part]
    # From a classification until the CRM had it; None when nothing is known to have arrived.
    median_seconds: float | None
    timed: int  # how many that was told from
    outages: Sequence[OutageFacts]


class _Counted(NamedTuple):
    """So many contacts of one kind."""

    part: int
    number: int
    campaign_id: int
    owner_id: int
    level: int
    arrival: int
    is_last: int


def read_filter(session: Session, company_id: int, asked: Mapping[str, Any], *, zone: ZoneInfo) -> ReportFilter:
    """The filter that an edge was asked for; where it names no time, of this month in the zone."""
    since, until = month_of(clock.utcnow().astimezone(zone).date(), zone)
    span = {"since": asked.get("since") or since, "until": asked.get("until") or until}
    return filters.read_filter(ReportFilter, session, company_id, {**asked, **span})


def month_of(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The beginning of the day's month in the zone, and its end."""
    first = day.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return clock.begin_of(first, zone), clock.begin_of(following, zone)


def days_of(wanted: ReportFilter, zone: ZoneInfo) -> tuple[date, date]:
    """The first and the last day of what is reported, in the zone."""
    last = wanted.until - timedelta(microseconds=1)
    return wanted.since.astimezone(zone).date(), last.astimezone(zone).date()


def make_report(session: Session, company_id: int, wanted: ReportFilter, *, zone: ZoneInfo) -> Report:
    """Count what is asked for. Weeks begin on Mondays of the zone. Raises BadSpan."""
    is_far = wanted.since.year < 2 or wanted.until.year > 9998
    if is_far or not timedelta(0) < wanted.until - wanted.since <= LONGEST:
        raise BadSpan
    weeks = _weeks_of(wanted, zone)
    rows = _count(session, company_id, wanted, weeks)
    whole = [row for row in rows if row.is_last]
    seconds = _times(session, company_id, wanted)
    return Report(
        whole=Part(wanted, None, _tallies(whole)),
        campaigns=_parts(session, Campaign, whole, wanted, "campaign_id"),
        owners=_parts(session, User, whole, wanted, "owner_id"),
        weeks=[
            Part(week, None, _tallies([row for row in rows if row.part == place])) for place, week in enumerate(weeks)
        ],
        median_seconds=median(seconds) if seconds else None,
        timed=len(seconds),
        outages=outages_between(session, company_id, wanted.since, wanted.until),
    )


def _count(session: Session, company_id: int, wanted: ReportFilter, weeks: Sequence[ReportFilter]) -> list[_Counted]:
    """How many reached each level, by week, campaign, owner and what the CRM knows: all that is counted, in one go.

    Each contact and level counts once among those of which `is_last` holds.
    """
    sizes = _sizes(session)
    place = (Classification.campaign_id, Classification.owner_id)
    facts = (
        *place,
        Classification.new_level,
        arrival_of(company_id),
        case((are_last_before(wanted.until), 1), else_=0),
    )
    packed: Any = 0
    for fact, size in zip(facts, sizes, strict=True):
        packed = packed * size + fact
    # SQLite sorts what it groups: counting the words of one string takes half the time.
    words = func.aggregate_strings(cast(packed, String), " ")
    parts = []
    for part, week in enumerate(weeks):
        of_week = (*are_levels_between(company_id, week.since, week.until), are_last_before(week.until))
        columns: tuple[Any, ...] = (literal(part), words)
        parts.append(narrow(select(*columns).where(*of_week), wanted))
    rows = session.execute(union_all(*parts))
    counts = ((part, Counter((text or "").split())) for part, text in rows)
    return [
        _Counted(part, number, *_unpack(int(word), sizes)) for part, words in counts for word, number in words.items()
    ]


def _sizes(session: Session) -> Sequence[int]:
    """How many values each counted fact has, in the order of `_Counted`: together they make one number of 63 bits.

    The shorter its words are, the sooner they are counted. Who is added meanwhile has room, too.
    """
    highest = session.execute(select(*(select(func.max(table.id)).scalar_subquery() for table in (Campaign, User))))
    rooms = (2 ** ((number or 0).bit_length() + 1) for number in highest.one())
    return (*rooms, max(LEVELS) + 1, len(ARRIVALS), 2)


def _unpack(packed: int, sizes: Sequence[int]) -> list[int]:
    values = []
    for size in reversed(sizes):
        packed, value = divmod(packed, size)
        values.append(value)
    return values[::-1]


def _tallies(rows: Sequence[_Counted]) -> list[Tally]:
    counts = {level: [0] * len(ARRIVALS) for level in LEVELS}
    for row in rows:
        counts[row.level][row.arrival] += row.number
    return [Tally(level, *counts[level]) for level in reversed(LEVELS)]


def _parts(
    session: Session, table: type[Campaign | User], rows: Sequence[_Counted], wanted: ReportFilter, column: str
) -> list[Part]:
    """A part for each campaign or owner, by name."""
    rows_of: dict[int, list[_Counted]] = {}
    for row in rows:
        rows_of.setdefault(getattr(row, column), []).append(row)
    named = session.execute(select(table.id, table.name).where(table.id.in_(rows_of)).order_by(table.name, table.id))
    narrowed: Any = partial(replace, wanted)
    return [Part(narrowed(**{column: row_id}), name, _tallies(rows_of[row_id])) for row_id, name in named]


def _weeks_of(wanted: ReportFilter, zone: ZoneInfo) -> list[ReportFilter]:
    """The weeks that have a part in the span, each cut to it."""
    day = wanted.since.astimezone(zone).date()
    monday, weeks = day - timedelta(days=day.weekday()), []
    while (since := clock.begin_of(monday, zone)) < wanted.until:
        monday += timedelta(days=7)
        until = min(clock.begin_of(monday, zone), wanted.until)
        weeks.append(replace(wanted, since=max(since, wanted.since), until=until))
    return weeks


def _times(session: Session, company_id: int, wanted: ReportFilter) -> list[float]:
    """How long each of the latest levels took that reached the CRM, in seconds."""
    moments: tuple[Any, ...] = (Classification.created_at, Classification.arrived_at)
    is_meant = are_last_before(wanted.until), Classification.arrived_at.is_not(None)
    query = select(*moments).where(*are_levels_between(company_id, wanted.since, wanted.until), *is_meant)
    latest = narrow(query, wanted).order_by(Classification.created_at.desc()).limit(TIMED)
    return [(arrived_at - set_at).total_seconds() for set_at, arrived_at in session.execute(latest)]
