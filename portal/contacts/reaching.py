"""Who reached a level, and whether the CRM knows. A contact counts once for each level that it was set to within a span
of time, and is in the CRM when what told of the last such classification was delivered, or anything later of it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Subquery, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal.models import LEVELS, Classification, Contact, Delivery
from portal.rules.verdict import DOUBTS

ARRIVALS = ("in_crm", "with_warning", "missing")
"""Of what told of a level: the CRM has it, has it with an open warning that speaks of an error, or does not have it."""


@dataclass(frozen=True)
class Reached:
    """Contacts of a company that reached a level since then and before `until`; None: whatever the CRM knows."""

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
    within = (Classification.created_at >= since, Classification.created_at < until)
    return (Classification.company_id == company_id, *within, Classification.new_level.is_not(None))


def reached_between(company_id: int, since: datetime, until: datetime) -> Subquery:
    """Each contact and level that it was set to in that time, and when that was last: `contact_id`, `level`, `at`."""
    facts = (Classification.contact_id, Classification.new_level.label("level"))
    return (
        select(*facts, func.max(Classification.created_at).label("at"))
        .where(*are_levels_between(company_id, since, until))
        .group_by(Classification.contact_id, Classification.new_level)
        .subquery("reached")
    )


def reached_in_parts(company_id: int, since: datetime, ends: Sequence[datetime]) -> Subquery:
    """The same for each part of a time that begins then and is cut at these ends: with `part`, and with `is_last`,
    which holds of the last part in which a contact was set to the level.
    """
    part = case(*((Classification.created_at < end, place) for place, end in enumerate(ends)))
    facts = (Classification.contact_id, Classification.new_level.label("level"), Classification.created_at.label("at"))
    levels = select(*facts, part.label("part")).where(*are_levels_between(company_id, since, ends[-1]))
    found = levels.subquery("found")
    keys = (found.c.contact_id, found.c.level, found.c.part)
    last = func.max(found.c.at)
    is_last = last == func.max(last).over(partition_by=keys[:2])
    return select(*keys, last.label("at"), is_last.label("is_last")).group_by(*keys).subquery("parts")


def arrival_of(contact: Any, at: ColumnElement[datetime]) -> ColumnElement[int]:
    """Which of `ARRIVALS` holds for what told of a contact's level of that moment, by its place there."""
    # What the CRM took last is mostly the newest there is; who was sent an old one again is looked up.
    # Of a contact that was merged into this one, only what told of that very classification counts.
    tells = or_(Delivery.created_at == at, and_(Delivery.former_contact_id.is_(None), Delivery.created_at > at))
    another = exists().where(Delivery.contact_id == contact.id, Delivery.delivered_at.is_not(None), tells)
    in_crm, with_warning, missing = range(len(ARRIVALS))
    known = case((contact.delivered_warning.in_(DOUBTS), with_warning), else_=in_crm)
    # One after the other: SQLite evaluates both sides of an OR whose value it needs.
    return case((contact.delivered_frozen_at >= at, known), (another, known), else_=missing)


def has_reached(wanted: Reached) -> ColumnElement[bool]:
    """The condition that a contact did."""
    found, contact = reached_between(wanted.company_id, wanted.since, wanted.until), aliased(Contact)
    query = select(found.c.contact_id).where(found.c.level == wanted.level)
    if wanted.arrival is not None:
        query = query.join(contact, contact.id == found.c.contact_id)
        query = query.where(arrival_of(contact, found.c.at) == ARRIVALS.index(wanted.arrival))
    return Contact.id.in_(query)
