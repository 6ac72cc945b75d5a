"""Lending due deliveries to workers: claim with a lease and its token, give back, and recover from the dead."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    String,
    Table,
    and_,
    exists,
    func,
    null,
    or_,
    select,
    true,
    update,
)

from portal.database.driver import Statement
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key, UTCDateTime
from portal.egress import origin_of
from portal.models import OPEN_STATUSES, Delivery, DeliveryBody, Endpoint
from portal.rules.circuit import LONGEST_PAUSE

delivery: Table = Delivery.__table__  # type: ignore[assignment]
delivery_body: Table = DeliveryBody.__table__  # type: ignore[assignment]
endpoint: Table = Endpoint.__table__  # type: ignore[assignment]

AnyRow = Row[*tuple[Any, ...]]

CLOCK_TOLERANCE = timedelta(minutes=5)
"""What the clocks of two machines may differ by; receivers refuse signatures that are further off."""

ANY_PAUSE = timedelta(days=365)
"""Longer than anything waits: a probe takes a delivery before its time."""


class Claim(NamedTuple):
    """A delivery in a worker's hand, with all that sending it takes; no session is open when it is used."""

    # First what `CLAIM_COLUMNS` reads, in that order.
    delivery_id: int
    webhook_id: str
    company_id: int
    contact_id: int | None
    body: bytes
    trigger: str
    actor: str | None
    is_test: bool
    number: int
    tries: int

    lease_token: str
    lease_expires_at: datetime
    url: str
    secrets: tuple[str, ...] = ()
    """The keys that sign, encrypted as stored."""
    header: tuple[str, str] | None = None
    """The fixed header's name and its sealed value."""
    known_shapes: str | None = None
    """The shapes of the answers that the endpoint gave before this was claimed (`outbox.shapes`)."""
    link_pointer: str | None = None
    """Where an answer says the id of the CRM's record (`rules.crm_link`)."""
    crm_since: datetime | None = None
    """Which CRM was there when this was claimed: the one of that moment."""
    is_probe: bool = False
    """It asks whether a failing endpoint is back, at no cost to its tries."""


CLAIM_COLUMNS = (
    delivery.c.id.label("delivery_id"),
    delivery.c.webhook_id,
    delivery.c.company_id,
    delivery.c.contact_id,
    select(delivery_body.c.content).where(delivery_body.c.delivery_id == delivery.c.id).scalar_subquery().label("body"),
    delivery.c.next_trigger.label("trigger"),
    delivery.c.next_actor.label("actor"),
    (delivery.c.trigger == "test").label("is_test"),
    delivery.c.attempt_count.label("number"),
    delivery.c.tries,
)
"""What a claim holds of its delivery besides the lease, by the names of its fields."""

ENDPOINT_COLUMNS = tuple(
    endpoint.c[name]
    for name in (
        *("url", "secret", "old_secret", "old_secret_until", "answer_shape", "link_pointer", "crm_since"),
        *("header_name", "header_secret", "header_origin"),
    )
)
"""What `target_of` reads."""

_moment = UTCDateTime()
_older, _waiting = delivery.alias("older"), delivery.alias("waiting")


# The least, by the index: PostgreSQL would look for any such row from the beginning of a long log.
_first_due_at = (
    select(func.min(delivery.c.next_attempt_at))
    .where(delivery.c.company_id == endpoint.c.company_id, delivery.c.status == "pending")
    .scalar_subquery()
)
# A number and no EXISTS, for the same reason: PostgreSQL can make no join of it.
_first_open_id = (
    select(func.min(_older.c.id))
    .where(_older.c.contact_id == _waiting.c.contact_id, _older.c.status.in_(OPEN_STATUSES))
    .scalar_subquery()
)

_STRAY = exists().where(endpoint.c.url.is_(None), _first_due_at.is_not(None))

LEASE_EXPIRED = and_(delivery.c.status == "sending", delivery.c.lease_expires_at <= given("now", _moment))
"""A worker died, or was too slow, while it held the delivery."""

HAS_LOOSE_ENDS = Statement(select(or_(exists().where(LEASE_EXPIRED), _STRAY).label("has_any")))
"""Whether anything is to be recovered or cancelled."""

ENDPOINTS_WITH_DUE = Statement(
    select(endpoint.c.id, endpoint.c.company_id, endpoint.c.state, endpoint.c.next_probe_at, *ENDPOINT_COLUMNS)
    .where(
        endpoint.c.url.is_not(None),
        or_(
            and_(endpoint.c.state == "active", _first_due_at <= given("now", _moment)),
            and_(
                endpoint.c.state == "failing",
                endpoint.c.next_probe_at <= given("now", _moment),
                _first_due_at.is_not(None),
            ),
        ),
    )
    .order_by(func.random())
)
"""The endpoints that may be sent to and have something due, in an order that differs each time."""

LEND = Statement(
    update(delivery)
    .where(
        within(
            delivery.c.id,
            select(_waiting.c.id)
            .where(
                _waiting.c.company_id == given("of_company", Key),
                _waiting.c.status == "pending",
                _waiting.c.next_attempt_at <= given("due_by", _moment),
                func.coalesce(_first_open_id, _waiting.c.id) == _waiting.c.id,
            )
            .order_by(_waiting.c.next_attempt_at, _waiting.c.id)
            .limit(given("room", Integer()))
            .with_for_update(skip_locked=True, key_share=True),
        ),
        # Once more, since what was chosen may have been overtaken; in words that no partial index is chosen for.
        func.coalesce(delivery.c.status, "") == "pending",
    )
    .values(
        status="sending",
        attempt_count=delivery.c.attempt_count + 1,
        lease_token=given("token", String()),
        lease_expires_at=given("until", _moment),
    )
    .returning(*CLAIM_COLUMNS)
)
"""Lends a company's deliveries that are due, the first of each contact, to whoever brings the token."""

_unsent = rows_of("unsent", id=Key, token=String())
GIVE_BACK = Statement(
    update(delivery)
    .where(delivery.c.id == _unsent.c.id, delivery.c.lease_token == _unsent.c.token)
    .values(status="pending", attempt_count=delivery.c.attempt_count - 1, lease_token=null(), lease_expires_at=null())
)


def claim_due(
    connection: Connection,
    *,
    now: datetime,
    lease: timedelta,
    limit: int,
    room_for: Callable[[int, Sequence[Claim]], int],
    goes_besides: Callable[[int, Sequence[Claim]], bool] = lambda *_: False,
) -> list[Claim]:
    """Lend at most `limit` due deliveries to the caller, and of each company at most what it has `room_for`.

    `room_for` is asked with a company and what was lent before it. Companies share the limit evenly, and what one does
    not use goes to the next; where nothing is left, one goes of each company that `goes_besides`. A contact's
    deliveries go out in order: none is lent while an older one of the same contact is open. Of a failing endpoint one
    delivery is lent when its next probe is due, whenever that delivery itself is.
    """
    claims: list[Claim] = []
    targets = [row for row in ENDPOINTS_WITH_DUE.all(connection, now=now) if room_for(row.company_id, ())]
    for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
        share = max(ceil((limit - len(claims)) / left), int(goes_besides(target.company_id, claims)))
        share = min(share, room_for(target.company_id, claims))
        if share <= 0:
            continue
        if target.state == "failing":
            claims += _claim_probe(connection, target, now=now, lease=lease)
        else:
            claims += _claim_of(connection, target, due_by=now, now=now, lease=lease, limit=share)
    return claims


def target_of(row: AnyRow, *, now: datetime, url: str | None = None) -> dict[str, Any]:
    """What a claim holds of its endpoint, or of another address that is tested, by the names of its fields."""
    url = url or row.url
    return {
        "url": url,
        "secrets": signing_secrets(row, now=now),
        "header": (row.header_name, row.header_secret) if has_header(row, url) else None,
        "known_shapes": row.answer_shape if url == row.url else None,
        "link_pointer": row.link_pointer,
        "crm_since": row.crm_since,
    }


def signing_secrets(stored: AnyRow | Endpoint, *, now: datetime) -> tuple[str, ...]:
    """The stored keys that sign now: the endpoint's own, and for a while after a rotation the one before."""
    is_old_good = stored.old_secret_until is not None and stored.old_secret_until > now
    return (stored.secret, stored.old_secret) if is_old_good and stored.old_secret else (stored.secret,)


def has_header(stored: AnyRow | Endpoint, url: str) -> bool:
    """Whether the fixed header goes to that address: its value belongs to the origin that it was saved for."""
    return stored.header_secret is not None and stored.header_origin == origin_of(url)


def has_due(connection: Connection, *, now: datetime) -> bool:
    """Whether anything may be claimed, recovered or cancelled: a cheap look that takes no write lock."""
    return bool(ENDPOINTS_WITH_DUE.all(connection, now=now)) or bool(HAS_LOOSE_ENDS.all(connection, now=now)[0].has_any)


def release(connection: Connection, claims: Sequence[Claim]) -> None:
    """Give back claimed deliveries that were not sent: as if they had never been claimed."""
    if claims:
        GIVE_BACK.run(connection, unsent=[(claim.delivery_id, claim.lease_token) for claim in claims])


def cancel_strays(connection: Connection) -> None:
    """Cancel what waits without an address: it was being sent, or just being made, when the address was removed."""
    without = select(endpoint.c.company_id).where(endpoint.c.url.is_(None))
    connection.execute(
        update(delivery)
        .where(delivery.c.company_id.in_(without), delivery.c.status == "pending")
        .values(status="cancelled", next_attempt_at=None)
    )


def pull_forward(connection: Connection, *, now: datetime, longest: timedelta, lease: timedelta) -> None:
    """Mend what was written by a clock that ran ahead: nothing is due, leased or probed later than it can be.

    `longest` is the longest pause there is. What is to go at once, never tried or re-sent, waits for no pause. A lease
    may be written by another machine, whose clock is off by less than `CLOCK_TOLERANCE`.
    """
    latest = now + max(longest, LONGEST_PAUSE)
    at_once = or_(delivery.c.attempt_count == 0, delivery.c.next_trigger == "manual")
    waits = delivery.c.status == "pending"
    for column, applies, bound in (
        (delivery.c.next_attempt_at, and_(waits, at_once), now),
        (delivery.c.next_attempt_at, waits, latest),
        (delivery.c.lease_expires_at, delivery.c.status == "sending", now + lease),
        (endpoint.c.next_probe_at, true(), latest),
    ):
        is_ahead = column > bound + CLOCK_TOLERANCE
        connection.execute(update(column.table).where(applies, is_ahead).values({column.name: bound}))


def _claim_probe(connection: Connection, target: AnyRow, *, now: datetime, lease: timedelta) -> list[Claim]:
    """One delivery to ask a failing endpoint with; until its lease ends nobody else asks."""
    won = connection.execute(
        update(endpoint)
        .where(endpoint.c.id == target.id, endpoint.c.next_probe_at == target.next_probe_at)
        .values(next_probe_at=now + lease)
        .returning(endpoint.c.id)
    ).first()
    if won is None:
        return []
    return _claim_of(connection, target, due_by=now + ANY_PAUSE, now=now, lease=lease, limit=1)


def _claim_of(
    connection: Connection, target: AnyRow, *, due_by: datetime, now: datetime, lease: timedelta, limit: int
) -> list[Claim]:
    token, until = secrets.token_hex(16), now + lease
    rows = LEND.all(connection, of_company=target.company_id, due_by=due_by, room=limit, token=token, until=until)
    facts = target_of(target, now=now) | {"is_probe": target.state == "failing"}
    facts |= {"lease_token": token, "lease_expires_at": until}
    return sorted(Claim(*row, **facts) for row in rows)
