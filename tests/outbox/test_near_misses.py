"""Each statement of the outbox changes the rows that it should, and no other: of the rest each misses by one fact."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Attempt, Contact, Delivery, Endpoint, Exchange
from portal.outbox import Claim, Rules
from portal.outbox.outages import begin_outage, end_outage
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from portal.working_models import AttemptCount, HeldDelivery
from tests.conftest import BOTH, URL
from tests.factories import NOON, attempt_of, endpoint_of, insert_deliveries, make_company, make_contact

MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
LEASE = timedelta(seconds=15)
BY = "ana@example.com"
ENDED = {"next_attempt_at": None}
CANCELLED = {"status": "cancelled", **ENDED}
HELD = {"status": "sending", "lease_token": "mine", "lease_expires_at": NOON}
WAITING = {
    "status": "pending",
    "trigger": "classification",
    "next_trigger": "retry",
    "actor": "bia@example.com",
    "interest_level": 2,
    "previous_level": 1,
    "attempt_count": 1,
    "tries": 1,
    "next_attempt_at": NOON + HOUR,
    "created_at": NOON - HOUR,
    "has_body": True,
    "is_purged": False,
    "body": b"{}",
}
STOCK: Mapping[str, Mapping[str, Any]] = {
    "waiting": {},
    "untried": {"attempt_count": 0, "tries": 0},
    "due": {"next_attempt_at": NOON},
    "not yet due": {"next_attempt_at": NOON + MOMENT},
    "by hand": {"next_trigger": "manual", "tries": 0},
    "by hand, tried since": {"next_trigger": "manual"},
    "sending": HELD,
    "sending longer": HELD | {"lease_expires_at": NOON + MOMENT},
    "sending for another": HELD | {"lease_token": "another's"},
    "sending nothing": HELD | {"has_body": False},
    "delivered": {"status": "delivered", "delivered_at": NOON - HOUR, **ENDED},
    "failed": {"status": "failed", **ENDED},
    "failed, emptied": {"status": "failed", "has_body": False, **ENDED},
    "superseded": {"status": "superseded"},
    "cancelled": {"status": "cancelled", **ENDED},
    "cancelled untried": {"status": "cancelled", "attempt_count": 0, **ENDED},
    "a test": {"status": "failed", "trigger": "test", "contact": None, **ENDED},
    "of a merged one": {"former_contact_id": 900},
    "level 1": {"interest_level": 1},
    "level 3": {"interest_level": 3},
    "another's": {"contact": "Bia"},
    "another company's": {"contact": "Eva"},
}
"""Ana's deliveries, and what is no delivery of Ana's that waits: each differs from the first in one fact."""
PENDING = {
    *("waiting", "untried", "due", "not yet due", "by hand", "by hand, tried since", "of a merged one"),
    *("level 1", "level 3", "another's"),
}
"""Of the company."""
SENDING = {"sending", "sending longer", "sending for another", "sending nothing"}


class Rows:
    """Deliveries by name, as they are stored."""

    def __init__(self, stock: Mapping[str, Mapping[str, Any]], *, apart: bool = False) -> None:
        self.company, other = make_company(url=URL), make_company("Outra", url=URL)
        self.contacts = {
            name: make_contact(owner, name=name).id
            for name, owner in {"Ana": self.company, "Bia": self.company, "Eva": other}.items()
        }
        rows = []
        blank = {column.name: None for column in Delivery.__table__.c if column.name != "id"}
        for name, facts in stock.items():
            row = blank | WAITING | {"contact": "Ana"} | facts | {"webhook_id": name}
            row["company_id"] = other.id if row["contact"] == "Eva" else self.company.id
            row["contact_id"] = self.contacts[row["contact"]] if row["contact"] else None
            if apart and row["contact"] == "Ana":
                row["contact_id"] = make_contact(self.company).id
            rows.append(row)
        db.session.commit()
        if rows:
            in_worker(lambda connection: insert_deliveries(connection, rows))
        self.ids = {row.webhook_id: row.id for row in db.session.execute(select(Delivery.webhook_id, Delivery.id))}
        db.session.rollback()

    def read(self) -> dict[str, dict[str, Any]]:
        db.session.commit()
        rows = db.session.execute(select(Delivery.__table__)).mappings().all()
        db.session.rollback()
        return {row["webhook_id"]: dict(row) for row in rows if row["webhook_id"] in self.ids}

    def bodies(self) -> set[str]:
        held = db.session.scalars(select(Delivery.webhook_id).join(Delivery.stored_body)).all()
        db.session.rollback()
        return set(held)

    def claims(self, **facts: Any) -> list[Claim]:
        """As if this worker held each of them."""
        return [
            Claim(
                delivery_id=row["id"],
                webhook_id=name,
                company_id=row["company_id"],
                contact_id=row["contact_id"],
                body=b"{}",
                trigger=row["next_trigger"],
                actor=None,
                is_test=row["trigger"] == "test",
                number=row["attempt_count"],
                tries=row["tries"],
                lease_token="mine",
                lease_expires_at=NOON,
                url=URL,
                **facts,
            )
            for name, row in self.read().items()
        ]


def in_worker(act: Callable[[Any], object]) -> None:
    db.session.rollback()
    with db.engine.begin() as connection:
        act(connection)


def settle(rows: Rows, reason: str, *, probes: bool = False, **facts: Any) -> None:
    rules = Rules(parse_schedule("0s,30s,5m"), now=NOON, jitter=lambda: 0.0)
    outcome = Outcome(started_at=NOON, duration_ms=12, url=URL, reason=reason, **facts)
    claims = rows.claims(is_probe=probes)
    in_worker(lambda connection: outbox.settle(connection, [(claim, outcome) for claim in claims], rules))


def resend(rows: Rows, *, seen: int = 0) -> None:
    found = [db.session.get_one(Delivery, number) for number in rows.ids.values()]
    for each in found:
        outbox.resend(db.session, each, actor=BY, now=NOON, seen_attempts=each.attempt_count + seen)


def resend_many(rows: Rows, *, seen: int = 0) -> None:
    asked = [(row["id"], row["attempt_count"] + seen) for row in rows.read().values()]
    outbox.resend_many(db.session, rows.company.id, asked, actor=BY, now=NOON)


def enqueue(rows: Rows, *, is_new: bool = False) -> None:
    facts = {"campaign_id": None, "owner_id": None, "interest_level": 3, "previous_level": 2, "body": b"{}"}
    new, ana = {rows.contacts["Ana"]} if is_new else (), facts | {"contact_id": rows.contacts["Ana"]}
    outbox.enqueue(db.session, rows.company.id, [ana], trigger="classification", actor=BY, now=NOON, new_contacts=new)


def give_back(rows: Rows) -> None:
    claims = rows.claims()
    in_worker(lambda connection: outbox.release(connection, claims))


def without_address(rows: Rows, act: Callable[[Any], object]) -> None:
    endpoint_of(rows.company).url = None
    db.session.commit()
    in_worker(act)


AGAIN = {"status": "pending", "tries": 0, "next_attempt_at": NOON, "next_trigger": "manual", "next_actor": BY}
RESENT = PENDING - {"due", "by hand"} | {
    "delivered",
    "failed",
    "superseded",
    "cancelled",
    "cancelled untried",
    "a test",
}
LET_GO = {"lease_token": None, "lease_expires_at": None}
OF_ANA = STOCK.keys() - {"a test", "another's", "another company's"}
MINE = {"sending", "sending longer"}
GIVEN_BACK = {"status": "pending", "attempt_count": 0, **LET_GO}
CHANGES: Mapping[str, tuple[Callable[[Rows], object], set[str], Mapping[str, Any]]] = {
    "cancel a company's": (lambda rows: outbox.cancel_waiting(db.session, rows.company.id), PENDING, CANCELLED),
    "cancel a contact's": (
        lambda rows: outbox.cancel_contacts(db.session, [rows.contacts["Ana"]]),
        PENDING - {"another's"},
        CANCELLED,
    ),
    "cancel strays": (lambda rows: without_address(rows, outbox.cancel_strays), PENDING, CANCELLED),
    "cancel strays, none": (lambda _: in_worker(outbox.cancel_strays), set(), {}),
    "send again": (resend, RESENT | {"another company's"}, AGAIN),
    "send again, as it was": (lambda rows: resend(rows, seen=1), set(), {}),
    "send many again": (resend_many, RESENT, AGAIN),
    "send many again, as they were": (lambda rows: resend_many(rows, seen=-1), set(), {}),
    "supersede": (enqueue, PENDING - {"untried", "another's"}, {"status": "superseded"}),
    "supersede nothing of a new one": (lambda rows: enqueue(rows, is_new=True), set(), {}),
    "give back": (
        give_back,
        MINE | {"sending nothing"},
        GIVEN_BACK,
    ),
    "move": (
        lambda rows: outbox.move_deliveries(db.session, rows.contacts["Bia"], rows.contacts["Ana"]),
        {"another's"},
        {"contact_id": "Ana", "former_contact_id": "Bia"},
    ),
    "settle, delivered": (
        lambda rows: settle(rows, "ok_text", status_code=200),
        MINE,
        {"status": "delivered", "delivered_at": NOON, "reason": "ok_text", "tries": 2, **ENDED, **LET_GO},
    ),
    "settle, failed for good": (
        lambda rows: settle(rows, "gone", status_code=410),
        MINE,
        {"status": "superseded", "reason": "gone", "tries": 2, **ENDED, **LET_GO},
    ),
}


@BOTH
@pytest.mark.parametrize("name", CHANGES)
def test_each_statement_changes_its_own_rows_and_no_other(app: Flask, name: str) -> None:
    act, touched, values = CHANGES[name]
    rows = Rows(STOCK)
    before = rows.read()
    values = {column: rows.contacts.get(value, value) for column, value in values.items()}
    act(rows)
    assert rows.read() == before | {each: before[each] | values for each in touched}


def test_what_one_sends_again_is_counted(app: Flask) -> None:
    rows = Rows(STOCK)
    asked = [(row["id"], row["attempt_count"]) for row in rows.read().values()]
    assert outbox.resend_many(db.session, rows.company.id, asked, actor=BY, now=NOON) == len(RESENT)
    assert outbox.waiting_count(db.session, rows.company.id) == len(RESENT | PENDING | SENDING)
    assert outbox.waiting_count_of(db.session, rows.contacts["Bia"]) == 1


def test_what_waits_is_released_with_the_highest_level_first(app: Flask) -> None:
    rows = Rows(STOCK)
    before = rows.read()
    company_id = rows.company.id
    in_worker(lambda connection: outbox.release_waiting(connection, company_id, now=NOON))
    due = {3: NOON, 2: NOON + MOMENT, 1: NOON + 2 * MOMENT}
    released = {name: row | {"next_attempt_at": due[row["interest_level"]]} for name, row in before.items()}
    assert rows.read() == before | {name: released[name] for name in PENDING}


def test_forgetting_a_contact_ends_and_empties_all_of_its_deliveries_and_no_other(app: Flask) -> None:
    rows = Rows(STOCK)
    before, bodies = rows.read(), rows.bodies()
    assert outbox.forget_contact(db.session, rows.contacts["Ana"]) == len(OF_ANA)
    gone = {"contact_id": None, "has_body": False, "is_purged": True}
    ends = CANCELLED | LET_GO
    open_ = (PENDING | SENDING) & OF_ANA
    assert rows.read() == before | {name: before[name] | gone | (ends if name in open_ else {}) for name in OF_ANA}
    assert bodies - rows.bodies() == {name for name in OF_ANA if before[name]["has_body"]}


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
    late = {name for name in STOCK if name not in MINE and STOCK[name].get("has_body", True)}
    assert {names[each.delivery_id]: each.late for each in found} == dict.fromkeys(late, True) | dict.fromkeys(
        MINE, False
    )
    assert {(each.reason, each.duration_ms, each.detail, each.response_body) for each in found} == {
        (reason, 12, "a\ufffdb", b"x")
    }
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


FORGETTABLE = {
    "old": {"status": "failed", **ENDED},
    "too young": {"status": "failed", "created_at": NOON, **ENDED},
    "young enough": {"status": "failed", "created_at": NOON - MOMENT, **ENDED},
    "on its way": {},
    "being sent": HELD,
    "superseded": {"status": "superseded"},
    "arrived before": {"status": "delivered", "delivered_at": NOON - HOUR, **ENDED},
    "arrived last": {"status": "delivered", "delivered_at": NOON - HOUR, **ENDED},
    "of a merged one": {"status": "delivered", "delivered_at": NOON, "former_contact_id": 900, **ENDED},
    "another's last": {"status": "failed", "delivered_at": NOON - 2 * HOUR, "contact": "Bia", **ENDED},
    "of nobody": {"status": "delivered", "delivered_at": NOON, "contact": None, **ENDED},
    "another company's": {"status": "failed", "contact": "Eva", **ENDED},
    "emptied": {"status": "failed", "has_body": False, "is_purged": True, **ENDED},
}
KEPT = {"too young", "on its way", "being sent", "arrived last", "another's last", "another company's"}


@BOTH
@pytest.mark.parametrize("limit", [1, 2, 99])
def test_facts_that_are_too_old_go_but_for_what_a_contacts_crm_learned_last(app: Flask, limit: int) -> None:
    rows = Rows(FORGETTABLE)
    place, gone, walks = outbox.FIRST, [], 0
    while place is not None:
        before = rows.read().keys()
        done = outbox.forget_facts(db.session, rows.company.id, before=NOON, after=place, looks=3, limit=limit)
        left = rows.read().keys()
        assert done.deliveries == len(before - left) <= limit
        gone += sorted(before - left, key=lambda name: rows.ids[name])
        place, walks = done.last, walks + 1
    expected = [name for name in FORGETTABLE if name not in KEPT]
    assert sorted(gone) == sorted(expected)
    if limit == 1:  # the oldest first
        assert gone == [*(name for name in expected if name != "young enough"), "young enough"]
    assert walks >= len(expected) / min(limit, 3)


@BOTH
@pytest.mark.parametrize("limit", [1, 2, 99])
def test_what_was_said_long_ago_goes_but_for_what_is_on_its_way(app: Flask, limit: int) -> None:
    rows = Rows(FORGETTABLE)
    said = {"url": URL, "reason": "timeout", "number": 1, "trigger": "retry", "response_body": b"x"}
    for number in rows.ids.values():
        for at in (NOON, NOON - MOMENT):
            db.session.add(attempt_of(db.session.get_one(Delivery, number), started_at=at, **said))
    db.session.commit()
    before, bodies = rows.read(), rows.bodies()
    place, counted, answers = outbox.FIRST, 0, 0
    while place is not None:
        done = outbox.forget_said(db.session, rows.company.id, before=NOON, after=place, limit=limit)
        assert done.bodies <= limit
        place, counted, answers = done.last, counted + done.bodies, answers + done.answers
    kept = {"too young", "on its way", "being sent", "another company's", "emptied"}
    emptied = FORGETTABLE.keys() - kept
    assert rows.read() == before | {name: before[name] | {"has_body": False} for name in emptied}
    assert (counted, bodies - rows.bodies()) == (len(emptied), emptied)
    looked_at = FORGETTABLE.keys() - {"too young", "another company's", "emptied"}
    left = select(Attempt.delivery_id).join(Exchange).where(Attempt.started_at < NOON)
    assert answers == len(looked_at)
    assert set(db.session.scalars(left)) == {rows.ids[name] for name in FORGETTABLE.keys() - looked_at}
    assert db.session.query(Exchange).join(Attempt).filter(Attempt.started_at == NOON).count() == len(FORGETTABLE)


BEFORE_IT = {"status": "superseded", "interest_level": 1, "next_attempt_at": NOON - HOUR}
UNDONE: Mapping[str, tuple[Mapping[str, Mapping[str, Any]], bool]] = {
    "superseded": ({"older": BEFORE_IT}, True),
    "of no known time": ({"older": BEFORE_IT | ENDED}, True),
    "of another level": ({"older": BEFORE_IT | {"interest_level": 2}}, False),
    "of another level, of a merged one": ({"older": BEFORE_IT | {"interest_level": 2, "former_contact_id": 9}}, True),
    "emptied": ({"older": BEFORE_IT | {"has_body": False}}, False),
    "of another contact": ({"older": BEFORE_IT | {"contact": "Bia"}}, False),
    **{f"is {status}": ({"older": BEFORE_IT | {"status": status}}, False) for status in ("cancelled", "failed")},
    "with one between": ({"older": BEFORE_IT, "between": {"status": "failed", **ENDED}}, False),
    "with a cancelled one between": ({"older": BEFORE_IT, "between": {"status": "cancelled", **ENDED}}, True),
    "with another's between": ({"older": BEFORE_IT, "between": {"status": "failed", "contact": "Bia", **ENDED}}, True),
    "with a merged one's between": (
        {"older": BEFORE_IT, "between": {"status": "failed", "former_contact_id": 9, **ENDED}},
        True,
    ),
    "of a merged one, with that one's between": (
        {
            "older": BEFORE_IT | {"former_contact_id": 9},
            "between": {"status": "failed", "former_contact_id": 9, **ENDED},
        },
        False,
    ),
}


@pytest.mark.parametrize("name", UNDONE)
def test_what_is_taken_back_lets_that_before_it_wait_again(app: Flask, name: str) -> None:
    stock, waits_again = UNDONE[name]
    rows = Rows(stock | {"taken": STOCK["untried"], "newer": BEFORE_IT})
    before = rows.read()
    assert outbox.take_back(db.session, rows.ids["taken"], now=NOON)
    assert db.session.info.get(outbox.DUE)
    changed = {"taken": before["taken"] | CANCELLED}
    if waits_again:
        due = before["older"]["next_attempt_at"] or NOON
        changed["older"] = before["older"] | {"status": "pending", "next_attempt_at": due}
    assert rows.read() == before | changed


@pytest.mark.parametrize("name", [name for name in STOCK if name != "untried"])
def test_what_a_worker_had_in_hand_is_not_taken_back(app: Flask, name: str) -> None:
    rows = Rows({"older": BEFORE_IT, name: STOCK[name]})
    before = rows.read()
    assert not outbox.take_back(db.session, rows.ids[name], now=NOON)
    assert rows.read() == before


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
        begin_outage(connection, company_id, cause, began_at=began_at)
        words.append(end_outage(connection, company_id, now=NOON, arrived=[rows.ids["ended it"]]))

    in_worker(end)
    held = set(db.session.scalars(select(Delivery.webhook_id).join(HeldDelivery)))
    assert held == PENDING | SENDING | {"ended it", "tried meanwhile"}
    assert words == [f"2026-03-10T11:00Z/2026-03-10T12:00Z ({len(held)})"]


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


@BOTH
def test_what_is_made_says_all_of_itself(app: Flask) -> None:
    rows = Rows({})
    facts: dict[str, Any] = {"contact_id": rows.contacts["Ana"], "interest_level": 3}
    campaign, owner = db.session.execute(select(Contact.campaign_id, Contact.owner_id)).first() or (0, 0)
    facts |= {"campaign_id": campaign, "owner_id": owner, "previous_level": 2}
    known = {"company_id": rows.company.id, "created_at": NOON, "attempt_count": 0, "tries": 0, "status": "pending"}
    made = dict.fromkeys(Delivery.__table__.c.keys()) | {"has_body": True, "is_purged": False} | known
    ids = outbox.enqueue(
        *(db.session, rows.company.id, [facts | {"body": b"1"}, facts | {"body": b"2"}]),
        **{"trigger": "sync", "actor": BY, "now": NOON},
    )
    assert db.session.info.pop(outbox.DUE)
    stored = db.session.query(Delivery).order_by(Delivery.id).all()
    assert [(each.webhook_id, each.body) for each in stored] == list(zip(ids, (b"1", b"2"), strict=True))
    triggers = {"trigger": "sync", "next_trigger": "sync", "actor": BY, "next_attempt_at": NOON}
    for each in stored:
        row = {name: getattr(each, name) for name in made}
        assert row == made | facts | triggers | {"id": each.id, "webhook_id": each.webhook_id}
    assert outbox.enqueue(db.session, rows.company.id, [], trigger="sync", actor=BY, now=NOON) == []
    assert outbox.DUE not in db.session.info
    company_id = rows.company.id
    tests: list[Claim] = []
    in_worker(
        lambda connection: tests.append(
            outbox.enqueue_test(connection, company_id=company_id, url=f"{URL}/other", actor=BY, now=NOON, lease=LEASE)
        )
    )
    (claim,) = tests
    each = db.session.get_one(Delivery, claim.delivery_id)
    own = {"trigger": "test", "next_trigger": "test", "actor": BY, "next_actor": BY, "interest_level": 2}
    lent = {"status": "sending", "attempt_count": 1, "lease_expires_at": NOON + LEASE, "lease_token": claim.lease_token}
    row = {name: getattr(each, name) for name in made}
    assert row == made | own | lent | {"id": each.id, "webhook_id": claim.webhook_id}
    assert (claim.url, claim.body, claim.is_test, claim.number, claim.tries) == (f"{URL}/other", each.body, True, 1, 0)
