"""A company that is closed: nothing of it is left in any table, nothing of it comes back, and others stay whole."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Table, func, select, text, update
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.company import inspector
from portal.database.db import db
from portal.database.tables import Base
from portal.models import ApiToken, AuditEntry, Company, Contact, Delivery, Task, User
from portal.people import links, logging_in, tokens, users
from portal.privacy import closing, marks
from portal.runtime import runtime
from portal.tasks import store
from portal.worker import housekeeping
from portal.worker.task_runner import TaskRunner
from portal.working_models import Erasure
from tests.conftest import BOTH
from tests.database.old_databases import fill
from tests.factories import (
    PASSWORD,
    classify_contact,
    make_company,
    make_contact,
    make_delivery,
    make_import,
    make_user,
    run_tasks,
    set_url,
)

OF_NOBODY = {"erasure", "login_failure", "worker_heartbeat"}
"""Tables of the portal itself: they hold keyed hashes, addresses of guessers, and workers."""
URL = "http://127.0.0.1:9999/hook"


def close(company: Company) -> bool:
    actor = Actor(company.id, "ana@example.com", "192.0.2.7")
    done = closing.close(db.session, company, actor, vault=runtime().vault)
    db.session.commit()
    return done is not None


def is_of_companies(table: Table) -> bool:
    """Whether its rows belong to a company, themselves or by what they refer to."""
    if table.name == "company" or "company_id" in table.columns:
        return True
    return any(is_of_companies(key.column.table) for key in table.foreign_keys)


def counts(connection: Connection) -> dict[str, int]:
    tables = [table for table in Base.metadata.sorted_tables if is_of_companies(table)]
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables}


def rows(connection: Connection) -> dict[str, set[str]]:
    """All that stands in the tables of companies."""
    tables = [table for table in Base.metadata.sorted_tables if is_of_companies(table)]
    return {table.name: {repr(row) for row in connection.execute(select(table))} for table in tables}


def go_on_counting(connection: Connection) -> None:
    """PostgreSQL does not know of numbers that were given by hand."""
    if connection.dialect.name == "postgresql":
        for table in Base.metadata.sorted_tables:
            if "id" in table.columns:
                connection.execute(text(f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), 1)"))


@BOTH
def test_no_row_of_any_table_is_left(app: Flask) -> None:
    with db.engine.begin() as connection:
        fill(connection)
        go_on_counting(connection)
        before = counts(connection)
    assert set(before.values()) == {1}, "every table of companies holds something of it"
    assert {table.name for table in Base.metadata.sorted_tables} - before.keys() == OF_NOBODY
    close(db.session.get_one(Company, 1))
    run_tasks()
    with db.engine.connect() as connection:
        after = counts(connection)
    assert {name: count for name, count in after.items() if count} == {"audit_entry": 2}
    entries = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert [(entry.company_id, entry.action, entry.actor) for entry in entries] == [
        (None, "company.closed", "ana@example.com"),
        (None, "company.erased", "portal"),
    ]


def test_no_transaction_erases_more_rows_than_it_may(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "ROWS", 2)
    company = make_company("Sai")
    for _ in range(5):
        make_contact(company)
    step = closing._forget_rows(Contact.__table__, company.id)  # type: ignore[arg-type]
    assert [step(db.session) for _ in range(3)] == [({"rows": 2}, True), ({"rows": 2}, True), ({"rows": 1}, False)]


@BOTH
def test_another_company_keeps_everything(app: Flask) -> None:
    gone, stays = make_company("Sai", url=URL), make_company("Fica", url=URL)
    for company in (gone, stays):
        classify_contact(make_contact(company), 2)
        make_import(company)
        user = make_user(company)
        tokens.create_token(db.session, user, label="CRM")
        links.create_link(db.session, purpose="reset", user=user)
        db.session.commit()
    with db.engine.connect() as connection:
        before, stood = counts(connection), rows(connection)
    close(gone)
    run_tasks()
    with db.engine.connect() as connection:
        after, left = counts(connection), rows(connection)
    assert {name: found - stood[name] for name, found in left.items() if name != "audit_entry"} == {
        name: set() for name in stood if name != "audit_entry"
    }
    assert after == {name: before[name] - before[name] // 2 for name in before} | {"audit_entry": after["audit_entry"]}
    assert [company.name for company in db.session.query(Company)] == ["Fica"]
    assert db.session.query(Delivery).one().status == "pending"


def test_from_that_moment_nobody_comes_in_and_nothing_is_sent(app: Flask) -> None:
    company = make_company("Sai", url=URL)
    user = make_user(company, email="ana@example.com")
    token = tokens.create_token(db.session, user, label="CRM")
    reset, session_id = links.create_link(db.session, purpose="reset", user=user), user.get_id()
    delivery = make_delivery(make_contact(company), 2)
    assert delivery is not None
    company.inspector_token = "token"
    assert close(company)
    db.session.expire_all()
    assert logging_in.find_log_in(db.session, user.email, ip="192.0.2.1").user_id is None
    assert user.get_id() != session_id
    assert links.find_link(db.session, reset, purpose="reset") is None
    assert tokens.find_bearer(db.engine, token) is None
    assert db.session.query(ApiToken).one().revoked_at is not None
    assert delivery.status == "cancelled"
    assert users.find_company(db.session, "Sai") is None
    assert inspector.find_company(db.session, "token") is None
    known = set(db.session.scalars(select(Erasure.mark)))
    assert marks.find_marked_companies(db.session, known, runtime().vault) == [company.id], "no backup brings it back"
    assert not close(company), "a second click finds it closed"
    assert db.session.query(Task).filter_by(kind=closing.KIND).count() == 1


def test_the_name_and_the_addresses_are_free_at_once(app: Flask) -> None:
    company = make_company("Sai")
    make_user(company, email="ana@example.com")
    close(company)
    run_tasks()
    assert users.is_empty(db.session), "an operator sets up a new one"
    again = users.get_or_create_company(db.session, "Sai", vault=runtime().vault)
    users.add_user(db.session, again, name="Ana", email="ana@example.com", role="admin", password=PASSWORD)
    assert again.id != company.id or db.session.query(Company).one() is again


def test_a_task_of_the_company_that_waits_ends_and_changes_nothing_more(app: Flask) -> None:
    company = make_company("Sai")
    task = make_import(company)
    task.status = "waiting"
    db.session.commit()
    close(company)
    db.session.expire_all()
    assert (task.status, task.reason) == ("failed", "closed")


def test_what_is_sent_at_this_moment_is_waited_for_and_what_others_send_is_not(app: Flask) -> None:
    company, other = make_company("Sai", url=URL), make_company("Fica", url=URL)
    delivery = make_delivery(make_contact(company), 2)
    assert delivery is not None
    delivery.status, delivery.lease_expires_at = "sending", clock.utcnow() + timedelta(minutes=5)
    db.session.commit()
    step, others = (next(closing._steps_of(each.id)) for each in (company, other))
    assert step(db.session)[1]
    assert not others(db.session)[1]
    delivery.lease_expires_at = clock.utcnow()
    db.session.commit()
    assert not step(db.session)[1]


def test_tasks_of_others_go_first_while_somebody_still_sends(app: Flask) -> None:
    gone, stays = make_company("Sai", url=URL), make_company("Fica")
    delivery = make_delivery(make_contact(gone), 2)
    delivery.status, delivery.lease_expires_at = "sending", clock.utcnow() + timedelta(minutes=5)
    db.session.commit()
    close(gone)
    of_other, erasing = make_import(stays), db.session.query(Task).filter_by(kind=closing.KIND).one()
    for _ in range(store.MAX_TRIES + 1):
        of_other.status, erasing.lease_expires_at = "waiting", clock.utcnow()
        run_tasks()
        assert (of_other.finished_at is not None, erasing.status) == (True, "running")
    delivery.lease_expires_at = erasing.lease_expires_at = clock.utcnow()
    run_tasks()
    assert [company.name for company in db.session.query(Company)] == ["Fica"]


def test_an_erasing_that_failed_begins_again(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    company = make_company("Sai")
    close(company)

    def break_down(*_: Any) -> None:
        raise RuntimeError("a defect")

    with monkeypatch.context() as patched:
        patched.setattr(closing, "_remove", break_down)
        run_tasks()
    assert db.session.query(Company).count() == 1
    db.session.rollback()
    housekeeping.keep_house(db.engine, runtime().settings.instance)
    run_tasks()
    assert db.session.query(Company).count() == 0


def test_what_is_done_to_the_whole_installation_is_not_noted_with_a_closed_company(app: Flask) -> None:
    gone, stays = make_company("Sai"), make_company("Fica")
    close(gone)
    audit.record_everywhere(db.session, "console", "backup.made")
    db.session.commit()
    entries = db.session.query(AuditEntry).filter_by(action="backup.made")
    assert [entry.company_id for entry in entries] == [stays.id]


@BOTH
def test_what_a_command_erases_no_worker_does_unless_the_command_slept(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    company, runner = make_company("Sai", url=URL), TaskRunner(db.engine, on_due=lambda: None)
    make_delivery(make_contact(company), 2)
    company_id, actor = company.id, Actor(company.id, "console")
    db.session.commit()
    held = closing.close_here(db.session, company, actor, vault=runtime().vault)
    db.session.commit()
    assert held is not None
    assert not runner.run_one()

    def sleep_long(_seconds: float) -> None:
        with db.engine.begin() as connection:
            connection.execute(update(Task).values(lease_expires_at=clock.utcnow()))
        assert runner.run_one()

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(clock, "sleep", sleep_long)
        assert not closing.erase(db.engine, company_id, held)
    assert db.session.query(Company).count() == 0
    assert not [entry for entry in caplog.records if entry.levelname in ("WARNING", "ERROR")]


def test_a_person_is_marked_with_all_who_were_merged_into_the_contact(app: Flask) -> None:
    contact = make_contact(make_company("Fica"))
    contact.merged = [{"id": 77, "created_at": clock.utcnow().isoformat()}, {"id": 78}]  # an older version kept no time
    marks.remember(db.session, contact, runtime().vault)
    db.session.flush()
    assert db.session.query(Erasure).count() == 2


def test_a_mark_knows_the_company_and_no_other(app: Flask) -> None:
    gone, stays = make_company("Sai"), make_company("Fica")
    marks.remember_company(db.session, gone, runtime().vault)
    known = set(db.session.scalars(select(Erasure.mark)))
    assert marks.find_marked_companies(db.session, known, runtime().vault) == [gone.id]
    assert stays.id not in marks.find_marked_companies(db.session, known, runtime().vault)


def test_holdings_say_what_would_go(app: Flask) -> None:
    company, other = make_company("Sai"), make_company("Fica", url=URL)
    make_delivery(make_contact(other), 1)
    set_url(company, URL)
    user = make_user(company)
    tokens.create_token(db.session, user, label="CRM")
    make_delivery(make_contact(company), 2)
    with Session(db.engine) as session:
        holdings = closing.holdings_of(session, company.id)
        people = session.query(User).filter_by(company_id=company.id).count()
    assert holdings == {
        "contacts": 1, "campaigns": 1, "deliveries": 1, "people": people, "tokens": 1, "waiting": 1,
    }  # fmt: skip


def test_nothing_of_it_is_left_in_the_file_or_in_its_log(app: Flask, instance: Path) -> None:
    company = make_company("Zebra", url="https://crm-da-zebra.example/x")
    company_id, owner = company.id, make_user(company, name="Zenóbia", email="zen@zebra.example")
    make_delivery(make_contact(company, name="Zuleica"), 3)
    told = (b"Zuleica", "Zenóbia".encode(), b"zen@zebra", b"crm-da-zebra")
    assert owner.id
    close(company)
    db.session.remove()
    assert closing.erase(db.engine, company_id)
    files = {path.name: path.read_bytes() for path in instance.glob("portal.db*")}
    assert "portal.db" in files
    assert [(name, text) for name, kept in files.items() for text in told if text in kept] == []
