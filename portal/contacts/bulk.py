"""Classifying many contacts: those that somebody ticked at once, and all that match a filter as a task."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Engine, func
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.contacts.checking import ContactItem
from portal.contacts.listing import ContactFilter, select_matching
from portal.contacts.saving import BatchItem, save_batch
from portal.models import Company, Contact, Task, User
from portal.tasks.slices import cut_numbers, queue_numbers
from portal.tasks.store import Chunk, TaskClaim

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


def prepare(session: Session, contact_ids: Sequence[int], level: int | None, *, actor: User) -> Task:
    """A task that classifies these contacts. The caller commits."""
    asked = {"level": level, "user_id": actor.id}
    return queue_numbers(session, Actor(actor.company_id, actor.email), KIND, contact_ids, arguments=asked)


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """Classifies the chosen contacts, as a task. Raises TaskError."""
    return cut_numbers(engine, claim, CHUNK, _classify_part)


def _classify_part(session: Session, claim: TaskClaim, contact_ids: Sequence[int]) -> Counter[str]:
    actor = session.get_one(User, claim.arguments["user_id"])
    return classify_many(session, claim.company_id, contact_ids, claim.arguments["level"], actor=actor)
