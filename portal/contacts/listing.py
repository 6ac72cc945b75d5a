"""The contact list as people and programs read it, a page at a time, by name. Nothing here changes it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from portal import people
from portal.contacts.syncing import is_in_state
from portal.database.paging import row_number
from portal.models import Campaign, Classification, Contact, User
from portal.rules.folding import fold

PAGE_SIZE = 20


@dataclass(frozen=True, kw_only=True)
class ContactFilter:
    """What a contact has to match; what is None or empty does not count. `level` is 1, 2, 3 or "none".

    `sync` is one of `SYNC_STATES`.
    """

    search: str = ""
    campaign_id: int | None = None
    owner_id: int | None = None
    level: int | str | None = None
    sync: str | None = None


@dataclass(frozen=True)
class ContactPage:
    """Some contacts, and where the next ones begin: None after the last."""

    items: Sequence[Contact]
    next_cursor: str | None


def page_contacts(
    session: Session,
    company_id: int,
    wanted: ContactFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
    with_messages: bool = False,
) -> ContactPage:
    """The contacts that match, by name, from the first or from those after `cursor`, which an earlier page gave.

    A cursor whose contact is gone begins again from the first (`is_cursor` tells). `with_messages` reads the threads
    of the whole page at once, for who needs them.
    """
    query = select_matching(company_id, wanted)
    last = _contact_at(session, company_id, cursor)
    if last is not None:
        query = query.where(tuple_(Contact.search_name, Contact.id) > (last.search_name, last.id))
    if with_messages:
        query = query.options(selectinload(Contact.messages))
    rows = session.scalars(
        query.order_by(Contact.search_name, Contact.id)
        .limit(limit + 1)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner))
    ).all()
    return ContactPage(rows[:limit], str(rows[limit - 1].id) if len(rows) > limit else None)


def select_matching(company_id: int, wanted: ContactFilter) -> Select[Contact]:
    """The company's contacts that match, without an order."""
    query = select_contacts(
        company_id,
        search=wanted.search,
        campaign_id=wanted.campaign_id,
        owner_id=wanted.owner_id,
        level=wanted.level,
    )
    return query if wanted.sync is None else query.where(is_in_state(wanted.sync))


def is_cursor(session: Session, company_id: int, cursor: str) -> bool:
    """Whether an earlier page gave this cursor, and its contact still exists."""
    return _contact_at(session, company_id, cursor) is not None


def contacts_of(session: Session, company_id: int, ids: Sequence[int]) -> Sequence[Contact]:
    """Those of these contacts that are the company's."""
    return session.scalars(select(Contact).where(Contact.company_id == company_id, Contact.id.in_(ids))).all()


def has_contacts(session: Session, company_id: int) -> bool:
    """Whether the company has any contact."""
    return session.scalars(select(Contact.id).where(Contact.company_id == company_id).limit(1)).first() is not None


def campaigns_of(session: Session, company_id: int) -> Sequence[Campaign]:
    """The company's campaigns, by name."""
    return session.scalars(select(Campaign).where(Campaign.company_id == company_id).order_by(Campaign.name)).all()


def people_of(session: Session, company_id: int) -> Sequence[User]:
    """Everybody who owns contacts or may: the company's people, by name."""
    return session.scalars(select(User).where(User.company_id == company_id).order_by(User.name, User.id)).all()


def history_of(session: Session, contact: Contact) -> Sequence[Classification]:
    """Every change of a contact's interest level, newest first."""
    return session.scalars(
        select(Classification).where(Classification.contact_id == contact.id).order_by(Classification.id.desc())
    ).all()


def _contact_at(session: Session, company_id: int, cursor: str | None) -> Contact | None:
    if cursor is None or not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
        return None
    return session.scalars(
        select(Contact).where(Contact.company_id == company_id, Contact.id == int(cursor))
    ).one_or_none()


def get_contact(session: Session, company_id: int, contact_id: int) -> Contact | None:
    """The contact within its company, or None."""
    return session.scalars(
        select(Contact)
        .where(Contact.company_id == company_id, Contact.id == contact_id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
    ).one_or_none()


def find_campaign(session: Session, company_id: int, name: str) -> Campaign | None:
    """The company's campaign of that name, or None."""
    return session.scalars(select(Campaign).where(Campaign.company_id == company_id, Campaign.name == name)).first()


def campaign_id_of(session: Session, company_id: int, asked: str | int) -> int:
    """Returns the number of the company's campaign of that name or number. Raises ValueError when it has none."""
    named = find_campaign(session, company_id, asked) if isinstance(asked, str) else None
    return named.id if named else _check_number(session, company_id, Campaign, asked)


def owner_id_of(session: Session, company_id: int, asked: str | int) -> int:
    """Returns the number of the company's person of that e-mail or number. Raises ValueError when it has none."""
    named = people.find_person(session, company_id, asked) if isinstance(asked, str) else None
    return named.id if named else _check_number(session, company_id, User, asked)


def _check_number(session: Session, company_id: int, table: type[Campaign | User], asked: str | int) -> int:
    number = asked if isinstance(asked, int) else row_number(asked)
    if session.scalar(select(table.id).where(table.company_id == company_id, table.id == number)) is None:
        raise ValueError(f"the company has no {table.__name__} {number}")
    return number


def select_contacts(
    company_id: int,
    *,
    search: str = "",
    campaign_id: int | None = None,
    owner_id: int | None = None,
    level: int | str | None = None,
) -> Select[Contact]:
    """The company's contacts that match, without an order. `level` is 1, 2, 3 or "none"."""
    query = select(Contact).where(Contact.company_id == company_id)
    if search.strip():
        query = query.where(Contact.search_text.contains(fold(search.strip()), autoescape=True))
    if campaign_id is not None:
        query = query.where(Contact.campaign_id == campaign_id)
    if owner_id is not None:
        query = query.where(Contact.owner_id == owner_id)
    if level is not None:
        query = query.where(Contact.interest_level.is_(None) if level == "none" else Contact.interest_level == level)
    return query
