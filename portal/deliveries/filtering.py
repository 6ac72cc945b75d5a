"""What the delivery log is narrowed to: its fields, each named once, and the query that they make.

Pages, API and commands turn their words into values and hand them to `read_filter`. What does not exist is said by
`unknown`, and nothing matches then: no edge can mistake a filter that it did not understand for none.
"""

import operator
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, false, select
from sqlalchemy.orm import QueryableAttribute, Session

from portal.contacts.listing import campaign_id_of, owner_id_of
from portal.database.paging import row_number
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Contact, Delivery
from portal.rules.folding import fold
from portal.rules.reasons import WORDS

ID_PREFIX = "msg_"

FEW = 500
"""Contacts that a search finds: with no more, the log is read by contact, and otherwise from its end."""

Reader = Callable[[Session, int, Any], Any]
"""Turns what was asked of a company into a field's value. Raises ValueError for what does not exist."""


def _one_of(values: Collection[Any]) -> Reader:
    def read(_session: Session, _company_id: int, asked: Any) -> Any:
        if asked not in values:
            raise ValueError(asked)
        return asked

    return read


def _number(_session: Session, _company_id: int, asked: int | str) -> int:
    return asked if isinstance(asked, int) else row_number(asked)


def _moment(_session: Session, _company_id: int, asked: Any) -> datetime:
    if not isinstance(asked, datetime):
        raise ValueError(asked)
    return asked


def _text(_session: Session, _company_id: int, asked: str) -> str:
    return asked.strip()


def _by(read: Reader, column: QueryableAttribute[Any], compare: Callable[..., Any] = operator.eq) -> Mapping[str, Any]:
    """Says of a field how it is read, and which column its value is compared with."""
    return {"read": read, "column": column, "compare": compare}


@dataclass(frozen=True, kw_only=True)
class DeliveryFilter:
    """What a delivery has to match; what is None or empty does not count. `since` is included, `until` is not."""

    status: str | None = field(default=None, metadata=_by(_one_of(DELIVERY_STATUSES), Delivery.status))
    contact_id: int | None = field(default=None, metadata=_by(_number, Delivery.contact_id))
    campaign_id: int | None = field(default=None, metadata=_by(campaign_id_of, Delivery.campaign_id))
    owner_id: int | None = field(default=None, metadata=_by(owner_id_of, Delivery.owner_id))
    level: int | None = field(default=None, metadata=_by(_one_of(LEVELS), Delivery.interest_level))
    reason: str | None = field(default=None, metadata=_by(_one_of(WORDS), Delivery.reason))
    trigger: str | None = field(default=None, metadata=_by(_one_of(TRIGGERS), Delivery.trigger))
    since: datetime | None = field(default=None, metadata=_by(_moment, Delivery.created_at, operator.ge))
    until: datetime | None = field(default=None, metadata=_by(_moment, Delivery.created_at, operator.lt))
    search: str = field(default="", metadata={"read": _text})
    unknown: tuple[str, ...] = ()
    """The names of the fields that were asked for what does not exist: with one of them nothing matches."""
    contact_ids: tuple[int, ...] | None = None
    """The contacts that `search` finds, when they are few."""


FIELDS = {each.name: each.metadata for each in fields(DeliveryFilter) if each.metadata}
NAMES = tuple(name.removesuffix("_id") for name in FIELDS)
"""The fields as people write them: a campaign can be asked for by its name."""


def read_filter(session: Session, company_id: int, asked: Mapping[str, Any]) -> DeliveryFilter:
    """Returns the filter that an edge was asked for, by the names of its fields, with or without their `_id`.

    Campaigns are given by name or number, owners by e-mail or number, times as moments. None and "" do not count.
    """
    found: dict[str, Any] = {}
    unknown = []
    for name, facts in FIELDS.items():
        short = name.removesuffix("_id")
        if (value := asked.get(name, asked.get(short))) in (None, ""):
            continue
        try:
            found[name] = facts["read"](session, company_id, value)
        except ValueError:
            unknown.append(short)
    return _narrow(session, company_id, DeliveryFilter(**found, unknown=tuple(unknown)))


def select_deliveries(session: Session, company_id: int | None, wanted: DeliveryFilter) -> Select[Delivery]:
    """Returns the query for the company's deliveries that match, without an order and without their bodies."""
    wanted = _narrow(session, company_id, wanted)
    query = select(Delivery)
    if wanted.contact_id is None and wanted.contact_ids is None:
        query = query.where(Delivery.company_id == company_id)
    else:  # by no index of the company, which a database takes for more selective than it is
        query = query.where(Delivery.company_id + 0 == company_id)
    for name, facts in FIELDS.items():
        if "column" in facts and (value := getattr(wanted, name)) is not None:
            query = query.where(facts["compare"](facts["column"], value))
    if wanted.contact_ids is not None:
        query = query.where(Delivery.contact_id.in_(wanted.contact_ids))
    elif search := wanted.search.strip():
        query = query.where(_found_by(company_id, search))
    return query.where(false()) if wanted.unknown else query


def _narrow(session: Session, company_id: int | None, wanted: DeliveryFilter) -> DeliveryFilter:
    """The same filter, with the contacts that its search finds when these are few: a long log is then searched soon."""
    search = wanted.search.strip()
    if not search or search.startswith(ID_PREFIX) or wanted.contact_ids is not None:
        return wanted
    found = session.scalars(_contacts_found_by(company_id, search).limit(FEW + 1)).all()
    return wanted if len(found) > FEW else replace(wanted, contact_ids=tuple(found))


def _found_by(company_id: int | None, search: str) -> ColumnElement[bool]:
    """What a person types to find a delivery: its id, or the contact's name or LinkedIn id."""
    if search.startswith(ID_PREFIX):
        return Delivery.webhook_id == search
    return Delivery.contact_id.in_(_contacts_found_by(company_id, search))


def _contacts_found_by(company_id: int | None, search: str) -> Select[int]:
    is_found = Contact.search_text.contains(fold(search), autoescape=True)
    return select(Contact.id).where(Contact.company_id == company_id, is_found)
