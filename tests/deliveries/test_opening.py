"""Where contacts are found in the CRM is read for a whole page at once, also from answers that nothing was kept of."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete

from portal.clock import utcnow
from portal.company.endpoint import set_address
from portal.contacts import merging
from portal.database.db import db
from portal.deliveries import opening
from portal.models import Company, Contact
from portal.runtime import runtime
from portal.working_models import CrmRecord
from tests.applications import statements_of
from tests.conftest import BOTH, URL
from tests.factories import (
    actor_of,
    attempt_of,
    classify_contact,
    make_company,
    make_contact,
    make_delivery,
    mark_delivered,
    set_crm_link,
)

pytestmark = BOTH


@pytest.fixture
def company(app: Flask) -> Company:
    made = make_company(url=URL)
    set_crm_link(made)
    return made


def answer(contact: Contact, *bodies: bytes) -> None:
    """As if the CRM had answered the contact's next deliveries so, an hour apart."""
    for number, body in enumerate(bodies):
        delivery = mark_delivered(make_delivery(contact, number % 3 + 1))
        delivery.delivered_at = at = utcnow() + timedelta(hours=number)
        facts = {"number": 1, "trigger": "classification", "started_at": at, "url": URL, "reason": "ok_json"}
        db.session.add(attempt_of(delivery, response_body=body, **facts))
        db.session.commit()


def read(company: Company, contacts: list[Contact]) -> tuple[list[str | None], int]:
    """The end of each contact's address, and how many statements read them all."""
    db.session.commit()
    for contact in contacts:
        db.session.refresh(contact)
    with statements_of(db.engine) as seen:
        found = opening.crm_addresses_of(db.session, company.id, contacts)
    db.session.commit()
    return [found[each.id].rpartition("/")[2] if each.id in found else None for each in contacts], len(seen)


def test_fifty_contacts_cost_the_statements_of_five(company: Company) -> None:
    contacts = [make_contact(company) for _ in range(50)]
    for number, contact in enumerate(contacts):
        answer(contact, b'{"id": %d}' % number)
    found, few = read(company, contacts[:5])
    assert found == ["0", "1", "2", "3", "4"]
    found, many = read(company, contacts)
    assert (found, many) == ([str(number) for number in range(50)], few)


def test_each_contact_has_what_its_own_last_answer_says_that_says_anything(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    ana, bia, caio, duda = contacts = [make_contact(company) for _ in range(4)]
    answer(ana, b'{"id": 1}', b'{"id": 2}', b'{"ok": true}')
    answer(bia, b'{"id": "x"}', b"{}", b"[]")
    answer(caio, b'{"ok": true}')
    db.session.add(CrmRecord(contact_id=duda.id, pointer="/id", value="kept"))
    answer(duda, b'{"id": 4}')
    assert read(company, contacts)[0] == ["2", "x", None, "kept"]
    monkeypatch.setattr(opening, "LOOK_BACK", 2)
    assert read(company, contacts)[0] == ["2", None, None, "kept"]
    db.session.execute(delete(CrmRecord))
    assert read(company, contacts)[0] == ["2", None, None, "4"]


def test_an_example_is_an_answer_to_the_company_that_asks(company: Company) -> None:
    other = make_company("Outra", url=URL)
    answer(make_contact(other), b'{"id": 1}')
    assert opening.find_example(db.session, actor_of(company)) is None
    answer(make_contact(company), b'{"id": 2}')
    answer(make_contact(other), b'{"id": 3}')
    found = opening.find_example(db.session, actor_of(company))
    assert found is not None
    assert found.places == {"/id": "2"}


def test_what_was_answered_about_who_was_merged_is_another_record(company: Company) -> None:
    kept, other = make_contact(company), make_contact(company)
    answer(kept, b'{"id": 1}')
    answer(other, b'{"id": 2}', b'{"id": 3}')
    merging.merge(db.session, actor_of(company), kept.id, other.id)
    db.session.execute(delete(CrmRecord))
    assert read(company, [kept])[0] == ["1"]


def test_no_answer_of_an_account_before_says_where_a_contact_is_in_this_one(company: Company) -> None:
    ana = make_contact(company)
    answer(ana, b'{"id": 1}')
    at = utcnow()
    with time_machine.travel(at + timedelta(days=1)):
        set_address(db.session, runtime(), actor_of(company), URL, other_crm=True)
        db.session.commit()
    with time_machine.travel(at + timedelta(days=2)):
        classify_contact(ana, None)
        answer(ana, b'{"ok": true}')
    assert read(company, [ana])[0] == [None]
    assert opening.find_example(db.session, actor_of(company)) is None
    with time_machine.travel(at + timedelta(days=3)):
        classify_contact(ana, None)
        answer(ana, b'{"id": 2}')
    assert read(company, [ana])[0] == ["2"]
    example = opening.find_example(db.session, actor_of(company))
    assert example is not None
    assert example.places == {"/id": "2"}
