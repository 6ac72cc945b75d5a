"""What is to be told to whom now. An endpoint remembers what was mailed last and when, a chat what was posted there."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Subquery, exists, or_, select, update
from sqlalchemy.orm import Session, aliased, joinedload

from portal.models import Attempt, Delivery, Endpoint
from portal.working_models import Told

QUIET = timedelta(hours=1)  # the pause between two notices to one company
FAILED_AGAIN_AFTER = timedelta(days=1)  # deliveries that fail one by one are not worth a mail each
LOOK_BACK = timedelta(days=1)  # failures before this are no news
FAILED_LOOKED_AT = 200  # how many of a company's latest failed deliveries are looked at


Way = type[Told]  # by mail (Endpoint) or in a chat (Chat): the table that remembers the notices that went that way


@dataclass(frozen=True, kw_only=True)
class Notice:
    """What is to be told of one endpoint: `failed` (a delivery, for good), `failing`, `paused`, or `active` again."""

    way: Way
    endpoint_id: int
    company_id: int
    state: str
    delivery_id: int | None  # the delivery whose last attempt shows the cause
    language: str
    timezone: str
    told: str  # what was told before, and when
    told_at: datetime | None


def find_due(session: Session, way: Way, *, now: datetime) -> list[Notice]:
    """Returns what to tell that way now, at most one notice a company. Those that could not be sent come last."""
    is_quiet = or_(way.notified_at.is_(None), way.notified_at <= now - QUIET)
    at = aliased(Endpoint)
    endpoints = session.execute(
        select(at, way)
        .where(at.url.is_not(None), way.company_id == at.company_id, is_quiet)
        .order_by(way.notice_error.is_not(None), at.id)
        .options(joinedload(at.company))
    )
    found = [(endpoint, told, _news_of(session, endpoint, told, now=now)) for endpoint, told in endpoints]
    return [
        Notice(
            way=way,
            endpoint_id=endpoint.id,
            company_id=endpoint.company_id,
            state=news[0],
            delivery_id=news[1],
            language=endpoint.company.locale,
            timezone=endpoint.company.timezone,
            told=told.notified_state,
            told_at=told.notified_at,
        )
        for endpoint, told, news in found
        if news is not None
    ]


def claim(session: Session, notice: Notice, *, now: datetime) -> bool:
    """Take the notice, and forget earlier faults of sending; False when another worker took it first."""
    return _change(session, notice, (notice.told, notice.told_at), (notice.state, now), error=None)


def give_back(session: Session, notice: Notice, *, claimed_at: datetime, error: str) -> None:
    """The notice could not be sent and is due again; `error` is shown to the admins."""
    _change(session, notice, (notice.state, claimed_at), (notice.told, notice.told_at), error=error)


def give_up(session: Session, notice: Notice, *, claimed_at: datetime, error: str) -> None:
    """The notice was refused for good, by all or by some: it is not sent again, and `error` is shown to the admins."""
    _change(session, notice, (notice.state, claimed_at), (notice.state, claimed_at), error=error)


def _news_of(session: Session, endpoint: Endpoint, last: Told, *, now: datetime) -> tuple[str, int | None] | None:
    """The state to tell of and the delivery that shows the cause, or None."""
    told, last_failed = last.notified_state, endpoint.last_failed_delivery_id
    if endpoint.state == "paused":
        is_news = endpoint.paused_reason != "manual" and told != "paused"
        return ("paused", last_failed) if is_news else None
    if endpoint.state == "failing":
        return ("failing", last_failed) if told not in ("failing", "paused") else None
    if told in ("failing", "paused"):
        has_succeeded = _is_later(endpoint.last_success_at, last.notified_at)
        return ("active", None) if has_succeeded else None
    failed = _failed_since_told(session, endpoint.company_id, last, now=now)
    return ("failed", failed) if failed is not None else None


def _is_later(moment: datetime | None, told_at: datetime | None) -> bool:
    return moment is not None and (told_at is None or moment > told_at)


def _failed_since_told(session: Session, company_id: int, last: Told, *, now: datetime) -> int | None:
    """The newest delivery that failed for good after the last notice and is its contact's newest, or None."""
    since = now - LOOK_BACK
    if last.notified_at is not None:
        if last.notified_state == "failed" and now - last.notified_at < FAILED_AGAIN_AFTER:
            return None
        since = max(since, last.notified_at)
    latest = latest_failed(company_id)
    tried = exists().where(Attempt.delivery_id == latest.c.id, Attempt.started_at > since)
    found = select(latest.c.id).where(tried, is_newest(latest))
    return session.scalar(found.order_by(latest.c.id.desc()).limit(1))


def latest_failed(company_id: int) -> Subquery:
    """The company's deliveries that failed for good, with `id` and `contact_id`: neither tests nor erased people's, nor
    what the CRM had taken before it was sent again.
    """
    return (
        select(Delivery.id, Delivery.contact_id)
        .where(Delivery.company_id == company_id, Delivery.status == "failed", Delivery.contact_id.is_not(None))
        .where(Delivery.delivered_at.is_(None))
        .order_by(Delivery.id.desc())
        .limit(FAILED_LOOKED_AT)
        .subquery()
    )


def is_newest(latest: Subquery) -> ColumnElement[bool]:
    """The condition that no newer delivery of the contact exists."""
    return ~exists().where(Delivery.contact_id == latest.c.contact_id, Delivery.id > latest.c.id)


def _change(
    session: Session,
    notice: Notice,
    held: tuple[str, datetime | None],
    wanted: tuple[str, datetime | None],
    *,
    error: str | None,
) -> bool:
    """Write what was told and when, if `held` is still what is stored. Returns whether it was."""
    (held_state, held_at), (state, at) = held, wanted
    way = notice.way
    is_held = way.notified_at.is_(None) if held_at is None else way.notified_at == held_at
    changed = session.execute(
        update(way)
        .where(way.company_id == notice.company_id, way.notified_state == held_state, is_held)
        .values(notified_state=state, notified_at=at, notice_error=error and error[:200])
        .returning(way.id)
        .execution_options(synchronize_session=False)
    )
    return changed.first() is not None
