"""How far a page looks through a long log, where no index finds just what matches."""

from dataclasses import replace

from sqlalchemy import ColumnElement, Select, select, true
from sqlalchemy.orm import Session

from portal.database import filters
from portal.database.paging import DIGITS, read_cursor
from portal.deliveries.filtering import (
    ID_PREFIX,
    SPANNED_LONG_AGO,
    WHOLE_ID,
    DeliveryFilter,
    narrow_down,
    numbers_within,
    select_deliveries,
)
from portal.models import Delivery
from portal.rules.verdict import DELIVERED_REASONS

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
    by_index = {name: condition for name, condition in asked.items() if _is_indexed(wanted, name)}
    is_searched = bool(wanted.search) and wanted.contact_ids is None
    if _is_of_few(wanted) or len(asked) + is_searched <= len(by_index) < 2:
        return select_deliveries(session, company_id, wanted), None
    if wanted.numbers is None:  # beyond what was made in the filter's time there is nothing to look at
        numbers = numbers_within(session, company_id, wanted, most=SPANNED_LONG_AGO)
        wanted = replace(wanted, numbers=numbers)
    ends = {
        name: _end_of_look(session, company_id, wanted, condition, cursor=cursor, before=before)
        for name, condition in (by_index or {"": true()}).items()
    }
    whole = [name for name, end in ends.items() if end is None]
    name = whole[0] if whole else (max if before else min)(ends, key=lambda name: ends[name] or 0)
    bounded = _within(wanted, ends[name], cursor=cursor, before=before)
    return select_deliveries(session, company_id, bounded, by_index=name or None), ends[name] or 0


def _within(wanted: DeliveryFilter, end: int | None, *, cursor: str | None, before: str | None) -> DeliveryFilter:
    """The same, between the numbers that are looked at. Of two bounds on one side SQLite goes by the first."""
    if end is None:
        return wanted
    first, last = wanted.numbers or (0, 10**DIGITS)
    if before:
        return replace(wanted, numbers=(max(first, read_cursor(before) + 1), min(last, end - 1)))
    return replace(wanted, numbers=(max(first, end + 1), min(last, read_cursor(cursor) - 1) if cursor else last))


def _is_of_few(wanted: DeliveryFilter) -> bool:
    """Whether the filter names the few deliveries that can match, each of which is found by an index, or none."""
    is_id = wanted.search.startswith(ID_PREFIX) or WHOLE_ID.fullmatch(wanted.search)
    named = wanted.contact_id, wanted.outage_id, wanted.outstanding, wanted.unknown
    return any(named) or wanted.contact_ids is not None or bool(is_id)


def _is_indexed(wanted: DeliveryFilter, name: str) -> bool:
    """Whether an index of the company's deliveries has those that match this field alone, by number."""
    if name == "reason":
        return wanted.reason not in DELIVERED_REASONS
    return name in ("status", "campaign_id", "owner_id", "warning") or (
        name == "trigger" and wanted.trigger != "classification"
    )


def _end_of_look(
    session: Session,
    company_id: int,
    wanted: DeliveryFilter,
    condition: ColumnElement[bool],
    *,
    cursor: str | None,
    before: str | None,
) -> int | None:
    """The number of the first delivery beyond `LOOKED_THROUGH` of those that meet the condition."""
    query = select(Delivery.id).where(Delivery.company_id == company_id, condition)
    if wanted.numbers:
        query = query.where(Delivery.id.between(*wanted.numbers))
    if wanted.after_id is not None:
        query = query.where(Delivery.id > wanted.after_id)
    if before:
        query = query.where(Delivery.id > read_cursor(before)).order_by(Delivery.id)
    else:
        query = query.where(Delivery.id < read_cursor(cursor)) if cursor else query
        query = query.order_by(Delivery.id.desc())
    return session.scalar(query.offset(LOOKED_THROUGH).limit(1))
