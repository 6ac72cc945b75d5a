"""Merging two contacts that are one person. A person asks for it; no webhook fires, and nothing that waits is changed.

The one that stays keeps its number, its level and all that it says; what it leaves blank it takes from the other, with
the messages, the history and the deliveries. Those keep their bytes, and with them the other's number: the CRM may know
both.

Two contacts of one campaign look alike, and are perhaps one person, by the same LinkedIn id, by the same e-mail, or by
the same name and company where one of them has no LinkedIn id.
"""

from collections.abc import Sequence
from typing import Any

from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.orm import Session, joinedload

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.company.refusals import Refusal
from portal.contacts.body import values_of
from portal.contacts.classifying import ContactGone
from portal.contacts.items import DATE_FIELDS, TEXT_FIELDS, ContactItem
from portal.contacts.matching import former_keys, kept_value
from portal.contacts.reaching import note_repeats
from portal.contacts.saving import save_batch
from portal.contacts.threads import Thread, join_threads
from portal.models import PLACE, Classification, Contact
from portal.rules.payload import MESSAGE
from portal.working_models import CrmRecord, FormerKey, ImportedContact

MOST_LIKE_ONE = 5
MOST_GROUPS = 50
MOST_OF_A_GROUP = 10
# What the contact that stays takes from the other where it has nothing.
FILLED = (*TEXT_FIELDS, *DATE_FIELDS, "skills", "experiences")
# What is kept of the other besides: who it was to the CRM, so that a search for the person finds it. With the
# number, the time that it was made tells it apart for good (`privacy.marks`).
REMEMBERED = ("id", "name", "email", "linkedin_public_id", "phone", "current_company")
_company = func.coalesce(Contact.current_company, "")


class SameContact(Refusal):
    """A contact cannot be merged with itself."""

    code = "same_contact"
    words = _l("São o mesmo contato: escolha outro para unir.")


def merge(session: Session, actor: Actor, contact_id: int, other_id: int) -> int:
    """Make one contact of two of the company's: `other_id` is gone after it. The caller commits.

    Returns how many of the oldest messages found no room in the thread of both. Raises SameContact, and ContactGone
    when one of the two is not there.
    """
    if contact_id == other_id:
        raise SameContact
    outbox.hold_company(session, actor.company_id)
    # Contacts are held before their deliveries, in one order.
    ids = (contact_id, other_id)
    both = select(Contact).where(Contact.company_id == actor.company_id, Contact.id.in_(ids)).order_by(Contact.id)
    held = session.scalars(both.with_for_update().execution_options(populate_existing=True)).all()
    found = {contact.id: contact for contact in held}
    if len(found) < 2:
        raise ContactGone(*(each for each in ids if each not in found))
    kept, other = found[contact_id], found[other_id]
    messages, lost = join(kept, other)
    save_batch(session, actor, [ContactItem(contact_id, facts=blanks_of(kept, other), messages=messages)])
    moved = outbox.move_deliveries(session, other_id, contact_id)
    kept.updated_at = clock.utcnow()  # whoever takes back the import that made it leaves it alone
    told = {"is_told": moved > 0, "created_at": other.created_at.isoformat()}
    memories = [*(other.merged or []), values_of(other, REMEMBERED) | told]
    if other.campaign_id != kept.campaign_id:  # there a name and a company are somebody else's
        memories = [{name: said for name, said in each.items() if name != "current_company"} for each in memories]
    kept.merged = [*(kept.merged or []), *memories]
    _keep_keys(session, kept)
    _move_beside(session, other_id, contact_id)
    _move_history(session, other_id, kept)
    audit.record(session, actor, "contact.merged", subject=f"{other_id} -> {contact_id}")
    session.flush()
    session.execute(delete(Contact).where(Contact.id == other_id))
    session.expire(kept)
    return lost


def _keep_keys(session: Session, kept: Contact) -> None:
    """Let the contact be found by what the people merged into it were matched by. The other's own keys go with it."""
    session.execute(delete(FormerKey).where(FormerKey.contact_id == kept.id))
    keys = {(field, kept_value(value)) for field, value in former_keys(kept.merged)}
    session.add_all(FormerKey(contact_id=kept.id, field=field, value=value) for field, value in sorted(keys))


def _move_history(session: Session, other_id: int, kept: Contact) -> None:
    """Give the other's classifications to the contact that stays: what the CRM is told of that one counts for both."""
    place = {column: getattr(kept, its) for column, its in PLACE.items()}
    history = update(Classification).where(Classification.contact_id == other_id).values(place)
    session.execute(history.execution_options(synchronize_session=False))
    for note in (note_repeats, outbox.note_arrivals):
        note(session.connection(), (kept.id,))


def _move_beside(session: Session, other_id: int, contact_id: int) -> None:
    """Give the contact that stays the other's place in files and in the CRM, where it has none of its own."""
    named = select(ImportedContact.task_id).where(ImportedContact.contact_id == contact_id)
    known = select(CrmRecord.contact_id).where(CrmRecord.contact_id == contact_id)
    for table, is_free in ((ImportedContact, ImportedContact.task_id.not_in(named)), (CrmRecord, ~known.exists())):
        moved = update(table).where(table.contact_id == other_id, is_free).values(contact_id=contact_id)
        session.execute(moved.execution_options(synchronize_session=False))


def blanks_of(kept: Contact, other: Contact) -> dict[str, Any]:
    """The other's facts where the contact that stays has none."""
    return {name: said for name, said in values_of(other, FILLED).items() if said and not getattr(kept, name)}


def join(kept: Contact, other: Contact) -> tuple[Thread | None, int]:
    """The thread of both, if it is another than the one that stays has, and how many messages find no room in it."""
    threads = ([values_of(message, MESSAGE) for message in contact.messages] for contact in (kept, other))
    return join_threads(*threads)


def find_doubles_of(session: Session, contact: Contact) -> Sequence[Contact]:
    """The other contacts that look like this one, at most `MOST_LIKE_ONE`."""
    has_name = and_(
        Contact.company_id == contact.company_id,  # a part of the index of names
        Contact.search_name == contact.search_name,
        _company == (contact.current_company or ""),
    )
    alike = [and_(has_name, Contact.linkedin_public_id.is_(None)) if contact.linkedin_public_id else has_name]
    for name in ("linkedin_public_id", "email"):
        if (value := getattr(contact, name)) is not None:
            alike.append(getattr(Contact, name) == value)
    # Each by its own index, which begins with the campaign: SQLite would read all of a company that is named for all.
    in_campaign = [and_(Contact.campaign_id == contact.campaign_id, each) for each in alike]
    query = select(Contact).where(or_(*in_campaign), Contact.id != contact.id)
    return session.scalars(query.order_by(Contact.id).limit(MOST_LIKE_ONE)).all()


def find_doubles(session: Session, company_id: int) -> list[Sequence[Contact]]:
    """The company's contacts that look alike, in at most `MOST_GROUPS` groups, each by its oldest. Reads them all."""
    groups: dict[frozenset[int], Sequence[Contact]] = {}
    shared: Sequence[tuple[Any, Any]] = (
        ((Contact.linkedin_public_id,), Contact.linkedin_public_id.is_not(None)),
        ((Contact.email,), Contact.email.is_not(None)),
        ((Contact.search_name, _company), None),
    )
    for keys, known in shared:
        for values in session.execute(_shared(company_id, keys, known)):
            same = and_(*(key == value for key, value in zip((Contact.campaign_id, *keys), values, strict=True)))
            query = select(Contact).where(Contact.company_id == company_id, same).order_by(Contact.id)
            found = session.scalars(query.limit(MOST_OF_A_GROUP).options(joinedload(Contact.campaign))).all()
            groups.setdefault(frozenset(each.id for each in found), found)
    return sorted(groups.values(), key=lambda group: group[0].search_name)[:MOST_GROUPS]


def _shared(company_id: int, keys: Sequence[ColumnElement[Any]], known: ColumnElement[bool] | None) -> Select[Any]:
    """What several contacts of one campaign have in common; of a name only where one of them has no LinkedIn id."""
    query = select(Contact.campaign_id, *keys).where(Contact.company_id == company_id)
    query = query.group_by(Contact.campaign_id, *keys).having(func.count() > 1).limit(MOST_GROUPS)
    if known is not None:
        return query.where(known)
    return query.having(func.count(Contact.linkedin_public_id) < func.count())
