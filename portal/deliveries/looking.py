"""How far a page looks through a long log, where no index finds just what matches."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from portal.database import filters
from portal.database.paging import read_cursor
from portal.deliveries.filtering import (
    ANY_NUMBER,
    SPANNED_LONG_AGO,
    DeliveryFilter,
    begin_search,
    indexed_conditions,
    names_few,
    narrow_down,
    numbers_within,
    select_deliveries,
    select_moments,
)
from portal.models import Delivery

# So many of those that an index finds by one condition: the page says so, and where to go on.
LOOKED_THROUGH = 10_000


def look_through(
    session: Session, company_id: int, wanted: DeliveryFilter, *, cursor: str | None = None, before: str | None = None
) -> tuple[Select[Delivery], int | None]:
    """Returns the query for what matches, and the number of the first delivery beyond `LOOKED_THROUGH` after `cursor`,
    or before `before`: 0 with no such delivery, None where nothing bounds the look. Raises InvalidCursor.
    """
    wanted = narrow_down(session, company_id, wanted)
    asked = filters.conditions_of(replace(wanted, since=None, until=None))
    by_index = indexed_conditions(wanted)
    is_searched = bool(wanted.search) and wanted.contact_ids is None
    if names_few(wanted) or len(asked) + is_searched <= len(by_index) < 2:
        return select_deliveries(session, company_id, wanted), None
    ends_of = partial(_ends_of_look, session, company_id, by_index or {"": true()}, cursor=cursor, before=before)
    has_end = before is not None or wanted.since is None or wanted.until is not None or wanted.numbers is not None
    ends = {} if has_end else ends_of(wanted)
    if has_end or not _is_within(session, company_id, wanted.since, ends):  # beyond the filter's time there is nothing
        wanted = replace(wanted, numbers=wanted.numbers or _numbers_of_time(session, company_id, wanted))
        ends = ends_of(wanted)
    lowest = read_cursor(before) if before else min(end or 0 for end in ends.values())
    wanted = begin_search(session, company_id, wanted, lowest=lowest)
    ends = ends_of(wanted) if (wanted.after_id or 0) > lowest else ends
    whole = [name for name, end in ends.items() if end is None]
    name = whole[0] if whole else (max if before else min)(ends, key=lambda name: ends[name] or 0)
    bounded = _within(wanted, ends[name], cursor=cursor, before=before)
    return select_deliveries(session, company_id, bounded, by_index=name or None), ends[name] or 0


def _is_within(session: Session, company_id: int, since: datetime | None, ends: Mapping[str, int | None]) -> bool:
    """Whether all that is looked at comes after the first delivery of that time."""
    moments = select_moments(company_id, since, None).with_only_columns(Delivery.id).order_by(None)
    first = session.scalar(moments.order_by(Delivery.created_at, Delivery.id).limit(1))
    return first is not None and all(end is not None and first <= end for end in ends.values())


def _numbers_of_time(session: Session, company_id: int, wanted: DeliveryFilter) -> tuple[int, int] | None:
    """Between which all of the filter's time stand, as far as that takes no long look."""
    if wanted.since is not None or wanted.until is None:
        return numbers_within(session, company_id, wanted, most=SPANNED_LONG_AGO)
    # Few were made later (`narrow_down`). By no index of times: the newest that is older is among the last numbers.
    is_older = (Delivery.created_at < wanted.until).is_(true())
    older = select(Delivery.id).where(Delivery.company_id == company_id, is_older)
    return 0, session.scalar(older.order_by(Delivery.id.desc()).limit(1)) or 0


def _within(wanted: DeliveryFilter, end: int | None, *, cursor: str | None, before: str | None) -> DeliveryFilter:
    """The same, between the numbers that are looked at. Of two bounds on one side SQLite goes by the first."""
    if end is None:
        return wanted
    first, last = wanted.numbers or ANY_NUMBER
    if before:
        return replace(wanted, numbers=(max(first, read_cursor(before) + 1), min(last, end - 1)))
    return replace(wanted, numbers=(max(first, end + 1), min(last, read_cursor(cursor) - 1) if cursor else last))


def _ends_of_look(
    session: Session,
    company_id: int,
    conditions: Mapping[str, ColumnElement[bool]],
    wanted: DeliveryFilter,
    *,
    cursor: str | None,
    before: str | None,
) -> dict[str, int | None]:
    """The numbers of the first deliveries beyond `LOOKED_THROUGH` of those that meet each of the conditions."""
    query = select(Delivery.id).where(Delivery.company_id == company_id)
    begin = 0 if wanted.after_id is None else wanted.after_id + 1
    if begin or wanted.numbers:
        first, last = wanted.numbers or ANY_NUMBER
        query = query.where(Delivery.id.between(max(first, begin), last))
    if before:
        query = query.where(Delivery.id > read_cursor(before)).order_by(Delivery.id)
    else:
        query = query.where(Delivery.id < read_cursor(cursor)) if cursor else query
        query = query.order_by(Delivery.id.desc())
    beyond = query.offset(LOOKED_THROUGH).limit(1)
    return {name: session.scalar(beyond.where(condition)) for name, condition in conditions.items()}
