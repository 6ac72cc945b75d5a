"""What may be sent again, at which risk, and what is sent: of the rest each misses by one fact."""

from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.company.refusals import Refusal
from portal.database.db import db
from portal.deliveries import resending
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.resending import Group, NeedsConfirmation, NotForTests, PersonErased
from portal.models import AuditEntry, Contact, Delivery
from tests.factories import NOON, actor_of, attempt_of
from tests.outbox.stock import AGAIN, ENDED, HELD, PENDING, STOCK, Rows

MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
FAILED = {"status": "failed", **ENDED}
FREE = PENDING - {"due"} | {"failed", "cancelled", "cancelled untried"}
"""What can be sent again and brings nothing but news."""
RISKY = {"delivered": "delivered", "superseded": "older"}


@pytest.fixture(autouse=True)
def at_noon(app: Flask) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def row_of(rows: Rows, name: str) -> Delivery:
    return db.session.get_one(Delivery, rows.ids[name])


@pytest.mark.parametrize(
    "risks", [(), ("delivered",), ("older",), resending.RISKS], ids=lambda risks: "+".join(risks) or "none"
)
def test_what_can_go_is_chosen_in_order_by_the_risks_that_are_meant(risks: tuple[str, ...]) -> None:
    rows = Rows(STOCK, apart=True)
    expected = [name for name in STOCK if name in FREE or RISKY.get(name) in risks]
    chosen = resending.choose(db.session, rows.company.id, DeliveryFilter(), risks=risks)
    assert chosen == [(rows.ids[name], 0 if "untried" in name else 1) for name in expected]
    newest = rows.ids["failed"]
    seen = resending.choose(db.session, rows.company.id, DeliveryFilter(), risks=risks, newest_id=newest)
    assert seen == [pair for pair in chosen if pair[0] <= newest]


def test_what_matches_is_counted_by_what_can_go_its_risk_and_its_level() -> None:
    rows = Rows(STOCK, apart=True)
    found = resending.look(db.session, rows.company.id, DeliveryFilter())
    span = NOON - HOUR, NOON - HOUR
    assert {(each.risk, each.level): each for each in found.groups} == {
        (None, 1): Group(None, 1, 1, *span),
        (None, 2): Group(None, 2, len(FREE) - 2, *span),
        (None, 3): Group(None, 3, 1, *span),
        ("delivered", 2): Group("delivered", 2, 1, *span),
        ("older", 2): Group("older", 2, 1, *span),
    }
    assert found.total == len(STOCK) - 1
    assert found.left_out == found.total - len(FREE) - 2
    assert found.newest_id == rows.ids["another's"]
    assert list(found.by_level().items()) == [(3, 1), (2, len(FREE)), (1, 1)]
    assert found.tell(["older"]) == {"count": len(FREE) + 1, "left_out": {"delivered": 1, "maybe_received": 0}}


@pytest.mark.parametrize("accepting", [(), resending.RISKS], ids=["no risk", "every risk"])
def test_each_is_sent_again_or_says_why_not(accepting: tuple[str, ...]) -> None:
    rows = Rows(STOCK, apart=True)
    before, told = rows.read(), {}
    for name in STOCK:
        try:
            told[name] = resending.resend(db.session, actor_of(rows.company), row_of(rows, name), accepting=accepting)
        except Refusal as refusal:
            told[name] = refusal.risk if isinstance(refusal, NeedsConfirmation) else type(refusal)
    kept = {"due": False, "by hand": False} | dict.fromkeys(("sending", "sending longer", "sending for another"), False)
    refused = {"a test": NotForTests, "sending nothing": resending.BodyPurged, "failed, emptied": resending.BodyPurged}
    risky = {} if accepting else RISKY
    assert told == dict.fromkeys(STOCK, True) | kept | refused | risky
    went = [name for name, answer in told.items() if answer is True]
    assert rows.read() == before | {name: before[name] | AGAIN | {"next_actor": "ana@example.com"} for name in went}
    written = db.session.query(AuditEntry).filter_by(action="delivery.resent").order_by(AuditEntry.id)
    assert [entry.subject for entry in written] == went


@pytest.mark.parametrize(
    ("newer", "risk"),
    [
        ({}, "older"),
        (HELD, "older"),
        (FAILED | {"delivered_at": NOON}, "older"),
        (FAILED, None),
        ({"status": "cancelled", **ENDED}, None),
        ({"contact": "Bia"}, None),
    ],
    ids=["waits", "is being sent", "arrived once", "failed", "was cancelled", "is another's"],
)
def test_it_is_older_than_one_that_arrived_or_is_on_its_way(newer: dict[str, Any], risk: str | None) -> None:
    rows = Rows({"failed": FAILED, "newer": newer})
    assert resending.risk_of(db.session, row_of(rows, "failed")) == risk


def test_one_before_it_does_not_make_it_older() -> None:
    rows = Rows({"before": {}, "failed": FAILED})
    assert resending.risk_of(db.session, row_of(rows, "failed")) is None


@pytest.mark.parametrize(
    ("said", "risk"),
    [
        ({}, "maybe_received"),
        ({"request_sent": False}, None),
        ({"status_code": 500}, None),
        ({"status_code": 200, "reason": "timeout"}, "maybe_received"),
        ({"status_code": 200, "reason": "incomplete"}, "maybe_received"),
        ({"of": "another"}, None),
        ({"status": "superseded"}, "older"),
        ({"status": "pending"}, None),
    ],
)
def test_it_was_maybe_received_when_no_whole_answer_came_to_what_was_sent(
    said: dict[str, Any], risk: str | None
) -> None:
    said = {**said}
    status = {"status": said.pop("status", "failed")}
    rows = Rows({"failed": FAILED | status, "another": FAILED}, apart=True)
    facts = {"url": "http://x.test", "reason": "reset", "number": 1, "trigger": "retry", "request_sent": True} | said
    delivery = row_of(rows, facts.pop("of", "failed"))
    db.session.add(attempt_of(delivery, started_at=NOON, **facts))
    db.session.commit()
    assert resending.risk_of(db.session, row_of(rows, "failed")) == risk


def test_what_somebody_else_sent_meanwhile_stays_as_it_is() -> None:
    rows = Rows({"failed": FAILED})
    delivery = row_of(rows, "failed")
    assert not resending.resend(db.session, actor_of(rows.company), delivery, seen_attempts=0)
    assert resending.resend(db.session, actor_of(rows.company), delivery, seen_attempts=1)


def test_what_was_erased_says_so() -> None:
    rows = Rows({"failed, emptied": {**STOCK["failed, emptied"], "contact": None, "is_purged": True}})
    with pytest.raises(PersonErased):
        resending.resend(db.session, actor_of(rows.company), row_of(rows, "failed, emptied"))


@pytest.mark.parametrize(
    ("changed_at", "former", "is_old"),
    [(NOON + MOMENT, None, True), (NOON, None, False), (None, None, False), (NOON + MOMENT, 9, False)],
)
def test_its_data_are_old_when_they_changed_after_it_was_made(
    changed_at: Any, former: int | None, is_old: bool
) -> None:
    contact = Contact(data_changed_at=changed_at)
    delivery: Any = SimpleNamespace(contact=contact, former_contact_id=former, created_at=NOON)
    assert resending.has_old_data(delivery) is is_old
