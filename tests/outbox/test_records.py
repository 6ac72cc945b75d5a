"""What an answer says of the CRM's record is kept with the contact that it is about, as the delivery is settled."""

import pytest
from flask import Flask

from portal.clock import utcnow
from portal.company.endpoint import remove_address, set_address
from portal.contacts import merging
from portal.database.db import db
from portal.deliveries import opening
from portal.models import Company
from portal.outbox import Claim
from portal.runtime import runtime
from portal.webhook import Outcome
from portal.working_models import CrmRecord
from tests.conftest import BOTH, URL
from tests.factories import actor_of, endpoint_of, make_company, make_contact, make_delivery, set_crm_link, set_url
from tests.outbox.test_outbox import claim_due
from tests.outbox.test_outbox import settle as settle_outcome

pytestmark = BOTH


@pytest.fixture
def company(app: Flask) -> Company:
    made = make_company(url=URL)
    set_crm_link(made)
    return made


def settle(claim: Claim, body: bytes, reason: str = "ok_json") -> None:
    settle_outcome(claim, Outcome(started_at=utcnow(), duration_ms=1, url=URL, reason=reason, response_body=body))


def kept() -> list[tuple[int, str]]:
    db.session.expire_all()
    found = [(row.contact_id, row.value) for row in db.session.query(CrmRecord).order_by(CrmRecord.contact_id)]
    db.session.commit()
    return found


def test_the_last_answer_that_says_it_is_kept(company: Company) -> None:
    ana, bia = (make_contact(company, name=name) for name in ("Ana", "Bia"))
    for level, body, reason in ((1, b'{"id": 41}', "ok_json"), (2, b'{"id": "a/b"}', "ok_json"), (3, b"{}", "ok_json")):
        make_delivery(ana, level)
        (claim,) = claim_due()
        settle(claim, body, reason)
    assert kept() == [(ana.id, "a/b")]
    make_delivery(bia, 1)
    (claim,) = claim_due()
    settle(claim, b'{"id": 7}', "html_page")
    assert kept() == [(ana.id, "a/b")]


def test_nothing_is_kept_while_nobody_has_said_where_to_look(company: Company) -> None:
    endpoint_of(company).link_pointer = endpoint_of(company).link_template = None
    make_delivery(make_contact(company), 1)
    (claim,) = claim_due()
    settle(claim, b'{"id": 41}')
    assert kept() == []


def test_the_answer_about_a_merged_contact_is_not_told_of_who_stays(company: Company) -> None:
    stays, goes = make_contact(company, name="Ana"), make_contact(company, name="Ana S.")
    make_delivery(goes, 1)
    (claim,) = claim_due()
    merging.merge(db.session, actor_of(company), stays.id, goes.id)
    db.session.commit()
    settle(claim, b'{"id": 41}')
    assert kept() == []


def test_another_crm_knows_nothing_of_what_the_one_before_answered(company: Company) -> None:
    """Its ids would open other people's records: neither kept, nor in flight, nor in a stored answer do they count."""
    ana, bia = (make_contact(company, name=name) for name in ("Ana", "Bia"))
    make_delivery(ana, 1)
    (claim,) = claim_due()
    settle(claim, b'{"id": 41}')
    make_delivery(bia, 1)
    (in_flight,) = claim_due()
    set_url(company, URL + "/other/path")
    assert kept() == [(ana.id, "41")]
    assert opening.crm_address_of(db.session, ana) == "https://crm.example/41"
    set_url(company, "http://127.0.0.1:9998/hook")
    settle(in_flight, b'{"id": 42}')
    assert kept() == []
    for contact in (ana, bia):
        assert contact.delivered_frozen_at is not None
        assert opening.crm_address_of(db.session, contact) is None
    assert opening.find_example(db.session, actor_of(company)) is None


def test_what_was_on_its_way_when_another_account_was_set_says_nothing_of_it(company: Company) -> None:
    """The host is the same, and the request went out later: only the claim knows whom it was for."""
    ana = make_contact(company)
    make_delivery(ana, 1)
    (in_flight,) = claim_due()
    set_address(db.session, runtime(), actor_of(company), URL, other_crm=True)
    db.session.commit()
    settle(in_flight, b'{"id": 41}')
    make_delivery(ana, 2)
    (claim,) = claim_due()
    settle(claim, b'{"ok": true}')
    assert kept() == []
    assert opening.crm_address_of(db.session, ana) is None
    assert opening.find_example(db.session, actor_of(company)) is None


def test_a_company_that_changes_its_address_keeps_the_other_companies_records(company: Company) -> None:
    ana = make_contact(company)
    make_delivery(ana, 1)
    (claim,) = claim_due()
    settle(claim, b'{"id": 41}')
    other = make_company("Outra", url=URL)
    set_url(other, "http://127.0.0.1:9998/hook")
    assert kept() == [(ana.id, "41")]
    remove_address(db.session, actor_of(company))
    assert kept() == []
