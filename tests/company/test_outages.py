"""Outages: begun and ended with the circuit, with what waited; each number is what a plain count of deliveries says."""

from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from sqlalchemy import delete, func, insert, select, text

from portal import outbox
from portal.clock import utcnow
from portal.company import endpoint
from portal.company.outages import OutageFacts, last_outage, outages_between, page_outages
from portal.database.db import db
from portal.deliveries.filtering import read_filter
from portal.deliveries.log import page_deliveries
from portal.models import AuditEntry, Company, Delivery
from portal.working_models import HeldDelivery, Outage
from tests import factories
from tests.conftest import BOTH, URL
from tests.outbox.test_outbox import answered, claim_due, settle

FRIDAY = datetime.fromisoformat("2026-03-06T21:10:00Z")
MONDAY = datetime.fromisoformat("2026-03-09T12:02:00Z")

pytestmark = BOTH


def break_down(company: Company, *, waiting: int = 9, schedule: str = "0s,30s", **facts: Any) -> None:
    """Five deliveries fail; `waiting` more were not tried."""
    for _ in range(5 + waiting):
        factories.make_delivery(factories.make_contact(company))
    now = utcnow()
    for claim in claim_due(now=now, limit=5):
        outcome = answered(**({"reason": "server_error", "status_code": 503, "started_at": now} | facts))
        settle(claim, outcome, now=now, schedule=schedule)
    db.session.expire_all()


def arrive(*, now: datetime, limit: int = 100) -> int:
    """What is due is taken. Returns how many deliveries that were."""
    claims = claim_due(now=now, limit=limit)
    for claim in claims:
        settle(claim, answered("ok_text", started_at=now), now=now)
    db.session.expire_all()
    return len(claims)


def count(sql: str) -> int:
    return int(db.session.execute(text(sql)).scalar_one())


def last(company: Company) -> OutageFacts:
    outage = last_outage(db.session, company.id)
    assert outage is not None
    return outage


@pytest.fixture
def weekend(company: Company) -> None:
    """The receiver was away from Friday to Monday."""
    with time_machine.travel(FRIDAY, tick=False):
        break_down(company)
    assert arrive(now=MONDAY) == 1
    assert arrive(now=MONDAY + timedelta(minutes=2)) == 13


@pytest.mark.usefixtures("weekend")
def test_an_outage_is_a_line_that_says_when_why_and_what_became_of_what_waited(company: Company) -> None:
    outage = last(company)
    assert (outage.began_at, outage.ended_at) == (FRIDAY, MONDAY)
    assert (outage.held, outage.delivered, outage.waiting, outage.forgotten) == (14, 14, 0, 0)
    assert outage.delivered == count("SELECT count(*) FROM delivery WHERE delivered_at IS NOT NULL")
    with time_machine.travel(MONDAY + timedelta(hours=1), tick=False):
        assert outage.message == (
            f"Fora de sexta-feira {FRIDAY:%d/%m} 18:10 a segunda-feira {MONDAY:%d/%m} 09:02 (HTTP 503); "
            "14 entregas esperaram e todas chegaram até 09:04."
        )
    with time_machine.travel(FRIDAY + timedelta(days=6), tick=False):  # another Friday would be meant
        assert outage.message.startswith(f"Fora de {FRIDAY:%d/%m/%Y} 18:10 a segunda-feira {MONDAY:%d/%m} 09:02 ")
    actions = db.session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert actions[-2:] == ["webhook.failing", "webhook.recovered"]


@pytest.mark.usefixtures("weekend")
def test_its_deliveries_are_listed_and_those_after_it_are_not(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    wanted = read_filter(db.session, company.id, {"outage": str(last(company).id)})
    assert len(page_deliveries(db.session, company.id, wanted, limit=50).items) == last(company).held == 14
    other = factories.make_company("Outra")
    assert read_filter(db.session, other.id, {"outage": last(company).id}).unknown == ("outage",)
    assert page_outages(db.session, other.id).items == []


@pytest.mark.usefixtures("weekend")
def test_what_retention_removed_is_said_to_be_unknown(company: Company) -> None:
    gone = select(HeldDelivery.delivery_id).order_by(HeldDelivery.delivery_id).limit(4)
    db.session.execute(delete(Delivery).where(Delivery.id.in_(db.session.scalars(gone).all())))
    db.session.commit()
    outage = last(company)
    assert (outage.held, outage.delivered, outage.forgotten) == (14, 10, 4)
    assert "o registro já não guarda o fim de 4" in outage.message


@pytest.mark.usefixtures("weekend")
def test_each_span_that_it_has_a_part_in_has_it(company: Company) -> None:
    """Such as both months, of one that lasted over the 1st; what ends or begins with it has none."""
    day = timedelta(days=1)

    def count_between(since: datetime, until: datetime) -> int:
        return len(outages_between(db.session, company.id, since, until))

    assert [count_between(FRIDAY - day, FRIDAY + day), count_between(FRIDAY + day, MONDAY + day)] == [1, 1]
    assert [count_between(FRIDAY - day, FRIDAY), count_between(MONDAY, MONDAY + day)] == [0, 0]
    break_down(company)
    lasting = last(company).began_at
    assert [count_between(lasting - day, lasting + day), count_between(lasting + day, lasting + 2 * day)] == [1, 1]
    flapped = {
        "company_id": company.id,
        "began_at": FRIDAY - 9 * day,
        "ended_at": FRIDAY - 8 * day,
        "reason": "timeout",
    }
    db.session.execute(insert(Outage), [flapped | {"held": 0}] * 101)
    assert count_between(FRIDAY - 9 * day, FRIDAY - 8 * day) == 100


def test_while_it_lasts_it_says_how_many_wait_now(company: Company) -> None:
    break_down(company, waiting=2)
    outage = last(company)
    assert (outage.ended_at, outage.held, outage.waiting) == (None, 7, 7)
    assert outage.held == count("SELECT count(*) FROM delivery WHERE status = 'pending'")
    assert outage.message.endswith("(HTTP 503); 7 entregas esperam.")


def test_what_failed_for_good_in_it_did_not_arrive(company: Company) -> None:
    """Five used up their tries; the rest waits until the receiver is back."""
    earlier = factories.make_delivery(factories.make_contact(company))
    earlier.status = "failed"
    db.session.commit()
    break_down(company, waiting=2, schedule="0s")
    assert arrive(now=utcnow() + timedelta(hours=1)) == 1
    outage = last(company)
    failed = count("SELECT count(*) FROM delivery WHERE status = 'failed'") - 1
    assert (outage.held, outage.failed, outage.delivered, outage.waiting) == (7, failed, 1, 1) == (7, 5, 1, 1)
    assert "7 entregas esperaram: 1 chegou até" in outage.message
    assert outage.message.endswith("1 ainda espera, 5 falharam.")


def test_a_test_that_is_under_way_was_not_held_up(company: Company) -> None:
    company_id = company.id
    break_down(company, waiting=2)
    db.session.commit()
    with db.engine.begin() as connection:
        begun = {"actor": "ana@example.com", "now": utcnow(), "lease": timedelta(hours=2)}
        outbox.enqueue_test(connection, company_id=company_id, url=URL, **begun)
    assert arrive(now=utcnow() + timedelta(hours=1), limit=1) == 1
    assert last(company).held == 7


def test_it_began_with_the_first_failure_in_a_row(company: Company) -> None:
    for _ in range(5):
        factories.make_delivery(factories.make_contact(company))
    begun = utcnow()
    for minute, claim in enumerate(claim_due(now=begun, limit=5)):
        at = begun + timedelta(minutes=minute)
        reason = "timeout" if minute < 4 else "server_error"
        settle(claim, answered(reason, status_code=None, started_at=at), now=at)
    outage = last(company)
    assert (outage.began_at, outage.reason) == (begun, "server_error")


def test_gone_is_an_outage_until_somebody_gives_another_address(company: Company) -> None:
    factories.make_delivery(factories.make_contact(company))
    factories.make_delivery(factories.make_contact(company))
    (first,) = claim_due(limit=1)
    settle(first, answered("gone", started_at=utcnow()))
    assert last(company).ended_at is None
    factories.set_url(company, f"{URL}/new")
    outage = last(company)
    assert outage.ended_at is not None
    assert (outage.status_code, outage.held, outage.failed, outage.waiting) == (410, 2, 1, 1)


def test_removing_the_address_ends_it_and_says_what_was_cancelled(company: Company) -> None:
    break_down(company, waiting=1)
    endpoint.remove_address(db.session, factories.actor_of(company))
    db.session.commit()
    assert (last(company).held, last(company).cancelled) == (6, 6)


def test_a_pause_by_hand_is_no_outage_and_ends_none(company: Company) -> None:
    endpoint.pause(db.session, factories.actor_of(company))
    db.session.commit()
    assert last_outage(db.session, company.id) is None
    factories.endpoint_of(company).state = "active"
    db.session.commit()
    break_down(company)
    endpoint.pause(db.session, factories.actor_of(company))
    db.session.commit()
    assert last(company).ended_at is None


def test_one_that_lasts_goes_on_in_the_same_row_and_the_next_has_its_own(company: Company) -> None:
    break_down(company)
    now = utcnow()
    assert arrive(now=now + timedelta(hours=1), limit=1) == 1
    for minutes, limit in ((0, 5), (1, 1), (10, 1)):  # five failures, then two of the probe
        at = now + timedelta(hours=2, minutes=minutes)
        for claim in claim_due(now=at, limit=limit):
            settle(claim, answered("server_error", started_at=at), now=at)
    assert count("SELECT count(*) FROM outage") == 2
    assert count("SELECT count(*) FROM outage WHERE ended_at IS NULL") == 1
    first, second = page_outages(db.session, company.id).items
    assert first.id > second.id
    page = page_outages(db.session, company.id, limit=1)
    assert page_outages(db.session, company.id, cursor=page.next_cursor).items == [second]
    assert db.session.scalar(select(func.count()).select_from(Outage)) == 2
