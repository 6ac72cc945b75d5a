"""Sending the current data of all contacts that a filter matches, as a task: counted before it is done.

What an edit leaves behind in the CRM goes out only when somebody asks for it (spec, section 9).
"""

from dataclasses import dataclass
from functools import partial

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.company.endpoint import lock_configured
from portal.contacts import syncing
from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.standing import has_old_data
from portal.contacts.syncing import lacks_something
from portal.database.db import reading_apart
from portal.models import Contact, Task
from portal.tasks.slices import cut_numbers

KIND = "send_current"

_becomes = case(
    (lacks_something, "sent"),
    (and_(Contact.interest_level.is_(None), has_old_data), "without_level"),
    else_="needless",
)


@dataclass(frozen=True)
class Matching:
    """What matches a filter: how many would be sent, by level, the highest first, and what stays out.

    `newest_id` is the newest contact of all: what comes later was not counted.
    """

    by_level: dict[int, int]
    without_level: int  # the CRM keeps the old data of those without a level: they are not sent
    needless: int  # the CRM has all of them, or they are on their way
    newest_id: int

    @property
    def count(self) -> int:
        """How many would be sent."""
        return sum(self.by_level.values())

    @property
    def total(self) -> int:
        return self.count + self.without_level + self.needless


def look(session: Session, company_id: int, wanted: ContactFilter) -> Matching:
    """What matches, counted. It reads every contact that does."""
    facts = (_becomes.label("becomes"), Contact.interest_level.label("level"), Contact.id.label("id"))
    found = select_contacts(company_id, wanted).with_only_columns(*facts).subquery()
    counted = select(found.c.becomes, found.c.level, func.count().label("number"), func.max(found.c.id).label("newest"))
    rows = session.execute(counted.group_by(found.c.becomes, found.c.level)).all()
    without_level, needless = (
        sum(row.number for row in rows if row.becomes == name) for name in ("without_level", "needless")
    )
    by_level = {row.level: row.number for row in rows if row.becomes == "sent"}
    newest_id = max((row.newest for row in rows), default=0)
    return Matching(dict(sorted(by_level.items(), reverse=True)), without_level, needless, newest_id)


def start(session: Session, actor: Actor, wanted: ContactFilter, *, newest_id: int | None = None) -> Task:
    """A task that sends what matches, and was there to be counted, the highest level first. Raises NoAddress.

    It ends the caller's transaction; the caller commits the task.
    """
    chosen = select_contacts(actor.company_id, wanted).with_only_columns(Contact.id).where(lacks_something)
    if newest_id is not None:
        chosen = chosen.where(Contact.id <= newest_id)
    with reading_apart(session):
        contact_ids = session.scalars(chosen.order_by(Contact.interest_level.desc(), Contact.id)).all()
    lock_configured(session, actor.company_id)
    return syncing.prepare(session, actor, contact_ids, KIND)


work = partial(cut_numbers, size=syncing.BATCH_SIZE, part=partial(syncing.send_part, lacks_something))
