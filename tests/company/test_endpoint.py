import base64
from datetime import timedelta
from typing import Any

import pytest
import svix.webhooks
from flask import Flask

from portal import clock
from portal.company import crm_link, inspector, testing
from portal.company import endpoint as endpoints
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import AuditEntry, Company, Delivery, Endpoint
from portal.rules.crm_link import MAX_POINTER
from portal.runtime import runtime
from tests import factories
from tests.conftest import BOTH, running_worker

pytestmark = BOTH


@pytest.fixture
def company(app: Flask, receiver: Receiver) -> Company:
    company = factories.make_company()
    factories.set_url(company, receiver.url)
    return company


@pytest.fixture
def endpoint(company: Company) -> Endpoint:
    return factories.endpoint_of(company)


def deliver(app: Flask, company: Company, receiver: Receiver, *, count: int) -> Any:
    factories.make_delivery(factories.make_contact(company))
    db.session.remove()
    with running_worker(app):
        assert receiver.wait_for(count)
    return receiver.received[-1]


def test_a_paused_endpoint_gets_nothing_and_resuming_sends_what_waited(
    app: Flask, company: Company, endpoint: Endpoint, receiver: Receiver
) -> None:
    actor = factories.actor_of(company)
    endpoints.pause(db.session, actor)
    db.session.commit()
    factories.make_delivery(factories.make_contact(company))
    db.session.remove()
    with running_worker(app):
        assert not receiver.wait_for(1, timeout=1.5)
        testing.resume(db.session, runtime(), actor)
        db.session.commit()
        db.session.remove()
        assert receiver.wait_for(2)  # the test, and what waited


def test_after_a_rotation_both_keys_sign_for_a_day_and_then_only_the_new_one(
    app: Flask, company: Company, endpoint: Endpoint, receiver: Receiver
) -> None:
    old = endpoints.read_secret(endpoint, runtime().vault)
    new = endpoints.rotate_secret(db.session, factories.actor_of(company), vault=runtime().vault)
    db.session.commit()
    first = deliver(app, company, receiver, count=1)
    for key in (old, new):
        svix.webhooks.Webhook(key).verify(first.body, dict(first.headers.items()))
    endpoint = factories.endpoint_of(company)
    assert endpoint.old_secret_until is not None
    assert timedelta(hours=23) < endpoint.old_secret_until - clock.utcnow() <= timedelta(hours=24)
    endpoint.old_secret_until = clock.utcnow() - timedelta(seconds=1)
    db.session.commit()
    second = deliver(app, company, receiver, count=2)
    svix.webhooks.Webhook(new).verify(second.body, dict(second.headers.items()))
    with pytest.raises(svix.webhooks.WebhookVerificationError):
        svix.webhooks.Webhook(old).verify(second.body, dict(second.headers.items()))


@pytest.mark.parametrize("act", ["test", "resume"])
def test_tests_are_signed_with_both_keys_as_deliveries_are(
    app: Flask, company: Company, endpoint: Endpoint, receiver: Receiver, act: str
) -> None:
    old = endpoints.read_secret(endpoint, runtime().vault)
    new = endpoints.rotate_secret(db.session, factories.actor_of(company), vault=runtime().vault)
    endpoints.pause(db.session, factories.actor_of(company))
    db.session.commit()
    if act == "test":
        factories.send_test(company)
    else:
        factories.resume(company)
    for key in (old, new):
        svix.webhooks.Webhook(key).verify(receiver.received[0].body, dict(receiver.received[0].headers.items()))


def test_a_secret_is_256_bits_and_is_not_stored_as_it_is(endpoint: Endpoint) -> None:
    secret = endpoints.read_secret(endpoint, runtime().vault)
    assert len(base64.b64decode(secret.removeprefix("whsec_"))) == 32
    assert secret.removeprefix("whsec_") not in endpoint.secret


def test_a_new_address_takes_what_waits_for_the_old_one(
    app: Flask, company: Company, endpoint: Endpoint, receiver: Receiver
) -> None:
    factories.set_url(company, "http://127.0.0.1:9999/old")
    factories.make_delivery(factories.make_contact(company))
    factories.set_url(company, receiver.url)
    db.session.remove()
    with running_worker(app):
        assert receiver.wait_for(1)
    assert db.session.query(Delivery).count() == 1


@pytest.mark.parametrize(
    ("reason", "state"), [("manual", "paused"), ("restored", "paused"), ("gone", "active"), ("outage", "active")]
)
def test_another_address_ends_a_pause_that_nobody_asked_for(
    company: Company, endpoint: Endpoint, reason: str, state: str
) -> None:
    endpoint.state, endpoint.paused_reason, endpoint.consecutive_failures = "paused", reason, 7
    db.session.commit()
    factories.set_url(company, "http://127.0.0.1:9999/other")
    found = factories.endpoint_of(company)
    assert (found.state, found.consecutive_failures) == (state, 7 if state == "paused" else 0)


def test_every_act_is_in_the_audit_log_without_the_secret(company: Company, endpoint: Endpoint) -> None:
    actor = factories.actor_of(company)
    endpoints.show_secret(db.session, actor, vault=runtime().vault)
    secret = endpoints.rotate_secret(db.session, actor, vault=runtime().vault)
    for _ in range(2):  # the second time it is so already
        endpoints.pause(db.session, actor)
        crm_link.set_link(db.session, actor, "/" * MAX_POINTER, "https://crm.example/{id}")
    crm_link.set_link(db.session, actor, "", "https://crm.example/{id}")  # the whole answer is the id
    for pointer in ("id", "/" * (MAX_POINTER + 1)):
        with pytest.raises(crm_link.LinkRefused):
            crm_link.set_link(db.session, actor, pointer, "")
    assert endpoint.link_pointer == ""
    db.session.commit()
    testing.resume(db.session, runtime(), actor)
    for _ in range(2):
        crm_link.remove_link(db.session, actor)
        endpoints.remove_address(db.session, actor)
    for act in (inspector.open_inspector, inspector.close_inspector):
        for _ in range(2):
            act(db.session, company, actor)
            db.session.flush()
    db.session.commit()
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [entry.action for entry in entries] == [
        "webhook.address_checked",
        "webhook.url_set",
        "webhook.secret_shown",
        "webhook.secret_rotated",
        "webhook.paused",
        "webhook.link_set",
        "webhook.link_set",
        "webhook.address_checked",
        "webhook.resumed",
        "webhook.link_removed",
        "webhook.url_removed",
        "inspector.opened",
        "inspector.closed",
    ]
    assert all(secret not in str(vars(entry)) for entry in entries)
