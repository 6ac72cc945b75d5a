"""Lending due deliveries to workers: claim with a lease and its token, give back, and recover from the dead."""

import secrets
from collections import Counter
from collections.abc import Callable, Collection, Sequence
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
from portal.database.rows import each_of, given, rows_of, within
from portal.database.tables import Key, UTCDateTime
from portal.egress import origin_of
from portal.models import OPEN_STATUSES, Delivery, DeliveryBody, Endpoint

delivery: Table = Delivery.__table__  # type: ignore[assignment]
delivery_body: Table = DeliveryBody.__table__  # type: ignore[assignment]
endpoint: Table = Endpoint.__table__  # type: ignore[assignment]

AnyRow = Row[*tuple[Any, ...]]

TOKEN_BYTES = 6  # of a lease: a row that grows much while it is sent needs another page, and leaves half of one empty
ANY_PAUSE = timedelta(days=365)  # longer than anything waits: a probe takes a delivery before its time


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
    secrets: tuple[str, ...] = ()  # the keys that sign, encrypted as stored
    header: tuple[str, str] | None = None  # the fixed header's name and its sealed value
    # The shapes of the answers that the endpoint gave before this was claimed (`outbox.shapes`).
    known_shapes: str | None = None
    link_pointer: str | None = None  # where an answer says the id of the CRM's record (`rules.crm_link`)
    crm_since: datetime | None = None  # which CRM was there when this was claimed: the one of that moment
    is_probe: bool = False  # it asks whether a failing endpoint is back, at no cost to its tries


# What a claim holds of its delivery besides the lease, by the names of its fields.
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

# What `target_of` reads.
ENDPOINT_COLUMNS = (
    *(endpoint.c[name] for name in ("url", "secret", "old_secret", "old_secret_until", "answer_shape", "link_pointer")),
    *(endpoint.c[name] for name in ("crm_since", "header_name", "header_secret", "header_origin")),
)

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

# A worker died, or was too slow, while it held the delivery.
LEASE_EXPIRED = and_(delivery.c.status == "sending", delivery.c.lease_expires_at <= given("now", _moment))

# Whether anything is to be recovered or cancelled.
HAS_LOOSE_ENDS = Statement(select(or_(exists().where(LEASE_EXPIRED), _STRAY).label("has_any")))

_full = rows_of("full", id=Key)
# The endpoints that may be sent to, have something due and are not full, in an order that differs each time.
ENDPOINTS_WITH_DUE = Statement(
    select(endpoint.c.id, endpoint.c.company_id, endpoint.c.state, endpoint.c.next_probe_at, *ENDPOINT_COLUMNS)
    .where(
        endpoint.c.url.is_not(None),
        ~within(endpoint.c.company_id, select(_full.c.id)),
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

_asking = rows_of("asking", company_id=Key, due_by=_moment)
_chosen = each_of(
    "chosen",
    select(_waiting.c.id)
    .where(
        _waiting.c.company_id == _asking.c.company_id,
        _waiting.c.status == "pending",
        _waiting.c.next_attempt_at <= _asking.c.due_by,
        func.coalesce(_first_open_id, _waiting.c.id) == _waiting.c.id,
    )
    .order_by(_waiting.c.next_attempt_at, _waiting.c.id)
    .limit(given("room", Integer()))
    .with_for_update(skip_locked=True, key_share=True)
    .correlate(_asking),
)

# Lends of each company so many deliveries that are due, the first of each contact, to whoever brings the token.
LEND = Statement(
    update(delivery)
    .where(
        within(delivery.c.id, select(_chosen.c.value).select_from(_asking.join(_chosen, true()))),
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

_failing = endpoint.alias("failing")
_is_planned = and_(_failing.c.id == given("id", Key), _failing.c.next_probe_at == given("planned", _moment))
_free = select(_failing.c.id).where(_is_planned).with_for_update(skip_locked=True, key_share=True)
# One that another worker holds is passed over: each may hold what the other is about to ask.
WIN_PROBE = Statement(
    update(endpoint)
    .where(within(endpoint.c.id, _free))
    .values(next_probe_at=given("until", _moment))
    .returning(endpoint.c.id)
)

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
    room_for: Callable[[int, Sequence[int]], int],
    goes_besides: Callable[[int, Sequence[int]], bool] = lambda *_: False,
    full: Collection[int] = (),
) -> list[Claim]:
    """Lend at most `limit` due deliveries to the caller, and of each company at most what it has `room_for`.

    `room_for` is asked with a company and the companies of what is lent to others before it. Companies share the limit
    evenly, and what one does not use goes to the others; where nothing is left, one goes of each company that
    `goes_besides`. A contact's deliveries go out in order: none is lent while an older one of the same contact is open.
    Of a failing endpoint one delivery is lent when its next probe is due, whenever that delivery itself is. Companies
    that are `full` have no room: these are not even looked at.
    """
    claims: list[Claim] = []
    found = ENDPOINTS_WITH_DUE.all(connection, now=now, full=[(company_id,) for company_id in full])
    targets = [row for row in found if room_for(row.company_id, ())]
    while targets:
        before = Counter(claim.company_id for claim in claims)
        shares = _share_out(targets, before, limit, room_for, goes_besides)
        asked = [target for target in targets if shares[target.company_id]]
        ready = [target for target in asked if target.state == "active" or _wins_probe(connection, target, now + lease)]
        for share in sorted({shares[target.company_id] for target in ready}):
            some = [target for target in ready if shares[target.company_id] == share]
            claims += _lend(connection, some, now=now, lease=lease, room=share)
        if len(claims) >= limit or not asked:
            break
        wanting = shares + before - Counter(claim.company_id for claim in claims)
        unasked = [target for target in targets if not shares[target.company_id]]
        targets = unasked + [each for each in asked if each.state == "active" and not wanting[each.company_id]]
    return claims


def _share_out(
    targets: Sequence[AnyRow],
    before: Counter[int],
    limit: int,
    room_for: Callable[[int, Sequence[int]], int],
    goes_besides: Callable[[int, Sequence[int]], bool],
) -> Counter[int]:
    """How many each of these companies is to get, besides those `before`."""
    lent, shares = list(before.elements()), Counter[int]()
    for left, target in zip(range(len(targets), 0, -1), targets, strict=True):
        company_id = target.company_id
        has_some = before[company_id]
        share = max(ceil((limit - len(lent)) / left), int(not has_some and goes_besides(company_id, lent)))
        others = [each for each in lent if each != company_id] if has_some else lent
        share = min(share, room_for(company_id, others) - has_some)
        if share > 0:
            shares[company_id] = share if target.state == "active" else 1
            lent += [company_id] * shares[company_id]
    return shares


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


def has_due(connection: Connection, *, now: datetime, full: Collection[int] = ()) -> bool:
    """Whether anything may be claimed of who is not `full`, recovered or cancelled: cheap, without a write lock."""
    may_go = ENDPOINTS_WITH_DUE.all(connection, now=now, full=[(company_id,) for company_id in full])
    return bool(may_go) or has_loose_ends(connection, now=now)


def has_loose_ends(connection: Connection, *, now: datetime) -> bool:
    """Whether a lease has ended, or something waits without an address."""
    return bool(HAS_LOOSE_ENDS.all(connection, now=now)[0].has_any)


def release(connection: Connection, claims: Sequence[Claim]) -> None:
    """Give back claimed deliveries that were not sent: as if they had never been claimed."""
    if claims:
        GIVE_BACK.run(connection, unsent=[(claim.delivery_id, claim.lease_token) for claim in claims])


def _wins_probe(connection: Connection, target: AnyRow, until: datetime) -> bool:
    """Whether it is ours to ask a failing endpoint; until that moment nobody else asks."""
    return bool(WIN_PROBE.all(connection, id=target.id, planned=target.next_probe_at, until=until))


def _lend(
    connection: Connection, targets: Sequence[AnyRow], *, now: datetime, lease: timedelta, room: int
) -> list[Claim]:
    """Lend so many deliveries of each of these."""
    token, until = secrets.token_urlsafe(TOKEN_BYTES), now + lease
    facts, asking = {}, []
    for target in targets:
        is_probe = target.state == "failing"
        held = {"lease_token": token, "lease_expires_at": until, "is_probe": is_probe}
        facts[target.company_id] = target_of(target, now=now) | held
        asking.append((target.company_id, now + ANY_PAUSE if is_probe else now))
    rows = LEND.all(connection, asking=asking, room=room, token=token, until=until)
    return sorted(Claim(*row, **facts[row.company_id]) for row in rows)
