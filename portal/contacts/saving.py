"""Saving contacts and their levels. This is the only way: one contact is a batch of one.

What the contacts of a batch may match is read first; the batch is then worked through in memory, in order, so that two
of its items match each other as two batches would; what came of it is written at the end, by a few statements.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import attrgetter
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Table, exists, select
from sqlalchemy.orm import Session

from portal.audit import Actor
from portal.contacts.alike import Alike
from portal.contacts.candidates import load_known
from portal.contacts.checking import check_item, find_problems
from portal.contacts.items import SAME, ContactItem, InvalidContact, RefusedItems
from portal.contacts.planning import Batch
from portal.contacts.records import CompanyRecord, PersonRecord
from portal.contacts.saved import FileRules, Saved
from portal.contacts.writing import write_batch
from portal.database.driver import Statement
from portal.database.gathering import Take
from portal.database.rows import given
from portal.database.tables import Key
from portal.models import Campaign, Company, Contact, Endpoint, User

_company: Table = Company.__table__  # type: ignore[assignment]
_has_address = exists().where(Endpoint.company_id == _company.c.id, Endpoint.url.is_not(None))
_read = select(_company.c.id, _company.c.timezone, _has_address.label("is_configured")).where(
    _company.c.id == given("key", Key)
)
COMPANY = Statement(_read)
HOLD_COMPANY = Statement(_read.with_for_update(key_share=True, of=_company))


def save_items(
    session: Session, actor: Actor, items: Sequence[Mapping[str, Any]], *, default_owner: User | PersonRecord
) -> list[Saved]:
    """Save objects in the body's shape (`check_item`), all or none.

    Raises RefusedItems, with the place of every field that is not accepted; the caller then rolls back.
    """
    company = _read_company(session, actor, is_held=True)
    zone = ZoneInfo(company.timezone)
    checked: dict[int, ContactItem] = {}
    refused: list[InvalidContact] = []
    for place, item in enumerate(items):
        try:
            checked[place] = check_item(item, zone)
        except InvalidContact:
            refused += (problem.at(place) for problem in find_problems(item, zone))
    alike, numbered = Alike(), list(checked.values())
    if len(numbered) > 1:  # one has nobody beside it
        numbered = [alike.number(item, item) for item in numbered]
    results = (
        save_checked(session, actor, company, numbered, default_owner=default_owner, alike=alike) if numbered else []
    )
    refused += [result.error.at(place) for place, result in zip(checked, results, strict=True) if result.error]
    if refused:
        raise RefusedItems(sorted(refused, key=attrgetter("place")))
    return results


def save_each(
    session: Session, actor: Actor, take: Take[Mapping[str, Any]], *, default_owner: PersonRecord
) -> list[Saved | None]:
    """Save the object of each of several calls that came at once, as if one came after the other.

    `take` gives them when nobody else saves. Returns None for one that is not accepted: it leaves the others as they
    are, and `save_items` says why.
    """
    company = _read_company(session, actor, is_held=True)
    zone, items = ZoneInfo(company.timezone), take()
    checked: dict[int, ContactItem] = {}
    for place, item in enumerate(items):
        with suppress(InvalidContact):
            checked[place] = check_item(item, zone)
    saved = save_checked(session, actor, company, list(checked.values()), default_owner=default_owner)
    accepted = {place: each for place, each in zip(checked, saved, strict=True) if each.error is None}
    return [accepted.get(place) for place in range(len(items))]


def save_batch(
    session: Session,
    actor: Actor,
    items: Sequence[ContactItem],
    *,
    default_owner: User | None = None,
    is_sending: bool = True,
    rules: FileRules | None = None,
    alike: Alike | None = None,
) -> list[Saved]:
    """Make or change contacts and classify them; one result an item, in their order. The caller commits.

    An item is matched by `contact.id`, else as `Known.match` says, within the campaign. An item that is refused leaves
    the others as they are. `default_owner` owns a new contact that names no owner. Without `is_sending` levels are
    recorded and the CRM is not told. `rules` are those of a file, when that is where the items come from;
    `alike` is what the list of which they are a part said so far.
    """
    if not items:
        return []
    # Whoever only classifies one contact makes nothing and waits for nobody.
    company = _read_company(session, actor, is_held=len(items) > 1 or not items[0].is_level_only)
    return save_checked(
        session, actor, company, items, default_owner=default_owner, is_sending=is_sending, rules=rules, alike=alike
    )


def save_checked(
    session: Session,
    actor: Actor,
    company: CompanyRecord,
    items: Sequence[ContactItem],
    *,
    default_owner: User | PersonRecord | None,
    is_sending: bool = True,
    rules: FileRules | None = None,
    alike: Alike | None = None,
) -> list[Saved]:
    """`save_batch`, for a company that was read, and is held where a contact may be made."""
    known = load_known(
        session.connection(), company.id, items, default_owner=default_owner, alike=alike, everywhere=rules is not None
    )
    has_levels = any(item.level is not SAME for item in items)
    is_sending = is_sending and has_levels and company.is_configured
    batch = Batch(known, company.id, is_sending=is_sending, rules=rules)
    plans = [batch.plan(item) for item in items]
    write_batch(session, company, known, new=batch.new, changes=batch.changes, actor=actor, now=batch.now)
    for row in list(session):
        if isinstance(row, Contact | Campaign):
            session.expire(row)  # the statements went past it
    return [Saved(error=plan) if isinstance(plan, InvalidContact) else plan.written() for plan in plans]


def _read_company(session: Session, actor: Actor, *, is_held: bool) -> CompanyRecord:
    """The company, held by one batch at a time: two that name the same new contact would both make it."""
    session.flush()  # what the caller changed is read too
    (row,) = (HOLD_COMPANY if is_held else COMPANY).all(session.connection(), key=actor.company_id)
    return CompanyRecord(*row)
