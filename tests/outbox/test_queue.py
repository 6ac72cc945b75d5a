"""What people do with deliveries reaches those of their own company only."""

import time
from uuid import UUID

import pytest
from flask import Flask

from portal import outbox
from portal.clock import utcnow
from portal.company import endpoint, testing
from portal.contacts import syncing
from portal.contacts.classifying import classify
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Delivery
from portal.outbox.outages import begin_outage
from portal.outbox.queue import new_webhook_id
from portal.runtime import runtime
from portal.vault import Vault, WrongKey
from portal.webhook import Outcome
from portal.working_models import Outage
from tests import factories
from tests.conftest import BOTH
from tests.outbox.test_outbox import claim_due

URL = "http://127.0.0.1:9999/hook"

pytestmark = BOTH


@pytest.fixture
def failed(app: Flask) -> Delivery:
    """A delivery whose tries are used up."""
    delivery = factories.make_delivery(factories.make_contact(factories.make_company(url=URL)))
    delivery.status, delivery.next_attempt_at, delivery.attempt_count = "failed", None, 9
    db.session.commit()
    return delivery


def test_many_are_sent_again_within_their_company_only(failed: Delivery) -> None:
    other = factories.make_company("Outra", url=URL)
    seen = [(failed.id, failed.attempt_count)]
    assert outbox.resend_many(db.session, other.id, seen, actor="eve@example.com", now=utcnow()) == 0
    assert outbox.resend_many(db.session, failed.company_id, seen, actor="ana@example.com", now=utcnow()) == 1


def test_cancelling_and_counting_keep_to_one_company(failed: Delivery) -> None:
    other = factories.make_company("Outra", url=URL)
    factories.make_delivery(factories.make_contact(other))
    assert outbox.waiting_count(db.session, failed.company_id) == 0
    assert outbox.cancel_waiting(db.session, failed.company_id) == 0
    assert outbox.waiting_count(db.session, other.id) == 1
    assert outbox.cancel_waiting(db.session, other.id) == 1


def test_what_is_being_sent_is_not_cancelled(failed: Delivery) -> None:
    failed.status, failed.lease_token = "sending", "x"
    db.session.commit()
    assert outbox.cancel_waiting(db.session, failed.company_id) == 0
    assert outbox.cancel_contacts(db.session, [failed.contact_id or 0]) == 0
    assert outbox.waiting_count(db.session, failed.company_id) == 1


def test_another_key_is_no_fault_of_one_delivery(failed: Delivery) -> None:
    failed.status, failed.next_attempt_at = "pending", utcnow()
    db.session.commit()
    (claim,) = claim_due()
    with pytest.raises(WrongKey):
        outbox.begin(claim, Vault("another key"), runtime().egress, lambda _outcome: None)


def test_what_is_sent_is_opened_for_its_company_and_its_purpose(failed: Delivery) -> None:
    vault, company_id = runtime().vault, failed.company_id
    failed.status, failed.next_attempt_at = "pending", utcnow()
    db.session.commit()
    (claim,) = claim_due()
    keys = [vault.seal(key, purpose="webhook_secret", company_id=company_id) for key in ("new", "old")]
    header = "x-key", vault.seal("k", purpose="webhook_header", company_id=company_id)
    sent = outbox.request_of(claim._replace(secrets=tuple(keys), header=header), vault)
    assert (sent.url, sent.webhook_id, sent.body) == (claim.url, claim.webhook_id, claim.body)
    assert (sent.secrets, sent.header) == (("new", "old"), ("x-key", "k"))
    assert outbox.request_of(claim, vault).header is None


def test_a_fault_of_ours_is_an_outcome_and_told_in_the_log(failed: Delivery, caplog: pytest.LogCaptureFixture) -> None:
    failed.status, failed.next_attempt_at = "pending", utcnow()
    db.session.commit()
    (claim,) = claim_due()
    ends: list[Outcome] = []
    outbox.begin(claim._replace(secrets=("damaged",)), runtime().vault, runtime().egress, ends.append)
    assert [(each.reason, each.url, each.final) for each in ends] == [("internal_error", claim.url, True)]
    told = [(each.levelname, getattr(each, "action", ""), getattr(each, "delivery", "")) for each in caplog.records]
    assert told == [("ERROR", "send_failed", claim.webhook_id)]


def test_an_outage_that_lasts_goes_on(failed: Delivery) -> None:
    cause = Outcome.interrupted(url=URL, started_at=utcnow())
    for _ in range(2):
        begin_outage(db.session.connection(), failed.company_id, cause, began_at=utcnow())
    assert db.session.query(Outage).count() == 1


@pytest.mark.parametrize("act", ["level", "data", "again", "many again", "back", "address", "resume"])
def test_whoever_makes_a_delivery_due_wakes_the_workers(failed: Delivery, receiver: Receiver, act: str) -> None:
    contact, company, actor = failed.contact, failed.contact.company, factories.actor_of(failed.contact.company)
    if act in ("back", "resume"):
        factories.set_url(company, receiver.url)
        made = classify(db.session, actor, contact.id, 3).delivery_id
        endpoint.pause(db.session, actor)
        db.session.commit()
    match act:
        case "level":
            classify(db.session, actor, contact.id, 3)
        case "data":
            syncing.send_current(db.session, actor, contact.id)
        case "again":
            outbox.resend(db.session, failed, actor=actor.email, now=utcnow())
        case "many again":
            outbox.resend_many(db.session, company.id, [(failed.id, 9)], actor=actor.email, now=utcnow())
        case "back":
            delivery = db.session.query(Delivery).filter_by(webhook_id=made).one()
            assert outbox.take_back(db.session, delivery.id, now=utcnow())
        case "address":
            endpoint.set_address(db.session, runtime(), actor, receiver.url)
        case "resume":
            testing.resume(db.session, runtime(), actor)
    assert db.session.info.get(outbox.DUE)


def test_a_public_id_says_when_it_was_made(app: Flask) -> None:
    begun = time.time()
    made = [UUID(new_webhook_id().removeprefix("msg_")) for _ in range(3)]
    assert sorted(made) == made
    assert {each.version for each in made} == {7}
    assert begun - 1 <= (made[0].int >> 80) / 1000 <= time.time() + 1
