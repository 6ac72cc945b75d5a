"""A company that leaves. From the moment it is closed nothing is sent and nobody comes in; a task erases all of it.

There is no way back: the company keeps the files that it takes along. The portal keeps who closed it and when, and a
mark, by which no backup that is put back brings it back.
"""

import secrets
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from sqlalchemy import Engine, Table, and_, delete, exists, func, select, tuple_, update
from sqlalchemy.orm import Session

from portal import audit, clock, outbox
from portal.audit import Actor, Stranger
from portal.company import endpoint
from portal.database.db import reading
from portal.database.tables import Base, moment
from portal.database.upkeep import empty_log
from portal.models import AccessLink, ApiToken, Campaign, Company, Contact, Delivery, Task, User
from portal.privacy import marks
from portal.privacy.retention import give_pages_back
from portal.tasks import store
from portal.tasks.slices import Step, cut_steps
from portal.tasks.store import Chunk, ComeBack, Done, TaskClaim
from portal.vault import Vault

KIND = "closing"
ROWS = 200  # that one transaction erases, with what hangs on them
# Tables of which one row at a time is erased: the deliveries are searched for each, or a whole file hangs on it.
ONE_BY_ONE = ("campaign", "user_account", "task")
PAUSE_SECONDS = 0.02
HELD_HERE = timedelta(minutes=1)  # how long a worker waits before it goes on with what a command began to erase


def holdings_of(session: Session, company_id: int) -> dict[str, int]:
    """How much would go: contacts, campaigns, deliveries, those of them that wait, people, and tokens in use."""
    held = {
        "contacts": Contact.company_id == company_id,
        "campaigns": Campaign.company_id == company_id,
        "deliveries": Delivery.company_id == company_id,
        "people": User.company_id == company_id,
        "tokens": and_(ApiToken.company_id == company_id, ApiToken.revoked_at.is_(None)),
    }
    counts = {name: session.scalar(select(func.count()).where(is_held)) or 0 for name, is_held in held.items()}
    return counts | {"waiting": outbox.waiting_count(session, company_id)}


def close(session: Session, company: Company, actor: Actor, *, vault: Vault) -> Task | None:
    """Let nobody in and send nothing from now on, and let a worker erase everything. None when it was closed before.

    What waits to be sent is cancelled. The caller commits, and then calls `erasing.finish`.
    """
    now = clock.utcnow()
    for task in session.scalars(select(Task).where(Task.company_id == company.id, Task.status.in_(store.OPEN))):
        store.end(session, task, reason="closed", now=now)
    session.refresh(company, with_for_update=True)
    if company.closed_at is not None:
        return None
    endpoint.remove_address(session, actor)
    _let_nobody_in(session, company.id, now)
    marks.remember_company(session, company, vault)
    audit.record(session, Stranger(actor.email, actor.ip or ""), "company.closed", subject=company.name)
    company.name = f"closed {company.id} {secrets.token_hex(4)}"  # the name is free for another company
    company.closed_at, company.inspector_token = now, None
    erasing = store.create(session, actor, KIND)
    store.start(session, erasing)
    return erasing


def close_here(session: Session, company: Company, actor: Actor, *, vault: Vault) -> TaskClaim | None:
    """The same, for a caller who then erases everything by `erase`: the task is held, so that no worker begins it."""
    erasing = close(session, company, actor, vault=vault)
    if erasing is None:
        return None
    return store.claim_this(session.connection(), erasing.id, now=clock.utcnow(), lease=HELD_HERE)


def _let_nobody_in(session: Session, company_id: int, now: datetime) -> None:
    """End every session, link and token of the company's people."""
    of_company = User.company_id == company_id
    disabled_at = func.coalesce(User.disabled_at, moment(now))
    shut_out = {"disabled_at": disabled_at, "session_version": User.session_version + 1}
    session.execute(update(User).where(of_company).values(proxied_at=None, **shut_out))
    links = AccessLink.user_id.in_(select(User.id).where(of_company)), AccessLink.used_at.is_(None)
    session.execute(update(AccessLink).where(*links).values(used_at=now))
    tokens = ApiToken.company_id == company_id, ApiToken.revoked_at.is_(None)
    session.execute(update(ApiToken).where(*tokens).values(revoked_at=now))


def plan(session: Session) -> None:
    """Let the erasing of a closed company begin again, should its task have failed. The caller commits."""
    begun = select(Task.company_id).where(Task.kind == KIND, Task.status.in_(store.OPEN))
    left = select(Company.id).where(Company.closed_at.is_not(None), Company.id.not_in(begun))
    for company_id in session.scalars(left).all():
        store.start(session, store.create(session, Actor(company_id, audit.PORTAL), KIND))


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """Erasing a company as a task, whose own row goes last. Raises ComeBack while somebody still sends."""
    with reading(), Session(engine) as session:
        is_sending = _is_sending(session, claim.company_id)
    if is_sending:
        yield lambda _session: Done(moved=1)  # so that it was no try in vain
        raise ComeBack
    yield from cut_steps(_steps_of(claim.company_id))
    _remove(engine, claim.company_id)


def erase(engine: Engine, company_id: int, held: TaskClaim | None = None) -> bool:
    """Erase a closed company here and now, as the task does. False when a worker took the held task over."""
    for chunk in cut_steps(_steps_of(company_id)):
        with Session(engine) as session, session.begin():
            if held and not store.hold(session.connection(), held, now=clock.utcnow(), lease=HELD_HERE):
                return False
            chunk(session)
        clock.sleep(PAUSE_SECONDS)
    _remove(engine, company_id)
    return True


def tables_of_companies() -> list[Table]:
    """The tables whose rows say their company, those that refer to others first. What says none hangs on these."""
    return [table for table in reversed(Base.metadata.sorted_tables) if "company_id" in table.columns]


def _steps_of(company_id: int) -> Iterator[Step]:
    yield lambda session: (Counter(), _is_sending(session, company_id))
    for table in tables_of_companies():
        yield _forget_rows(table, company_id)
    yield give_pages_back


def _is_sending(session: Session, company_id: int) -> bool:
    """Somebody who sends right now records it within the lease, and finds the delivery that it belongs to."""
    is_held = Delivery.status == "sending", Delivery.lease_expires_at > clock.utcnow()
    return bool(session.scalar(select(exists().where(Delivery.company_id == company_id, *is_held))))


def _forget_rows(table: Table, company_id: int) -> Step:
    keys, limit = tuple(table.primary_key.columns), 1 if table.name in ONE_BY_ONE else ROWS
    chosen = select(*keys).where(table.columns.company_id == company_id).limit(limit)
    if table.name == Task.__tablename__:
        chosen = chosen.where(table.columns.kind != KIND)

    def step(session: Session) -> tuple[Counter[str], bool]:
        rows = [tuple(row) for row in session.execute(chosen)]
        if rows:
            session.execute(delete(table).where(tuple_(*keys).in_(rows)))
        return Counter(rows=len(rows)), len(rows) == limit

    return step


def _remove(engine: Engine, company_id: int) -> None:
    """The company itself, with what somebody wrote while it was erased."""
    with Session(engine) as session, session.begin():
        if session.get(Company, company_id, with_for_update=True) is None:
            return
        for table in tables_of_companies():
            session.execute(delete(table).where(table.columns.company_id == company_id))
        session.execute(delete(Company).where(Company.id == company_id))
        audit.record(session, Stranger(audit.PORTAL, ""), "company.erased", subject=str(company_id))
    empty_log(engine)
