"""What a delivery leaves behind is of its own: who asked for it, whose it was first, which CRM answered."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from portal import outbox
from portal.database.db import db
from portal.models import Company, Contact, Delivery
from portal.outbox import outages
from portal.webhook import Outcome
from portal.working_models import CrmRecord, HeldDelivery
from tests.conftest import BOTH, URL
from tests.factories import (
    NOON,
    endpoint_of,
    insert_deliveries,
    make_company,
    make_contact,
    make_delivery,
    set_crm_link,
)
from tests.outbox.stock import WAITING, in_worker
from tests.outbox.test_outbox import claim_due, settle

pytestmark = BOTH


def test_who_asked_for_a_resend_did_not_ask_for_the_tries_after_it(company: Company) -> None:
    delivery = make_delivery(make_contact(company))
    delivery.status, delivery.next_actor, delivery.next_trigger = "pending", "bia@example.com", "manual"
    db.session.commit()
    shown = []
    for _ in range(2):
        (claim,) = claim_due(now=NOON + timedelta(days=365))
        shown.append((claim.trigger, claim.actor))
        failed = Outcome(started_at=NOON, duration_ms=1, url=URL, reason="server_error", status_code=500)
        settle(claim, failed, schedule="0s,30s,30s")
    assert shown == [("manual", "bia@example.com"), ("retry", None)]


def test_a_delivery_that_moves_twice_is_still_of_the_contact_that_it_tells_of(company: Company) -> None:
    ana, bia, eva = (make_contact(company, name=name).id for name in ("Ana", "Bia", "Eva"))
    delivery = make_delivery(db.session.get_one(Contact, ana))
    for old, new in ((ana, bia), (bia, eva)):
        assert outbox.move_deliveries(db.session, old, new) == 1
    db.session.commit()
    db.session.refresh(delivery)
    assert (delivery.contact_id, delivery.former_contact_id) == (eva, ana)


@pytest.mark.parametrize(("url", "is_kept"), [(f"{URL}other?v=2", True), ("http://127.0.0.1:9998/", False)])
def test_an_answer_is_the_crms_as_long_as_its_origin_is(app: None, url: str, is_kept: bool) -> None:
    company = make_company(url=URL)
    set_crm_link(company)
    make_delivery(make_contact(company))
    (claim,) = claim_due()
    endpoint_of(company).url = url
    db.session.commit()
    settle(claim, Outcome(NOON, 1, URL, "ok_json", status_code=200, response_body=b'{"id": 41}'))
    assert db.session.scalars(select(CrmRecord.value)).all() == (["41"] if is_kept else [])


def test_of_more_failed_deliveries_than_are_looked_at_an_outage_held_the_latest(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outages, "FAILED_LOOKED_AT", 2)
    contact, company_id = make_contact(company).id, company.id
    blank = {column.name: None for column in Delivery.__table__.c if column.name != "id"}
    db.session.commit()
    failed = {"company_id": company_id, "contact_id": contact, "status": "failed", "next_attempt_at": None}
    rows = [blank | WAITING | failed | {"webhook_id": f"msg_{number}"} for number in range(3)]
    in_worker(lambda connection: insert_deliveries(connection, rows))
    ids = {row.webhook_id: row.id for row in db.session.execute(select(Delivery.webhook_id, Delivery.id))}
    began = Outcome(NOON, 1, URL, "server_error", status_code=500)
    in_worker(lambda connection: outages.begin_outage(connection, company_id, began, began_at=NOON))
    attempts = [
        {"delivery_id": number, "number": 1, "trigger": "retry", "late": False, "started_at": NOON, "url": URL,
         "reason": "server_error", "request_sent": True} for number in ids.values()
    ]  # fmt: skip
    in_worker(lambda connection: connection.execute(outages.attempt.insert(), attempts))
    in_worker(lambda connection: outages.end_outage(connection, company_id, now=NOON))
    held = set(db.session.scalars(select(HeldDelivery.delivery_id)))
    assert held == {ids["msg_1"], ids["msg_2"]}
