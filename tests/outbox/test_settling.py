"""Recording what came of attempts, where an older delivery or another worker is in the way."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.models import Attempt, Company, Delivery
from portal.outbox import Claim
from portal.outbox.settling import MOVE_ON, TELL_CONTACTS
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from portal.working_models import Outage
from tests import factories
from tests.conftest import BOTH, URL
from tests.outbox.test_outbox import LEASE, claim_due, recover, worker_transaction
from tests.outbox.test_outbox import settle as settle_outcome

pytestmark = BOTH


def claim_one() -> Claim:
    (claim,) = claim_due()
    return claim


def rules_at(now: datetime) -> outbox.Rules:
    return outbox.Rules(parse_schedule("0s,30s"), now=now, jitter=lambda: 0.0)


def settle(
    claim: Claim, reason: str, *, schedule: str = "0s,30s", now: datetime | None = None, **facts: Any
) -> Delivery:
    outcome = Outcome(started_at=now or utcnow(), duration_ms=1, url=URL, reason=reason, **facts)
    return settle_outcome(claim, outcome, now=now, schedule=schedule)


def test_a_newer_one_that_fails_is_not_superseded_by_an_older_one_that_is_sent_again(company: Company) -> None:
    contact = factories.make_contact(company)
    factories.make_delivery(contact, 1)
    older = settle(claim_one(), "timeout", schedule="0s")
    assert older.status == "failed"
    factories.make_delivery(contact, 2)
    newer = claim_one()
    assert outbox.resend(db.session, older, actor="ana@example.com", now=utcnow())
    db.session.commit()
    assert settle(newer, "timeout").status == "pending"


def test_what_arrived_stays_delivered_when_the_address_is_removed(company: Company) -> None:
    contact = factories.make_contact(company)
    factories.make_delivery(contact, 1)
    delivered = settle(claim_one(), "ok_text")
    waiting = factories.make_delivery(contact, 2)
    factories.endpoint_of(company).url = None
    db.session.commit()
    with db.engine.begin() as connection:
        outbox.cancel_strays(connection)
    db.session.expire_all()
    assert (delivered.status, waiting.status) == ("delivered", "cancelled")


def test_the_update_moves_nothing_on_whose_lease_is_anothers(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    claim = claim_one()
    stale = (claim.delivery_id, "of another", "failed", "timeout", None, 1, None)
    with db.engine.begin() as connection:
        assert MOVE_ON.all(connection, settled=[stale], now=utcnow()) == []
    assert db.session.get_one(Delivery, claim.delivery_id, populate_existing=True).status == "sending"


def test_each_of_a_batch_gets_what_came_of_it(company: Company) -> None:
    """One statement moves all of them on: delivered, to be tried again, failed for good, superseded, and late."""
    contacts = [factories.make_contact(company) for _ in range(5)]
    for contact in contacts:
        factories.make_delivery(contact, 1)
    claims = claim_due()
    factories.make_delivery(contacts[3], 2)
    reasons = ["ok_text", "timeout", "internal_error", "timeout", "ok_text"]
    outcomes = [Outcome(started_at=utcnow(), duration_ms=1, url=URL, reason=reason) for reason in reasons]
    claims[4] = claims[4]._replace(lease_token="of another")
    now = utcnow()
    with worker_transaction() as connection:
        outbox.settle(connection, list(zip(claims, outcomes, strict=True))[::-1], rules_at(now))
    rows = [db.session.get_one(Delivery, claim.delivery_id, populate_existing=True) for claim in claims]
    pause = timedelta(seconds=30)
    assert [(row.status, row.reason, row.tries, row.next_attempt_at, row.delivered_at) for row in rows] == [
        ("delivered", "ok_text", 1, None, now),
        ("pending", "timeout", 1, now + pause, None),
        ("failed", "internal_error", 1, None, None),
        ("superseded", "timeout", 1, None, None),
        ("sending", None, 0, rows[4].next_attempt_at, None),
    ]
    assert [[attempt.late for attempt in row.attempts] for row in rows] == [[False]] * 4 + [[True]]
    assert [contact.delivered_level for contact in contacts if not db.session.refresh(contact)] == [1] + [None] * 4


@pytest.mark.parametrize("number", [1, 3])
def test_what_was_said_is_kept_to_the_byte_of_one_and_of_several(company: Company, number: int) -> None:
    for _ in range(number):
        factories.make_delivery(factories.make_contact(company))
    said: dict[str, Any] = {
        "response_body": bytes(range(256)),
        "request_headers": (("x-quoted", 'a "b" \\ c'),),
        "response_headers": (("x-odd", "é\x7f\xff"), ("x-empty", "")),
    }
    outcome = Outcome(started_at=utcnow(), duration_ms=None, url=URL, reason="ok_text", **said)
    claims = claim_due()
    with worker_transaction() as connection:
        outbox.settle(connection, [(claim, outcome) for claim in claims], rules_at(utcnow()))
    attempts = [db.session.get_one(Delivery, claim.delivery_id).attempts[0] for claim in claims]
    assert [(attempt.started_at, attempt.duration_ms) for attempt in attempts] == [(outcome.started_at, None)] * number
    assert [attempt.response_body for attempt in attempts] == [said["response_body"]] * number
    for name in ("request_headers", "response_headers"):
        assert [getattr(attempt, name) for attempt in attempts] == [[list(each) for each in said[name]]] * number


def test_a_detail_that_quotes_what_no_database_holds_is_kept_without_it(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (attempt,) = settle(claim_one(), "not_http", detail="a\0b\ud800c").attempts
    assert attempt.detail == "a\ufffdb?c"


def test_what_was_erased_while_it_was_sent_leaves_its_facts_alone_and_keeps_no_other(company: Company) -> None:
    for _ in range(2):
        factories.make_delivery(factories.make_contact(company))
    claims = claim_due()
    erased, other = (db.session.get_one(Delivery, claim.delivery_id) for claim in claims)
    factories.forget_body(erased)
    db.session.commit()
    said = {"response_body": b"Ana Lima", "response_headers": (("x-name", "Ana Lima"),), "detail": "Ana Lima"}
    answer = Outcome(started_at=utcnow(), duration_ms=1, url=URL, reason="ok_text", **said)
    rules = outbox.Rules(parse_schedule("0s"), now=utcnow(), jitter=lambda: 0.0)
    with worker_transaction() as connection:
        outbox.settle(connection, [(claim, answer) for claim in claims], rules)
    db.session.expire_all()
    (fact,), (whole,) = erased.attempts, other.attempts
    assert (fact.reason, fact.late, fact.exchange, erased.status) == ("ok_text", True, None, "sending")
    assert (whole.late, whole.response_body, other.status) == (False, b"Ana Lima", "delivered")


def test_of_a_merged_contact_only_its_own_newer_one_overtakes_an_older(company: Company) -> None:
    """A failed one is not tried again when a newer one is on its way; what the other contact had is no news of it."""
    former, found = factories.make_contact(company).id, []
    for numbers in ((None, None), (former, former), (None, former), (former, None)):
        kept = factories.make_contact(company)
        factories.make_delivery(kept, 1)
        claim = claim_one()
        newer = factories.make_delivery(kept, 2)
        older = db.session.get_one(Delivery, claim.delivery_id)
        older.former_contact_id, newer.former_contact_id = numbers
        db.session.commit()
        found.append(settle(claim, "timeout").status)
        outbox.cancel_waiting(db.session, company.id)
        db.session.commit()
    assert found == ["superseded", "superseded", "pending", "superseded"]


def claim_probe(company: Company) -> Claim:
    factories.make_delivery(factories.make_contact(company))
    endpoint = factories.endpoint_of(company)
    endpoint.state, endpoint.next_probe_at = "failing", utcnow()
    db.session.commit()
    probe = claim_one()
    assert probe.is_probe
    return probe


@pytest.mark.parametrize(
    ("reason", "status"), [("timeout", "pending"), ("gone", "failed"), ("internal_error", "failed")]
)
def test_a_probe_costs_no_try_but_ends_what_no_try_would_bring(company: Company, reason: str, status: str) -> None:
    settled = settle(claim_probe(company), reason)
    assert (settled.status, settled.tries) == (status, 0 if status == "pending" else 1)


def test_a_probe_whose_worker_dies_costs_no_try(company: Company) -> None:
    probe = claim_probe(company)
    assert recover(utcnow() + LEASE) == 1
    settled = db.session.get_one(Delivery, probe.delivery_id, populate_existing=True)
    assert (settled.status, settled.reason, settled.tries, settled.attempt_count) == ("pending", "interrupted", 0, 1)


def test_a_test_whose_worker_dies_is_no_probe_and_not_tried_again(company: Company) -> None:
    factories.endpoint_of(company).state = "failing"
    db.session.commit()
    with db.engine.begin() as connection:
        claim = outbox.enqueue_test(
            connection, company_id=company.id, url=URL, actor="ana@example.com", now=utcnow(), lease=LEASE
        )
    assert recover(utcnow() + LEASE) == 1
    assert db.session.get_one(Delivery, claim.delivery_id).status == "failed"


def test_a_failing_endpoint_is_not_probed_before_it_asked_for_the_next_request(company: Company) -> None:
    for _ in range(6):
        factories.make_delivery(factories.make_contact(company))
    begun = utcnow()
    for claim in claim_due(begun, limit=5):
        settle(claim, "rate_limited", now=begun, status_code=429, retry_after=timedelta(minutes=10))
    assert claim_due(begun + timedelta(minutes=9)) == []
    (probe,) = claim_due(begun + timedelta(minutes=10))
    settle(probe, "rate_limited", now=begun, status_code=429, retry_after=timedelta(hours=1))
    db.session.expire_all()
    assert factories.endpoint_of(company).next_probe_at == begun + timedelta(minutes=15)


def test_a_success_closes_the_circuit_however_short_ago_the_one_before_was(company: Company) -> None:
    now = utcnow()
    probe = claim_probe(company)
    endpoint = factories.endpoint_of(company)
    endpoint.last_success_at, endpoint.consecutive_failures, endpoint.answer_shape = now, 7, None
    db.session.commit()
    settle(probe, "ok_text", now=now + timedelta(milliseconds=500))
    assert circuit_of(company) == ("active", 0)


@pytest.mark.parametrize("reason", ["internal_error", "interrupted"])
def test_what_never_reached_out_says_nothing_about_the_receiver(company: Company, reason: str) -> None:
    for _ in range(6):
        factories.make_delivery(factories.make_contact(company))
        settle(claim_one(), reason, schedule="0s")
    assert circuit_of(company) == ("active", 0)


def test_failures_at_an_earlier_address_say_nothing_about_this_one(company: Company) -> None:
    claims = []
    for _ in range(6):
        factories.make_delivery(factories.make_contact(company))
        claims.append(claim_one())
    factories.set_url(company, "http://127.0.0.1:9998/other")
    for claim in claims:
        settle(claim, "timeout", schedule="0s")
    assert circuit_of(company) == ("active", 0)


def circuit_of(company: Company) -> tuple[str, int]:
    db.session.expire_all()
    endpoint = factories.endpoint_of(company)
    return endpoint.state, endpoint.consecutive_failures


def test_the_endpoint_tells_when_it_last_went_well_and_when_not(company: Company) -> None:
    begun = utcnow()

    def told(reason: str, *, after: float) -> tuple[datetime | None, datetime | None]:
        factories.make_delivery(factories.make_contact(company))
        settle(claim_one(), reason, schedule="0s", now=begun + timedelta(seconds=after))
        db.session.expire_all()
        endpoint = factories.endpoint_of(company)
        return endpoint.last_success_at, endpoint.last_failure_at

    assert told("ok_text", after=0) == (begun, None)
    assert told("ok_text", after=2) == (begun + timedelta(seconds=2), None)
    assert told("timeout", after=3) == (begun + timedelta(seconds=2), begun + timedelta(seconds=3))
    assert told("ok_text", after=9) == (begun + timedelta(seconds=9), begun + timedelta(seconds=3))


def test_what_a_worker_that_died_was_sending_is_not_late_because_there_was_another_crm(company: Company) -> None:
    factories.endpoint_of(company).crm_since = factories.NOON
    factories.make_delivery(factories.make_contact(company), 1)
    claim = claim_one()
    assert recover(utcnow() + LEASE) == 1
    attempts = db.session.scalars(select(Attempt).where(Attempt.delivery_id == claim.delivery_id))
    assert [(attempt.reason, attempt.late) for attempt in attempts] == [("interrupted", False)]


@pytest.mark.parametrize(("after", "is_written"), [(999_999, False), (1_000_000, True)])
def test_a_success_a_second_after_another_is_written_down_and_none_before(
    company: Company, after: int, is_written: bool
) -> None:
    begun = utcnow()
    moments = (begun, begun + timedelta(microseconds=after))
    for now in moments:
        factories.make_delivery(factories.make_contact(company))
        settle(claim_one(), "ok_text", now=now)
    db.session.expire_all()
    assert factories.endpoint_of(company).last_success_at == moments[is_written]


def test_an_outage_has_the_last_of_the_reasons_that_showed_it(company: Company) -> None:
    for _ in range(5):
        factories.make_delivery(factories.make_contact(company))
    facts: list[dict[str, Any]] = [
        *({"reason": "timeout"} for _ in range(4)),
        {"reason": "server_error", "status_code": 502},
    ]
    outcomes = [Outcome(started_at=utcnow(), duration_ms=1, url=URL, **each) for each in facts]
    claims = sorted(claim_due(limit=9), key=lambda claim: claim.delivery_id)
    with worker_transaction() as connection:
        outbox.settle(connection, list(zip(claims, outcomes, strict=True)), rules_at(utcnow()))
    outage = db.session.query(Outage).one()
    assert (outage.reason, outage.status_code) == ("server_error", 502)


def test_of_two_that_arrived_at_one_moment_the_later_one_is_what_the_crm_knows(company: Company) -> None:
    contact = factories.make_contact(company)
    levels = (3, 1, 2)
    made = [factories.make_delivery(contact, level) for level in levels]
    for each in made:
        each.status, each.delivered_at, each.next_attempt_at = "delivered", factories.NOON, None
        each.warning = f"warning {each.interest_level}"
    db.session.commit()
    with worker_transaction() as connection:
        TELL_CONTACTS.run(connection, told=[(contact.id,)])
    db.session.refresh(contact)
    assert (contact.delivered_level, contact.delivered_frozen_at) == (2, made[2].created_at)
    assert contact.delivered_warning == "warning 2"


def test_of_the_dead_five_hundred_are_recovered_at_a_time(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    claim = claim_one()
    with worker_transaction() as connection:
        factories.repeat_delivery(connection, claim.webhook_id, 500)
    now = utcnow() + LEASE
    assert [recover(now), recover(now), recover(now)] == [500, 1, 0]
    assert db.session.query(Attempt).filter_by(reason="interrupted").count() == 501
