"""What a purge takes, SQLite's file gives back."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import insert, select, update

from portal.clock import utcnow
from portal.database.db import db
from portal.database.upkeep import free_pages, give_back, size_of
from portal.models import Attempt, Company, Delivery, Exchange
from portal.outbox import enqueue
from portal.privacy import retention
from tests import factories

DELIVERIES = 2_000
OLD = timedelta(days=40)


@pytest.fixture
def company(app: Flask) -> Company:
    """One with a log of bodies and answers that are too old."""
    company = factories.make_company(url="http://127.0.0.1:9099/")
    contact = factories.make_contact(company)
    facts = {"contact_id": contact.id, "campaign_id": None, "owner_id": None, "interest_level": 1}
    rows = [facts | {"previous_level": None, "body": os.urandom(1_900)} for _ in range(DELIVERIES)]
    enqueue(db.session, company.id, rows, trigger="sync", actor="test", now=utcnow())
    db.session.execute(update(Delivery).values(status="failed", next_attempt_at=None, created_at=utcnow() - OLD))
    ids = db.session.scalars(select(Delivery.id)).all()
    tried = {
        "number": 1,
        "trigger": "sync",
        "started_at": utcnow() - OLD,
        "url": "https://crm.example/",
        "reason": "gone",
    }
    db.session.execute(insert(Attempt), [tried | {"id": each, "delivery_id": each} for each in ids])
    said = {"request_headers": [["a", "b" * 300]], "response_headers": [], "response_body": b"y" * 300}
    db.session.execute(insert(Exchange), [said | {"attempt_id": each} for each in ids])
    db.session.commit()
    return company


def test_emptied_bodies_leave_the_file_about_as_small_as_a_copy_written_anew(
    company: Company, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(retention, "PAGES_AT_ONCE", 20)
    full = size_of(db.engine) or 0
    chunks = 0
    for chunk in retention.cut_into_chunks(company.id, retention.limits_of(company, now=utcnow())):
        chunk(db.session)
        db.session.commit()
        chunks += 1
    copy = tmp_path / "copy.db"
    with db.engine.connect() as connection:
        connection.exec_driver_sql("ROLLBACK")  # within a transaction there is no VACUUM
        connection.exec_driver_sql(f"VACUUM INTO '{copy}'")
        connection.exec_driver_sql("BEGIN")
    purged = size_of(db.engine) or 0
    assert purged < full / 3
    assert purged <= 1.2 * copy.stat().st_size
    assert chunks < DELIVERIES / retention.BATCH + (full - purged) / 4096 / 20 + 5


def test_pages_are_given_back_as_many_as_asked_for(company: Company) -> None:
    db.session.execute(Delivery.__table__.delete())
    db.session.commit()
    with db.engine.begin() as connection:
        before = free_pages(connection)
        give_back(connection, 50)
        assert before - free_pages(connection) == 50
