"""What people do with deliveries reaches those of their own company only."""

import pytest
from flask import Flask

from portal import outbox
from portal.clock import utcnow
from portal.database.db import db
from portal.models import Delivery
from tests import factories
from tests.conftest import BOTH

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
