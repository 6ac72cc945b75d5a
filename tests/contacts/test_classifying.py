import threading
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.contacts.classifying import choose, classify
from portal.contacts.filtering import ContactFilter
from portal.contacts.items import InvalidContact
from portal.database.db import db
from portal.models import Classification, Company, Contact, Delivery
from tests import factories
from tests.conftest import BOTH

pytestmark = BOTH
URL = "http://127.0.0.1:9999/hook"


@pytest.fixture
def company(app: Flask) -> Company:
    return factories.make_company(url=URL)


@pytest.fixture
def contact(company: Company) -> Contact:
    return factories.make_contact(company)


def test_what_matches_is_chosen_by_name_and_no_newer_than_what_was_counted(company: Company) -> None:
    ids = [factories.make_contact(company, name=name).id for name in ("Zoé", "Élio", "ana", "Bia")]
    assert list(choose(db.session, company.id, ContactFilter(), newest_id=ids[2])) == [ids[2], ids[1], ids[0]]


@pytest.mark.parametrize(
    ("before", "after", "fires"),
    [
        (None, 1, True),
        (None, 3, True),
        (1, 2, True),
        (3, 1, True),
        (2, 2, False),
        (2, None, False),
        (None, None, False),
    ],
)
def test_a_webhook_fires_when_the_level_is_set_or_changed(
    contact: Contact, before: int | None, after: int | None, fires: bool
) -> None:
    factories.classify_contact(contact, before)
    classified = factories.classify_contact(contact, after)
    assert classified.previous_level == before
    assert classified.sent is fires
    assert contact.interest_level == after


def test_a_level_set_again_after_its_removal_fires(contact: Contact) -> None:
    for level in (2, None):
        factories.classify_contact(contact, level)
    delivery = factories.make_delivery(contact, 2)
    assert (delivery.previous_level, delivery.interest_level) == (None, 2)


def test_without_an_address_the_level_is_recorded_and_nothing_is_sent(app: Flask) -> None:
    contact = factories.make_contact(factories.make_company())
    assert not factories.classify_contact(contact, 3).sent
    assert db.session.scalar(select(func.count()).select_from(Classification)) == 1
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0


def test_classification_and_delivery_exist_together_or_not_at_all(contact: Contact) -> None:
    classify(db.session, factories.actor_of(contact.company), contact.id, 2)
    db.session.rollback()
    assert contact.interest_level is None
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 0


@pytest.mark.parametrize("level", [0, 4, -1, True, "2"])
def test_an_unknown_level_is_refused(contact: Contact, level: Any) -> None:
    with pytest.raises(InvalidContact, match="unknown_level"):
        classify(db.session, factories.actor_of(contact.company), contact.id, level)


def test_the_body_is_frozen_when_the_change_happens(contact: Contact) -> None:
    contact.name = "Maria Antes"
    delivery = factories.make_delivery(contact, 2)
    contact.name = "Maria Depois"
    db.session.commit()
    assert b"Maria Antes" in (delivery.body or b"")


@pytest.mark.slow
def test_a_hundred_people_classifying_a_hundred_contacts_make_a_hundred_deliveries(
    app: Flask, company: Company
) -> None:
    ids = [factories.make_contact(company).id for _ in range(100)]
    failures: list[Exception] = []

    def work(contact_id: int) -> None:
        with app.app_context():
            try:
                factories.classify_contact(db.session.get_one(Contact, contact_id), 3)
            except Exception as error:
                failures.append(error)
            finally:
                db.session.remove()

    db.session.remove()
    threads = [threading.Thread(target=work, args=(contact_id,)) for contact_id in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 100


def test_two_people_giving_one_contact_the_same_level_make_one_delivery(app: Flask, contact: Contact) -> None:
    contact_id, results = contact.id, []

    def work() -> None:
        with app.app_context():
            results.append(factories.classify_contact(db.session.get_one(Contact, contact_id), 3).sent)
            db.session.remove()

    db.session.remove()
    threads = [threading.Thread(target=work) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(results) == 1
