"""Another CRM takes the place: only people know that, and then no contact is in sync with it."""

import pytest
from flask import Flask

from portal.clock import utcnow
from portal.company import endpoint as endpoints
from portal.contacts import doubts, merging
from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import count_contacts
from portal.contacts.standing import standings_of
from portal.contacts.syncing import backlog_of, bring_in_sync, find_out_of_sync
from portal.database.db import db
from portal.deliveries.first_steps import first_steps
from portal.demo.server import Receiver, Reply
from portal.models import AuditEntry, Company, Contact, Delivery
from portal.outbox import Claim, Rules, settle
from portal.rules.retry import parse_schedule
from portal.rules.verdict import judge, shape_of
from portal.runtime import runtime
from portal.webhook import Outcome
from portal.working_models import CrmRecord
from tests import factories
from tests.conftest import BOTH, URL, running_worker
from tests.outbox.test_outbox import claim_due, worker_transaction

pytestmark = BOTH


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    return factories.make_company(url=f"{receiver.url}account/1")


@pytest.fixture
def told(app: Flask, company: Company, receiver: Receiver) -> Contact:
    """A contact that the CRM took, and of which it said where it is found there."""
    endpoint = factories.endpoint_of(company)
    endpoint.link_pointer, endpoint.link_template = "/id", "https://crm.example/{id}"
    receiver.reply = Reply(200, b'{"id":41}', "application/json")
    contact = factories.make_contact(company)
    factories.make_delivery(contact)
    db.session.commit()
    deliver(app, receiver, count=1)
    return contact


def deliver(app: Flask, receiver: Receiver, *, count: int) -> None:
    db.session.remove()
    with running_worker(app):
        assert receiver.wait_for(count)


def set_address(company: Company, url: str, *, other_crm: bool = False) -> list[str]:
    """Save it. Returns the codes of what to mind."""
    saved = endpoints.set_address(db.session, runtime(), factories.actor_of(company), url, other_crm=other_crm)
    db.session.commit()
    return [advice.code for advice in saved.advice if advice.code == "same_crm"]


def state_of(contact_id: int) -> str:
    db.session.expire_all()
    return standings_of(db.session, [db.session.get_one(Contact, contact_id)])[contact_id].shown


def test_another_path_may_be_another_account_so_what_is_assumed_is_said(
    company: Company, receiver: Receiver, told: Contact
) -> None:
    assert set_address(company, f"{receiver.url}account/2") == ["same_crm"]
    assert state_of(told.id) == "in_sync"
    assert set_address(company, f"{receiver.url}account/2") == []


def test_nothing_is_assumed_where_nobody_was_told_of(company: Company, receiver: Receiver) -> None:
    factories.make_contact(company)
    assert set_address(company, f"{receiver.url}account/2") == []


def test_another_crm_knows_of_nobody_and_is_told_when_asked_to(
    app: Flask, company: Company, receiver: Receiver, told: Contact
) -> None:
    elsewhere = factories.make_company("Beta", url=receiver.url)
    other = factories.make_contact(elsewhere)
    other.interest_level = other.delivered_level = 3
    db.session.commit()
    contact_id, other_id = told.id, other.id
    set_address(company, f"{receiver.url}account/2", other_crm=True)
    assert (state_of(contact_id), state_of(other_id)) == ("out_of_sync", "in_sync")
    assert db.session.get_one(Contact, contact_id).delivered_frozen_at is None
    assert db.session.query(CrmRecord).count() == 0
    assert backlog_of(db.session, company.id).stuck == 1
    assert db.session.query(AuditEntry).filter_by(action="webhook.crm_changed", subject="1").count() == 1
    sent = len(bring_in_sync(db.session, factories.actor_of(company), find_out_of_sync(db.session, company.id)))
    db.session.commit()
    assert sent == 1
    deliver(app, receiver, count=2)
    assert receiver.received[-1].path == "/account/2"
    assert state_of(contact_id) == "in_sync"


def test_first_steps_stay_done_when_the_log_has_lost_the_first_delivery(company: Company, told: Contact) -> None:
    company_id = company.id
    assert first_steps(db.session, company_id) == {}
    db.session.query(Delivery).delete()
    db.session.commit()
    assert first_steps(db.session, company_id) == {}


def test_where_the_crm_had_a_contact_is_forgotten_with_its_address(company: Company, told: Contact) -> None:
    assert db.session.query(CrmRecord).count() == 1
    endpoints.remove_address(db.session, factories.actor_of(company))
    db.session.commit()
    assert db.session.query(CrmRecord).count() == 0


def claim(contact: Contact, level: int = 3) -> Claim:
    """The contact's new delivery, as a worker has it in hand."""
    factories.make_delivery(contact, level)
    (claimed,) = claim_due()
    return claimed


def answer(claimed: Claim, body: bytes = b'{"id":41}') -> Delivery:
    db.session.rollback()
    verdict = judge(200, body)
    facts = {"reason": verdict.reason, "warning": verdict.warning, "shape": shape_of(verdict.reason, body)}
    outcome = Outcome(started_at=utcnow(), duration_ms=1, url=claimed.url, status_code=200, response_body=body, **facts)
    rules = Rules(parse_schedule("0s,30s"), now=utcnow(), jitter=lambda: 0.0)
    with worker_transaction() as connection:
        settle(connection, [(claimed, outcome)], rules)
    db.session.expire_all()
    return db.session.get_one(Delivery, claimed.delivery_id, populate_existing=True)


@pytest.fixture
def linked(app: Flask) -> Company:
    made = factories.make_company(url=URL)
    factories.set_crm_link(made)
    return made


@pytest.mark.parametrize("url", [URL, f"{URL}/2"])
@pytest.mark.parametrize("cancel", [True, False])
def test_what_happened_to_the_account_before_says_nothing_of_this_one(
    linked: Company, url: str, *, cancel: bool
) -> None:
    waits = factories.make_delivery(factories.make_contact(linked), 3)
    db.session.commit()
    endpoint = factories.endpoint_of(linked)
    endpoint.state, endpoint.consecutive_failures = "failing", 9
    db.session.commit()
    actor = factories.actor_of(linked)
    endpoints.set_address(db.session, runtime(), actor, url, other_crm=True, cancel_waiting=cancel)
    db.session.commit()
    assert (endpoint.state, endpoint.consecutive_failures) == ("active", 0)
    db.session.refresh(waits)
    assert waits.status == ("cancelled" if cancel else "pending")


@pytest.mark.parametrize("url", [URL, f"{URL}/2"])
@pytest.mark.parametrize("was_told", [True, False])
def test_what_was_under_way_to_the_crm_before_tells_nothing_of_this_one(
    linked: Company, url: str, *, was_told: bool
) -> None:
    contact = factories.make_contact(linked)
    if was_told:
        answer(claim(contact, 1))
    in_flight = claim(contact)
    set_address(linked, url, other_crm=True)
    assert answer(in_flight).status == "delivered"
    assert state_of(contact.id) == "out_of_sync"
    assert db.session.query(CrmRecord).count() == 0
    assert factories.endpoint_of(linked).answer_shape is None
    found = find_out_of_sync(db.session, linked.id)
    assert len(bring_in_sync(db.session, factories.actor_of(linked), found)) == 1
    db.session.commit()
    (anew,) = claim_due()
    assert answer(anew, b'{"other":1,"id":7}').warning is None
    assert state_of(contact.id) == "in_sync"
    assert db.session.query(CrmRecord).one().value == "7"


def test_the_answer_about_a_merged_contact_says_nothing_of_who_stays(linked: Company) -> None:
    stays, goes = factories.make_contact(linked), factories.make_contact(linked)
    answer(claim(stays))
    factories.make_delivery(goes, 3)
    set_address(linked, URL, other_crm=True)
    merging.merge(db.session, factories.actor_of(linked), stays.id, goes.id)
    db.session.commit()
    (anew,) = claim_due()
    answer(anew)
    assert state_of(stays.id) == "out_of_sync"


def test_a_warning_of_the_crm_before_is_open_no_more(linked: Company) -> None:
    contact = factories.make_contact(linked)
    warned = answer(claim(contact), b'{"error":"no such field"}')
    assert doubts.is_open(db.session, warned)
    set_address(linked, URL, other_crm=True)
    db.session.expire_all()
    assert not doubts.is_open(db.session, warned)
    assert standings_of(db.session, [contact])[contact.id].warning is None
    assert count_contacts(db.session, linked.id, ContactFilter(warning="error_in_json")) == 0
    factories.classify_contact(contact, None)
    assert state_of(contact.id) == "in_sync"
    assert doubts.settle(db.session, factories.actor_of(linked), warning="error_in_json") == 0


def test_another_account_at_the_same_address_may_answer_as_it_likes(linked: Company) -> None:
    answer(claim(factories.make_contact(linked)))
    set_address(linked, URL, other_crm=True)
    assert answer(claim(factories.make_contact(linked)), b"Accepted").warning is None
    assert answer(claim(factories.make_contact(linked)), b"[]").warning == "shape_changed"
