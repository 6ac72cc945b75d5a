"""Each statement of the outbox changes the rows that it should, and no other: of the rest each misses by one fact."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Contact, Delivery
from portal.outbox import Claim
from tests.conftest import BOTH, URL
from tests.factories import NOON, endpoint_of
from tests.outbox.stock import (
    AGAIN,
    BY,
    CANCELLED,
    ENDED,
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


RESENT = PENDING - {"due", "by hand"} | {
    "delivered",
    "failed",
    "superseded",
    "cancelled",
    "cancelled untried",
    "a test",
}
OF_ANA = STOCK.keys() - {"a test", "another's", "another company's"}
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
