"""What a worker is lent, records and gives back is its own: of the rest each row misses by one fact."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Attempt, Contact, Delivery, Endpoint
from portal.outbox import Claim, Rules
from portal.outbox.outages import begin_outage, end_outage
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from portal.working_models import AttemptCount, HeldDelivery, Outage
from tests.conftest import BOTH, URL
from tests.factories import NOON, attempt_of, endpoint_of
from tests.outbox.stock import (
    ENDED,
    HELD,
    HOUR,
    LEASE,
    LET_GO,
    MINE,
    MOMENT,
    PENDING,
    SENDING,
    STOCK,
    Rows,
    in_worker,
    settle,
)


@BOTH
@pytest.mark.parametrize("state", ["active", "failing", "paused"])
def test_what_is_due_and_the_first_of_its_contact_is_lent(app: Flask, state: str) -> None:
    rows = Rows({name: facts for name, facts in STOCK.items() if name not in SENDING}, apart=True)
    endpoint = endpoint_of(rows.company)
    endpoint.state, endpoint.next_probe_at = state, NOON
    db.session.commit()
    before = rows.read()
    lent: list[Claim] = []
    in_worker(
        lambda connection: lent.extend(
            outbox.claim_due(connection, now=NOON, lease=LEASE, limit=99, room_for=lambda *_: 99)
        )
    )
    expected = {"active": {"due"}, "failing": {"due"}, "paused": set()}[state]
    assert [(claim.webhook_id, claim.is_probe, claim.number) for claim in lent] == [
        (name, state == "failing", 2) for name in expected
    ]
    held = {"status": "sending", "attempt_count": 2, "lease_expires_at": NOON + LEASE}
    changed = {name: before[name] | held | {"lease_token": lent[0].lease_token} for name in expected}
    assert rows.read() == before | changed
    due_next = {"failing": NOON + LEASE}.get(state, NOON)
    assert db.session.execute(select(Endpoint.next_probe_at).order_by(Endpoint.company_id)).scalars().all() == [
        due_next,
        None,
    ]


@pytest.mark.parametrize(
    ("older", "waits"),
    [
        ("waiting", True),
        ("sending", True),
        ("of a merged one", True),
        *((name, False) for name in ("delivered", "failed", "superseded", "cancelled", "another's")),
    ],
)
def test_a_contacts_deliveries_go_out_in_the_order_in_which_they_were_made(app: Flask, older: str, waits: bool) -> None:
    Rows({older: STOCK[older], "due": STOCK["due"], "newer": {}})
    lent: list[Claim] = []
    in_worker(
        lambda connection: lent.extend(
            outbox.claim_due(connection, now=NOON, lease=LEASE, limit=99, room_for=lambda *_: 99)
        )
    )
    assert [claim.webhook_id for claim in lent] == ["due"] * (not waits)


def test_of_several_the_longest_due_are_lent_first_and_of_those_the_first_made(app: Flask) -> None:
    stock = {
        "later": {"next_attempt_at": NOON},
        "first": {"next_attempt_at": NOON - MOMENT},
        "second": {"next_attempt_at": NOON - MOMENT},
    }
    rows = Rows(stock, apart=True)
    for limit, expected in ((0, []), (1, ["first"]), (1, ["second"]), (1, ["later"])):
        lent: list[Claim] = []
        in_worker(
            lambda connection, limit=limit, lent=lent: lent.extend(
                outbox.claim_due(connection, now=NOON, lease=LEASE, limit=limit, room_for=lambda *_: 1)
            )
        )
        assert [claim.webhook_id for claim in lent] == expected
    assert rows.read()["later"]["status"] == "sending"


@pytest.mark.parametrize("reason", ["ok_text", "timeout"])
def test_each_attempt_is_recorded_once_and_late_where_the_lease_was_anothers(app: Flask, reason: str) -> None:
    rows = Rows(STOCK)
    settle(rows, reason, response_body=b"x", detail="a\0b")
    found = db.session.scalars(select(Attempt).order_by(Attempt.delivery_id)).all()
    names = {number: name for name, number in rows.ids.items()}
    assert {names[each.delivery_id]: each.late for each in found} == {name: name not in MINE for name in STOCK}
    erased = {name for name in STOCK if not STOCK[name].get("has_body", True)}
    for each in found:
        said = (None, None) if names[each.delivery_id] in erased else ("a\ufffdb", b"x")
        assert (each.reason, each.duration_ms, each.detail, each.response_body) == (reason, 12, *said)
    counted = db.session.scalars(select(AttemptCount)).all()
    status = "delivered" if reason == "ok_text" else "superseded"
    assert [(each.status, each.reason, each.up_to_ms, each.number, each.total_ms) for each in counted] == [
        (status, reason, 50, 2, 24)
    ]


@pytest.mark.parametrize(
    ("newer", "ends"),
    [
        ("waiting", "superseded"),
        ("sending for another", "superseded"),
        *((name, "pending") for name in ("delivered", "failed", "cancelled", "another's", "of a merged one")),
    ],
)
def test_what_failed_waits_for_another_try_unless_a_newer_one_tells_it(app: Flask, newer: str, ends: str) -> None:
    rows = Rows({"waiting before": {}, "sending": HELD, newer: STOCK[newer]})
    before = rows.read()
    settle(rows, "timeout")
    due = NOON + timedelta(minutes=5) if ends == "pending" else None
    values = {"status": ends, "next_attempt_at": due, "reason": "timeout", "tries": 2, **LET_GO}
    assert rows.read() == before | {"sending": before["sending"] | values}


@BOTH
def test_the_leases_that_have_ended_are_ended_and_no_others(app: Flask) -> None:
    rows = Rows(STOCK | {"a probe": HELD | {"contact": "Eva"}, "a test held": HELD | {"trigger": "test"}})
    endpoint = db.session.query(Endpoint).filter(Endpoint.company_id != rows.company.id).one()
    endpoint.state = "failing"
    db.session.commit()
    before, counted = rows.read(), []
    rules = Rules(parse_schedule("0s,30s,5m"), now=NOON, jitter=lambda: 0.0)
    in_worker(lambda connection: counted.append(outbox.recover(connection, rules, lease=LEASE)))
    assert counted == [5]  # with the one that has nothing to send any more
    gone = {"status": "superseded", "reason": "interrupted", "tries": 2, **ENDED, **LET_GO}
    again = gone | {"status": "pending", "tries": 1, "next_attempt_at": NOON + timedelta(seconds=30)}
    ended = {"sending": gone, "sending for another": gone, "a probe": again, "a test held": gone | {"status": "failed"}}
    after = rows.read()
    assert after == before | {name: before[name] | values for name, values in ended.items()}
    started = db.session.scalars(select(Attempt.started_at)).all()
    assert set(started) == {NOON - LEASE}


@BOTH
def test_an_outage_held_up_what_waits_what_ended_it_and_what_was_tried_meanwhile(app: Flask) -> None:
    failed = {"status": "failed", **ENDED}
    rows = Rows(
        STOCK
        | {"a test held": HELD | {"trigger": "test"}, "ended it": STOCK["delivered"]}
        | dict.fromkeys(("tried meanwhile", "tried before", "tried again before"), failed)
        | {"a test meanwhile": STOCK["a test"], "arrived meanwhile": STOCK["delivered"]}
    )
    began_at = NOON - HOUR
    tries = {
        "tried meanwhile": began_at - timedelta(minutes=1),
        "tried before": began_at - timedelta(minutes=1) - MOMENT,
        "a test meanwhile": NOON,
        "arrived meanwhile": NOON,
    }
    for name, at in tries.items():
        said = {"url": URL, "reason": "timeout", "number": 1, "trigger": "retry"}
        db.session.add(attempt_of(db.session.get_one(Delivery, rows.ids[name]), started_at=at, **said))
    db.session.commit()
    company_id, words = rows.company.id, []

    def end(connection: Any) -> None:
        cause = Outcome.interrupted(url=URL, started_at=began_at)
        for at in (began_at, NOON):  # one that lasts goes on
            begin_outage(connection, company_id, cause, began_at=at)
        words.append(end_outage(connection, company_id, now=NOON, arrived=[rows.ids["ended it"]]))

    in_worker(end)
    held = set(db.session.scalars(select(Delivery.webhook_id).join(HeldDelivery)))
    assert held == PENDING | SENDING | {"ended it", "tried meanwhile"}
    assert words == [f"2026-03-10T11:00Z/2026-03-10T12:00Z ({len(held)})"]
    assert db.session.query(Outage).count() == 1


LEARNED = {"status": "delivered", "interest_level": 3, "created_at": NOON, "warning": "html_page", **ENDED}


@pytest.mark.parametrize(
    ("stock", "level"),
    [
        ({"sending": HELD, "before it": LEARNED | {"delivered_at": NOON - MOMENT}}, 2),
        ({"sending": HELD, "after it": LEARNED | {"delivered_at": NOON + MOMENT}}, 3),
        ({"sending": HELD, "made after it": LEARNED | {"delivered_at": NOON}}, 3),
        ({"made before it": LEARNED | {"delivered_at": NOON}, "sending": HELD}, 2),
        ({"sending": HELD, "another's": LEARNED | {"delivered_at": NOON + MOMENT, "contact": "Bia"}}, 2),
        ({"sending": HELD, "a merged one's": LEARNED | {"delivered_at": NOON + MOMENT, "former_contact_id": 9}}, 2),
    ],
    ids=lambda value: [*value][-1] if isinstance(value, dict) else "",
)
def test_the_contact_says_what_its_crm_learned_last(app: Flask, stock: dict[str, Any], level: int) -> None:
    rows = Rows(stock)
    settle(rows, "ok_text", status_code=200)
    ana, bia = (db.session.get_one(Contact, rows.contacts[name]) for name in ("Ana", "Bia"))
    said = (ana.delivered_level, ana.delivered_frozen_at, ana.delivered_warning)
    assert said == ((3, NOON, "html_page") if level == 3 else (2, NOON - HOUR, None))
    assert bia.delivered_level is None
