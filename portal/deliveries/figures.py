"""How it is going, in figures: read from the database by index, so that every process says the same, and at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import lazy_gettext as _l
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from portal import clock
from portal.company.endpoint import get_endpoint
from portal.database.paging import count_rows
from portal.models import ENDPOINT_STATES, Delivery, Endpoint
from portal.outbox.counting import BOUNDS_MS, LONGER, NO_TIME
from portal.working_models import AttemptCount, Outage, WorkerHeartbeat

# A worker shows itself every ten seconds; after so long without a sign there is none.
SILENT_AFTER = timedelta(seconds=60)
LEFT_LYING_AFTER = timedelta(minutes=1)
# Due deliveries are counted up to here: more of them are as bad, and a long queue is no slower to look at.
DUE_CAP = 10_000
# When what is put in the queue leaves, by the state of where it goes.
LEAVES = {
    "active": _l("Sai agora."),
    "failing": _l("O CRM não está recebendo: sai quando ele voltar."),
    "paused": _l("O envio está em pausa: sai quando alguém o retomar."),
}
LEAVES_WITH_WORKER = _l("O processo que envia está parado: sai quando ele voltar.")
_is_active = Endpoint.state == "active"


@dataclass(frozen=True)
class Durations:
    """How long attempts took: the number up to each bound in seconds (the last is without one), and the sum."""

    up_to: Sequence[tuple[float, int]]
    total_seconds: float


def count_workers(session: Session, *, now: datetime) -> int:
    """The workers that live."""
    alive = WorkerHeartbeat.seen_at > now - SILENT_AFTER
    return session.scalar(select(func.count()).select_from(WorkerHeartbeat).where(alive)) or 0


def say_when_it_leaves(session: Session, company_id: int) -> str:
    """When what has just been put in the queue leaves, in a sentence."""
    state = get_endpoint(session, company_id).state
    is_served = state != "active" or count_workers(session, now=clock.utcnow())
    return str(LEAVES[state] if is_served else LEAVES_WITH_WORKER)


def is_left_lying(session: Session, company_id: int, *, now: datetime) -> bool:
    """Whether a company's delivery has been due for a minute while no worker lives to send it."""
    if count_workers(session, now=now):
        return False
    is_due = Delivery.status == "pending", Delivery.next_attempt_at <= now - LEFT_LYING_AFTER
    return session.scalar(select(Delivery.id).where(Delivery.company_id == company_id, *is_due).limit(1)) is not None


def oldest_due_seconds(session: Session, *, now: datetime) -> float:
    """How long the delivery that has been due longest waits, of those whose endpoint takes deliveries; else 0."""
    first = (
        select(func.min(Delivery.next_attempt_at))
        .where(Delivery.company_id == Endpoint.company_id, Delivery.status == "pending")
        .correlate(Endpoint)
        .scalar_subquery()
    )
    firsts = session.scalars(select(first).select_from(Endpoint).where(Endpoint.url.is_not(None), _is_active)).all()
    return max([0.0, *((now - moment).total_seconds() for moment in firsts if moment is not None)])


def count_due(session: Session, *, now: datetime) -> int:
    """The deliveries that could go out now, up to `DUE_CAP`."""
    due = select(Delivery.id).join(Endpoint, Endpoint.company_id == Delivery.company_id)
    due = due.where(
        Delivery.status == "pending", Delivery.next_attempt_at <= now, Endpoint.url.is_not(None), _is_active
    )
    return count_rows(session, due, most=DUE_CAP)


def count_endpoints(session: Session) -> dict[str, int]:
    """The companies' endpoints by state, `unset` among them."""
    counted = select(Endpoint.state, Endpoint.url.is_(None).label("is_unset"), func.count().label("number"))
    counts = dict.fromkeys(("unset", *ENDPOINT_STATES), 0)
    for row in session.execute(counted.group_by(Endpoint.state, Endpoint.url.is_(None))):
        counts["unset" if row.is_unset else row.state] += row.number
    return counts


def count_outages(session: Session) -> int:
    """How often a company's receiver began to take nothing."""
    return session.scalar(select(func.count()).select_from(Outage)) or 0


def count_ends(session: Session) -> Mapping[tuple[str, str], int]:
    """How often an attempt left its delivery in a status, for a reason, since the installation began."""
    ends = AttemptCount.status, AttemptCount.reason
    rows = session.execute(select(*ends, func.sum(AttemptCount.number)).group_by(*ends))
    return {(status, reason): int(number) for status, reason, number in rows}


def durations(session: Session) -> Durations:
    """How long attempts took since the installation began."""
    counted = select(AttemptCount.up_to_ms, func.sum(AttemptCount.number), func.sum(AttemptCount.total_ms))
    timed = counted.where(AttemptCount.up_to_ms != NO_TIME).group_by(AttemptCount.up_to_ms)
    by_bound = {bound: (int(number), int(total)) for bound, number, total in session.execute(timed)}
    reached, up_to = 0, []
    for bound in (*BOUNDS_MS, LONGER):
        reached += by_bound.get(bound, (0, 0))[0]
        up_to.append((float("inf") if bound == LONGER else bound / 1000, reached))
    return Durations(up_to, sum(total for _, total in by_bound.values()) / 1000)
