"""What the delivery log is narrowed to, and the query that this makes."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from operator import eq, ge, lt
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, func, or_, select, true
from sqlalchemy import text as sql
from sqlalchemy.orm import Session, aliased

from portal.contacts.doubts import is_open_answer
from portal.contacts.filtering import campaign_id_of, is_found_by, owner_id_of
from portal.contacts.standing import is_behind
from portal.database import filters
from portal.database.filters import Filter, by, moment, names_of, one_of, own_number, text
from portal.database.paging import DIGITS
from portal.database.rows import within
from portal.database.tables import last_six
from portal.models import DELIVERY_STATUSES, LEVELS, RARE_REASON, RARE_TRIGGER, TRIGGERS, Attempt, Contact, Delivery
from portal.rules.reasons import WORDS
from portal.rules.verdict import DELIVERED_REASONS, WARNINGS
from portal.working_models import HeldDelivery, Outage

ID_PREFIX = "msg_"
WHOLE_ID = re.compile(f"(?:{ID_PREFIX})?([0-9a-f]{{32}})")
BEGINNING_OF_ID, ID_LENGTH = re.compile(f"{ID_PREFIX}[0-9a-f]{{0,32}}"), 36
# The first six characters of an id, or its last, as people read them to each other.
PART_OF_ID = re.compile("[0-9a-f]{6}")
HTTP_CODE = re.compile("[1-5][0-9]{2}")
# `yes`: only the newest delivery of each contact whose level the CRM does not know. `warning`: only the delivery whose
# answer is why a contact is shown with a warning, until somebody settles it.
OUTSTANDING = ("yes", "warning")
DELIVERED_CODE = 200
# An HTTP code or a part of an id is looked for among so many of a company's latest deliveries: no index finds it.
SEARCHED = 100_000
# Deliveries made in a span of time: with no more, the log is read between their numbers, else from its end.
SPANNED = 8000
# And so many of one that ended long ago: before this many deliveries, all of which would be read otherwise.
SPANNED_LONG_AGO, LONG_AGO = 200_000, 10_000
ANY_NUMBER = 0, 10**DIGITS
FEW = 500  # contacts that a search finds: with no more, the log is read by contact, and otherwise from its end
# Of more, the first stand among so many numbers: each delivery's own contact is looked at, and otherwise all contacts.
COMMON_WITHIN = 20 * FEW


contact_id_of = partial(own_number, Contact)
outage_id_of = partial(own_number, Outage)


def _is_held_by(outage_id: int) -> ColumnElement[bool]:
    return Delivery.id.in_(select(HeldDelivery.delivery_id).where(HeldDelivery.outage_id == outage_id))


def _has_reason(asked: str) -> ColumnElement[bool]:
    """The rare ones have an index of their own, which a database takes when it is told in the index's words."""
    said = Delivery.reason == asked
    return said if asked in DELIVERED_REASONS else and_(said, sql(f"delivery.{RARE_REASON}"))


def _has_trigger(asked: str) -> ColumnElement[bool]:
    said = Delivery.trigger == asked
    return said if asked == "classification" else and_(said, sql(f"delivery.{RARE_TRIGGER}"))


def _is_outstanding(company_id: int, asked: str) -> ColumnElement[bool]:
    if asked == "warning":
        return is_open_answer(company_id)
    newer = aliased(Delivery)
    newest = select(func.max(newer.id)).where(newer.contact_id == Contact.id).correlate(Contact).scalar_subquery()
    behind = select(newest).where(Contact.company_id == company_id, is_behind).correlate(None)
    return within(Delivery.__table__.c.id, behind)


def select_moments(company_id: int, since: datetime | None, until: datetime | None) -> Select[int, datetime]:
    """Returns the query for the numbers and moments of the company's deliveries of that time, latest first.

    By their moments: numbers need not rise with these, as clocks are set.
    """
    made = select(Delivery.id, Delivery.created_at).where(Delivery.company_id == company_id, *_is_made(since, until))
    return made.order_by(Delivery.created_at.desc())


def _is_made(since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    bounds = (since, ge), (until, lt)
    return [compare(Delivery.created_at, bound) for bound, compare in bounds if bound is not None]


def numbers_among(session: Session, moments: Select[int, datetime], *, most: int) -> tuple[int, int, int]:
    """How many rows such a query has, counted up to `most`, and the least and the greatest number of these."""
    found = moments.with_only_columns(Delivery.id).limit(most).subquery()
    count, first, last = session.execute(select(func.count(), func.min(found.c.id), func.max(found.c.id))).one()
    return count, first or 0, last or 0


def numbers_within(session: Session, company_id: int, wanted: "DeliveryFilter", *, most: int) -> tuple[int, int] | None:
    """The least and the greatest number of what was made in the filter's time: of more than `most`, any number.

    Without bounds SQLite would take the index of times, and sort all that it finds.
    """
    if wanted.since is None and wanted.until is None:
        return None
    moments = select_moments(company_id, wanted.since, wanted.until)
    count, first, last = numbers_among(session, moments, most=most + 1)
    return (first, last) if count <= most else ANY_NUMBER


def _is_long_ago(session: Session, company_id: int, wanted: "DeliveryFilter") -> bool:
    """Whether more than `LONG_AGO` deliveries were made after the filter's time."""
    if wanted.until is None:
        return False
    later = select_moments(company_id, wanted.until, None).with_only_columns(Delivery.created_at)
    return session.scalar(later.offset(LONG_AGO).limit(1)) is not None


@dataclass(frozen=True, kw_only=True)
class DeliveryFilter(Filter):
    """What a delivery has to match; what is None or empty does not count. `since` is included, `until` is not."""

    status: str | None = field(default=None, metadata=by(one_of(DELIVERY_STATUSES), partial(eq, Delivery.status)))
    contact_id: int | None = field(default=None, metadata=by(contact_id_of, partial(eq, Delivery.contact_id)))
    campaign_id: int | None = field(default=None, metadata=by(campaign_id_of, partial(eq, Delivery.campaign_id)))
    owner_id: int | None = field(default=None, metadata=by(owner_id_of, partial(eq, Delivery.owner_id)))
    level: int | None = field(default=None, metadata=by(one_of(LEVELS), partial(eq, Delivery.interest_level)))
    reason: str | None = field(default=None, metadata=by(one_of(WORDS), _has_reason))
    warning: str | None = field(default=None, metadata=by(one_of(WARNINGS), partial(eq, Delivery.warning)))
    trigger: str | None = field(default=None, metadata=by(one_of(TRIGGERS), _has_trigger))
    since: datetime | None = field(default=None, metadata=by(moment, partial(ge, Delivery.created_at)))
    until: datetime | None = field(default=None, metadata=by(moment, partial(lt, Delivery.created_at)))
    outstanding: str | None = field(default=None, metadata=by(one_of(OUTSTANDING)))
    outage_id: int | None = field(default=None, metadata=by(outage_id_of, _is_held_by))
    search: str = field(default="", metadata=by(text))
    tests: bool = True  # Whether tests count. Pages show them apart, by their trigger.
    contact_ids: tuple[int, ...] | None = None  # the contacts that `search` finds, when they are few
    is_common: bool | None = None  # of more, whether most deliveries are of one of them
    or_contact_ids: tuple[int, ...] | None = None  # the same few, where `search` may also be a part of an id
    # Where the latest `SEARCHED` deliveries begin, when `search` looks only at these, and as far back.
    after_id: int | None = None
    # Between which all of a time stand that ended long ago, when that was found out.
    numbers: tuple[int, int] | None = None


NAMES = names_of(DeliveryFilter)


def read_filter(session: Session, company_id: int, asked: Mapping[str, Any]) -> DeliveryFilter:
    """Returns the filter that an edge was asked for, by the names of its fields, with or without their `_id`.

    Campaigns are given by name or number, owners by e-mail or number, times as moments. None and "" do not count.
    """
    return narrow_down(session, company_id, filters.read_filter(DeliveryFilter, session, company_id, asked))


def last_before_latest(session: Session, company_id: int, count: int) -> Any:
    """Returns `id` and `created_at` of the delivery before the company's latest `count`; None with no more of them."""
    return session.execute(_newest(company_id).add_columns(Delivery.created_at).offset(count).limit(1)).first()


def select_deliveries(
    session: Session, company_id: int, wanted: DeliveryFilter, *, by_index: str | None = None
) -> Select[Delivery]:
    """Returns the query for the company's deliveries that match, without an order and without their bodies.

    They are found by the index of the field `by_index`, where one is named.
    """
    wanted = narrow_down(session, company_id, wanted)
    wanted = begin_search(session, company_id, wanted, lowest=wanted.numbers[0] - 1 if wanted.numbers else 0)
    query = select(Delivery)
    if not any((wanted.contact_id, wanted.contact_ids is not None, wanted.outage_id, wanted.outstanding)):
        query = query.where(Delivery.company_id == company_id)
    else:  # by no index of the company, which a database takes for more selective than it is
        query = query.where(Delivery.company_id + 0 == company_id)
    begin = 0 if wanted.after_id is None else wanted.after_id + 1
    if numbers := wanted.numbers or numbers_within(session, company_id, wanted, most=SPANNED):
        # In one condition: of two bounds on one side SQLite goes by the first.
        query = query.where(Delivery.id.between(max(numbers[0], begin), numbers[1]))
    elif begin:
        query = query.where(Delivery.id >= begin)
    if numbers and numbers != ANY_NUMBER:  # PostgreSQL would read by the index of times, and sort what it finds
        query = query.where(*(each.is_(true()) for each in _is_made(wanted.since, wanted.until)))
        wanted = replace(wanted, since=None, until=None)
    if wanted.outstanding:
        query = query.where(_is_outstanding(company_id, wanted.outstanding))
    if not wanted.tests:
        query = query.where(Delivery.trigger != "test")
    if wanted.contact_ids is not None:
        query = query.where(Delivery.contact_id.in_(wanted.contact_ids))
    elif search := wanted.search.strip():
        query = query.where(_found_by(company_id, search, wanted))
    return filters.narrow(query, wanted, by_index=by_index)


def narrow_down(session: Session, company_id: int, wanted: DeliveryFilter) -> DeliveryFilter:
    """The same filter, with what keeps it quick: the few contacts that it finds, or where a time long ago stands."""
    wanted = _find_contacts(session, company_id, wanted)
    if wanted.numbers is not None or not _is_long_ago(session, company_id, wanted):
        return wanted
    if _is_of_few(session, company_id, wanted):
        return replace(wanted, numbers=ANY_NUMBER)
    return replace(wanted, numbers=numbers_within(session, company_id, wanted, most=SPANNED_LONG_AGO))


def _find_contacts(session: Session, company_id: int, wanted: DeliveryFilter) -> DeliveryFilter:
    search = wanted.search.strip()
    known = wanted.contact_ids, wanted.is_common, wanted.or_contact_ids
    is_code = HTTP_CODE.fullmatch(search) or search.startswith(ID_PREFIX) or WHOLE_ID.fullmatch(search)
    if not search or is_code or any(each is not None for each in known):
        return wanted
    found = session.scalars(_contacts_found_by(company_id, search).order_by(Contact.id).limit(FEW + 1)).all()
    if len(found) > FEW:
        return replace(wanted, is_common=found[-1] - found[0] <= COMMON_WITHIN)
    if PART_OF_ID.fullmatch(search):
        return replace(wanted, or_contact_ids=tuple(found))
    return replace(wanted, contact_ids=tuple(found))


def _is_of_few(session: Session, company_id: int, wanted: DeliveryFilter) -> bool:
    """Whether few match a field of the filter at any time, which an index has. A page counts those of all statuses."""
    beyond = _newest(company_id).offset(LONG_AGO).limit(1)
    indexed = indexed_conditions(replace(wanted, status=None)).values()
    return names_few(wanted) or any(session.scalar(beyond.where(condition)) is None for condition in indexed)


def names_few(wanted: DeliveryFilter) -> bool:
    """Whether the filter names the few deliveries that can match, each of which is found by an index, or none."""
    is_id = wanted.search.startswith(ID_PREFIX) or WHOLE_ID.fullmatch(wanted.search)
    named = wanted.contact_id, wanted.outage_id, wanted.outstanding, wanted.unknown
    return any(named) or wanted.contact_ids is not None or bool(is_id)


def indexed_conditions(wanted: DeliveryFilter) -> dict[str, ColumnElement[bool]]:
    """Those of the filter's conditions, by field, that an index of the company's deliveries has alone, by number."""
    return {name: each for name, each in filters.conditions_of(wanted).items() if _is_indexed(wanted, name)}


def _is_indexed(wanted: DeliveryFilter, name: str) -> bool:
    rare = {"reason": wanted.reason not in DELIVERED_REASONS, "trigger": wanted.trigger != "classification"}
    return rare.get(name, name in ("status", "campaign_id", "owner_id", "warning"))


def begin_search(session: Session, company_id: int, wanted: DeliveryFilter, *, lowest: int) -> DeliveryFilter:
    """The same filter, with where its search begins among the deliveries after the `lowest` number."""
    if wanted.after_id is not None or not _is_of_latest(wanted):
        return wanted
    is_beyond = may_leave_out(session, company_id, wanted, lowest=lowest)
    after_id = session.scalar(_newest(company_id).offset(SEARCHED).limit(1)) if is_beyond else None
    return replace(wanted, after_id=after_id or lowest)


def may_leave_out(session: Session, company_id: int, wanted: DeliveryFilter, *, lowest: int = 0) -> bool:
    """Whether the search looks at the latest `SEARCHED` alone, and after the `lowest` number there may be more."""
    return _is_of_latest(wanted) and (session.scalar(_newest(company_id).limit(1)) or 0) - lowest > SEARCHED


def _is_of_latest(wanted: DeliveryFilter) -> bool:
    search = wanted.search.strip()
    return bool(HTTP_CODE.fullmatch(search) or PART_OF_ID.fullmatch(search))


def _newest(company_id: int) -> Select[int]:
    return select(Delivery.id).where(Delivery.company_id == company_id).order_by(Delivery.id.desc())


def _found_by(company_id: int, search: str, wanted: DeliveryFilter) -> ColumnElement[bool]:
    """What a person types to find a delivery: its id or an end of it, the code of its last answer, or its contact."""
    if whole := WHOLE_ID.fullmatch(search):
        return Delivery.webhook_id == ID_PREFIX + whole[1]
    if search.startswith(ID_PREFIX):
        return _begins_with(search)
    if HTTP_CODE.fullmatch(search):
        return _was_answered_with(int(search))
    found = _contacts_found_by(company_id, search)
    few: Any = found if wanted.or_contact_ids is None else wanted.or_contact_ids
    of_contact: ColumnElement[bool] = Delivery.contact_id.in_(few)
    if wanted.is_common:
        of_contact = found.where(Contact.id == Delivery.contact_id).exists()
    if PART_OF_ID.fullmatch(search):
        return or_(_begins_with(ID_PREFIX + search), last_six(Delivery.webhook_id) == search, of_contact)
    return of_contact


def _begins_with(part: str) -> ColumnElement[bool]:
    """As a span of the index, between the least and the greatest of the digits that may follow."""
    if not BEGINNING_OF_ID.fullmatch(part):
        return false()
    return Delivery.webhook_id.between(part.ljust(ID_LENGTH, "0"), part.ljust(ID_LENGTH, "f"))


def _was_answered_with(code: int) -> ColumnElement[bool]:
    """What is delivered was answered with 200, and its attempts need not be looked at for another code."""
    is_last = and_(Attempt.delivery_id == Delivery.id, Attempt.number == Delivery.attempt_count)
    is_answered = exists().where(is_last, Attempt.status_code == code)
    return is_answered if code == DELIVERED_CODE else and_(Delivery.status != "delivered", is_answered)


def _contacts_found_by(company_id: int, search: str) -> Select[int]:
    return select(Contact.id).where(Contact.company_id == company_id, is_found_by(search))
