"""The contact list as people and programs read it, a page at a time, by name. Nothing here changes it."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, literal, select, true, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.standing import find_candidates
from portal.database.paging import InvalidCursor, Page, count_rows, cut_page, read_cursor
from portal.models import Classification, Contact

PAGE_SIZE = 20
COUNT_CAP = 1000  # counting stops beyond: that there are more than so many answers the question
HISTORY_CAP = 100  # changes of a level that are shown, the latest
FEW = 300  # contacts that match: no more are read by their numbers, and others in the order of the list
# What the list goes by, and whether that rises. Contacts that have no such come after all that have one.
SORTS: dict[str, tuple[Any, bool]] = {
    "name": (Contact.search_name, True),
    "newest": (Contact.id, False),
    "classified": (Contact.classified_at, False),
}
HAVE_BLANKS = ("classified",)


def page_contacts(
    session: Session,
    company_id: int,
    wanted: ContactFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
    before: str | None = None,
    sort: str = "name",
    with_messages: bool = False,
    matching: Sequence[int] | None = None,
) -> Page[Contact]:
    """The contacts that match, in the order of one of `SORTS`: the first, those after `cursor` or just before `before`.

    `with_messages` reads the threads of the whole page at once. `matching` is what `find_matching` found, where the
    caller has asked for it. Raises InvalidCursor, also for a contact that is gone.
    """
    after = None
    if place := before or cursor:
        is_there = Contact.company_id == company_id, Contact.id == read_cursor(place)
        after = session.execute(select(SORTS[sort][0], Contact.id).where(*is_there)).first()
        if after is None:
            raise InvalidCursor(place)
    if matching is None and wanted != ContactFilter():
        matching = find_matching(session, company_id, wanted, most=FEW + 1)
    few = matching if matching is not None and len(matching) <= FEW else None
    read = partial(read_contacts, session, company_id, wanted, sort=sort, with_messages=with_messages, few=few)
    rows = read(after=after, limit=limit + 1, is_back=bool(before))
    return cut_page(rows, limit=limit, cursor=cursor, before=before)


def read_contacts(
    session: Session,
    company_id: int,
    wanted: ContactFilter,
    *,
    after: tuple[Any, int] | None,
    limit: int,
    sort: str = "name",
    is_back: bool = False,
    with_messages: bool = False,
    few: Sequence[int] | None = None,
) -> Sequence[Contact]:
    """The first contacts that match after this place (what `sort` goes by, and a number); `is_back`: before it.

    `few` are the numbers of all that match, where they are known.
    """
    matching = select_contacts(company_id, wanted) if few is None else select(Contact).where(Contact.id.in_(few))
    query = matching.options(joinedload(Contact.campaign), joinedload(Contact.owner))
    if with_messages:
        query = query.options(selectinload(Contact.messages))
    key, rises = SORTS[sort]
    order = (key, Contact.id) if rises is not is_back else (key.desc(), Contact.id.desc())
    found: list[Contact] = []
    for part in _parts_beyond(sort, after, is_back=is_back):
        found += session.scalars(query.where(part).order_by(*order).limit(limit - len(found)))
        if len(found) == limit:
            break
    return found


def _parts_beyond(sort: str, after: tuple[Any, int] | None, *, is_back: bool) -> list[ColumnElement[bool]]:
    """What comes after a place, in parts as they come, each of which an index gives.

    Many contacts may be classified at one moment: those of the place's own are a part, and so are those without one.
    """
    key, rises = SORTS[sort]
    is_rising = rises is not is_back
    if sort not in HAVE_BLANKS:
        return [true() if after is None else _is_beyond(after, key, is_rising=is_rising)]
    blank, dated = key.is_(None), key.is_not(None)
    if after is None:
        return [blank, dated] if is_back else [dated, blank]
    value, number = after
    here = and_(key == value, Contact.id > number if is_rising else Contact.id < number)
    if value is None:
        return [here, dated] if is_back else [here]
    beyond = key > value if is_rising else key < value
    return [here, beyond] if is_back else [here, beyond, blank]


def _is_beyond(place: tuple[Any, int], key: Any, *, is_rising: bool) -> ColumnElement[bool]:
    here, there = tuple_(key, Contact.id), tuple_(literal(place[0], key.type), place[1])
    return here > there if is_rising else here < there


def count_contacts(
    session: Session, company_id: int, wanted: ContactFilter, *, after: tuple[str, int] | None = None
) -> int:
    """How many contacts match, of all or after this place by name, up to one more than `COUNT_CAP`."""
    query = _select_numbers(session, company_id, wanted)
    if after is not None:
        query = query.where(_is_beyond(after, Contact.search_name, is_rising=True))
    return count_rows(session, query, most=COUNT_CAP + 1)


def find_matching(
    session: Session, company_id: int, wanted: ContactFilter, *, most: int = COUNT_CAP + 1
) -> Sequence[int]:
    """The numbers of at most so many contacts that match: by default as many as are counted."""
    return session.scalars(_select_numbers(session, company_id, wanted).limit(most)).all()


def _select_numbers(session: Session, company_id: int, wanted: ContactFilter) -> Select[int]:
    among = find_candidates(session, company_id, wanted.state or wanted.sync, most=COUNT_CAP)
    if among is not None:
        query = select_contacts(company_id, wanted, by_company=False).with_only_columns(Contact.id)
        return query.where(Contact.id.in_(among))
    few = wanted.state, wanted.sync, wanted.warning, wanted.data_changed, wanted.reached, wanted.import_id
    named = next((name for name, is_few in _few_by_name(wanted).items() if is_few), None)
    by_company = wanted.campaign_id is None or wanted.owner_id is not None or named is not None or any(few)
    query = select_contacts(company_id, wanted, by_company=by_company, by_index=named).with_only_columns(Contact.id)
    # In the order of such an index: without one SQLite takes that of all contacts.
    return query if named is None else query.order_by(Contact.search_name, Contact.id)


def _few_by_name(wanted: ContactFilter) -> dict[str, bool]:
    """Of which fields an index holds by name the few contacts that match."""
    return {
        "level": wanted.level == "none",
        "replied": wanted.replied == "since",
        "data_changed": wanted.data_changed == "true",
        "state": wanted.state in ("data_changed", "level_removed"),
    }


def hold_contacts(session: Session, company_id: int, ids: Sequence[int]) -> Sequence[int]:
    """Those of these contacts that are the company's, locked: before deliveries, and by everybody in one order."""
    of_company = select(Contact.id).where(Contact.company_id == company_id, Contact.id.in_(ids))
    return session.scalars(of_company.order_by(Contact.id).with_for_update()).all()


def contacts_of(session: Session, company_id: int, ids: Sequence[int]) -> Sequence[Contact]:
    """Those of these contacts that are the company's, by name."""
    if not ids:
        return []  # to find nothing, a database would read all
    found = select(Contact).where(Contact.company_id == company_id, Contact.id.in_(ids))
    return session.scalars(found.order_by(Contact.search_name, Contact.id)).all()


def has_contacts(session: Session, company_id: int) -> bool:
    """Whether the company has any contact."""
    return bool(session.scalar(select(exists().where(Contact.company_id == company_id))))


def history_of(session: Session, contact: Contact) -> Sequence[Classification]:
    """The changes of a contact's interest level, newest first: at most one more than `HISTORY_CAP`."""
    changes = select(Classification).where(Classification.contact_id == contact.id)
    return session.scalars(changes.order_by(Classification.id.desc()).limit(HISTORY_CAP + 1)).all()


def get_contact(session: Session, company_id: int, contact_id: int) -> Contact | None:
    return session.scalars(
        select(Contact)
        .where(Contact.company_id == company_id, Contact.id == contact_id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
    ).one_or_none()
