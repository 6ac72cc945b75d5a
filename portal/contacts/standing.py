"""Does the CRM know what we know of a contact? Its level now against the last level that was delivered, and what the
CRM said to that. The one place that says which state a contact is shown in.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, case, exists, func, literal_column, or_, select
from sqlalchemy.orm import Session

from portal.models import OPEN_STATUSES, Contact, Delivery
from portal.rules.verdict import DOUBTS

SYNC_STATES = ("in_sync", "waiting", "out_of_sync", "never_sent")
SHOWN_STATES = ("in_sync", "with_warning", "waiting", "out_of_sync", "never_sent")

is_behind = Contact.interest_level != func.coalesce(Contact.delivered_level, literal_column("0"))
"""A contact has a level that the CRM does not know: as `BEHIND`, whose index holds only these."""
coming_level = (
    select(Delivery.interest_level)
    .where(Delivery.contact_id == Contact.id, Delivery.status.in_(OPEN_STATUSES))
    .order_by(Delivery.id.desc())
    .limit(1)
    .correlate(Contact)
    .scalar_subquery()
)
"""What the CRM will learn last of what waits, since a contact's deliveries go out in order."""
is_coming = coming_level == Contact.interest_level
_was_sent = or_(
    Contact.delivered_level.is_not(None), exists().where(Delivery.contact_id == Contact.id).correlate(Contact)
)
_sync = case(
    (Contact.delivered_level == Contact.interest_level, "in_sync"),
    (is_coming, "waiting"),
    (~_was_sent, "never_sent"),
    (Contact.interest_level.is_(None), "in_sync"),  # a removed level is not told to the CRM (spec, section 2)
    else_="out_of_sync",
)
_is_doubtful = and_(Contact.delivered_warning.in_(DOUBTS), _sync == "in_sync")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a contact stands: one of `SYNC_STATES`, and the warning of the last accepted answer until it is settled."""

    sync: str
    warning: str | None

    @property
    def shown(self) -> str:
        """One of `SHOWN_STATES`: what the CRM took with words of an error is not called in sync."""
        return "with_warning" if self.sync == "in_sync" and self.warning in DOUBTS else self.sync


def standings_of(session: Session, contacts: Sequence[Contact]) -> dict[int, Standing]:
    """Where each of these contacts stands, by its number (spec, section 9)."""
    ids = [contact.id for contact in contacts]
    rows = session.execute(select(Contact.id, _sync, Contact.delivered_warning).where(Contact.id.in_(ids)))
    return {contact_id: Standing(sync, warning) for contact_id, sync, warning in rows}


def is_in_sync_state(state: str) -> ColumnElement[bool]:
    """The condition that a contact is in that one of `SYNC_STATES`."""
    # Whoever waits or is out of sync is behind: the database begins with those few.
    return and_(is_behind, _sync == state) if state in ("waiting", "out_of_sync") else _sync == state


def is_shown_as(state: str) -> ColumnElement[bool]:
    """The condition that a contact is shown in that one of `SHOWN_STATES`: the rule of `Standing.shown` in SQL."""
    if state == "with_warning":
        return _is_doubtful
    if state == "in_sync":
        is_clear = or_(Contact.delivered_warning.is_(None), Contact.delivered_warning.not_in(DOUBTS))
        return and_(_sync == state, is_clear)
    return is_in_sync_state(state)
