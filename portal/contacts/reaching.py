"""Who reached a level, and whether the CRM knows.

Within a span of time a contact counts once for each level that it was set to. The CRM has it when the delivery of the
last such classification arrived, or a later one of the contact did, or when the level is the one that the CRM has: it
is not told of a removal, so that changes nothing.

A classification notes when its level was set again, and when it arrived: an index of these answers alone.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, Connection, Table, case, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session

from portal.database.driver import Statement
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key, UTCDateTime
from portal.models import LEVELS, Classification, Contact
from portal.rules.verdict import DOUBTS

# The CRM has a level, has it with an open warning that speaks of an error, or does not have it.
ARRIVALS = ("in_crm", "with_warning", "missing")
_set: Table = Classification.__table__  # type: ignore[assignment]
_again = _set.alias("again")
_is_later = tuple_(_again.c.created_at, _again.c.id) > tuple_(_set.c.created_at, _set.c.id)
_repeated_at = (
    select(func.min(_again.c.created_at))
    .where(_again.c.contact_id == _set.c.contact_id, _again.c.new_level == _set.c.new_level, _is_later)
    .scalar_subquery()
)
_is_told = within(_set.c.contact_id, select(rows_of("told", id=Key).c.id))
_note = update(_set).where(_is_told, _set.c.repeated_at.is_distinct_from(_repeated_at)).values(repeated_at=_repeated_at)
NOTE_REPEATS = Statement(_note)
_is_open = or_(_set.c.repeated_at.is_(None), _set.c.repeated_at > given("now", UTCDateTime()))
# All that a classification of now may change of a long history. The time is compared, since clocks are set back.
NOTE_NEW = Statement(_note.where(_set.c.new_level.is_not(None), _is_open))


@dataclass(frozen=True)
class Reached:
    """Contacts of a company that reached a level from `since` on and before `until`, perhaps with one of `ARRIVALS`."""

    company_id: int
    level: int
    since: datetime
    until: datetime
    arrival: str | None = None

    def __str__(self) -> str:
        """As an address has it, and `read_reached` reads it."""
        times = (moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") for moment in (self.since, self.until))
        return ",".join((str(self.level), *times, *([self.arrival] if self.arrival else [])))


def read_reached(_session: Session, company_id: int, asked: str) -> Reached:
    """Reads `3,2026-11-01T03:00:00Z,2026-12-01T03:00:00Z`, perhaps with one of `ARRIVALS`. Raises ValueError."""
    level, since, until, *more = asked.split(",")
    moments = [datetime.fromisoformat(text) for text in (since, until)]
    arrival = more[0] if more else None
    is_known = level in map(str, LEVELS) and arrival in (None, *ARRIVALS) and len(more) < 2
    if not is_known or not all(each.tzinfo and 2 <= each.year <= 9998 for each in moments):
        raise ValueError(asked)
    return Reached(company_id, int(level), moments[0].astimezone(UTC), moments[1].astimezone(UTC), arrival)


def are_levels_between(company_id: int, since: datetime, until: datetime) -> Sequence[ColumnElement[bool]]:
    """The conditions that a classification set a level in that time."""
    within = Classification.created_at >= since, Classification.created_at < until
    return (Classification.company_id == company_id, *within, Classification.new_level.is_not(None))


def are_last_before(until: datetime) -> ColumnElement[bool]:
    """The condition that a contact was not set to that level again until then."""
    return or_(Classification.repeated_at.is_(None), Classification.repeated_at >= until)


def arrival_of(company_id: int) -> ColumnElement[int]:
    """Whether the level of a classification arrived: a place in `ARRIVALS`."""
    doubts = select(Contact.id).where(Contact.company_id == company_id, Contact.delivered_warning.in_(DOUBTS))
    doubtful = select(doubts.cte("doubtful").c.id)
    in_crm, with_warning, missing = range(len(ARRIVALS))
    is_known = exists().where(
        Contact.id == Classification.contact_id, Contact.delivered_level == Classification.new_level
    )
    has_arrived = or_(Classification.arrived_at.is_not(None), is_known)
    return case((~has_arrived, missing), (Classification.contact_id.in_(doubtful), with_warning), else_=in_crm)


def has_reached(wanted: Reached) -> ColumnElement[bool]:
    """The condition that a contact did."""
    set_then = are_levels_between(wanted.company_id, wanted.since, wanted.until)
    is_meant = Classification.new_level == wanted.level, are_last_before(wanted.until)
    query = select(Classification.contact_id).where(*set_then, *is_meant)
    if wanted.arrival is not None:
        query = query.where(arrival_of(wanted.company_id) == ARRIVALS.index(wanted.arrival))
    return Contact.id.in_(query)


def note_repeats(connection: Connection, contact_ids: Collection[int]) -> None:
    """Note in each classification of these contacts when its level was set again."""
    if contact_ids:
        NOTE_REPEATS.run(connection, told=[(number,) for number in sorted(contact_ids)])


def note_new(connection: Connection, contact_ids: Collection[int], *, now: datetime) -> None:
    """The same for contacts that were classified now, when all that came before is noted."""
    if contact_ids:
        NOTE_NEW.run(connection, told=[(number,) for number in sorted(contact_ids)], now=now)
