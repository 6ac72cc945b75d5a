"""What the address of a page asks for, the parts that narrow a list; and the moments that its forms send back."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from flask import abort, make_response, request, url_for

from portal import clock
from portal.database.filters import Filter
from portal.database.paging import Page, row_number
from portal.i18n import reader_zone
from portal.web.redirects import see_other

Row = TypeVar("Row")
F = TypeVar("F", bound=Filter)
# Beyond these days the calendar ends, in some time zone or within the days of a chart.
FIRST_DAY, LAST_DAY = date(2, 1, 1), date(9998, 12, 31)


def asked(names: Iterable[str]) -> dict[str, Any]:
    """The parts of these names that say something, for addresses that keep them."""
    return {name: request.args[name] for name in names if request.args.get(name)}


def or_say(wanted: F, view_name: str, kept: Mapping[str, Any]) -> F:
    """Returns the filter, for a file or an act. One that asks for what does not exist leads to its list, which says so.

    `kept` is the filter as the address of that list has it.
    """
    if wanted.unknown:
        abort(make_response(see_other(url_for(view_name, **kept))))
    return wanted


def read_page(read: Callable[..., Page[Row]]) -> Page[Row]:
    """The page of a list that the address asks for. When nothing is left there, the first page.

    Where the list is looked through in parts, the one that is asked for may be empty.
    """
    places = {name: request.args.get(name) for name in ("cursor", "before")}
    page = read(**places)
    if page.items or page.is_cut or not any(places.values()):
        return page
    first = read()
    return page if page.previous_cursor and not first.is_whole else first


def asked_numbers(*names: str) -> dict[str, int]:
    """Those of these names that are numbers, as the numbers of rows."""
    found = {name: request.args.get(name, type=row_number) for name in names}
    return {name: number for name, number in found.items() if number is not None}


def asked_days() -> dict[str, datetime]:
    """The span from the day `since` to the end of the day `until`, as times in UTC, each where there is such a day."""
    days = {"since": read_day(request.args.get("since")), "until": read_day(request.args.get("until"), days_later=1)}
    return {name: moment for name, moment in days.items() if moment is not None}


def day_named(text: str | None) -> date | None:
    """The day that an address names, as `2026-11-26`; None when that is none."""
    try:
        return datetime.strptime(text or "", "%Y-%m-%d").date()
    except ValueError:
        return None


def read_day(text: str | None, *, days_later: int = 0) -> datetime | None:
    """The beginning of a day where the reader is, as a time in UTC."""
    day = day_named(text)
    if day is None:
        return None
    try:
        day += timedelta(days=days_later)
    except OverflowError:
        return None
    return clock.begin_of(min(max(day, FIRST_DAY), LAST_DAY), reader_zone())


def read_moment(text: str) -> datetime | None:
    """A moment that a page itself wrote into a form, in UTC; None for what is none."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None
