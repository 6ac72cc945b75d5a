"""What is kept no longer goes, and nothing else does."""

import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import delete, func, select, text, update

from portal import audit, outbox
from portal.audit import Actor
from portal.clock import utcnow
from portal.contacts.standing import standings_of
from portal.database.db import db
from portal.database.upkeep import free_pages, size_of
from portal.models import Attempt, AuditEntry, Company, Contact, Delivery, DeliveryBody, Task
from portal.privacy import retention
from portal.tasks import store
from portal.worker.housekeeping import keep_house
from portal.worker.task_runner import TaskRunner
from portal.working_models import ImportedContact
from tests.conftest import BOTH, running_worker
from tests.factories import (
    attempt_of,
    classify_contact,
    do_tasks,
    make_company,
    make_contact,
    make_delivery,
    make_import,
    make_user,
)

pytestmark = BOTH


def aged(delivery: Delivery, days: int, *, status: str = "delivered", body: bytes = b"{}") -> Delivery:
    """The delivery as if it had been made so long ago, and tried once."""
    at = utcnow() - timedelta(days=days)
    delivered_at = at if status == "delivered" else None
    values = {"status": status, "created_at": at, "delivered_at": delivered_at, "attempt_count": 1}
    db.session.execute(update(Delivery).where(Delivery.id == delivery.id).values(values))
    db.session.execute(update(DeliveryBody).where(DeliveryBody.delivery_id == delivery.id).values(content=body))
    db.session.add(
        attempt_of(
            delivery, number=1, trigger="classification", started_at=at, url="https://crm.example/",
            reason="ok_text", status_code=200, request_headers=[["a", "b"]], response_headers=[["c", "d"]],
            response_body=b"Ana", detail=None,
        )
    )  # fmt: skip
    db.session.commit()
    return delivery


def purge(company: Company, now: datetime | None = None) -> dict[str, int]:
    counts = dict.fromkeys(retention.COUNTS, 0)
    limits = retention.limits_of(company, now=now or utcnow())
    db.session.commit()
    for chunk in retention.cut_into_chunks(company.id, limits):
        for name, number in chunk(db.session).counts.items():
            counts[name] += number
        db.session.commit()
    db.session.expire_all()
    return counts


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company(url="http://127.0.0.1:9099/")


def test_bodies_and_answers_go_first_and_the_facts_stay(company: Company) -> None:
    old = aged(make_delivery(make_contact(company)), 31)
    young = aged(make_delivery(make_contact(company)), 29)
    assert purge(company) == {"bodies": 1, "answers": 1, "deliveries": 0, "entries": 0}
    assert (old.status, old.reason, old.body) == ("delivered", None, None)
    [attempt] = old.attempts
    assert (attempt.status_code, attempt.url) == (200, "https://crm.example/")
    assert (attempt.response_body, attempt.response_headers, attempt.request_headers) == (None, [], [])
    assert young.body is not None
    assert young.attempts[0].response_body == b"Ana"
    assert set(purge(company).values()) == {0}


def test_a_company_decides_for_how_long(company: Company) -> None:
    delivery = aged(make_delivery(make_contact(company)), 8)
    assert purge(company)["bodies"] == 0
    company.keep_bodies_days = 7
    db.session.commit()
    assert purge(company)["bodies"] == 1
    assert delivery.body is None


def test_what_is_on_its_way_keeps_its_body_however_old(company: Company) -> None:
    waiting = aged(make_delivery(make_contact(company)), 800, status="pending")
    sending = aged(make_delivery(make_contact(company)), 800, status="sending")
    assert purge(company)["bodies"] == 0
    assert waiting.body == sending.body == b"{}"


def test_old_lines_of_the_log_go_with_their_attempts(company: Company) -> None:
    contact = make_contact(company)
    old = aged(make_delivery(contact, 1), 400, status="failed").id
    aged(make_delivery(contact, 2), 300)
    assert purge(company)["deliveries"] == 1
    assert db.session.get(Delivery, old) is None
    assert db.session.scalars(select(Attempt.delivery_id).where(Attempt.delivery_id == old)).all() == []


def test_what_the_crm_learned_last_is_not_forgotten(company: Company) -> None:
    """A contact that was in sync a year ago still is, and one that was not is not called new."""
    in_sync, behind = make_contact(company), make_contact(company)
    for level in (1, 2):
        aged(make_delivery(in_sync, level), 500 - level)
    aged(make_delivery(behind, 1), 500)
    aged(make_delivery(behind, 3), 499, status="failed")
    db.session.execute(update(Contact).where(Contact.id == in_sync.id).values(delivered_level=2))
    db.session.execute(update(Contact).where(Contact.id == behind.id).values(delivered_level=1))
    db.session.commit()
    before = standings_of(db.session, [in_sync, behind])
    assert {key: standing.sync for key, standing in before.items()} == {in_sync.id: "in_sync", behind.id: "out_of_sync"}
    assert purge(company)["deliveries"] == 2
    assert standings_of(db.session, [in_sync, behind]) == before
    kept = db.session.execute(select(Delivery.contact_id, Delivery.interest_level, Delivery.has_body)).all()
    assert sorted(map(tuple, kept)) == [(in_sync.id, 2, False), (behind.id, 1, False)]


def test_lines_of_nobody_go_whatever_they_were(company: Company) -> None:
    contact = make_contact(company)
    delivery_id = aged(make_delivery(contact), 400).id
    outbox.forget_contact(db.session, contact.id)
    db.session.execute(delete(Contact).where(Contact.id == contact.id))
    db.session.commit()
    assert purge(company)["deliveries"] == 1
    assert db.session.scalars(select(Delivery).where(Delivery.id == delivery_id)).all() == []


def test_another_company_loses_nothing(company: Company) -> None:
    other = make_company("Outra", url="http://127.0.0.1:9099/")
    aged(make_delivery(make_contact(other)), 900)
    audit.record(db.session, Actor(other.id, "a"), "webhook.paused")
    db.session.execute(update(AuditEntry).values(created_at=utcnow() - timedelta(days=900)))
    before = len(db.session.scalars(select(AuditEntry).where(AuditEntry.company_id == other.id)).all())
    purge(company)
    assert len(db.session.scalars(select(AuditEntry).where(AuditEntry.company_id == other.id)).all()) == before
    assert db.session.scalars(select(DeliveryBody.content)).one() == b"{}"


def test_the_audit_log_goes_in_its_time(company: Company) -> None:
    db.session.execute(delete(AuditEntry))
    for days in (100, 729, 731):
        audit.record(db.session, Actor(company.id, "a"), "webhook.paused")
        db.session.flush()
        newest = select(AuditEntry.id).order_by(AuditEntry.id.desc()).limit(1).scalar_subquery()
        moment = utcnow() - timedelta(days=days)
        db.session.execute(update(AuditEntry).where(AuditEntry.id == newest).values(created_at=moment))
    db.session.commit()
    counts = purge(company)
    assert counts["entries"] == 1
    assert len(db.session.scalars(select(AuditEntry)).all()) == 2


def test_a_long_log_is_purged_in_small_transactions(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for _ in range(5):
        aged(make_delivery(make_contact(company)), 40)
    aged(make_delivery(make_contact(company)), 1)
    chunks = list(walk(company))
    assert [counts["bodies"] for counts in chunks if "bodies" in counts] == [2, 2, 1]


def test_what_is_emptied_already_is_not_looked_at_again(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 1)
    for _ in range(6):
        aged(make_delivery(make_contact(company)), 40)
    assert purge(company)["bodies"] == 6
    assert db.session.scalars(select(Delivery.is_purged)).all() == [True] * 6
    steps_of_an_empty_one = len(list(walk(make_company("Outra"))))
    assert len(list(walk(company))) == steps_of_an_empty_one


def test_what_stays_of_the_log_is_looked_at_in_few_transactions(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What each contact's CRM learned last stays, however old."""
    monkeypatch.setattr(retention, "BATCH", 1)
    contacts = [make_contact(company) for _ in range(6)]
    for contact in contacts:
        aged(make_delivery(contact), 500)
    for contact in contacts[::3]:
        aged(make_delivery(contact, 3), 400)
    assert purge(company)["deliveries"] == 2
    empty = len(list(walk(make_company("Outra"))))
    assert len(list(walk(company))) == empty


def test_a_purge_goes_on_behind_what_stays_of_the_log(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "LOOKS", 2)
    contacts = [make_contact(company) for _ in range(5)]
    for contact in contacts:
        aged(make_delivery(contact), 500)
    aged(make_delivery(contacts[-1], 3), 400)
    assert purge(company)["deliveries"] == 1
    assert db.session.scalar(select(func.count()).select_from(Delivery)) == 5


def test_an_answer_that_is_younger_than_its_delivery_goes_in_its_time(company: Company) -> None:
    delivery = aged(make_delivery(make_contact(company)), 40)
    db.session.execute(update(Attempt).values(started_at=utcnow() - timedelta(days=20)))
    db.session.commit()
    assert purge(company) == {"bodies": 1, "answers": 0, "deliveries": 0, "entries": 0}
    assert not delivery.is_purged
    assert purge(company, utcnow() + timedelta(days=11))["answers"] == 1
    assert delivery.is_purged


def walk(company: Company):
    limits = retention.limits_of(company, now=utcnow())
    for chunk in retention.cut_into_chunks(company.id, limits):
        yield chunk(db.session).counts
        db.session.commit()


def test_it_is_planned_once_a_day_for_each_company(company: Company) -> None:
    make_company("Outra")
    now = utcnow()
    store.create(db.session, Actor(company.id, "ana@example.com"), "import")  # other work is no purge
    assert retention.plan(db.session, now=now) == 2
    assert retention.plan(db.session, now=now + timedelta(hours=23)) == 0
    company.closed_at = now
    assert retention.plan(db.session, now=now + timedelta(hours=25)) == 1, "a task of its own erases a closed company"
    db.session.rollback()


def test_the_workers_house_keeping_purges_and_keeps_a_report(app: Flask, company: Company, instance: Path) -> None:
    delivery = aged(make_delivery(make_contact(company)), 40)
    runner = TaskRunner(db.engine, on_due=lambda: None)
    db.session.rollback()
    keep_house(db.engine, instance)
    assert runner.run_one()
    assert not runner.run_one()
    db.session.expire_all()
    assert delivery.body is None
    report = retention.last_report(db.session, company.id)
    assert report is not None
    assert (report.actor, report.counts["bodies"], report.status) == ("portal", 1, "done")
    store.create(db.session, Actor(company.id, "portal"), retention.KIND)  # the next one, which waits
    assert retention.last_report(db.session, company.id) is report


def test_reports_are_not_kept_for_ever(company: Company) -> None:
    retention.plan(db.session, now=utcnow())
    db.session.execute(update(Task).values(status="done", finished_at=utcnow() - timedelta(days=91)))
    retention.plan(db.session, now=utcnow())
    assert db.session.scalars(select(Task)).all() == []


def test_reports_are_kept_for_three_months(company: Company) -> None:
    retention.plan(db.session, now=utcnow())
    db.session.execute(update(Task).values(status="done", finished_at=utcnow() - timedelta(days=89)))
    retention.plan(db.session, now=utcnow())
    assert len(db.session.scalars(select(Task)).all()) == 1


def test_a_purge_beside_a_working_portal_loses_no_delivery(app: Flask, company: Company, receiver) -> None:
    endpoint = db.session.execute(text("SELECT id FROM endpoint")).scalar_one()
    db.session.execute(text("UPDATE endpoint SET url = :url WHERE id = :id"), {"url": receiver.url, "id": endpoint})
    contacts = [make_contact(company) for _ in range(10)]
    with running_worker(app):
        for contact in contacts:
            classify_contact(contact, 3)
            purge(company)
        assert receiver.wait_for(10)
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 10


@pytest.mark.slow
def test_the_file_gives_its_space_back(app: Flask, company: Company) -> None:
    before = size_of(db.engine)
    if before is None:  # PostgreSQL reuses its space by itself
        with db.engine.connect() as connection:
            assert free_pages(connection) == 0
        return
    company.keep_log_days = 1
    for _ in range(12):
        body = os.urandom(700_000)  # which nothing packs
        aged(make_delivery(make_contact(company)), 10, status="failed", body=body)
    full = size_of(db.engine)
    purge(company)
    assert full is not None
    assert full - before > 7_000_000
    assert (size_of(db.engine) or 0) - before < 5_000_000


def test_an_imports_report_outlives_the_purges_own(company: Company) -> None:
    retention.plan(db.session, now=utcnow())
    store.create(db.session, Actor(company.id, "ana@example.com"), "import")
    db.session.execute(update(Task).values(status="done", finished_at=utcnow() - timedelta(days=91)))
    retention.plan(db.session, now=utcnow())
    assert db.session.scalars(select(Task.kind)).all() == ["import"]


def test_whom_a_file_named_is_forgotten_with_the_log(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    make_user(company)
    old, new = (make_import(company, b"Nome\nAna\nBia\nCaio\n") for _ in range(2))
    for task in (old, new):
        store.start(db.session, task)
    do_tasks()
    old.finished_at = utcnow() - timedelta(days=company.keep_log_days + 1)
    purge(company)
    assert {row.task_id for row in db.session.query(ImportedContact)} == {new.id}
    assert db.session.query(ImportedContact).count() == db.session.query(Contact).count() == 3


def test_acts_of_nobody_go_in_their_time(company: Company) -> None:
    for days in (729, 731):
        moment = utcnow() - timedelta(days=days)
        db.session.add(
            AuditEntry(company_id=None, actor="x", action="login.failed", subject=str(days), created_at=moment)
        )
    db.session.commit()
    retention.plan(db.session, now=utcnow())
    of_nobody = select(AuditEntry.subject).where(AuditEntry.company_id.is_(None))
    assert db.session.scalars(of_nobody).all() == ["729"]


def test_a_long_audit_log_goes_in_as_many_rounds_as_it_takes(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    db.session.execute(delete(AuditEntry))
    for _ in range(5):
        audit.record(db.session, Actor(company.id, "a"), "webhook.paused")
    db.session.execute(update(AuditEntry).values(created_at=utcnow() - timedelta(days=800)))
    db.session.commit()
    assert purge(company)["entries"] == 5
