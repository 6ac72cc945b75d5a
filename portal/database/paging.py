"""A list a page at a time: the rows, the cursor after which the next ones come, and how a row's number is read."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, inspect, select
from sqlalchemy.orm import InstrumentedAttribute, Session
from sqlalchemy.sql.base import ExecutableOption

from portal.database.rows import within

DIGITS = 18  # the most that a row's number can have: the databases refuse to compare with what 64 bits do not hold
T = TypeVar("T")


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a list, and the cursor after which the next ones come: None on the last page."""

    items: Sequence[T]
    next_cursor: str | None
    previous_cursor: str | None = None  # the one before which the ones before come: None on the first page
    is_cut: bool = False  # whether the look ended before the list did: there may be others beyond, or none

    @property
    def is_whole(self) -> bool:
        """Whether the list has no other rows than these."""
        return self.next_cursor is None and self.previous_cursor is None


class InvalidCursor(ValueError):
    """The place to go on from is not one that a page of this list gave."""


def read_page(
    session: Session,
    query: Select[T],
    number: InstrumentedAttribute[int],
    *,
    limit: int,
    cursor: str | None = None,
    before: str | None = None,
    end: int | None = None,
    beside: Sequence[ExecutableOption] = (),
) -> Page[T]:
    """The newest rows of a query, those after `cursor`, or just before `before`. Raises InvalidCursor.

    What the options `beside` join to a row is read for the page's rows alone.
    With an `end` only the rows before that number are looked at: the page may have few or none, and tells where to go
    on. 0 ends the last of such looks.
    """
    if before:
        query, order = query.where(number > read_cursor(before)), number.asc()
        query = query.where(number < end) if end else query
    else:
        query, order = query.where(number < read_cursor(cursor)) if cursor else query, number.desc()
        query = query.where(number > end) if end else query
    query = query.order_by(order).limit(limit + 1)
    if beside:
        found = within(inspect(number.class_).c.id, query.with_only_columns(number))
        query = select(number.class_).where(found).options(*beside).order_by(order)
    rows = session.scalars(query).all()
    page = cut_page(rows, limit=limit, cursor=cursor, before=before)
    return page if end is None or len(rows) > limit else _led_on(page, cursor, before, end)


def _led_on(page: Page[T], cursor: str | None, before: str | None, end: int) -> Page[T]:
    """A page where the look ended, which may be empty, with the ways that lead on from it and back."""
    beyond = str(end - 1 if before else end + 1) if end else None
    if before:
        older = page.next_cursor or str(read_cursor(before) + 1)
        return Page(page.items, next_cursor=older, previous_cursor=beyond, is_cut=bool(end))
    back = page.previous_cursor or (str(read_cursor(cursor) - 1) if cursor else None)
    return Page(page.items, next_cursor=beyond, previous_cursor=back, is_cut=bool(end))


def cut_page(rows: Sequence[T], *, limit: int, cursor: str | None = None, before: str | None = None) -> Page[T]:
    """Returns the first `limit` of these rows as a page. One row more was read: it tells that there are others.

    They were read after `cursor`; or back from `before`, the nearest first.
    """
    shown: Sequence[Any] = rows[:limit][::-1] if before else rows[:limit]
    has_more = len(rows) > limit
    has_next, has_previous = (bool(shown), has_more) if before else (has_more, bool(shown and cursor))
    return Page(shown, str(shown[-1].id) if has_next else None, str(shown[0].id) if has_previous else None)


def count_rows(session: Session, query: Select[Any], *, most: int | None = None) -> int:
    """How many rows a query has, counted up to `most`."""
    return session.scalar(select(func.count()).select_from(query.limit(most).subquery())) or 0


def read_cursor(cursor: str) -> int:
    """Returns the number of the row that a page ended with. Raises InvalidCursor."""
    try:
        return row_number(cursor)
    except ValueError as error:
        raise InvalidCursor(cursor[:40]) from error


def row_number(text: str) -> int:
    """Reads a row's number from an address, a form or an option. Raises ValueError for one that no row can have."""
    if not re.fullmatch(f"[0-9]{{1,{DIGITS}}}", text):
        raise ValueError(f"{text[:40]!r} is no row's number")
    return int(text)
