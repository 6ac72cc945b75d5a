"""Who gets the report by e-mail, and when: on Mondays the week before, or on the 1st the month before."""

import logging
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import select, update
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.models import REPORTS, User
from portal.report import ReportFilter, month_of

logger = logging.getLogger(__name__)

AT = timedelta(hours=7)  # what its reader's clock shows when it is sent


@dataclass(frozen=True)
class Issue:
    """A report that is due for somebody: the span before `day`, in their language and time zone."""

    user_id: int
    company_id: int
    email: str
    every: str
    day: date
    told: date | None  # the day of the one before
    wanted: ReportFilter
    language: str
    timezone: str


def subscribe(user: User, every: str | None) -> None:
    """Mail the report to a person from the next time on; None: no more. Raises ValueError for another rhythm."""
    if every not in (None, *REPORTS):
        raise ValueError(every)
    user.report_every = every
    user.report_told = _last_day(every, clock.utcnow().astimezone(_zone_of(user))) if every else None


def find_due(session: Session, *, now: datetime) -> list[Issue]:
    """What is to be mailed now; of those that were missed, the newest."""
    subscribed = select(User).where(User.report_every.is_not(None), User.role.is_not(None), User.disabled_at.is_(None))
    people = session.scalars(subscribed.order_by(User.id).options(joinedload(User.company))).all()
    return [issue for issue in (_issue_of(user, now) for user in people if _has_zone(user)) if issue is not None]


def claim(session: Session, issue: Issue) -> bool:
    """Take the issue; False when another worker took it first."""
    return _change(session, issue, issue.told, issue.day)


def give_back(session: Session, issue: Issue) -> None:
    """The issue could not be sent and is due again."""
    _change(session, issue, issue.day, issue.told)


def _change(session: Session, issue: Issue, held: date | None, told: date | None) -> bool:
    is_held = User.report_told.is_(None) if held is None else User.report_told == held
    changed = update(User).where(User.id == issue.user_id, is_held).values(report_told=told).returning(User.id)
    return session.execute(changed.execution_options(synchronize_session=False)).first() is not None


def _issue_of(user: User, now: datetime) -> Issue | None:
    zone, every = _zone_of(user), str(user.report_every)
    day = _last_day(every, now.astimezone(zone) - AT)
    if user.report_told is not None and user.report_told >= day:
        return None
    until = clock.begin_of(day, zone)
    month_before, _ = month_of(day - timedelta(days=1), zone)
    since = clock.begin_of(day - timedelta(days=7), zone) if every == "week" else month_before
    return Issue(
        user_id=user.id,
        company_id=user.company_id,
        email=user.email,
        every=every,
        day=day,
        told=user.report_told,
        wanted=ReportFilter(since=since, until=until),
        language=user.locale or user.company.locale,
        timezone=zone.key,
    )


def _last_day(every: str, local: datetime) -> date:
    """The last day on which such a report was due: a Monday, or the first of a month."""
    day = local.date()
    return day - timedelta(days=day.weekday()) if every == "week" else day.replace(day=1)


def _has_zone(user: User) -> bool:
    """Whether this machine knows the zone of a person; the log names who gets no report for that."""
    try:
        _zone_of(user)
    except ZoneInfoNotFoundError as error:
        logger.error("A report cannot be dated: %s", error, extra={"action": "report_failed", "user_id": user.id})
        return False
    return True


def _zone_of(user: User) -> ZoneInfo:
    return ZoneInfo(user.timezone or user.company.timezone)
