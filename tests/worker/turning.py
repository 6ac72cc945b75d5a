"""A dispatcher that takes its turns one at a time: what it claims is held, and what came of it is handed in."""

from collections.abc import Sequence
from dataclasses import replace
from queue import Empty
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from portal import outbox
from portal.database.db import db
from portal.models import Company, Delivery
from portal.outbox import Claim
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.webhook import Outcome
from portal.worker.dispatcher import Dispatcher
from tests.conftest import URL
from tests.factories import NOON, make_contact, make_delivery

AWAY = OperationalError("UPDATE delivery", {}, Exception("no route"))


class Inbox:
    """Gives what comes at its moment, and tells how long somebody was ready to wait."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.waits: list[float] = []
        self.slept: list[float] = []
        self._coming: list[tuple[float, Any]] = []

    def put(self, item: Any, *, after: float = 0.0) -> None:
        self._coming.append((self.now + after, item))
        self._coming.sort(key=lambda each: each[0])

    def get(self, timeout: float) -> Any:
        self.waits.append(round(timeout, 6))
        if self._coming and self._coming[0][0] <= self.now + timeout:
            at, item = self._coming.pop(0)
            self.now = max(self.now, at)
            return item
        self.now += timeout
        raise Empty

    def get_nowait(self) -> Any:
        return self.get(0.0)

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 6))
        self.now += seconds


class Turning(Dispatcher):
    """A dispatcher whose sender only keeps what it gets."""

    def __init__(self, inbox: Inbox, **settings: Any) -> None:
        values = {"worker_threads": 8, "retry_schedule": parse_schedule("0s,30s,5m"), "deadline": 9.0}
        super().__init__(
            db.engine, replace(runtime().settings, **(values | settings)), runtime().vault, runtime().egress
        )
        self.sent: list[Claim] = []
        self.in_hand: list[Claim] = []
        self.stopped_sending = 0
        self._clock: Any = SimpleNamespace(step=lambda: 0.0)
        self._inbox: Any = inbox
        self._sender: Any = SimpleNamespace(put=self._send, stop=self._stop_sending)

    def _send(self, claims: Sequence[Claim]) -> None:
        self.sent += claims
        self.in_hand += claims

    def _stop_sending(self) -> None:
        self.stopped_sending += 1

    def take_turn(self) -> list[float]:
        """How long it waited for what came."""
        db.session.rollback()
        begun = len(self._inbox.waits)
        assert self.turn() == 0.0
        waits: list[float] = self._inbox.waits[begun:]
        return waits

    def answer(self, reason: str = "ok_text", *, after: float = 0.0, **facts: Any) -> Claim:
        """The oldest of what it sent ends so; the claim."""
        claim = self.in_hand.pop(0)
        self._inbox.put((claim, answered(reason, **facts)), after=after)
        return claim


def answered(reason: str = "ok_text", **facts: Any) -> Outcome:
    return Outcome(**({"started_at": NOON, "duration_ms": 5, "url": URL, "reason": reason} | facts))


class Refusing:
    """In place of `outbox.settle`: results of these deliveries meet errors, the first time or each time."""

    def __init__(self, errors: dict[int, Exception], *, also_again: bool = False, away: bool = False) -> None:
        self._away = away
        self._errors, self._also_again, self._settle = errors, also_again, outbox.settle
        self.told: list[list[tuple[int, str]]] = []

    def __call__(self, connection: Any, results: Any, rules: Any) -> None:
        self.told.append([(claim.delivery_id, outcome.reason) for claim, outcome in results])
        if self._away:
            raise AWAY
        for claim, outcome in results:
            if claim.delivery_id in self._errors and (self._also_again or outcome.reason != "internal_error"):
                raise self._errors[claim.delivery_id]
        self._settle(connection, results, rules)


def make_due(company: Company, number: int) -> list[int]:
    return [make_delivery(make_contact(company)).id for _ in range(number)]


def states() -> list[tuple[str, str | None, int, int]]:
    db.session.rollback()
    columns = Delivery.status, Delivery.reason, Delivery.attempt_count, Delivery.tries
    rows = db.session.execute(select(*columns).order_by(Delivery.id)).all()
    db.session.rollback()
    return [(row.status, row.reason, row.attempt_count, row.tries) for row in rows]


def actions(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, str]]:
    """The level, the action and the words of each line of the log."""
    told = [(each.levelname, getattr(each, "action", ""), each.getMessage()) for each in caplog.records]
    caplog.clear()
    return told
