"""The limit of looks at addresses: for a company and a minute, also when many come at once or the log is long."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.company import asking
from portal.company.refusals import TooManyTests
from portal.database.db import db
from portal.models import AuditEntry
from tests import factories
from tests.conftest import BOTH

URL = "https://example.com/"


def turns_of(actor: Actor, tries: int) -> int:
    """How many of so many tries, one after the other, were let through."""
    passed = 0
    for _ in range(tries):
        try:
            asking.take_turn(db.session, actor, URL)
        except TooManyTests:
            continue
        passed += 1
    return passed


@pytest.mark.slow
@BOTH
def test_of_forty_at_once_thirty_pass(app: Flask) -> None:
    actor, engine = factories.actor_of(factories.make_company()), db.engine

    def look(_number: int) -> bool:
        with Session(engine) as session:
            try:
                asking.take_turn(session, actor, URL)
            except TooManyTests:
                return False
            return True

    with ThreadPoolExecutor(10) as pool:
        assert sum(pool.map(look, range(40))) == 30
    assert (
        db.session.query(AuditEntry).filter_by(action="webhook.address_checked", company_id=actor.company_id).count()
        == 30
    )


def test_a_minute_later_it_goes_on_and_not_before(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 3)
    actor = factories.actor_of(factories.make_company())
    with time_machine.travel(clock.utcnow(), tick=False) as travelled:
        assert turns_of(actor, 4) == 3
        travelled.shift(timedelta(seconds=59.9))
        assert turns_of(actor, 1) == 0
        travelled.shift(timedelta(seconds=0.1))
        assert turns_of(actor, 4) == 3


def test_others_acts_and_other_companies_neither_count_nor_hide_what_counts(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 1)
    ours, theirs = (factories.actor_of(factories.make_company(name)) for name in ("Nossa", "Outra"))
    assert turns_of(theirs, 1) == 1
    for _ in range(600):
        audit.record(db.session, ours, "webhook.paused")
    db.session.commit()
    assert turns_of(ours, 1) == 1
    for _ in range(600):
        audit.record(db.session, ours, "webhook.paused")
    db.session.commit()
    assert turns_of(ours, 1) == 0
    with pytest.raises(TooManyTests) as refused:
        asking.take_turn(db.session, theirs, URL)
    assert (*refused.value.args, refused.value.wait_seconds) == (1, 60)
