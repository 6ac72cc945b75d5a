"""Taking an import back: the contacts that it created and nobody touched since go, and all others stay."""

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, and_, delete, exists, func, select
from sqlalchemy.orm import Session, aliased

from portal import outbox
from portal.audit import Actor
from portal.models import OPEN_STATUSES, Contact, Delivery, Task
from portal.tasks.slices import cut_numbers, queue_numbers
from portal.tasks.store import Chunk, TaskClaim
from portal.working_models import ImportedContact

KIND = "undo"
CHUNK = 200


@dataclass(frozen=True)
class Returns:
    """What taking an import back would do."""

    contact_ids: Sequence[int]  # those that would go
    touched: int  # those that it created too, and that stay: somebody or another file touched them since
    told: int  # those of whom the CRM was told, or may have been: it is not told that they are gone
    waiting: int  # deliveries that would be cancelled


def look(session: Session, company_id: int, import_id: int) -> Returns:
    """What taking the company's import back would do now."""
    created = select(Contact.id).join(ImportedContact).where(_is_created(company_id, import_id))
    ids = session.scalars(created.where(_is_untouched(import_id)).order_by(Contact.id)).all()
    total = session.scalar(select(func.count()).select_from(created.subquery())) or 0
    going = created.where(_is_untouched(import_id))
    told = select(func.count(Delivery.contact_id.distinct())).where(
        Delivery.contact_id.in_(going), Delivery.attempt_count > 0
    )
    waiting = select(func.count()).where(Delivery.contact_id.in_(going), Delivery.status.in_(OPEN_STATUSES))
    return Returns(ids, total - len(ids), session.scalar(told) or 0, session.scalar(waiting) or 0)


def start(session: Session, actor: Actor, file: Task) -> Task:
    """A task that takes the import back. The caller commits."""
    found, filename = look(session, actor.company_id, file.id), file.arguments["filename"]
    arguments = {"import": file.id, "filename": filename, "touched": found.touched, "told": found.told}
    return queue_numbers(
        session, actor, KIND, found.contact_ids, action="contacts.import_undone", subject=filename, arguments=arguments
    )


def find_undone(session: Session, company_id: int, import_ids: Collection[int]) -> set[int]:
    """Which of these imports of the company were taken back, so that contacts went."""
    number = Task.arguments["import"].as_integer()
    of_company = select(number, Task.counts).where(Task.company_id == company_id, Task.kind == KIND)
    ended = session.execute(of_company.where(Task.status == "done", number.in_(import_ids)))
    return {import_id for import_id, counts in ended if "removed" in counts}


def work(engine: Engine, claim: TaskClaim) -> Iterator[Chunk]:
    """Takes an import back, as a task. Raises TaskError."""
    return cut_numbers(engine, claim, CHUNK, _undo_part)


def _undo_part(session: Session, claim: TaskClaim, contact_ids: Sequence[int]) -> Counter[str]:
    """Remove those that nobody has touched even now; who is not there any more was neither touched nor stays."""
    import_id = claim.arguments["import"]
    meant = and_(Contact.company_id == claim.company_id, Contact.id.in_(contact_ids))
    present = session.scalars(select(Contact.id).where(meant).order_by(Contact.id).with_for_update()).all()
    ids = session.scalars(select(Contact.id).join(ImportedContact).where(meant, _is_untouched(import_id))).all()
    cancelled = outbox.cancel_contacts(session, ids)
    session.execute(delete(Contact).where(Contact.id.in_(ids)).execution_options(synchronize_session=False))
    return Counter(removed=len(ids), touched=len(present) - len(ids), cancelled=cancelled)


def _is_created(company_id: int, import_id: int) -> ColumnElement[bool]:
    link = ImportedContact
    return and_(Contact.company_id == company_id, link.task_id == import_id, link.is_created)


def _is_untouched(import_id: int) -> ColumnElement[bool]:
    """Whether the import was the last to write to a contact that it created, and no other file named it."""
    other = aliased(ImportedContact)
    is_named = exists().where(other.contact_id == Contact.id, other.task_id != import_id)
    link = ImportedContact
    is_last = and_(link.task_id == import_id, link.is_created, link.saved_at == Contact.updated_at)
    return and_(is_last, Contact.merged.is_(None), ~is_named)
