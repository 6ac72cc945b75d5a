"""Undoing a level: taken back as long as no worker has had it in hand, set back as a reclassification afterwards."""

import threading
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import Connection, select
from sqlalchemy.orm import Session

from portal import clock, outbox
from portal.company import endpoint
from portal.contacts import merging, syncing, undoing
from portal.contacts.classifying import classify_many
from portal.contacts.undoing import OFFERED, Undone
from portal.database.db import db
from portal.models import Classification, Company, Contact, Delivery
from portal.outbox import Claim, Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH, URL

pytestmark = BOTH
LEASE = timedelta(seconds=15)


@pytest.fixture
def contact(company: Company) -> Contact:
    return factories.make_contact(company)


def classify(contact: Contact, level: int | None):
    return factories.classify_contact(contact, level).classified_at


def undo(contact: Contact, set_at, *, email: str = "ana@example.com", contact_ids: list[int] | None = None) -> Undone:
    actor = factories.actor_of(contact.company, email)
    done = undoing.undo(db.session, actor, contact_ids or [contact.id], set_at=set_at)
    factories.commit_contact(contact.company_id, contact.id)
    db.session.expire_all()
    return done


def claim() -> list[Claim]:
    with db.engine.begin() as connection:
        return outbox.claim_due(connection, now=clock.utcnow(), lease=LEASE, limit=9, room_for=lambda *_: 9)


def settle(claimed: Claim, reason: str) -> None:
    with db.engine.begin() as connection:
        settle_in(connection, claimed, reason)
    db.session.expire_all()


def settle_in(connection: Connection, claimed: Claim, reason: str) -> None:
    rules = Rules(parse_schedule("0s,30s,5m"), clock.utcnow(), lambda: 0.0)
    outcome = Outcome(reason=reason, url=claimed.url, started_at=clock.utcnow(), duration_ms=1, request_sent=True)
    outbox.settle(connection, [(claimed, outcome)], rules)


def deliveries() -> list[tuple[str, int | None]]:
    db.session.expire_all()
    found = [(row.status, row.interest_level) for row in db.session.scalars(select(Delivery).order_by(Delivery.id))]
    db.session.commit()
    return found


def levels_of_history() -> list[int | None]:
    found = list(db.session.scalars(select(Classification.new_level).order_by(Classification.id)))
    db.session.commit()
    return found


def test_what_nobody_claimed_is_taken_back_and_nothing_fires(contact: Contact) -> None:
    done = undo(contact, classify(contact, 3))
    assert done == Undone((contact.id,))
    assert (contact.interest_level, contact.classified_at) == (None, None)
    assert deliveries() == [("cancelled", 3)]
    assert levels_of_history() == []
    assert claim() == []


def test_the_level_before_has_its_time_again(contact: Contact) -> None:
    first = classify(contact, 1)
    settle(claim()[0], "ok_text")
    other = factories.make_contact(contact.company)
    classify(other, 2)  # its time is not this one's
    undo(contact, classify(contact, 2))
    assert (contact.interest_level, contact.classified_at, contact.delivered_level) == (1, first, 1)
    assert deliveries() == [("delivered", 1), ("pending", 2), ("cancelled", 2)]


def test_what_it_superseded_waits_again_until_it_was_due(contact: Contact) -> None:
    classify(contact, 1)
    settle(claim()[0], "server_error")
    due_at = db.session.scalars(select(Delivery)).one().next_attempt_at
    set_at = classify(contact, 2)
    assert deliveries() == [("superseded", 1), ("pending", 2)]
    undo(contact, set_at)
    assert deliveries() == [("pending", 1), ("cancelled", 2)]
    assert db.session.scalars(select(Delivery).order_by(Delivery.id)).first().next_attempt_at == due_at


def test_so_does_what_was_overtaken_while_it_was_sent(contact: Contact) -> None:
    classify(contact, 1)
    (claimed,) = claim()
    set_at = classify(contact, 2)
    settle(claimed, "server_error")
    assert deliveries() == [("superseded", 1), ("pending", 2)]
    undo(contact, set_at)
    assert deliveries() == [("pending", 1), ("cancelled", 2)]
    assert [each.delivery_id for each in claim()] == [claimed.delivery_id]


def test_an_earlier_superseded_one_stays_superseded(contact: Contact) -> None:
    for level in (1, 2):
        classify(contact, level)
        settle(claim()[0], "server_error")
    set_at = classify(contact, 3)
    undo(contact, set_at)
    assert deliveries() == [("superseded", 1), ("pending", 2), ("cancelled", 3)]


def test_it_waits_again_after_each_of_several_that_are_undone(contact: Contact) -> None:
    classify(contact, 1)
    settle(claim()[0], "server_error")
    for level in (2, 3):
        undo(contact, classify(contact, level))
    assert deliveries() == [("pending", 1), ("cancelled", 2), ("cancelled", 3)]


@pytest.mark.parametrize("is_settled_first", [True, False])
def test_an_older_one_that_fails_at_that_moment_is_not_lost(
    app: Flask, contact: Contact, is_settled_first: bool
) -> None:
    """Whichever comes first, the other waits for it: else each would count on the delivery of the other."""
    classify(contact, 1)
    (claimed,) = claim()
    set_at, actor, number = classify(contact, 3), factories.actor_of(contact.company), contact.id
    db.session.remove()

    def take_back(session: Session) -> None:
        undoing.undo(session, actor, [number], set_at=set_at)

    def in_own_transaction() -> None:
        with factories.session_of(app) as session:
            if is_settled_first:
                take_back(session)
            else:
                settle_in(session.connection(), claimed, "server_error")
            session.commit()

    second = threading.Thread(target=in_own_transaction)
    with factories.session_of(app) as session:
        if is_settled_first:
            settle_in(session.connection(), claimed, "server_error")
        else:
            take_back(session)
        second.start()
        second.join(0.5)
        assert second.is_alive()
        session.commit()
    second.join(60)
    assert deliveries() == [("pending", 1), ("cancelled", 3)]


def test_it_waits_again_though_the_contact_was_merged_with_another_meanwhile(contact: Contact) -> None:
    other = factories.make_contact(contact.company)
    classify(contact, 1)
    classify(other, 2)
    for claimed in claim():
        settle(claimed, "server_error")
    set_at = classify(contact, 3)
    merging.merge(db.session, factories.actor_of(contact.company), contact.id, other.id)
    db.session.commit()
    undo(contact, set_at)
    assert deliveries() == [("pending", 1), ("pending", 2), ("cancelled", 3)]


def test_an_older_level_stays_superseded_when_the_one_before_was_cancelled_with_the_address(contact: Contact) -> None:
    classify(contact, 1)
    settle(claim()[0], "server_error")
    classify(contact, 2)
    endpoint.remove_address(db.session, factories.actor_of(contact.company))
    db.session.commit()
    factories.set_url(contact.company, URL)
    undo(contact, classify(contact, 3))
    assert deliveries() == [("superseded", 1), ("cancelled", 2), ("cancelled", 3)]


@pytest.mark.parametrize("is_settled", [False, True])
def test_what_was_claimed_is_set_back_and_the_crm_is_told(contact: Contact, is_settled: bool) -> None:
    classify(contact, 1)
    settle(claim()[0], "ok_text")
    set_at = classify(contact, 3)
    (claimed,) = claim()
    if is_settled:
        settle(claimed, "ok_text")
    assert undo(contact, set_at) == Undone(told=(contact.id,))
    assert contact.interest_level == 1
    assert deliveries() == [("delivered", 1), ("delivered" if is_settled else "sending", 3), ("pending", 1)]
    assert levels_of_history() == [1, 3, 1]


def test_what_a_worker_tried_once_is_not_taken_back_though_it_waits_again(contact: Contact) -> None:
    """The receiver may have had it and answered an error."""
    classify(contact, 1)
    settle(claim()[0], "ok_text")
    set_at = classify(contact, 3)
    settle(claim()[0], "server_error")
    assert undo(contact, set_at) == Undone(told=(contact.id,))
    assert deliveries() == [("delivered", 1), ("superseded", 3), ("pending", 1)]


def test_where_there_was_no_level_the_crm_keeps_the_one_it_was_sent(contact: Contact) -> None:
    set_at = classify(contact, 3)
    claim()
    assert undo(contact, set_at) == Undone(kept_by_crm={contact.id: 3})
    assert contact.interest_level is None
    assert deliveries() == [("sending", 3)]


def test_a_removal_is_taken_back_and_nothing_fires(contact: Contact) -> None:
    classify(contact, 2)
    settle(claim()[0], "ok_text")
    undo(contact, classify(contact, None))
    assert contact.interest_level == 2
    assert deliveries() == [("delivered", 2)]


def test_without_an_address_there_is_nothing_to_cancel(app) -> None:
    contact = factories.make_contact(factories.make_company("Sem URL"))
    undo(contact, classify(contact, 2))
    assert contact.interest_level is None


def test_many_are_undone_at_once_each_by_its_own_way(company: Company, contact: Contact) -> None:
    other = factories.make_contact(company)
    actor = factories.actor_of(company)
    set_at = classify_many(db.session, actor, [contact.id, other.id], 3)[0].classified_at
    db.session.commit()
    with db.engine.begin() as connection:
        outbox.claim_due(connection, now=clock.utcnow(), lease=LEASE, limit=1, room_for=lambda *_: 1)
    done = undo(contact, set_at, contact_ids=[contact.id, other.id])
    assert done == Undone((other.id,), kept_by_crm={contact.id: 3})


def test_only_its_own_last_act_is_undone_and_not_for_long(contact: Contact, monkeypatch) -> None:
    set_at = classify(contact, 3)
    stranger = factories.make_contact(factories.make_company("Outra"))
    assert undo(contact, set_at, email="bia@example.com") == Undone()
    assert undo(contact, set_at + timedelta(microseconds=1)) == Undone()
    assert undo(stranger, set_at, contact_ids=[contact.id]) == Undone()
    classify(contact, 2)
    assert undo(contact, set_at) == Undone()
    set_at = classify(contact, 1)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "utcnow", lambda: set_at + timedelta(seconds=15, microseconds=1))
        assert undo(contact, set_at) == Undone()
        patch.setattr(clock, "utcnow", lambda: set_at + timedelta(seconds=15))
        assert undo(contact, set_at) != Undone()
    assert OFFERED.total_seconds() == 10


def test_what_was_sent_otherwise_at_that_very_moment_is_left_alone(contact: Contact) -> None:
    classify(contact, 1)
    settle(claim()[0], "ok_text")
    with time_machine.travel(clock.utcnow() + timedelta(seconds=1), tick=False):
        contact.data_changed_at = clock.utcnow()
        db.session.commit()
        assert syncing.send_current(db.session, factories.actor_of(contact.company), contact.id)
        set_at = classify(contact, 2)
        assert [row.created_at for row in db.session.scalars(select(Delivery))][1:] == [set_at, set_at]
        assert undo(contact, set_at) == Undone((contact.id,))
    assert deliveries() == [("delivered", 1), ("pending", 1), ("cancelled", 2)]


def test_twice_undoes_once(contact: Contact) -> None:
    classify(contact, 1)
    set_at = classify(contact, 3)
    undo(contact, set_at)
    assert undo(contact, set_at) == Undone()
    assert contact.interest_level == 1


@pytest.mark.parametrize("attempt", range(8))
def test_a_worker_and_the_undoing_never_both_have_it(contact: Contact, app, attempt: int) -> None:
    """Either it is claimed and set back, or it is taken back and never sent."""
    classify(contact, 1)
    settle(claim()[0], "ok_text")
    set_at = classify(contact, 3)
    actor, contact_id = factories.actor_of(contact.company), contact.id
    db.session.commit()
    start, claimed, done = threading.Barrier(2), [], []

    def work() -> None:
        with app.app_context():
            start.wait()
            claimed.extend(claim())

    def think_again() -> None:
        with app.app_context():
            start.wait()
            done.append(undoing.undo(db.session, actor, [contact_id], set_at=set_at))
            db.session.commit()
            db.session.remove()

    threads = [threading.Thread(target=work), threading.Thread(target=think_again)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    statuses = deliveries()
    if done == [Undone((contact_id,))]:
        assert (claimed, statuses) == ([], [("delivered", 1), ("cancelled", 3)])
    else:
        assert done == [Undone(told=(contact_id,))]
        assert len(claimed) == 1
        assert statuses == [("delivered", 1), ("sending", 3), ("pending", 1)]
