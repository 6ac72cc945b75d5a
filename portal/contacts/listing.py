"""The contact list as people and programs read it, a page at a time, by name. Nothing here changes it."""

from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from portal.contacts.filtering import ContactFilter, select_contacts
from portal.database.paging import InvalidCursor, Page, cut_page, read_cursor
from portal.models import Campaign, Classification, Contact, User

PAGE_SIZE = 20


def page_contacts(
    session: Session,
    company_id: int,
    wanted: ContactFilter,
    *,
    limit: int = PAGE_SIZE,
    cursor: str | None = None,
    with_messages: bool = False,
) -> Page[Contact]:
    """The contacts that match, by name, from the first or from those after `cursor`, which an earlier page gave.

    `with_messages` reads the threads of the whole page at once, for who needs them. Raises InvalidCursor, also when the
    contact that the cursor stands for is gone.
    """
    after = None
    if cursor:
        last = get_contact(session, company_id, read_cursor(cursor))
        if last is None:
            raise InvalidCursor(cursor)
        after = (last.search_name, last.id)
    rows = read_contacts(session, company_id, wanted, after=after, limit=limit + 1, with_messages=with_messages)
    return cut_page(rows, limit=limit)


def read_contacts(
    session: Session,
    company_id: int,
    wanted: ContactFilter,
    *,
    after: tuple[str, int] | None,
    limit: int,
    with_messages: bool = False,
) -> Sequence[Contact]:
    """The first contacts that match, by name, of those that come after this name (`search_name`) and number."""
    query = select_contacts(company_id, wanted)
    if after is not None:
        query = query.where(tuple_(Contact.search_name, Contact.id) > after)
    if with_messages:
        query = query.options(selectinload(Contact.messages))
    return session.scalars(
        query.order_by(Contact.search_name, Contact.id)
        .limit(limit)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner))
    ).all()


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


def get_contact(session: Session, company_id: int, contact_id: int) -> Contact | None:
    """The contact within its company, or None."""
    return session.scalars(
        select(Contact)
        .where(Contact.company_id == company_id, Contact.id == contact_id)
        .options(joinedload(Contact.campaign), joinedload(Contact.owner), joinedload(Contact.company))
    ).one_or_none()
