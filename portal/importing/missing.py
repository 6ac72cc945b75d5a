"""Who was in the file the last time and is not any more, such as removed connections. They are named, never deleted."""

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import attrgetter, itemgetter

from sqlalchemy import Engine, Table, delete, exists, func, not_, select
from sqlalchemy.orm import Session

from portal.contacts.body import MATCH_FIELDS
from portal.contacts.items import ContactItem
from portal.contacts.statements import contact_table
from portal.importing.order import KIND, Order
from portal.models import Task
from portal.tasks import slices
from portal.tasks.store import Done
from portal.working_models import ImportedContact, TaskBlock

MISSING = "missing"  # the list, as a task keeps it and counts it
link: Table = ImportedContact.__table__  # type: ignore[assignment]
# What two files have in common that are the same list of different days.
SAME = attrgetter("layout.kind", "layout.header", "campaign")
LOOKED_AT = 50  # imports among which the same file of an earlier day is looked for


@dataclass(frozen=True, slots=True)
class Comparison:
    """The end of an import: what it named against what the same file named before."""

    order: Order
    company_id: int
    task_id: int
    items: Sequence[ContactItem] = ()  # it saves none

    def __call__(self, session: Session) -> Done:
        earlier_id = find_earlier(session, self.company_id, self.order, but=self.task_id)
        is_done = session.scalar(
            select(TaskBlock.number).where(TaskBlock.task_id == self.task_id, TaskBlock.part == MISSING)
        )
        missing = () if earlier_id is None or is_done is not None else _difference(session, earlier_id, self.task_id)
        kept = {MISSING: slices.pack_numbers(missing)} if missing else {}
        return Done(moved=0, counts=Counter({MISSING: len(missing)}), kept=kept)


def find_earlier(session: Session, company_id: int, order: Order, *, but: int) -> int | None:
    """The company's newest other import of a file of the same kind and header, into the same campaign."""
    done = select(Task).where(Task.company_id == company_id, Task.kind == KIND, Task.status == "done", Task.id != but)
    for row in session.scalars(done.order_by(Task.id.desc()).limit(LOOKED_AT)):
        if SAME(Order.from_json(row.arguments)) == SAME(order):
            return row.id
    return None


def read_missing(engine: Engine, task_id: int) -> Iterator[int]:
    """The contacts that are not in the file any more."""
    return slices.read_numbers(engine, task_id, MISSING)


def forget(session: Session, company_id: int, *, before: datetime, limit: int) -> int:
    """Forget which contacts the imports named that ended before a moment, some of them. Returns how many. No commit."""
    old = select(Task.id).where(Task.company_id == company_id, Task.kind == KIND, Task.finished_at < before)
    found = session.execute(select(link.c.task_id, link.c.contact_id).where(link.c.task_id.in_(old)).limit(limit)).all()
    for task_id, rows in groupby(sorted(found), key=itemgetter(0)):
        ids = [contact_id for _, contact_id in rows]
        session.execute(delete(link).where(link.c.task_id == task_id, link.c.contact_id.in_(ids)))
    return len(found)


def _difference(session: Session, earlier_id: int, task_id: int) -> Sequence[int]:
    """The contacts of the earlier import that this one does not name; none when most are: it is another list then.

    Who has a LinkedIn id or an e-mail of somebody whom it names is in the file, though in another campaign.
    """
    named = select(link.c.contact_id).where(link.c.task_id == task_id)
    earlier = select(link.c.contact_id).where(link.c.task_id == earlier_id).order_by(link.c.contact_id)
    contact, other, here = contact_table.alias(), contact_table.alias(), link.alias()
    of_another = [
        exists().where(here.c.task_id == task_id, here.c.contact_id == other.c.id, other.c[name] == contact.c[name])
        for name in MATCH_FIELDS
    ]
    gone = earlier.outerjoin(contact, contact.c.id == link.c.contact_id).where(link.c.contact_id.not_in(named))
    missing = array("q", session.scalars(gone.where(*map(not_, of_another))))
    count = session.scalar(select(func.count()).where(link.c.task_id == earlier_id)) or 0
    return missing if len(missing) * 2 <= count else ()
