"""What is told is true: after any history of acts, answers and deaths, each edge says what the CRM's own book says.

A state machine acts by page and API, and lets a worker bring what is due to a CRM that keeps a book of what it took.
Then the contact list, its filters, the home page, the causes and the log are compared with that book, not with the
portal's own notes.
"""

import itertools
import json
import re
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy import delete, select

from portal import clock, outbox
from portal.audit import Actor
from portal.contacts import undoing
from portal.contacts.standing import SHOWN_STATES
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import (
    DELIVERY_STATUSES,
    OPEN_STATUSES,
    Attempt,
    Company,
    Delivery,
    User,
)
from portal.outbox import Claim, Rules
from portal.rules.retry import parse_schedule
from portal.rules.verdict import DELIVERED_REASONS, DOUBTS, judge
from portal.webhook import Outcome
from tests import factories
from tests.api.conftest import make_caller
from tests.conftest import BOTH, MakeApp
from tests.examples import examples
from tests.views.conftest import Person

LEASE = timedelta(seconds=15)
SCHEDULE = parse_schedule("0s,30s,5m,30m")
ANSWERS: dict[str, tuple[int, bytes] | None] = {
    "takes": (200, b"OK"),
    "takes, with words of an error": (200, b'{"error": "no such field"}'),
    "a page": (200, b"<!doctype html><html></html>"),
    "is broken": (500, b""),
    "is gone": (410, b""),
    "is away": None,
}
APART = ("interest_level", "collect_date")
EXAMPLES = {"sqlite": 25, "postgresql": 8}


@dataclass
class Known:
    """What the CRM took last of a contact."""

    level: int
    body: dict[str, Any]
    warning: str | None


def facts_of(body: dict[str, Any]) -> dict[str, Any]:
    """Of a body, or of the API's shape of a contact, what an edit can change that the CRM is told."""
    contact = {name: value for name, value in body["contact"].items() if name not in APART}
    return {"contact": contact, "owner": body["contact_owner"], "campaign": body["campaign"]}


def level_of(shape: dict[str, Any]) -> int | None:
    level: int | None = shape["contact"]["interest_level"]
    return level


class Truth(RuleBasedStateMachine):
    app: Flask
    crm: Receiver
    numbers = itertools.count(1)

    @initialize()
    def begin(self) -> None:
        self.now = factories.NOON
        clock.utcnow = lambda: self.now
        with self.app.app_context(), db.engine.begin() as connection:
            for each in (Attempt, Delivery):
                connection.execute(delete(each))  # what waits of the example before would be sent in this one
        self.api = make_caller(self.app, f"Empresa {next(self.numbers)}", role="admin")
        with self.app.app_context():
            self.person = Person(self.app.test_client(), db.session.get_one(User, self.api.user_id))
            factories.endpoint_of(db.session.get_one(Company, self.api.company_id)).url = self.crm.url + "old"
            db.session.commit()
        self.answer = "takes"
        self.book: dict[int, Known] = {}
        self.ids: list[int] = []
        self.set_at: dict[int, Any] = {}
        self.names = itertools.count(1)
        self.add(None)

    def add(self, level: int | None) -> None:
        contact = {"name": f"Pessoa {next(self.names)}", "interest_level": level}
        self.ids.append(self.save({"contact": contact, "campaign": {"name": "C"}}))

    def save(self, shape: dict[str, Any]) -> int:
        answer: Any = self.api.post("/contacts", shape).json
        number: int = answer["results"][0]["id"]
        return number

    def items(self, path: str) -> list[dict[str, Any]]:
        answer: Any = self.api.get(f"{path}{'&' if '?' in path else '?'}limit=100").json
        return list(answer["items"])

    def shape_of(self, contact_id: int) -> dict[str, Any]:
        shape: Any = self.api.get(f"/contacts/{contact_id}").json
        return dict(shape)

    def page(self, url: str) -> str:
        with self.app.app_context():
            return self.person.get(url).text

    def post(self, url: str, data: dict[str, Any]) -> None:
        with self.app.app_context():
            assert self.person.post(url, data).status_code == 303

    def pick(self, number: int) -> int:
        return self.ids[number % len(self.ids)]

    def tick(self) -> None:
        self.now += timedelta(microseconds=1)

    @precondition(lambda self: len(self.ids) < 4)
    @rule(level=st.sampled_from([None, 1, 3]))
    def somebody_adds(self, level: int | None) -> None:
        self.tick()
        self.add(level)

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 3), level=st.sampled_from([1, 2, 3, None]))
    def somebody_classifies(self, pick: int, level: int | None) -> None:
        self.tick()
        contact_id = self.pick(pick)
        answer: Any = self.api.put(f"/contacts/{contact_id}/interest-level", {"interest_level": level}).json
        if answer["previous_level"] != level:
            self.set_at[contact_id] = self.now

    @precondition(lambda self: self.set_at)
    @rule(pick=st.integers(0, 3))
    def somebody_undoes(self, pick: int) -> None:
        contact_id = sorted(self.set_at)[pick % len(self.set_at)]
        set_at = self.set_at.pop(contact_id)
        self.tick()
        with self.app.app_context():
            undoing.undo(db.session, Actor(self.api.company_id, self.api.email), [contact_id], set_at=set_at)
            db.session.commit()

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 3), role=st.sampled_from(["A", "B"]))
    def somebody_edits(self, pick: int, role: str) -> None:
        self.tick()
        shape = self.shape_of(self.pick(pick))
        shape["contact"]["role"] = role
        assert self.save(shape) == self.pick(pick)

    @precondition(lambda self: self.ids)
    @rule(text=st.sampled_from(["x", "y"]))
    def somebody_describes_the_campaign(self, text: str) -> None:
        self.tick()
        campaign = self.shape_of(self.ids[0])["campaign"]
        self.post(f"/campaigns/{campaign['id']}", {"name": campaign["name"], "description": text})

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 3), campaign=st.sampled_from(["C", "D"]))
    def somebody_moves(self, pick: int, campaign: str) -> None:
        self.tick()
        shape = self.shape_of(self.pick(pick)) | {"campaign": {"name": campaign}}
        assert self.save(shape) == self.pick(pick)

    @precondition(lambda self: len(self.ids) > 1)
    @rule(pick=st.integers(0, 3))
    def somebody_merges(self, pick: int) -> None:
        self.tick()
        kept, other = self.pick(pick), self.pick(pick + 1)
        assert self.api.post(f"/contacts/{kept}/merge", {"contact_id": other}).status_code == 200
        self.forget(other)

    @precondition(lambda self: len(self.ids) > 1)
    @rule(pick=st.integers(0, 3))
    def somebody_erases(self, pick: int) -> None:
        self.tick()
        contact_id = self.pick(pick)
        assert self.api.call("DELETE", f"/contacts/{contact_id}").status_code == 204
        self.forget(contact_id)

    def forget(self, contact_id: int) -> None:
        self.ids.remove(contact_id)
        self.set_at.pop(contact_id, None)
        self.book.pop(contact_id, None)

    @rule()
    def somebody_pauses(self) -> None:
        self.api.post("/webhook/pause")

    @rule()
    def somebody_resumes(self) -> None:
        self.api.post("/webhook/resume")

    @rule(resent=st.sampled_from(["failed", "delivered", "superseded", "cancelled"]))
    def somebody_sends_again(self, resent: str) -> None:
        self.tick()
        for each in self.items(f"/deliveries?status={resent}")[:1]:
            self.api.post(f"/deliveries/{each['id']}/resend")

    @rule()
    def somebody_brings_in_sync(self) -> None:
        self.tick()
        assert self.api.post("/sync", {}).status_code == 202
        with self.app.app_context():
            factories.do_tasks()

    @precondition(lambda self: self.ids)
    @rule(pick=st.integers(0, 3))
    def somebody_sends_the_data_of_now(self, pick: int) -> None:
        self.tick()
        self.api.post(f"/contacts/{self.pick(pick)}/sync")

    @precondition(lambda self: self.book)
    @rule(pick=st.integers(0, 3))
    def somebody_settles(self, pick: int) -> None:
        contact_id = sorted(self.book)[pick % len(self.book)]
        assert self.api.post("/warnings/settle", {"contact_id": contact_id}).status_code == 200
        self.book[contact_id].warning = None

    @rule(path=st.sampled_from(["old", "new"]), waiting=st.sampled_from(["cancel", "keep"]), other=st.booleans())
    def somebody_sets_another_address(self, path: str, waiting: str, other: bool) -> None:
        self.tick()
        data = {"url": self.crm.url + path, "waiting": waiting} | ({"other_crm": "y"} if other else {})
        self.post("/webhook", data)
        if other:
            self.book.clear()

    @rule(answer=st.sampled_from(list(ANSWERS)))
    def the_crm_changes(self, answer: str) -> None:
        self.answer = answer

    @rule(seconds=st.sampled_from([16, 31, 400, 2000, 90_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule(limit=st.integers(1, 4), dies=st.sampled_from([False, False, False, True]))
    def a_worker_works(self, limit: int, dies: bool) -> None:
        self.tick()
        with self.app.app_context():
            with db.engine.begin() as connection:
                outbox.recover(connection, self.now_rules(), lease=LEASE)
                claims = outbox.claim_due(connection, now=self.now, lease=LEASE, limit=limit, room_for=lambda *_: 4)
            for claim in claims if not dies else ():
                self.tick()
                outcome = self.outcome_of(claim)
                with db.engine.begin() as connection:
                    outbox.settle(connection, [(claim, outcome)], self.now_rules())

    def now_rules(self) -> Rules:
        return Rules(SCHEDULE, now=self.now, jitter=lambda: 0.0)

    def outcome_of(self, claim: Claim) -> Outcome:
        facts: dict[str, Any] = {"started_at": self.now, "duration_ms": 1, "url": claim.url}
        answer = ANSWERS[self.answer]
        if answer is None:
            return Outcome(reason="connection_refused", **facts)
        status, body = answer
        verdict = judge(status, body)
        if verdict.reason in DELIVERED_REASONS:
            sent = json.loads(claim.body)
            if (number := sent["contact"]["id"]) in self.ids:
                self.book[number] = Known(sent["contact"]["interest_level"], sent, verdict.warning)
        return Outcome(reason=verdict.reason, warning=verdict.warning, status_code=status, request_sent=True, **facts)

    @rule()
    def somebody_looks(self) -> None:
        self.tick()
        shapes = {each["contact"]["id"]: each for each in self.items("/contacts")}
        assert sorted(shapes) == sorted(self.ids)
        sent = self.deliveries()
        for contact_id, shape in shapes.items():
            self.look_at(shape, self.book.get(contact_id), [each for each in sent if each.contact_id == contact_id])
        self.look_at_the_lists(shapes)
        self.look_at_home(shapes, sent)
        by_status = Counter(each.status for each in sent)
        for status in DELIVERY_STATUSES:
            assert len(self.items(f"/deliveries?status={status}")) == by_status[status]

    def deliveries(self) -> list[Delivery]:
        with self.app.app_context():
            query = select(Delivery).where(Delivery.company_id == self.api.company_id).order_by(Delivery.id)
            found = db.session.scalars(query).all()
            db.session.expunge_all()
            return list(found)

    def look_at(self, shape: dict[str, Any], known: Known | None, sent: list[Delivery]) -> None:
        """What the API says of a contact."""
        level = shape["contact"]["interest_level"]
        own = [each for each in sent if each.former_contact_id is None]
        waits = [each.interest_level for each in own if each.status in OPEN_STATUSES]
        if known and known.level == level:
            expected = "in_sync"
        elif level in waits[-1:]:
            expected = "waiting"
        elif not own and not known:
            expected = "never_sent"
        else:
            expected = "in_sync" if level is None else "out_of_sync"
        assert shape["sync"] == expected
        assert shape["warning"] == (known and known.warning)
        if known and facts_of(known.body) != facts_of(shape):
            assert shape["data_changed"]
        assert known or not shape["data_changed"]

    def look_at_the_lists(self, shapes: dict[int, dict[str, Any]]) -> None:
        """Each contact is shown in one state, and as in order only when the CRM has all of it."""
        shown = Counter[int]()
        for state in SHOWN_STATES:
            listed = {int(each) for each in re.findall(r'id="contato-(\d+)"', self.page(f"/contacts?state={state}"))}
            shown.update(listed)
            if state == "in_sync":
                assert all(self.is_known(shapes[each]) for each in listed if level_of(shapes[each]))
        assert shown == Counter(self.ids)

    def is_known(self, shape: dict[str, Any]) -> bool:
        """Whether the CRM has the level and the data, and said nothing odd to them."""
        known = self.book.get(shape["contact"]["id"])
        same = known is not None and known.level == level_of(shape) and facts_of(known.body) == facts_of(shape)
        return same and known is not None and known.warning not in DOUBTS

    def look_at_home(self, shapes: dict[int, dict[str, Any]], sent: list[Delivery]) -> None:
        """The answer to the question of the first page."""
        found = re.search(r'<h1 id="resposta">(.*?)</h1>', self.page("/"), re.DOTALL)
        assert found
        answer, levels = found[1], {each: level_of(shape) for each, shape in shapes.items() if level_of(shape)}
        missing = [each for each, level in levels.items() if each not in self.book or self.book[each].level != level]
        told = [each for each in shapes if each in self.book and each not in missing]
        doubtful = [each for each in told if self.book[each].warning in DOUBTS]
        if missing:
            assert re.match(rf"{len(missing)} contatos? (não cheg.* ao|est.* a caminho do) seu CRM", answer)
        elif doubtful:
            assert re.match(rf"Todos os níveis chegaram, mas {len(doubtful)} contatos?", answer)
        else:
            assert not re.match(r"(Todos os níveis chegaram, mas )?\d+ contatos?", answer)
        if answer.startswith("Sim"):
            assert all(self.is_known(shape) for shape in shapes.values() if level_of(shape))
            assert not {each.status for each in sent} & set(OPEN_STATUSES)

    def teardown(self) -> None:
        if hasattr(self, "ids"):
            self.somebody_looks()


@pytest.fixture
def machine(make_app: MakeApp, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> type[Truth]:
    monkeypatch.setattr(clock, "utcnow", clock.utcnow)  # put back afterwards: the machine sets its own
    Truth.app, Truth.crm = make_app(), receiver
    return Truth


@pytest.mark.slow(60)
@BOTH
def test_what_is_told_is_what_the_crm_knows(machine: Any, database_url: str) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples(EXAMPLES["sqlite" if "sqlite" in database_url else "postgresql"]),
            stateful_step_count=30,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],  # a history that is made shorter takes minutes; the steps that lead to it are told
        ),
    )
