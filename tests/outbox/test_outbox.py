from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from portal import clock, outbox
from portal.company import endpoint
from portal.database.db import db
from portal.database.indexes import tables_on
from portal.database.tables import Base
from portal.models import Attempt, Company, Contact, Delivery
from portal.outbox import Claim, Rules, claims
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH, URL

LEASE = timedelta(seconds=15)

pytestmark = BOTH


def worker_transaction() -> Any:
    db.session.rollback()  # a reader's transaction on SQLite would keep the worker out
    return db.engine.begin()


def claim_due(now: Any = None, **values: Any) -> list[Claim]:
    defaults = {"lease": LEASE, "limit": 100, "room_for": lambda *_: 100}
    with worker_transaction() as connection:
        return outbox.claim_due(connection, now=now or after_now(), **(defaults | values))


def after_now(**delta: Any) -> Any:
    from portal.clock import utcnow

    return utcnow() + timedelta(**delta)


def settle(claim: Claim, outcome: Outcome, *, now: Any = None, schedule: str = "0s,30s,5m") -> Delivery:
    rules = Rules(parse_schedule(schedule), now=now or after_now(), jitter=lambda: 0.0)
    with worker_transaction() as connection:
        outbox.settle(connection, [(claim, outcome)], rules)
    return reload(claim.delivery_id)


def recover(now: Any) -> int:
    rules = Rules(parse_schedule("0s,30s,5m"), now=now, jitter=lambda: 0.0)
    with worker_transaction() as connection:
        return outbox.recover(connection, rules, lease=LEASE)


def reload(delivery_id: int) -> Delivery:
    db.session.rollback()
    return db.session.get_one(Delivery, delivery_id, populate_existing=True)


def answered(reason: str, **facts: Any) -> Outcome:
    status = {"ok_text": 200, "server_error": 500, "gone": 410}.get(reason)
    defaults = {"started_at": factories.NOON, "duration_ms": 12, "url": URL, "status_code": status}
    return Outcome(reason=reason, **(defaults | facts))


def attempts_of(delivery: Delivery) -> list[Attempt]:
    return list(db.session.scalars(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id)))


def test_claim_lends_a_due_delivery_with_what_sending_it_takes(company: Company) -> None:
    delivery = factories.make_delivery(factories.make_contact(company), level=3)
    (claim,) = claim_due()
    assert (claim.webhook_id, claim.url, claim.number, claim.trigger) == (delivery.webhook_id, URL, 1, "classification")
    assert b'"interest_level":3' in claim.body


def test_a_delivery_that_goes_out_touches_one_index_of_those_that_hold_all(company: Company) -> None:
    delivery = factories.make_delivery(factories.make_contact(company))
    columns = Delivery.__table__.c.keys()

    def facts() -> list[Any]:
        row = reload(delivery.id)
        return [getattr(row, name) for name in columns]

    made = facts()
    (claim,) = claim_due()
    sent = facts()
    settle(claim, answered("ok_text"))
    changed = {name for name, *each in zip(columns, made, sent, facts(), strict=True) if len(set(each)) > 1}
    assert {"status", "delivered_at"} <= changed
    indexes = tables_on("sqlite", Base.metadata).tables["delivery"].indexes
    holding_all = [index for index in indexes if index.dialect_options["sqlite"]["where"] is None]
    assert [index.name for index in holding_all if changed & set(index.columns.keys())] == ["ix_delivery_status"]


def test_claim_skips_a_delivery_leased_by_another_worker(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    assert len(claim_due()) == 1
    assert claim_due() == []


def test_claim_leaves_what_is_not_due_yet(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    assert claim_due(now=after_now(hours=-1)) == []


def test_claim_leaves_a_newer_delivery_of_a_contact_while_an_older_one_is_open(company: Company) -> None:
    contact = factories.make_contact(company)
    first = factories.make_delivery(contact, level=1)
    second = factories.make_delivery(contact, level=2)
    (claim,) = claim_due()
    assert claim.webhook_id == first.webhook_id
    assert claim_due() == []
    settle(claim, answered("ok_text"))
    assert [claim.webhook_id for claim in claim_due()] == [second.webhook_id]


def test_claim_takes_no_more_of_one_endpoint_than_allowed(company: Company) -> None:
    for _ in range(5):
        factories.make_delivery(factories.make_contact(company))
    other = factories.make_company("Outra", url=URL)
    factories.make_delivery(factories.make_contact(other))
    claims = claim_due(room_for=lambda company_id, _: 2 if company_id == company.id else 100)
    assert sorted(claim.company_id for claim in claims) == [company.id, company.id, other.id]


def test_claim_leaves_a_paused_endpoint_alone(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    factories.endpoint_of(company).state = "paused"
    db.session.commit()
    assert claim_due() == []


def test_delivered_is_final_and_keeps_its_attempt(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivery = settle(claim, answered("ok_text", response_body=b"OK"))
    assert (delivery.status, delivery.reason, delivery.next_attempt_at) == ("delivered", "ok_text", None)
    assert delivery.delivered_at is not None
    (attempt,) = attempts_of(delivery)
    assert (attempt.number, attempt.status_code, attempt.response_body, attempt.late) == (1, 200, b"OK", False)


def test_a_failure_waits_as_long_as_the_schedule_says(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    now = after_now()
    delivery = settle(claim, answered("server_error"), now=now)
    assert (delivery.status, delivery.next_attempt_at) == ("pending", now + timedelta(seconds=30))
    assert claim_due(now=now + timedelta(seconds=29)) == []
    (again,) = claim_due(now=now + timedelta(seconds=31))
    assert (again.number, again.trigger, again.body, again.webhook_id) == (2, "retry", claim.body, claim.webhook_id)


def test_the_last_failure_ends_the_tries(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivery = settle(claim, answered("server_error"), schedule="0s")
    assert (delivery.status, delivery.next_attempt_at, delivery.tries) == ("failed", None, 1)


def test_gone_ends_the_tries_and_pauses_the_endpoint(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    assert settle(claim, answered("gone")).status == "failed"
    endpoint = factories.endpoint_of(company)
    assert (endpoint.state, endpoint.paused_reason) == ("paused", "gone")


def test_what_waits_for_a_retry_is_superseded_by_a_newer_classification(company: Company) -> None:
    contact = factories.make_contact(company)
    first = factories.make_delivery(contact, level=1)
    (claim,) = claim_due()
    settle(claim, answered("server_error"))
    second = factories.make_delivery(contact, level=2)
    assert reload(first.id).status == "superseded"
    assert [claim.webhook_id for claim in claim_due(now=after_now(hours=1))] == [second.webhook_id]


def test_a_try_that_fails_after_a_newer_classification_is_superseded(company: Company) -> None:
    contact = factories.make_contact(company)
    factories.make_delivery(contact, level=1)
    (claim,) = claim_due()
    factories.make_delivery(contact, level=3)
    assert settle(claim, answered("server_error")).status == "superseded"


def test_settle_after_the_lease_was_taken_changes_nothing_but_leaves_a_late_attempt(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (stale,) = claim_due()
    assert recover(after_now(minutes=1)) == 1
    (fresh,) = claim_due(now=after_now(minutes=1))
    delivery = settle(stale, answered("server_error"))
    assert (delivery.status, delivery.lease_token) == ("sending", fresh.lease_token)
    assert [(a.reason, a.late) for a in attempts_of(delivery)] == [("interrupted", False), ("server_error", True)]


def test_a_receiver_that_asks_for_a_longer_pause_gets_it(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    now = after_now()
    asked = answered("server_error", retry_after=timedelta(minutes=10))
    assert settle(claim, asked, now=now).next_attempt_at == now + timedelta(minutes=10)


def test_a_dead_workers_delivery_is_due_again_and_its_try_is_shown_as_interrupted(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    assert recover(after_now(seconds=14)) == 0
    assert recover(after_now(seconds=16)) == 1
    (again,) = claim_due(now=after_now(seconds=17))
    assert (again.webhook_id, again.body, again.number) == (claim.webhook_id, claim.body, 2)
    (attempt,) = attempts_of(reload(claim.delivery_id))
    assert (attempt.reason, attempt.number, attempt.duration_ms) == ("interrupted", 1, None)
    assert attempt.started_at == claim.lease_expires_at - LEASE, "when it was claimed"


def test_release_gives_back_what_was_not_sent(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    with worker_transaction() as connection:
        outbox.release(connection, [claim])
    delivery = reload(claim.delivery_id)
    assert (delivery.status, delivery.attempt_count, attempts_of(delivery)) == ("pending", 0, [])
    assert len(claim_due()) == 1


def resend(delivery: Delivery, **values: Any) -> bool:
    changed = outbox.resend(db.session, delivery, actor="ana@example.com", now=after_now(), **values)
    db.session.commit()
    return changed


def test_resend_makes_a_failed_delivery_due_with_a_fresh_budget(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivery = settle(claim, answered("server_error"), schedule="0s")
    assert resend(delivery)
    (again,) = claim_due()
    assert (again.trigger, again.actor, again.tries, again.number) == ("manual", "ana@example.com", 0, 2)
    assert again.body == claim.body


def test_a_double_click_on_resend_sends_once(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivery = settle(claim, answered("ok_text"))
    assert resend(delivery, seen_attempts=1)
    assert not resend(delivery, seen_attempts=1)
    (again,) = claim_due()
    settle(again, answered("ok_text"))
    assert not resend(reload(claim.delivery_id), seen_attempts=1)


def test_a_second_click_that_read_the_clock_a_little_earlier_changes_nothing(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivery = settle(claim, answered("ok_text"))
    earlier = clock.utcnow()
    assert resend(delivery, seen_attempts=1)
    assert not outbox.resend(db.session, delivery, actor="ana@example.com", now=earlier, seen_attempts=1)


def test_what_has_no_body_any_more_is_not_due_again(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    delivery = settle(claim_due()[0], answered("server_error"), schedule="0s")
    factories.forget_body(delivery)
    db.session.commit()
    assert not resend(delivery)
    asked = {"actor": "ana@example.com", "now": clock.utcnow()}
    assert outbox.resend_many(db.session, company.id, [(delivery.id, 1)], **asked) == 0


def test_what_is_due_this_moment_is_due_already(company: Company) -> None:
    delivery = factories.make_delivery(factories.make_contact(company))
    assert delivery.next_attempt_at is not None
    asked = {"actor": "ana@example.com", "now": delivery.next_attempt_at}
    assert not outbox.resend(db.session, delivery, **asked)
    assert outbox.resend_many(db.session, company.id, [(delivery.id, 0)], **asked) == 0


def test_resend_leaves_a_delivery_alone_that_is_being_sent(company: Company) -> None:
    delivery = factories.make_delivery(factories.make_contact(company))
    claim_due()
    assert not resend(delivery)


def test_a_failed_resend_of_a_delivered_one_keeps_when_it_was_delivered(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    delivered_at = settle(claim, answered("ok_text")).delivered_at
    resend(reload(claim.delivery_id))
    (again,) = claim_due()
    assert settle(again, answered("server_error")).delivered_at == delivered_at


def test_the_endpoint_shows_failures_in_a_row_and_forgets_them_at_a_success(company: Company) -> None:
    for level in (1, 2):
        factories.make_delivery(factories.make_contact(company), level=level)
    first, second = claim_due()
    settle(first, answered("server_error"))
    assert factories.endpoint_of(company).consecutive_failures == 1
    settle(second, answered("ok_text"))
    endpoint = factories.endpoint_of(company)
    assert endpoint.consecutive_failures == 0
    assert endpoint.last_success_at is not None
    assert endpoint.last_failure_at is not None


def test_a_test_send_is_recorded_and_never_retried(company: Company) -> None:
    with worker_transaction() as connection:
        claim = outbox.enqueue_test(
            connection, company_id=company.id, url=URL, actor="ana@example.com", now=after_now(), lease=LEASE
        )
    delivery = settle(claim, answered("server_error"))
    assert (delivery.status, delivery.trigger, delivery.next_attempt_at) == ("failed", "test", None)
    assert factories.endpoint_of(company).consecutive_failures == 0


def test_removing_the_address_cancels_what_waits(company: Company) -> None:
    from portal.company import endpoint as endpoints

    delivery = factories.make_delivery(factories.make_contact(company))
    assert endpoints.remove_address(db.session, factories.actor_of(company)) == 1
    db.session.commit()
    assert reload(delivery.id).status == "cancelled"
    assert claim_due() == []


def fail(claim: Claim, *, now: Any = None) -> Delivery:
    return settle(claim, answered("server_error"), now=now)


def opened_circuit(company: Company, *, waiting: int = 1) -> Any:
    """Five contacts' deliveries have failed; `waiting` more were never tried. Returns when that was."""
    for _ in range(5 + waiting):
        factories.make_delivery(factories.make_contact(company))
    now = after_now()
    for claim in claim_due(now=now, limit=5):
        fail(claim, now=now)
    db.session.expire_all()
    return now


def test_failures_of_several_deliveries_in_a_row_open_the_circuit(company: Company) -> None:
    now = opened_circuit(company, waiting=3)
    endpoint = factories.endpoint_of(company)
    assert (endpoint.state, endpoint.next_probe_at) == ("failing", now + timedelta(seconds=30))
    assert claim_due(now=now + timedelta(seconds=29)) == []


def test_failures_of_one_delivery_open_no_circuit(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    now = after_now()
    for _ in range(6):
        now += timedelta(hours=1)
        (claim,) = claim_due(now=now)
        settle(claim, answered("server_error"), now=now, schedule="0s," + ",".join(["1s"] * 9))
    db.session.expire_all()
    assert factories.endpoint_of(company).state == "active"


def test_a_failing_endpoint_is_probed_by_one_delivery_with_growing_pauses_that_cost_no_try(company: Company) -> None:
    now = opened_circuit(company, waiting=20)
    pauses = []
    for _ in range(8):
        db.session.expire_all()
        probe_at = factories.endpoint_of(company).next_probe_at
        assert probe_at is not None
        pauses.append((probe_at - now).total_seconds())
        now = probe_at
        (probe,) = claim_due(now=now)
        assert claim_due(now=now) == []
        delivery = fail(probe, now=now)
        assert (delivery.status, delivery.tries) == ("pending", probe.tries)
    assert pauses == [30, 60, 120, 240, 480, 900, 900, 900]


def test_a_probe_that_passes_makes_everything_due_level_3_first(company: Company) -> None:
    now = opened_circuit(company)
    for level in (1, 3, 2):
        factories.make_delivery(factories.make_contact(company), level=level)
    now += timedelta(seconds=31)
    (probe,) = claim_due(now=now)
    settle(probe, answered("ok_text"), now=now)
    db.session.expire_all()
    assert factories.endpoint_of(company).state == "active"
    levels = [b'"interest_level":3' in claim.body for claim in claim_due(now=now + timedelta(seconds=1), limit=1)]
    assert levels == [True]
    assert len(claim_due(now=now + timedelta(seconds=1))) == 7


@pytest.mark.slow
def test_after_three_days_of_nothing_but_failure_the_endpoint_is_paused_and_nothing_is_lost(company: Company) -> None:
    now = opened_circuit(company)
    for _ in range(400):
        db.session.expire_all()
        endpoint = factories.endpoint_of(company)
        if endpoint.state == "paused":
            break
        assert endpoint.next_probe_at is not None
        now = endpoint.next_probe_at
        (probe,) = claim_due(now=now)
        fail(probe, now=now)
    assert (endpoint.state, endpoint.paused_reason) == ("paused", "outage")
    waiting = db.session.scalars(select(Delivery.status)).all()
    assert set(waiting) == {"pending"}
    assert claim_due(now=now + timedelta(days=1)) == []


def test_a_dead_workers_delivery_ends_though_its_address_was_removed(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    (claim,) = claim_due()
    endpoint.remove_address(db.session, factories.actor_of(company))
    db.session.commit()
    assert recover(after_now(minutes=1)) == 1
    (attempt,) = attempts_of(reload(claim.delivery_id))
    assert (attempt.reason, attempt.url) == ("interrupted", "")


def test_a_probe_whose_worker_died_is_asked_again_after_its_lease(company: Company) -> None:
    now = opened_circuit(company) + timedelta(seconds=31)
    (probe,) = claim_due(now=now)
    later = now + LEASE + timedelta(seconds=1)
    recover(later)
    assert len(claim_due(now=later)) == 1
    assert probe.is_probe


def test_of_two_who_look_at_one_moment_one_probes(company: Company) -> None:
    now = opened_circuit(company) + timedelta(seconds=31)
    with worker_transaction() as connection:
        (target,) = claims.ENDPOINTS_WITH_DUE.all(connection, now=now, full=())
        found = [claims._wins_probe(connection, target, now + LEASE) for _ in range(2)]
    assert found == [True, False]


def test_a_contact_keeps_the_level_that_arrived_last_also_when_an_old_one_is_sent_again(company: Company) -> None:
    contact = factories.make_contact(company)
    learned = []
    for level in (1, 3):
        factories.make_delivery(contact, level)
        (claim,) = claim_due()
        settle(claim, answered("ok_text"), now=after_now(seconds=level))
        learned.append(delivered_level_of(contact))
    resend(db.session.query(Delivery).order_by(Delivery.id).first())
    (again,) = claim_due()
    settle(again, answered("ok_text"), now=after_now(seconds=10))
    assert (*learned, delivered_level_of(contact)) == (1, 3, 1)


def test_what_did_not_arrive_or_came_too_late_teaches_the_crm_nothing(company: Company) -> None:
    contact = factories.make_contact(company)
    factories.make_delivery(contact, 2)
    (lost,) = claim_due()
    recover(after_now(minutes=1))
    (held,) = claim_due(now=after_now(minutes=2))
    settle(lost, answered("ok_text"))
    assert delivered_level_of(contact) is None
    settle(held, answered("server_error"))
    assert delivered_level_of(contact) is None


def delivered_level_of(contact: Contact) -> int | None:
    db.session.rollback()
    return db.session.get_one(Contact, contact.id, populate_existing=True).delivered_level
