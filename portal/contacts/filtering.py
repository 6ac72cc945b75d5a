"""What the contact list is narrowed to, and the query that this makes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial, reduce
from operator import eq
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from portal.contacts.reaching import Reached, has_reached, read_reached
from portal.contacts.standing import (
    SHOWN_STATES,
    SYNC_STATES,
    has_changed_data,
    has_open_warning,
    is_in_sync_state,
    is_shown_as,
)
from portal.database import filters
from portal.database.filters import Filter, by, names_of, one_of, own_number, text
from portal.models import LEVELS, Campaign, Contact, Task, User
from portal.people import users
from portal.rules.folding import fold
from portal.rules.identity import clean_text
from portal.rules.verdict import WARNINGS
from portal.working_models import ImportedContact

MOST_WORDS = 12
WRITTEN_BETWEEN = " ()-.+/"  # what people write between the digits of a phone number
FEW_DIGITS = 4  # with fewer, hardly anybody means a phone
ME = "me"  # the owner that stands for whoever asks
# The levels as people ask for them, with that of contacts without one.
ASKED_LEVELS = {str(level): level for level in LEVELS} | {"none": None}

_dialled: ColumnElement[Any] = reduce(
    lambda text, mark: func.replace(text, mark, ""), WRITTEN_BETWEEN, cast(ColumnElement[Any], Contact.phone)
)


def is_found_by(search: str) -> ColumnElement[bool]:
    """Every word stands in the contact's name, e-mail, LinkedIn id or company, in any order; or it is of its phone."""
    rarest_first = sorted(fold(search).split()[:MOST_WORDS], key=_commonness)
    words = [Contact.search_text.contains(word, autoescape=True) for word in rarest_first]
    digits = re.sub(f"[{re.escape(WRITTEN_BETWEEN)}]", "", search)
    is_named = and_(*words) if words else Contact.search_text.contains(fold(search), autoescape=True)
    if len(digits) < FEW_DIGITS or not (digits.isascii() and digits.isdecimal()):
        return is_named
    in_order = Contact.phone.like(f"%{'%'.join(digits)}%")  # what hardly any phone has, and takes no time to see
    return or_(is_named, and_(in_order, _dialled.contains(digits)))


def _commonness(word: str) -> tuple[bool, int]:
    """Of two words the smaller is had by fewer contacts, as a rule: the others are looked for in these alone."""
    return word.isalpha(), -len(word)


def find_campaign(session: Session, company_id: int, name: str) -> Campaign | None:
    named = select(Campaign).where(Campaign.company_id == company_id, Campaign.name == clean_text(name))
    return session.scalars(named).first()


def campaign_id_of(session: Session, company_id: int, asked: str | int) -> int:
    """Returns the number of the company's campaign of that name or number. Raises ValueError when it has none."""
    named = find_campaign(session, company_id, asked) if isinstance(asked, str) else None
    return named.id if named else own_number(Campaign, session, company_id, asked)


def owner_id_of(session: Session, company_id: int, asked: str | int) -> int:
    """Returns the number of the company's person of that e-mail or number. Raises ValueError when it has none."""
    named = users.find_person(session, company_id, asked) if isinstance(asked, str) else None
    return named.id if named else own_number(User, session, company_id, asked)


import_id_of = partial(own_number, Task)


def _is_named_in(import_id: int) -> ColumnElement[bool]:
    return Contact.id.in_(select(ImportedContact.contact_id).where(ImportedContact.task_id == import_id))


def _has_replied(asked: str) -> ColumnElement[bool]:
    """`yes`: ever; `since`: after somebody set the level, or there is none yet, as `REPLIED`, whose index has these."""
    is_news = or_(Contact.classified_at.is_(None), Contact.reply_date > Contact.classified_at)
    return Contact.reply_date.is_not(None) if asked == "yes" else and_(Contact.reply_date.is_not(None), is_news)


def _has_level(asked: str) -> ColumnElement[bool]:
    return Contact.interest_level == ASKED_LEVELS[asked]


@dataclass(frozen=True, kw_only=True)
class ContactFilter(Filter):
    """What a contact has to match; what is None or empty does not count. `level` is one of `ASKED_LEVELS`."""

    search: str = field(default="", metadata=by(text, is_found_by))
    campaign_id: int | None = field(default=None, metadata=by(campaign_id_of, partial(eq, Contact.campaign_id)))
    owner_id: int | None = field(default=None, metadata=by(owner_id_of, partial(eq, Contact.owner_id)))
    level: str | None = field(default=None, metadata=by(one_of(ASKED_LEVELS), _has_level))
    replied: str | None = field(default=None, metadata=by(one_of(("yes", "since")), _has_replied))
    sync: str | None = field(default=None, metadata=by(one_of(SYNC_STATES), is_in_sync_state))
    data_changed: str | None = field(default=None, metadata=by(one_of(("true", "false")), has_changed_data))
    state: str | None = field(default=None, metadata=by(one_of(SHOWN_STATES), is_shown_as))
    warning: str | None = field(default=None, metadata=by(one_of(WARNINGS), has_open_warning))
    import_id: int | None = field(default=None, metadata=by(import_id_of, _is_named_in))
    # What a number of the report counts.
    reached: Reached | None = field(default=None, metadata=by(read_reached, has_reached))


NAMES = names_of(ContactFilter)


def read_filter(
    session: Session, company_id: int, asked: Mapping[str, Any], *, reader_id: int | None = None
) -> ContactFilter:
    """Returns the filter that an edge was asked for, by the names of its fields, with or without their `_id`.

    Campaigns are given by name or number, owners by e-mail or number, or as `ME`: the reader. None and "" do not count.
    """
    if reader_id is not None and asked.get("owner") == ME:
        asked = {**asked, "owner": reader_id}
    return filters.read_filter(ContactFilter, session, company_id, asked)


def select_contacts(
    company_id: int, wanted: ContactFilter, *, by_company: bool = True, by_index: str | None = None
) -> Select[Contact]:
    """Returns the query for the company's contacts that match, without an order.

    Without `by_company` no index of all of the company's is used: that of what else is asked for is better. They are
    found by the index of the field `by_index`, where one is named.
    """
    company = Contact.company_id if by_company else Contact.company_id + 0
    return filters.narrow(select(Contact).where(company == company_id), wanted, by_index=by_index)
