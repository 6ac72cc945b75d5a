"""The promise, tried in every interleaving: at least once, in order per contact, and the receiver's last word is right.

A state machine runs the real outbox and the real circuit against a receiver that goes up and down, workers that die
with or without having sent, people who undo what they set or merge two contacts, and a clock that jumps. The model is
small: what the receiver got, in the order it got it.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from portal import clock, outbox
from portal.audit import Actor
from portal.contacts import merging, undoing
from portal.database.db import db
from portal.models import Attempt, Classification, Contact, Delivery, Endpoint
from portal.outbox import Claim, Rules
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH
from tests.examples import examples

LEASE = timedelta(seconds=15)
SCHEDULE = parse_schedule("0s,30s,5m,30m")
URL = "http://127.0.0.1:9999/hook"
CONTACTS = 2
EXAMPLES = {"sqlite": 400, "postgresql": 150}
"""Each takes twice as long on PostgreSQL."""
ENDED = (Delivery.id, Delivery.contact_id, Delivery.former_contact_id, Delivery.status, Delivery.interest_level)
FINAL = {"delivered", "superseded", "failed", "cancelled"}
ACTOR = "ana@example.com"
FACTS = [column.name for column in Contact.__table__.c if column.name != "id"]
NEW_ENDPOINT = {"state": "active", "consecutive_failures": 0, "failed_deliveries": 0, "probe_count": 0} | dict.fromkeys(
    ("failing_since", "next_probe_at", "last_failed_delivery_id", "paused_reason")
)
BEGIN_ANEW = [delete(each.__table__) for each in (Attempt, Delivery, Classification, Contact)]
BEGIN_ANEW.append(update(Endpoint.__table__).values(NEW_ENDPOINT))
MAKE_CONTACT = insert(Contact.__table__)
"""Statements are made once: that takes longer than to run them."""


class LastWord(RuleBasedStateMachine):
    """Rules are what can happen; `teardown` lets the receiver come back and everything end, and checks the promise."""

    app: Flask
    company_id: int
    facts: dict[str, Any]

    @initialize()
    def begin(self) -> None:
        self.now = factories.NOON
        clock.utcnow = lambda: self.now  # type: ignore[assignment]
        self.is_up = True
        self.got: list[
            tuple[int, int]
        ] = []  # (the contact's number in the body, delivery) as they reached the receiver
        self.set_at: dict[int, datetime] = {}  # when a contact's level was last set
        self.ever_set: set[int] = set()
        self.in_hand: list[Claim] = []
        self.frozen: list[tuple[Claim, Outcome]] = []  # sent, by workers that sleep over their lease
        with db.engine.begin() as connection:
            for statement in BEGIN_ANEW:
                connection.execute(statement)
        self.contact_ids = [self.make_contact() for _ in range(CONTACTS)]

    def make_contact(self) -> int:
        with db.engine.begin() as connection:
            return connection.execute(MAKE_CONTACT, self.facts).inserted_primary_key[0]

    @rule(
        contact=st.integers(0, CONTACTS - 1),
        levels=st.lists(st.sampled_from([1, 2, 3, None]), min_size=1, max_size=3),
    )
    def somebody_classifies(self, contact: int, levels: list[int | None]) -> None:
        for level in levels:
            self.classify(self.contact_ids[contact], level)

    def classify(self, contact_id: int, level: int | None) -> None:
        """What a classification leaves behind, without all that is checked and looked up before it."""
        self.now += timedelta(microseconds=1)
        with Session(db.engine) as session, session.begin():
            held = select(Contact.interest_level, Contact.campaign_id, Contact.owner_id).where(Contact.id == contact_id)
            row = session.execute(held.with_for_update()).one()
            if level == row.interest_level:
                return
            self.set_at[contact_id] = self.now
            self.ever_set.add(contact_id)
            session.execute(update(Contact).where(Contact.id == contact_id).values(interest_level=level))
            change = {"old_level": row.interest_level, "new_level": level, "actor": ACTOR, "created_at": self.now}
            change |= {"contact_id": contact_id, "campaign_id": row.campaign_id, "owner_id": row.owner_id}
            session.add(Classification(company_id=self.company_id, **change))
            if level is None:
                return
            facts = {"contact_id": contact_id, "campaign_id": row.campaign_id, "owner_id": row.owner_id, "body": b"{}"}
            facts |= {"interest_level": level, "previous_level": row.interest_level}
            outbox.enqueue(session, self.company_id, [facts], trigger="classification", actor=ACTOR, now=self.now)

    @rule(contact=st.integers(0, CONTACTS - 1), after=st.sampled_from([(), (1,), (2,), (3,)]))
    def somebody_undoes_the_last_level(self, contact: int, after: tuple[int, ...]) -> None:
        contact_id = self.contact_ids[contact]
        for level in after:
            self.classify(contact_id, level)
        if set_at := self.set_at.pop(contact_id, None):
            self.now += timedelta(microseconds=1)
            with Session(db.engine) as session, session.begin():
                undoing.undo(session, Actor(self.company_id, ACTOR), [contact_id], set_at=set_at)

    @precondition(lambda self: self.contact_ids[1] in self.ever_set)  # else nothing is merged into the other
    @rule()
    def somebody_merges_the_two(self) -> None:
        kept, other = self.contact_ids
        with Session(db.engine) as session, session.begin():
            merging.merge(session, Actor(self.company_id, ACTOR), kept, other)
        self.contact_ids = [kept, self.make_contact()]

    @rule()
    def the_receiver_goes_down_or_comes_back(self) -> None:
        self.is_up = not self.is_up

    @rule(seconds=st.sampled_from([1, 16, 31, 400, 2000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(limit=st.integers(2, 4))
    def a_worker_claims(self, limit: int) -> None:
        with db.engine.begin() as connection:
            outbox.recover(connection, self.now_rules(), lease=LEASE)
            self.in_hand += outbox.claim_due(connection, now=self.now, lease=LEASE, limit=limit, room_for=lambda *_: 4)

    @precondition(lambda self: self.in_hand)
    @rule(
        pick=st.integers(0, 3),
        end=st.sampled_from(["recorded", "recorded", "recorded", "dies unsent", "dies sent", "freezes", "gives back"]),
    )
    def a_worker_sends(self, pick: int, end: str) -> None:
        self.finish(self.in_hand.pop(pick % len(self.in_hand)), end)

    def finish(self, claim: Claim, end: str = "recorded") -> None:
        if end == "dies unsent":
            return
        if end == "gives back" or claim.lease_expires_at - self.now <= timedelta(seconds=11):
            with db.engine.begin() as connection:
                outbox.release(connection, [claim])
            return
        took_it = self.is_up
        if took_it:
            self.got.append((self.number_in_body(claim.delivery_id), claim.delivery_id))
        if end == "recorded":
            with db.engine.begin() as connection:
                outbox.settle(connection, [(claim, self.outcome(took_it))], self.now_rules())

        elif end == "freezes":
            self.frozen.append((claim, self.outcome(took_it)))

    @precondition(lambda self: self.frozen)
    @rule(pick=st.integers(0, 3))
    def a_frozen_worker_wakes(self, pick: int) -> None:
        result = self.frozen.pop(pick % len(self.frozen))
        with db.engine.begin() as connection:
            outbox.settle(connection, [result], self.now_rules())

    def number_in_body(self, delivery_id: int) -> int:
        number = func.coalesce(Delivery.former_contact_id, Delivery.contact_id)
        with db.engine.connect() as connection:
            return connection.scalar(select(number).where(Delivery.id == delivery_id)) or 0

    def outcome(self, took_it: bool) -> Outcome:
        reason = "ok_text" if took_it else "connection_refused"
        return Outcome(started_at=self.now, duration_ms=1, url=URL, reason=reason)

    def now_rules(self) -> Rules:
        return Rules(SCHEDULE, now=self.now, jitter=lambda: 0.0)

    @invariant()
    def nothing_newer_reached_the_receiver_before_something_older(self) -> None:
        for contact_id in {contact_id for contact_id, _ in getattr(self, "got", [])}:
            order = [delivery_id for contact, delivery_id in self.got if contact == contact_id]
            assert order == sorted(order)

    def teardown(self) -> None:
        if not hasattr(self, "now"):
            return
        self.is_up, self.in_hand = True, []
        for _ in range(40):
            if self.all_has_ended():
                break
            self.now += timedelta(minutes=16)
            self.a_worker_claims(limit=50)
            for claim in self.in_hand:
                self.finish(claim)
            self.in_hand = []
        with db.engine.connect() as connection:
            rows = connection.execute(select(*ENDED).order_by(Delivery.id)).all()
            levels = dict(connection.execute(select(Contact.id, Contact.interest_level)).all())
        assert {row.status for row in rows} <= FINAL
        got = {delivery_id for _, delivery_id in self.got}
        assert {row.id for row in rows if row.status == "delivered"} <= got
        assert not {row.id for row in rows if row.status == "cancelled"} & got
        for contact_id in self.contact_ids:
            own = [row for row in rows if row.contact_id == contact_id and row.former_contact_id is None]
            own = [row for row in own if row.status != "cancelled"]  # was taken back, as if it had never been
            if own and own[-1].status != "failed":
                if own[-1].status == "superseded":  # by what was then taken back: a level of before is not told again
                    assert levels[contact_id] is None
                    continue
                assert own[-1].status == "delivered"
                assert [delivery_id for number, delivery_id in self.got if number == contact_id][-1] == own[-1].id
            if levels[contact_id] is not None:
                assert own[-1].interest_level == levels[contact_id]

    def all_has_ended(self) -> bool:
        with db.engine.connect() as connection:
            waiting = select(Delivery.id).where(Delivery.status.not_in(FINAL)).limit(1)
            return connection.scalar(waiting) is None


@pytest.fixture
def machine(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[LastWord]]:
    monkeypatch.setattr(clock, "utcnow", clock.utcnow)  # put back afterwards: the machine sets its own
    company = factories.make_company(url=URL)
    contact = factories.make_contact(company)
    LastWord.company_id = company.id
    LastWord.facts = {name: getattr(contact, name) for name in FACTS}
    db.session.remove()
    yield LastWord
    db.session.remove()


@pytest.mark.slow(40)
@BOTH
def test_the_receivers_last_word_is_right_in_every_interleaving(machine: Any) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(EXAMPLES[db.engine.dialect.name]),
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
        ),
    )
