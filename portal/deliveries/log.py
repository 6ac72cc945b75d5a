"""The delivery log as people and programs read it: filtered, a page at a time, newest first. It only reads."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import Select, Table, case, func, literal, select
from sqlalchemy.orm import QueryableAttribute, Session, joinedload
from sqlalchemy.orm.attributes import set_committed_value

from portal import audit
from portal.audit import Actor
from portal.database.driver import Statement
from portal.database.paging import Page, count_rows, read_page
from portal.database.rows import given
from portal.database.tables import Key
from portal.deliveries.filtering import DeliveryFilter, numbers_among, select_deliveries, select_moments
from portal.deliveries.looking import look_through
from portal.models import DELIVERY_STATUSES, OPEN_STATUSES, Attempt, Contact, Delivery, Endpoint

PAGE_SIZE = 20
TRIES_SHOWN = 20
ATTEMPTS_TOLD = 100  # of a delivery by one call
COUNT_CAP = 1000  # counting stops here: "1000+" answers the question, and a long log stays as quick as a short one
CHART_CAP = 10_000  # a chart looks at so many of a company's latest deliveries; the days before them are left out of it
# What tells when a delivery is tried next.
WITH_ENDPOINT = joinedload(Delivery.endpoint).load_only(Endpoint.url, Endpoint.state, Endpoint.next_probe_at)
# What a list shows of whom and what a delivery is about.
BESIDE = (
    joinedload(Delivery.contact).load_only(Contact.name, Contact.linkedin_public_id),
    joinedload(Delivery.campaign),
    joinedload(Delivery.owner),
    WITH_ENDPOINT,
)


def _select_counts() -> "Select[*tuple[Any, ...]]":
    """All statuses at once, each by its index, up to a cap."""
    is_real = _delivery.c.company_id == given("company_id", Key), _delivery.c.trigger != "test"
    newest = select(_delivery.c.id).where(*is_real).order_by(_delivery.c.id.desc()).limit(COUNT_CAP)
    capped = [newest.where(_delivery.c.status == status).subquery(status) for status in DELIVERY_STATUSES]
    return select(*(select(func.count()).select_from(rows).scalar_subquery().label(rows.name) for rows in capped))


_delivery: Table = Delivery.__table__  # type: ignore[assignment]
COUNTS = Statement(_select_counts())


def is_erased(delivery: Delivery) -> bool:
    """Whether the person's data were erased; of everybody else's deliveries only retention takes the body."""
    return delivery.contact_id is None and not delivery.is_test


def get_delivery(session: Session, company_id: int, webhook_id: str) -> Delivery | None:
    """The delivery within its company, with its body, or None."""
    if not (webhook_id.isascii() and webhook_id.isprintable()):
        return None  # PostgreSQL would refuse to look for some of these
    of_company = select(Delivery).where(Delivery.company_id == company_id, Delivery.webhook_id == webhook_id)
    beside = map(joinedload, (Delivery.contact, Delivery.campaign, Delivery.owner, Delivery.stored_body))
    whole = of_company.options(*beside, WITH_ENDPOINT)
    return session.scalars(whole.execution_options(populate_existing=True)).one_or_none()


def read_content(session: Session, actor: Actor, webhook_id: str) -> Delivery | None:
    """What `get_delivery` gives, for somebody who is shown its body: the audit log keeps who looks, once a day."""
    get = partial(get_delivery, session, actor.company_id, webhook_id)
    found = get()
    if found is None or not found.has_body:
        return found
    audit.note_once_a_day(session, actor, "delivery.viewed", subject=webhook_id)
    return get()


@dataclass(frozen=True)
class Tries:
    """Of a delivery's attempts the latest `TRIES_SHOWN`, newest first, the first of all, and how many there are."""

    latest: Sequence[Attempt]
    first: Attempt | None
    number: int


def tries_of(session: Session, delivery: Delivery) -> Tries:
    """What a page shows of a delivery's attempts, however many somebody asked for."""
    of_delivery = select(Attempt).where(Attempt.delivery_id == delivery.id)
    latest = session.scalars(of_delivery.order_by(Attempt.id.desc()).limit(TRIES_SHOWN)).all()
    if len(latest) < TRIES_SHOWN:
        return Tries(latest, latest[-1] if latest else None, len(latest))
    first = session.scalars(of_delivery.order_by(Attempt.id).limit(1)).one()
    return Tries(latest, first, count_rows(session, of_delivery.with_only_columns(Attempt.id)))


def take_attempts(session: Session, delivery: Delivery, *, before: int | None = None) -> Delivery:
    """Returns the delivery with its latest `ATTEMPTS_TOLD` attempts alone, of those with a number below `before`.

    Two have one number where the first was taken for dead and came late: both are told, or neither.
    """
    of_delivery = select(Attempt).where(Attempt.delivery_id == delivery.id)
    if before is not None:
        of_delivery = of_delivery.where(Attempt.number < before)
    numbers = of_delivery.with_only_columns(Attempt.number).order_by(Attempt.number.desc())
    first = session.scalar(numbers.offset(ATTEMPTS_TOLD - 1).limit(1)) or 0
    told = session.scalars(of_delivery.where(Attempt.number >= first).order_by(Attempt.id)).all()
    set_committed_value(delivery, "attempts", list(told))
    return delivery


def attempt_numbered(session: Session, delivery: Delivery, number: int) -> Attempt | None:
    """The delivery's attempt of that number, or None."""
    numbered = select(Attempt).where(Attempt.delivery_id == delivery.id, Attempt.number == number)
    return session.scalars(numbered.order_by(Attempt.id).limit(1)).one_or_none()


def page_deliveries(
    session: Session,
    company_id: int,
    wanted: DeliveryFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
    before: str | None = None,
) -> Page[Delivery]:
    """The newest deliveries that match, those after `cursor`, or just before `before`. Raises InvalidCursor.

    Of a long log only a part is looked at where no index finds just what matches: then `is_cut` is true.
    """
    matching, end = look_through(session, company_id, wanted, cursor=cursor, before=before)
    return read_page(session, matching, Delivery.id, limit=limit, cursor=cursor, before=before, end=end, beside=BESIDE)


def pages_beside(session: Session, delivery: Delivery, wanted: DeliveryFilter) -> list[Page[Delivery]]:
    """The delivery before this one in the list of what matches, which is newer, and the one after it, each as a page.

    Where it is far away the page is empty, cut, and tells where to look on.
    """
    ways = {"before": str(delivery.id)}, {"cursor": str(delivery.id)}
    return [page_deliveries(session, delivery.company_id, wanted, limit=1, **way) for way in ways]


def deliveries_of(session: Session, company_id: int, webhook_ids: Sequence[str]) -> Sequence[Delivery]:
    """Those of these deliveries that are the company's."""
    if not webhook_ids:
        return []  # to find nothing, a database would read all
    query = select(Delivery).where(Delivery.company_id == company_id, Delivery.webhook_id.in_(webhook_ids))
    return session.scalars(query.options(WITH_ENDPOINT)).all()


def count_newer(session: Session, company_id: int, wanted: DeliveryFilter, *, than_id: int) -> int:
    """How many deliveries match that were made after that one, counted up to `COUNT_CAP`."""
    newer = select_deliveries(session, company_id, wanted).with_only_columns(Delivery.id).where(Delivery.id > than_id)
    return count_rows(session, newer, most=COUNT_CAP)


def count_by_status(session: Session, company_id: int) -> dict[str, int]:
    """How many deliveries of the company are in each status, counted up to `COUNT_CAP`. Tests do not count."""
    counts: dict[str, int] = COUNTS.all(session.connection(), company_id=company_id)[0]._asdict()
    return counts


def count_matching_by_status(session: Session, company_id: int, wanted: DeliveryFilter) -> dict[str, int] | None:
    """How many deliveries match in each status, whichever `wanted` asks for; nothing when `COUNT_CAP` match or more.

    Returns None when a look at a part of a long log finds fewer.
    """
    query, end = look_through(session, company_id, replace(wanted, status=None))
    matching = query.with_only_columns(Delivery.status).order_by(Delivery.id.desc())
    matching = matching.where(Delivery.id > end) if end else matching
    found = Counter(session.scalars(matching.limit(COUNT_CAP)))
    if found.total() == COUNT_CAP:
        return {}
    return None if end else dict.fromkeys(DELIVERY_STATUSES, 0) | found


@dataclass(frozen=True)
class DayCount:
    """What came of the deliveries that were made on one day. `start` is the day's beginning."""

    start: datetime
    delivered: int
    failed: int
    waiting: int = 0


def count_by_day(
    session: Session, company_id: int, wanted: DeliveryFilter, *, starts: Sequence[datetime]
) -> list[DayCount]:
    """Count what matches by day of creation and by what became of it; tests only when `wanted` asks for them.

    `starts` are the beginnings of the days, oldest first, and at last the end of the newest. Days that begin before the
    latest `CHART_CAP` deliveries of that time do are left out: a long log stays as quick as a short one.
    """
    since, until = max(wanted.since or starts[0], starts[0]), min(wanted.until or starts[-1], starts[-1])
    moments = select_moments(company_id, since, until).with_only_columns(Delivery.created_at)
    if floor := session.scalar(moments.offset(CHART_CAP).limit(1)):
        starts = [start for start in starts[:-1] if start > floor] + [starts[-1]]
        since = max(since, starts[0])
    _, first, last = numbers_among(session, select_moments(company_id, since, until), most=CHART_CAP)
    day = position_among(Delivery.created_at, starts).label("day")
    query = select_deliveries(
        session, company_id, replace(wanted, since=None, until=None, numbers=(first, last))
    ).with_only_columns(day, Delivery.status, func.count().label("number"))
    drawn = Delivery.status.in_(("delivered", "failed", *OPEN_STATUSES))
    query = query.where(Delivery.created_at >= since, Delivery.created_at < until, drawn)
    if wanted.trigger is None:
        query = query.where(Delivery.trigger != "test")
    counts = {(row.day, row.status): row.number for row in session.execute(query.group_by(day, Delivery.status))}
    return [
        DayCount(
            start,
            delivered=counts.get((number, "delivered"), 0),
            failed=counts.get((number, "failed"), 0),
            waiting=sum(counts.get((number, status), 0) for status in OPEN_STATUSES),
        )
        for number, start in enumerate(starts[:-1])
    ]


def last_attempts(session: Session, delivery_ids: Sequence[int]) -> dict[int, Attempt]:
    """The newest try of each of these deliveries, by delivery."""
    newest = select(func.max(Attempt.id)).where(Attempt.delivery_id.in_(delivery_ids)).group_by(Attempt.delivery_id)
    return {attempt.delivery_id: attempt for attempt in session.scalars(select(Attempt).where(Attempt.id.in_(newest)))}


def position_among(column: QueryableAttribute[datetime], starts: Sequence[datetime], first: int = 0) -> Any:
    """SQL for the number of the span that holds the column's value, found by halves: exact in every time zone."""
    if len(starts) <= 2:
        return literal(first)
    middle = len(starts) // 2
    return case(
        (column < starts[middle], position_among(column, starts[: middle + 1], first)),
        else_=position_among(column, starts[middle:], first + middle),
    )
