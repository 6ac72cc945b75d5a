"""Contacts of one campaign that look alike: perhaps one person twice. They are only shown; merging is a person's act.

Two look alike by the same LinkedIn id, by the same e-mail, or by the same name and company where one has no LinkedIn
id: two different LinkedIn ids and nothing else in common are two people.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, joinedload

from portal.models import Contact

MOST_LIKE_ONE = 5
MOST_GROUPS = 50
MOST_OF_A_GROUP = 10

_company = func.coalesce(Contact.current_company, "")


def find_doubles_of(session: Session, contact: Contact) -> Sequence[Contact]:
    """The other contacts that look like this one, at most `MOST_LIKE_ONE`."""
    alike = [_has_name(contact)]
    for name in ("linkedin_public_id", "email"):
        if (value := getattr(contact, name)) is not None:
            alike.append(getattr(Contact, name) == value)
    in_campaign = (Contact.company_id == contact.company_id, Contact.campaign_id == contact.campaign_id)
    query = select(Contact).where(*in_campaign, Contact.id != contact.id, or_(*alike))
    return session.scalars(query.order_by(Contact.id).limit(MOST_LIKE_ONE)).all()


def _has_name(contact: Contact) -> ColumnElement[bool]:
    same = and_(Contact.search_name == contact.search_name, _company == (contact.current_company or ""))
    return and_(same, Contact.linkedin_public_id.is_(None)) if contact.linkedin_public_id else same


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
