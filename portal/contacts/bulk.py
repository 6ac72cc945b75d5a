"""Classifying many contacts: those that somebody ticked at once, and all that match a filter as a task."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func
from sqlalchemy.orm import Session

from portal import clock
from portal.contacts.checking import ContactItem
from portal.contacts.listing import ContactFilter, select_matching
from portal.contacts.saving import BatchItem, save_batch
from portal.models import Company, Contact, Task, User
from portal.tasks import store
from portal.tasks.store import Chunk, Done, TaskClaim

KIND = "classify"
CHUNK = 200


@dataclass(frozen=True)
class Matching:
    """How many contacts match, by their level now, and the newest of them: what comes later was not counted here."""

    by_level: dict[int | None, int]
    newest_id: int

    @property
    def count(self) -> int:
        return sum(self.by_level.values())


def look(session: Session, company_id: int, wanted: ContactFilter) -> Matching:
    """What matches, counted, the highest level first. It reads every contact that does."""
    facts = (Contact.interest_level, func.count(), func.max(Contact.id))
    rows = session.execute(
        select_matching(company_id, wanted).with_only_columns(*facts).group_by(Contact.interest_level)
    ).all()
    counts = sorted(((level, count) for level, count, _ in rows), key=lambda each: -(each[0] or 0))
    return Matching(dict(counts), max((newest for _, _, newest in rows), default=0))


def choose(session: Session, company_id: int, wanted: ContactFilter, *, newest_id: int) -> Sequence[int]:
    """The contacts that match and were there to be counted, by name: the order in which the CRM is told."""
    query = select_matching(company_id, wanted).with_only_columns(Contact.id).where(Contact.id <= newest_id)
    return session.scalars(query.order_by(Contact.search_name, Contact.id)).all()


def classify_many(
    session: Session, company_id: int, contact_ids: Sequence[int], level: int | None, *, actor: User
) -> Counter[str]:
    """Set the level of these contacts of the company, by the rule that holds for one. The caller commits.

    Returns how many were `classified`, had the level already (`unchanged`), and for how many a webhook was `sent`.
    """
    items = [BatchItem(ContactItem(each, {}, None, None, {}, None), level) for each in contact_ids]
    company = session.get_one(Company, company_id)
    counts: Counter[str] = Counter()
    for result in save_batch(session, company, items, default_owner=actor, actor=actor.email):
        if result.error is None:  # otherwise it was erased, or is another company's
            counts.update(
                classified=int(result.classified), unchanged=int(not result.classified), sent=int(result.sent)
            )
    return +counts


def prepare(session: Session, company_id: int, contact_ids: Sequence[int], level: int | None, *, actor: User) -> Task:
    """A task that classifies these contacts. The caller commits."""
    return store.queue(
        session,
        company_id,
        kind=KIND,
        actor=actor.email,
        arguments={"level": level, "user_id": actor.id},
        numbers=contact_ids,
        total=len(contact_ids),
        now=clock.utcnow(),
    )


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """The chunks of a classification that a worker holds, from its position on. Raises TaskError."""
    contact_ids = store.read_numbers(engine, claim.task_id)
    for start in range(claim.position, len(contact_ids), CHUNK):
        yield _Contacts(claim, contact_ids[start : start + CHUNK], start)


@dataclass(frozen=True, slots=True)
class _Contacts:
    """Some contacts to classify."""

    claim: TaskClaim
    contact_ids: Sequence[int]
    start: int

    def __call__(self, session: Session) -> Done:
        asked = self.claim.arguments
        actor = session.get_one(User, asked["user_id"])
        counts = classify_many(session, self.claim.company_id, self.contact_ids, asked["level"], actor=actor)
        return Done(position=self.start + len(self.contact_ids), counts=counts)
