"""Does the CRM know what we know of a contact? Its level now against the last level that was delivered, and what the
CRM said to that. The one place that says which state a contact is shown in.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
    true,
)
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES, Contact, Delivery
from portal.rules.verdict import DOUBTS

SYNC_STATES = ("in_sync", "waiting", "out_of_sync", "never_sent")
SHOWN_STATES = ("in_sync", "data_changed", "with_warning", "level_removed", "waiting", "out_of_sync", "never_sent")

# A contact has a level that the CRM does not know: as `BEHIND`, whose index holds only these. By the second condition,
# which every level meets, SQLite takes that index for better than one of all contacts.
is_behind = and_(
    Contact.interest_level != func.coalesce(Contact.delivered_level, literal_column("0")),
    Contact.interest_level > literal_column("0"),
)
# What the CRM said to the last that it took. What only a former CRM was told of has no open warning.
open_warning = case((Contact.delivered_level.is_not(None), Contact.delivered_warning))
# What is on its way to tell of this contact, not of one that was merged into it.
_own_open = and_(
    Delivery.contact_id == Contact.id,
    Delivery.former_contact_id.is_(None),
    Delivery.status.in_([literal_column(f"'{status}'") for status in OPEN_STATUSES]),  # as the index of these says it
)
# The level that the CRM has once all that waits has arrived: a contact's deliveries go out in order.
coming_level = (
    select(Delivery.interest_level)
    .where(_own_open)
    .order_by(Delivery.id.desc())
    .limit(1)
    .correlate(Contact)
    .scalar_subquery()
)
# Said in the words of the index that holds only these.
_waited_for = select(Delivery.contact_id).where(text("delivery.status IN ('pending', 'sending')"))
# The CRM has the level of before: as `REMOVED`, whose index holds only these.
_is_removed = and_(Contact.interest_level.is_(None), Contact.delivered_level.is_not(None))
_has_open = exists().where(_own_open).correlate(Contact)
is_coming = coming_level == Contact.interest_level
# The CRM has the old data: as `CHANGED`, whose index holds only these.
has_old_data = Contact.data_changed_at > Contact.delivered_frozen_at
is_data_coming = exists().where(_own_open, Delivery.created_at >= Contact.data_changed_at).correlate(Contact)
_was_sent = or_(
    Contact.delivered_level.is_not(None),
    exists().where(Delivery.contact_id == Contact.id, Delivery.former_contact_id.is_(None)).correlate(Contact),
)
_sync = case(
    (Contact.delivered_level == Contact.interest_level, "in_sync"),
    (is_coming, "waiting"),
    (~_was_sent, "never_sent"),
    (Contact.interest_level.is_(None), "in_sync"),  # a removed level is not told to the CRM (spec, section 2)
    else_="out_of_sync",
)
_is_in_sync = _sync == "in_sync"
_shown = case(
    (and_(_is_in_sync, open_warning.in_(DOUBTS)), "with_warning"),
    (and_(_is_in_sync, has_old_data, is_data_coming), "waiting"),
    (and_(Contact.interest_level.is_(None), _has_open), "waiting"),  # of a level that was removed meanwhile
    (and_(_is_in_sync, has_old_data), "data_changed"),
    (_is_removed, "level_removed"),
    else_=_sync,
)
# What the contacts in some states have, each part of it by an index: a database that joins indexes begins there.
_FEW = {
    "with_warning": Contact.delivered_warning.is_not(None),
    "data_changed": has_old_data,
    "waiting": or_(is_behind, has_old_data, Contact.id.in_(_waited_for)),
    "level_removed": _is_removed,
    "out_of_sync": is_behind,
}


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a contact stands: one of `SYNC_STATES`, with what is to be said beside it."""

    sync: str
    warning: str | None  # of the last accepted answer, until it is settled
    data_changed: bool  # whether the contact changed after the body was made that the CRM took last
    shown: str  # one of `SHOWN_STATES`: only what is in sync and needs no look is called so


def standings_of(session: Session, contacts: Sequence[Contact]) -> dict[int, Standing]:
    """Where each of these contacts stands, by its number (spec, section 9)."""
    ids = [contact.id for contact in contacts]
    facts = (_sync, open_warning, func.coalesce(has_old_data, false()), _shown)
    rows = session.execute(select(Contact.id, *facts).where(Contact.id.in_(ids)))
    return {row[0]: Standing(*row[1:]) for row in rows}


def find_candidates(session: Session, company_id: int, state: str | None, *, most: int) -> set[int] | None:
    """The numbers of all who may be in that state; None when a part has more than `most`, or no index knows them."""
    parts = _parts_of(company_id, state)
    found = [session.scalars(part.limit(most + 1)).all() for part in parts]
    return None if not parts or any(len(part) > most for part in found) else set().union(*found)


def _parts_of(company_id: int, state: str | None) -> list[Select[Any]]:
    """The numbers of all who may be in that state, in parts that have an index each; no parts of other states."""
    if state == "waiting":  # for a delivery that is under way
        return [_waited_for.where(Delivery.company_id == company_id, Delivery.contact_id.is_not(None))]
    of_company = select(Contact.id).where(Contact.company_id == company_id)
    behind = of_company.where(is_behind)
    if state == "never_sent":
        by_name = Contact.search_name, Contact.id  # as the index of those goes: else SQLite takes the one of all
        return [behind, of_company.where(Contact.interest_level.is_(None)).order_by(*by_name)]
    if state == "out_of_sync":
        return [behind]
    return []


def is_in_sync_state(state: str) -> ColumnElement[bool]:
    """The condition that a contact is in that one of `SYNC_STATES`."""
    # Whoever waits or is out of sync is behind: the database begins with those few.
    return and_(is_behind, _sync == state) if state in ("waiting", "out_of_sync") else _sync == state


def is_shown_as(state: str) -> ColumnElement[bool]:
    """The condition that a contact is shown in that one of `SHOWN_STATES`."""
    return and_(_FEW.get(state, true()), _shown == state)


def has_open_warning(asked: str) -> ColumnElement[bool]:
    """The condition that a contact has this warning: the CRM's about the last that it took, and not settled."""
    return and_(Contact.delivered_warning == asked, Contact.delivered_level.is_not(None))


def has_changed_data(asked: str) -> ColumnElement[bool]:
    """The condition that the CRM has a contact's old data, or not: `true` or `false`."""
    return has_old_data if asked == "true" else or_(has_old_data.is_(None), not_(has_old_data))
