"""The sealed secrets of the database: sealed anew at an upgrade, found by the doctor, and no failure but their own."""

import pytest
from flask import Flask

from portal.cli.upgrade import bring_up_to_date
from portal.company import endpoint as endpoints
from portal.company.sealed import PURPOSES, reseal, stored_secrets
from portal.database.db import db
from portal.database.tables import Base
from portal.demo.server import Receiver
from portal.models import Company, User
from portal.people import second_factor
from portal.runtime import runtime
from portal.vault import DamagedSecret, Vault, WrongKey, is_old
from tests.conftest import BOTH
from tests.factories import (
    actor_of,
    endpoint_of,
    make_company,
    make_user,
    second_factor_of,
    secret_of,
    send_test,
    set_second_factor,
)
from tests.test_vault import seal_as_before
from tests.views.conftest import Person


def key() -> str:
    return runtime().settings.secret_key


@pytest.fixture
def old_company(app: Flask) -> Company:
    """A company whose secrets an older version sealed."""
    company = make_company()
    make_user(company)  # without a second factor
    endpoint, user = endpoint_of(company), make_user(company)
    endpoint.secret, endpoint.old_secret = (seal_as_before(endpoints.new_secret(), key()) for _ in range(2))
    user.totp_secret = seal_as_before("JBSWY3DPEHPK3PXP", key())
    db.session.commit()
    return company


def test_every_column_of_a_secret_is_known() -> None:
    """A column that is not listed would keep what an older version sealed."""
    named = {column for table in Base.metadata.tables.values() for column in table.c if "secret" in column.name}
    plain = {"api_token.secret_hash", "endpoint.old_secret_until"}
    assert {str(column) for column in named} - plain == {str(column.expression) for column in PURPOSES}


@BOTH
def test_an_upgrade_seals_anew_what_an_older_version_sealed(old_company: Company) -> None:
    before = [stored.open(runtime().vault) for stored in stored_secrets(db.session)]
    db.session.rollback()
    bring_up_to_date()
    stored = list(stored_secrets(db.session))
    assert len(stored) == 3
    assert not any(is_old(each.sealed) for each in stored)
    assert [each.open(runtime().vault) for each in stored] == before
    assert {each.company_id for each in stored} == {old_company.id}
    assert {each.row_id for each in stored if each.column is User.totp_secret} == {old_company.id + 1}
    assert reseal(db.session, runtime().vault) == 0


def test_an_upgrade_with_another_key_changes_nothing(old_company: Company) -> None:
    before = [stored.sealed for stored in stored_secrets(db.session)]
    with pytest.raises(WrongKey):
        reseal(db.session, Vault("another key"))
    assert [stored.sealed for stored in stored_secrets(db.session)] == before


def test_secrets_open_as_well_before_they_are_sealed_anew(old_company: Company) -> None:
    user = db.session.query(User).filter(User.totp_secret.is_not(None)).one()
    assert secret_of(old_company).startswith("whsec_")
    assert second_factor_of(user) == "JBSWY3DPEHPK3PXP"


def test_a_secret_moved_to_another_company_does_not_open(app: Flask) -> None:
    mine, theirs = endpoint_of(make_company()), endpoint_of(make_company("Outra"))
    theirs.secret = mine.secret
    with pytest.raises(DamagedSecret):
        endpoints.read_secret(theirs, runtime().vault)


def test_a_second_factor_does_not_open_as_the_key_of_a_webhook(app: Flask) -> None:
    company = make_company()
    user = make_user(company)
    set_second_factor(user, second_factor.new_secret())
    endpoint_of(company).secret = user.totp_secret
    with pytest.raises(DamagedSecret):
        secret_of(company)


@BOTH
def test_a_damaged_secret_fails_its_delivery_in_words_until_a_new_one_is_made(app: Flask, receiver: Receiver) -> None:
    company = make_company(url=receiver.url)
    endpoints.rotate_secret(db.session, actor_of(company), vault=runtime().vault)
    endpoint = endpoint_of(company)
    endpoint.secret = endpoint.secret[:-6] + "AAAAAA"
    db.session.commit()
    sent = send_test(company)
    assert (sent.outcome.reason, sent.outcome.delivered) == ("internal_error", False)
    assert "A stored secret is damaged" in sent.outcome.detail
    assert receiver.received == []
    new = endpoints.rotate_secret(db.session, actor_of(company), vault=runtime().vault)
    assert (endpoint_of(company).old_secret, endpoint_of(company).old_secret_until) == (None, None)
    db.session.commit()
    assert secret_of(company) == new
    assert send_test(company).outcome.delivered


def test_a_damaged_secret_is_said_on_the_page_that_shows_it(app: Flask) -> None:
    company = make_company()
    endpoint_of(company).secret = "v2.damaged"
    admin = Person(app.test_client(), make_user(company))
    answer = admin.post("/webhook/secret")
    assert answer.status_code == 409
    assert "gere outro na página Webhook" in answer.text
    assert admin.post("/webhook/secret", {"rotate": "1"}).status_code == 200
    assert admin.post("/webhook/secret").status_code == 200
