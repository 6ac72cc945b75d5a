"""What is old goes, as much of it as may: of what stays each row misses by one fact."""

import pytest
from flask import Flask
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Attempt, Delivery, Exchange
from tests.conftest import BOTH, URL
from tests.factories import NOON, attempt_of
from tests.outbox.stock import ENDED, HELD, HOUR, MOMENT, Rows

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
