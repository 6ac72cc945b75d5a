"""Workers of PostgreSQL that hold rows of one company at the same time; of SQLite one writes at a time."""

from datetime import timedelta

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from portal import outbox
from portal.clock import utcnow
from portal.company.knowledge import begin_anew
from portal.database.db import db
from portal.deliveries.figures import count_ends
from portal.models import Company
from portal.outbox import Rules
from portal.outbox.outages import begin_outage, end_outage
from portal.outbox.settling import ABANDONED, STILL_THERE
from portal.outbox.telling import HOLD_ENDPOINTS
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories
from tests.conftest import URL
from tests.outbox.test_claims import claim_in
from tests.outbox.test_outbox import claim_due

pytestmark = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)


@pytest.mark.parametrize("hold", ["STILL_THERE", "ABANDONED", "LEND"])
@pytest.mark.parametrize("is_held_first", [True, False])
def test_who_ends_an_outage_and_who_holds_a_delivery_do_not_wait_for_each_other(
    company: Company, hold: str, is_held_first: bool
) -> None:
    """One holds the endpoint and refers to the delivery, the other holds the delivery and wants the endpoint."""
    delivery = factories.make_delivery(factories.make_contact(company))
    with db.engine.begin() as connection:
        begin_outage(connection, company.id, Outcome.interrupted(url=URL, started_at=utcnow()), began_at=utcnow())
    if hold == "ABANDONED":
        claim_due()
    now, delivery_id, company_id = utcnow() + timedelta(minutes=1), delivery.id, company.id
    db.session.rollback()

    def hold_it(connection: Connection) -> None:
        if hold == "STILL_THERE":
            assert STILL_THERE.all(connection, told=[(delivery_id,)])
        elif hold == "ABANDONED":
            assert ABANDONED.all(connection, now=now)
        else:
            assert claim_in(connection, now)

    def end_it(connection: Connection) -> None:
        HOLD_ENDPOINTS.all(connection, companies=[(company_id,)])
        assert (end_outage(connection, company_id, now=now) or "").endswith("(1)")

    with db.engine.connect() as first, db.engine.connect() as second:
        for connection in (first, second):
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
        for connection, act in zip((first, second), [hold_it, end_it][:: 1 if is_held_first else -1], strict=True):
            act(connection)


def test_an_endpoint_that_another_worker_is_about_to_ask_makes_nobody_wait(company: Company) -> None:
    """Each may hold one that the other wants: they ask them in no order."""
    factories.make_delivery(factories.make_contact(company))
    now, company_id, endpoint = utcnow() + timedelta(minutes=1), company.id, factories.endpoint_of(company)
    endpoint.state, endpoint.next_probe_at = "failing", now
    db.session.commit()
    with db.engine.connect() as first, db.engine.connect() as second:
        second.execute(text("SET LOCAL lock_timeout = '1s'"))
        with first.begin():
            HOLD_ENDPOINTS.all(first, companies=[(company_id,)])
            assert claim_in(second, now) == []
        assert [claim.is_probe for claim in claim_in(second, now)] == [True]


def test_whoever_says_that_another_crm_is_there_waits_for_who_is_just_being_told_of(company: Company) -> None:
    """Also where the contact was never told of: else it would count as known to the new one."""
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    actor = factories.actor_of(company)
    db.session.rollback()
    outcome = Outcome(started_at=utcnow(), duration_ms=1, url=URL, reason="ok_text", status_code=200)
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, outcome)], Rules(parse_schedule("0s"), now=utcnow(), jitter=lambda: 0.0))
        db.session.execute(text("SET LOCAL lock_timeout = '1s'"))
        with pytest.raises(OperationalError, match="lock timeout"):
            begin_anew(db.session, actor)
        db.session.rollback()


def test_workers_who_count_the_same_do_not_wait_for_each_other(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = iter([3, 5])
    monkeypatch.setattr("portal.outbox.counting.randbelow", lambda _: next(parts))
    for _ in range(2):
        factories.make_delivery(factories.make_contact(company))
    rules = Rules(parse_schedule("0s"), now=utcnow(), jitter=lambda: 0.0)
    outcome = Outcome(started_at=utcnow(), duration_ms=7, url=URL, reason="ok_text")
    claims = claim_due()
    factories.endpoint_of(company).last_success_at = utcnow() + timedelta(minutes=1)  # it is not told anew
    db.session.commit()
    with db.engine.connect() as first, db.engine.connect() as second:
        for connection, claim in zip((first, second), claims, strict=True):
            connection.execute(text("SET LOCAL lock_timeout = '1s'"))
            outbox.settle(connection, [(claim, outcome)], rules)
        first.commit()
        second.commit()
    assert count_ends(db.session) == {("delivered", "ok_text"): 2}


def test_who_settles_writes_nothing_of_the_levels_that_have_not_arrived(company: Company) -> None:
    contact = factories.make_contact(company)
    factories.make_delivery(contact, 1)
    (claim,) = claim_due()
    factories.make_delivery(contact, 2)
    written = "SELECT new_level, arrived_at IS NULL, ctid FROM classification ORDER BY new_level"
    before = db.session.execute(text(written)).all()
    db.session.rollback()
    outcome = Outcome(started_at=utcnow(), duration_ms=1, url=URL, reason="ok_text", status_code=200)
    with db.engine.begin() as connection:
        outbox.settle(connection, [(claim, outcome)], Rules(parse_schedule("0s"), now=utcnow(), jitter=lambda: 0.0))
    first, second = db.session.execute(text(written)).all()
    assert (first[1], second[1]) == (False, True)
    assert second == before[1]
