"""The audit log: administrative acts, with who, when and from where. Rows are added and read; time removes them."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from operator import eq, ge, lt

from sqlalchemy import Connection, Select, delete, func, insert, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from portal import clock
from portal.database.db import patience, writing
from portal.database.filters import Filter, by, moment, narrow, text
from portal.database.paging import Page, count_rows, read_page
from portal.models import AuditEntry, Company

PAGE_SIZE = 50
LOOK_BACK = 500
DAY = timedelta(days=1)
PORTAL, CONSOLE = "portal", "console"  # who acts by itself, and who by a command
NOTE_SECONDS = 2.0  # what a note on the side waits for other writers

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class AuditFilter(Filter):
    """What an entry has to match; what is None does not count. `since` is included, `until` is not."""

    action: str | None = field(default=None, metadata=by(text, partial(eq, AuditEntry.action)))
    actor: str | None = field(default=None, metadata=by(text, partial(eq, AuditEntry.actor)))
    since: datetime | None = field(default=None, metadata=by(moment, partial(ge, AuditEntry.created_at)))
    until: datetime | None = field(default=None, metadata=by(moment, partial(lt, AuditEntry.created_at)))


@dataclass(frozen=True, slots=True)
class Actor:
    """Who does something, for which company, and from where. Pages, API, console and tasks each make one."""

    company_id: int
    email: str  # an e-mail, or the name of what acts by itself
    ip: str | None = None


@dataclass(frozen=True, slots=True)
class Stranger:
    """Who belongs to no company: somebody that tried to log in with an address that nobody has, or a proxy."""

    email: str
    ip: str
    company_id: None = None


def record(session: Session, actor: Actor | Stranger, action: str, *, subject: str | None = None) -> None:
    """Adds one act. `action` is `noun.verb`, such as `webhook.url_set`; neither it nor `subject` holds a secret."""
    entry = AuditEntry(company_id=actor.company_id, actor=actor.email, ip=actor.ip, created_at=clock.utcnow())
    entry.action, entry.subject = action, (subject or "")[:300] or None
    session.add(entry)


def record_by_portal(
    connection: Connection, company_id: int, action: str, *, subject: str | None, now: datetime
) -> None:
    """Adds what the portal did by itself, as a part of the caller's transaction."""
    values = {"company_id": company_id, "actor": PORTAL, "action": action, "subject": subject, "created_at": now}
    connection.execute(insert(AuditEntry).values(values))


def page_entries(
    session: Session,
    company_id: int,
    wanted: AuditFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
    before: str | None = None,
) -> Page[AuditEntry]:
    """The newest entries that match, those after `cursor`, or just before `before`. Raises InvalidCursor."""
    query = narrow(select(AuditEntry).where(AuditEntry.company_id == company_id), wanted)
    return read_page(session, query, AuditEntry.id, limit=limit, cursor=cursor, before=before)


def record_everywhere(session: Session, who: str, action: str, *, subject: str | None = None) -> None:
    """Record what was done to the whole installation, with every company that is not closed."""
    for company_id in session.scalars(select(Company.id).where(Company.closed_at.is_(None))).all():
        record(session, Actor(company_id, who), action, subject=subject)


@contextmanager
def aside(session: Session) -> Iterator[Session]:
    """A short transaction of its own, for what is noted of a request that may only read.

    The request's own transaction ends first: it may hold the lock that this one waits for.
    """
    session.rollback()
    with writing(), patience(NOTE_SECONDS), Session(session.get_bind()) as own, own.begin():
        yield own


def note(session: Session, actor: Actor | Stranger, action: str, *, subject: str | None = None) -> None:
    """Adds an act of a request that changes nothing else, `aside`."""
    with aside(session) as own:
        record(own, actor, action, subject=subject)


def count(session: Session, actor: Actor, action: str, *, subject: str) -> None:
    """`note`, or once more for the entry of the same within a day: nobody fills the log by trying again."""
    try:
        with aside(session) as own:
            known = own.scalar(_find_recent(actor, action, subject=subject))
            if known is None:
                record(own, actor, action, subject=subject)
            else:
                own.execute(update(AuditEntry).where(AuditEntry.id == known).values(times=AuditEntry.times + 1))
    except OperationalError:
        logger.warning("An act was not noted.", extra={"action": "act_unnoted"})


def note_once_a_day(
    session: Session, actor: Actor | Stranger, action: str, *, subject: str, of_any_subject: bool = False
) -> None:
    """`note`, unless the same actor did the same within a day: who looks again need not be told of again.

    `of_any_subject`: whatever they did it to. The request's own transaction goes on when there is nothing to write.
    """
    if not has_recent(session, actor, action, subject=None if of_any_subject else subject):
        try:
            note(session, actor, action, subject=subject)
        except OperationalError:  # who only reads is answered also while the database takes no writes
            logger.warning("A look was not noted.", extra={"action": "look_unnoted"})


def has_recent(session: Session, actor: Actor | Stranger, action: str, *, subject: str | None = None) -> bool:
    """Whether the actor did that within a day, to that subject where one is named."""
    return session.scalar(_find_recent(actor, action, subject=subject)) is not None


def last_noted(session: Session, action: str, *, since: datetime) -> Sequence[AuditEntry]:
    """What belongs to no company and was noted since then, newest first."""
    of_nobody = select(AuditEntry).where(AuditEntry.company_id.is_(None), AuditEntry.action == action)
    return session.scalars(of_nobody.where(AuditEntry.created_at >= since).order_by(AuditEntry.id.desc())).all()


def count_since(session: Session, company_id: int, action: str, *, since: datetime) -> int:
    """How often that was done since then. Only what is newer is read, however long the log is."""
    of_company = select(AuditEntry.id).where(AuditEntry.company_id == company_id)
    before = of_company.where(AuditEntry.created_at <= since).order_by(AuditEntry.id.desc()).limit(1).scalar_subquery()
    lately = of_company.where(AuditEntry.id > func.coalesce(before, 0), AuditEntry.action == action)
    return count_rows(session, lately)


def forget(session: Session, company_id: int | None, *, before: datetime, limit: int) -> int:
    """Remove at most `limit` of the company's acts, or of nobody's, from before then. Returns how many."""
    old = select(AuditEntry.id).where(AuditEntry.company_id == company_id, AuditEntry.created_at < before)
    ids = session.scalars(old.order_by(AuditEntry.id).limit(limit)).all()
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_(ids)))
    return len(ids)


def _find_recent(actor: Actor | Stranger, action: str, *, subject: str | None) -> Select[int]:
    """The number of such an act of the last day among the company's latest `LOOK_BACK`: a long log stays quick."""
    of_company = select(AuditEntry).where(AuditEntry.company_id == actor.company_id)
    latest = of_company.order_by(AuditEntry.id.desc()).limit(LOOK_BACK).subquery()
    is_same = (latest.c.actor == actor.email) & (latest.c.action == action)
    if subject is not None:
        is_same &= latest.c.subject == subject
    return select(latest.c.id).where(is_same, latest.c.created_at >= clock.utcnow() - DAY).limit(1)
