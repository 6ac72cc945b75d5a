"""Classifying contacts: one, those that somebody ticked, and all that match a filter as a task.

The levels of a file are set by the batch that saves its contacts, by the same rule: a webhook fires when a level is set
for the first time or changed; not when the same level is saved again, when it is removed, or when the company has no
address configured (spec, section 2).
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from sqlalchemy import func
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.contacts.checking import check_level
from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.items import ContactItem
from portal.contacts.saved import Saved
from portal.contacts.saving import save_batch
from portal.database.db import reading_apart
from portal.models import Contact, Task
from portal.tasks.slices import cut_numbers, queue_numbers
from portal.tasks.store import TaskClaim

KIND = "classify"
CHUNK = 200


class ContactGone(LookupError):
    """The contact was erased meanwhile."""


@dataclass(frozen=True)
class Matching:
    """How many contacts match, by their level now, and the newest of them: what comes later was not counted here."""

    by_level: dict[int | None, int]
    newest_id: int

    @property
    def count(self) -> int:
        return sum(self.by_level.values())


def classify(session: Session, actor: Actor, contact_id: int, level: int | None) -> Saved:
    """Set a contact's interest level. The caller commits. Raises InvalidContact and ContactGone."""
    (result,) = save_batch(session, actor, [ContactItem(contact_id, level=check_level(level))])
    if result.error is not None:
        raise ContactGone(contact_id)
    return result


def classify_many(session: Session, actor: Actor, contact_ids: Sequence[int], level: int | None) -> list[Saved]:
    """Set the level of the company's contacts among these, and return what became of them. The caller commits."""
    items = [ContactItem(contact_id, level=check_level(level)) for contact_id in contact_ids]
    return [result for result in save_batch(session, actor, items) if result.error is None]


def look(session: Session, company_id: int, wanted: ContactFilter) -> Matching:
    """What matches, counted, the highest level first. It reads every contact that does."""
    facts = (Contact.interest_level, func.count(), func.max(Contact.id))
    counted = select_contacts(company_id, wanted).with_only_columns(*facts).group_by(Contact.interest_level)
    rows = sorted(session.execute(counted), key=lambda row: -(row[0] or 0))
    return Matching({level: count for level, count, _ in rows}, max((newest for _, _, newest in rows), default=0))


def choose(session: Session, company_id: int, wanted: ContactFilter, *, newest_id: int | None) -> Sequence[int]:
    """The contacts that match and were there to be counted, by name: the order in which the CRM is told."""
    query = select_contacts(company_id, wanted).with_only_columns(Contact.id)
    if newest_id is not None:
        query = query.where(Contact.id <= newest_id)
    return session.scalars(query.order_by(Contact.search_name, Contact.id)).all()


def start(session: Session, actor: Actor, wanted: ContactFilter, level: int | None, *, newest_id: int) -> Task:
    """A task that classifies what matches and was there to be counted, as `assigning.start`. Raises InvalidContact."""
    with reading_apart(session):
        contact_ids = choose(session, actor.company_id, wanted, newest_id=newest_id)
    return prepare(session, actor, contact_ids, check_level(level))


def prepare(session: Session, actor: Actor, contact_ids: Sequence[int], level: int | None) -> Task:
    """A task that classifies these contacts. The caller commits."""
    return queue_numbers(session, actor, KIND, contact_ids, action="contacts.classified", arguments={"level": level})


def _classify_part(session: Session, claim: TaskClaim, contact_ids: Sequence[int]) -> Counter[str]:
    """How many were `classified`, had the level already (`unchanged`), and for how many a webhook was `sent`."""
    counts: Counter[str] = Counter()
    for result in classify_many(session, claim.actor, contact_ids, claim.arguments["level"]):
        counts += Counter(classified=result.classified, unchanged=not result.classified, sent=result.sent)
    return counts


work = partial(cut_numbers, size=CHUNK, part=_classify_part)
