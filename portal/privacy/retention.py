"""How long data is kept: what each company has had for longer is emptied or deleted, a little at a time.

The facts of the log go, then bodies and answers of what stays, then the audit log; each company says after how many
days. It is a task, one a day for each company, done in short transactions with pauses. `portal purge` does the same.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.database.db import reading
from portal.database.upkeep import free_pages, give_back
from portal.importing import missing
from portal.models import Company, Task
from portal.tasks import store
from portal.tasks.slices import Step, cut_steps
from portal.tasks.store import Chunk, TaskClaim
from portal.working_models import IdempotencyKey

KIND = "purge"
EVERY = timedelta(days=1)
BATCH = 500  # rows that one transaction empties or deletes
LOOKS = 5_000  # rows that it looks at, where most of them stay
PAGES_AT_ONCE = 500  # pages that one transaction gives back, 2 MB; fewer empty ones are left for what comes next
REPORTS_KEPT = timedelta(days=90)
OF_NOBODY_KEPT = timedelta(days=730)  # acts that belong to no company, such as log-ins that failed
CALLS_KEPT = timedelta(hours=24)
PERIODS = ("keep_bodies_days", "keep_log_days", "keep_audit_days")
# What a purge counts: bodies and answers emptied; deliveries and audit entries deleted.
COUNTS = ("bodies", "answers", "deliveries", "entries")


class Limits(NamedTuple):
    """The moments before which a company's data goes, in the order of PERIODS."""

    bodies: datetime
    log: datetime
    audit: datetime


def limits_of(company: Company, *, now: datetime) -> Limits:
    """What the company's retention means today."""
    return Limits(*(now - timedelta(days=getattr(company, name)) for name in PERIODS))


def keep_for(session: Session, actor: Actor, company: Company, days: Mapping[str, int]) -> None:
    """Keep the company's data for so many days from now on, by the names of PERIODS. The caller commits."""
    for name in PERIODS:
        setattr(company, name, days[name])
    audit.record(session, actor, "retention.changed", subject=", ".join(str(days[name]) for name in PERIODS))


def forget_repeated_calls(session: Session, *, now: datetime) -> None:
    """Remove the keys of calls that may be repeated no more."""
    session.execute(delete(IdempotencyKey).where(IdempotencyKey.created_at <= now - CALLS_KEPT))


def plan(session: Session, *, now: datetime) -> int:
    """Let today's purge begin for each company that has had none yet. Returns how many that are. The caller commits."""
    recent = select(Task.company_id).where(Task.kind == KIND, Task.created_at > now - EVERY)
    due = session.scalars(select(Company.id).where(Company.id.not_in(recent), Company.closed_at.is_(None))).all()
    for company_id in due:
        store.start(session, store.create(session, Actor(company_id, audit.PORTAL), KIND))
    session.execute(delete(Task).where(Task.kind == KIND, Task.finished_at < now - REPORTS_KEPT))
    audit.forget(session, None, before=now - OF_NOBODY_KEPT, limit=BATCH)
    return len(due)


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """A purge as a task."""
    with reading(), Session(engine) as session:
        limits = limits_of(session.get_one(Company, claim.company_id), now=clock.utcnow())
    return cut_into_chunks(claim.company_id, limits)


def cut_into_chunks(company_id: int, limits: Limits) -> Iterator[Chunk]:
    """A company's purge, a batch at a time. Between two of them no transaction is open."""

    def forget_imports(session: Session) -> tuple[Counter[str], bool]:  # which contacts a file named is of the log
        return Counter(), missing.forget(session, company_id, before=limits.log, limit=BATCH) == BATCH

    def forget_audit(session: Session) -> tuple[Counter[str], bool]:
        entries = audit.forget(session, company_id, before=limits.audit, limit=BATCH)
        return Counter(entries=entries), entries == BATCH

    facts = partial(outbox.forget_facts, before=limits.log, looks=LOOKS, limit=BATCH)
    said = partial(outbox.forget_said, before=limits.bodies, limit=BATCH)
    walks = (_walk(company_id, forget) for forget in (facts, said))
    return cut_steps((*walks, forget_imports, forget_audit, give_pages_back))


def last_report(session: Session, company_id: int) -> Task | None:
    """The company's latest purge that came to an end."""
    ended = select(Task).where(Task.company_id == company_id, Task.kind == KIND, Task.status == "done")
    return session.scalars(ended.order_by(Task.id.desc()).limit(1)).first()


def record_report(session: Session, actor: Actor, counts: Counter[str], *, now: datetime) -> None:
    """Record what a purge by command did, as a task would have. The caller commits."""
    row = store.create(session, actor, KIND)
    row.status, row.counts, row.started_at, row.finished_at = "done", dict(counts), now, clock.utcnow()


def _walk(company_id: int, forget: Callable[..., outbox.Forgotten]) -> Step:
    """A step that goes over the deliveries from where the one before ended."""
    place: outbox.Place | None = outbox.FIRST

    def step(session: Session) -> tuple[Counter[str], bool]:
        nonlocal place
        done = forget(session, company_id, after=place or outbox.FIRST)
        place = done.last
        return Counter(bodies=done.bodies, answers=done.answers, deliveries=done.deliveries), place is not None

    return step


def give_pages_back(session: Session) -> tuple[Counter[str], bool]:
    """A step that gives empty pages of the file back to the disk, a few at a time."""
    free = free_pages(session.connection())
    if free >= PAGES_AT_ONCE:
        give_back(session.connection(), PAGES_AT_ONCE)
    return Counter(), free >= 2 * PAGES_AT_ONCE
