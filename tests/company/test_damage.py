"""A damaged ciphertext is one delivery's error, with its reason: no page fails for it, and no worker stops."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import select

from portal.cli.checks import check_key
from portal.cli.upgrade import bring_up_to_date
from portal.company import endpoint as endpoints
from portal.company.header import FixedHeader, seal_header
from portal.company.sealed import prove_key
from portal.database.db import db, reading
from portal.demo.server import Receiver
from portal.egress import origin_of
from portal.models import Attempt, Company, Delivery
from portal.people import tokens
from portal.runtime import runtime
from portal.vault import Vault, WrongKey
from tests import factories
from tests.conftest import BOTH, running_worker
from tests.factories import session_of
from tests.test_vault import seal_as_before
from tests.views.conftest import Person
from tests.worker.test_dispatcher import wait_until

Damage = Callable[[str], str]
DAMAGES: dict[str, Damage] = {
    "text": lambda sealed: sealed[:-6] + "AAAAAA",
    "name of the key": lambda sealed: sealed[:3] + "0" * 12 + sealed[15:],
    "form": lambda sealed: "v3" + sealed[2:],
    "older form": lambda _sealed: seal_as_before("whsec_AAAA", "another key"),
    "cut": lambda _sealed: "çãé",
}
CASES = [("secret", name) for name in DAMAGES] + [("old_secret", "older form"), ("header_secret", "name of the key")]
damages = pytest.mark.parametrize(
    ("column", "damage"),
    [(column, DAMAGES[name]) for column, name in CASES],
    ids=[f"{column}, {name}" for column, name in CASES],
)


@pytest.fixture
def whole(app: Flask, receiver: Receiver) -> Company:
    """A company beside the damaged one: all that it has opens."""
    return factories.make_company("Inteira", url=receiver.url + "whole")


@pytest.fixture
def damaged(whole: Company, receiver: Receiver, column: str, damage: Damage) -> Company:
    company = factories.make_company("Danificada", url=receiver.url + "damaged")
    actor, vault = factories.actor_of(company), runtime().vault
    endpoints.rotate_secret(db.session, actor, vault=vault)
    endpoint = factories.endpoint_of(company)
    endpoint.header_name, endpoint.header_secret = seal_header(
        FixedHeader("X-Api-Key", "a key of ours"), company.id, vault=vault
    )
    endpoint.header_origin = origin_of(endpoint.url)
    setattr(endpoint, column, damage(getattr(endpoint, column)))
    db.session.commit()
    return company


@BOTH
@damages
def test_the_worker_fails_that_delivery_in_words_and_sends_the_others(
    app: Flask, whole: Company, damaged: Company, receiver: Receiver
) -> None:
    failing = factories.make_delivery(factories.make_contact(damaged)).id
    prove_key(db.session, runtime().vault)  # as a worker does before it begins
    db.session.commit()
    with running_worker(app):
        db.session.rollback()
        wait_until(lambda: status_of(app, failing) == "failed")
        factories.make_delivery(factories.make_contact(whole))
        assert receiver.wait_for(1)
    assert [request.path for request in receiver.received] == ["/whole"]
    attempt = db.session.scalars(select(Attempt).where(Attempt.delivery_id == failing)).one()
    assert (attempt.reason, attempt.request_sent) == ("internal_error", False)
    assert "A stored secret is damaged" in (attempt.detail or "")


def status_of(app: Flask, delivery_id: int) -> str:
    with session_of(app) as session, reading():
        return session.get_one(Delivery, delivery_id).status


@BOTH
@damages
def test_no_page_and_no_call_fails(damaged: Company, app: Flask, receiver: Receiver) -> None:
    user = factories.make_user(damaged)
    delivery = factories.make_delivery(factories.make_contact(damaged))
    token = tokens.create_token(db.session, user, label="test")
    db.session.commit()
    prove_key(db.session, runtime().vault)
    person, caller = Person(app.test_client(), user), app.test_client()
    headers = {"Authorization": f"Bearer {token}"}
    for path in ("/", "/webhook", "/deliveries", f"/deliveries/{delivery.webhook_id}", "/inspector"):
        assert person.get(path).status_code == 200, path
    location = person.post("/webhook/test", {"url": receiver.url, "header_kind": "saved"}).location
    answer = caller.post("/api/v1/webhook/test", headers=headers)
    assert (answer.status_code, answer.json["delivered"], answer.json["reason"]) == (200, False, "internal_error")
    assert person.get(location).status_code == 200
    for path in ("/webhook", "/deliveries", f"/deliveries/{delivery.webhook_id}"):
        assert caller.get(f"/api/v1{path}", headers=headers).status_code == 200, path
    assert person.post("/webhook/secret").status_code in (200, 409)
    assert person.post("/webhook/resume").status_code in (302, 303)
    assert receiver.received == []


@BOTH
@damages
def test_the_doctor_names_it_and_nothing_is_kept_from_starting(damaged: Company, column: str) -> None:
    bring_up_to_date()
    found = [finding for finding in check_key(runtime()) if finding.level == "fail"]
    assert [f"endpoint.{column}, row" in finding.message for finding in found] == [True]


@BOTH
def test_another_key_than_the_databases_is_told_from_damage(whole: Company) -> None:
    with pytest.raises(WrongKey):
        prove_key(db.session, Vault("another key"))
