"""From SQLite to PostgreSQL: everything arrives, cut off or not, and the outbox goes on where it stood."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import String, create_engine, func, select, text, type_coerce

from portal.database import moving
from portal.database.db import db
from portal.database.tables import Base
from portal.demo.server import Receiver
from portal.models import AuditEntry, Company, Delivery, DeliveryBody
from portal.privacy import erasing
from portal.runtime import runtime
from tests.cli.conftest import Run
from tests.conftest import MakeApp, running_worker
from tests.factories import (
    actor_of,
    classify_contact,
    make_company,
    make_contact,
    make_delivery,
    make_import,
    mark_delivered,
    set_url,
)

FACTS = (Delivery.webhook_id, Delivery.contact_id, Delivery.status, Delivery.attempt_count, DeliveryBody.content)


@pytest.fixture
def filled(app: Flask, receiver: Receiver, tmp_path: Path) -> Iterator[Flask]:
    """A portal at work: something delivered, something that waits, something that was erased, texts of every kind."""
    company = make_company()
    set_url(company, receiver.url)
    mark_delivered(
        make_delivery(make_contact(company, name="Zoé 😀 \u2028", skills=[{"skill": "Ç", "endorsements": 1}]))
    )
    for level, name in enumerate(("Íris", "João", "Lia"), 1):
        classify_contact(make_contact(company, name=name), level)
    last = make_contact(company, name="Apagada")
    db.session.commit()
    erasing.erase_contact(db.session, last, actor_of(company), vault=runtime().vault)
    make_import(company)
    make_company("Outra")
    db.session.commit()
    yield app
    db.session.remove()


@pytest.fixture
def file(tmp_path: Path, postgres_url: str) -> Path:
    path = tmp_path / "address"
    path.write_text(postgres_url)
    return path


def count_absent() -> dict[str, int]:
    """How many rows have nothing in each column that may hold nothing, as SQL counts it; a move adds audit entries."""
    tables = [table for table in Base.metadata.sorted_tables if table is not AuditEntry.__table__]
    columns = [column for table in tables for column in table.columns if column.nullable]
    found = {}
    for column in columns:
        query = select(func.count()).select_from(column.table).where(type_coerce(column, String).is_(None))
        found[str(column)] = db.session.scalar(query) or 0
    db.session.rollback()
    return found


def rows_of(app: Flask) -> list[tuple[object, ...]]:
    rows = select(*FACTS).outerjoin(Delivery.stored_body).order_by(Delivery.id)
    found = [tuple(row) for row in db.session.execute(rows)]
    db.session.remove()
    db.engine.dispose()
    return found


def test_everything_arrives_and_the_outbox_goes_on(
    filled: Flask, run: Run, file: Path, make_app: MakeApp, receiver: Receiver
) -> None:
    absent, before = count_absent(), rows_of(filled)
    moved = run("move", "--to-file", file)
    assert moved.exit_code == 0, moved.output
    assert f"PORTAL_DATABASE_URL_FILE={file}" in moved.stdout
    assert "  delivery           4" in moved.stderr
    there = make_app(database_url=file.read_text())
    with there.app_context():
        assert rows_of(there) == before
        assert count_absent() == absent
        assert make_contact(db.session.scalars(select(Company)).first()).id == 6, "5 was erased, and is known outside"
        assert "database.moved" in db.session.scalars(select(AuditEntry.action)).all()
        with running_worker(there):
            assert receiver.wait_for(3)
        bodies = {row[0]: row[4] for row in before}
        for request in receiver.received:
            assert request.body == bodies[request.headers["webhook-id"]]
        db.session.remove()


def test_a_move_that_is_cut_off_goes_on_and_no_portal_starts_on_a_part(
    filled: Flask, run: Run, file: Path, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = rows_of(filled)
    monkeypatch.setattr(moving, "CHUNK", 2)
    copied: list[str] = []

    def cut_off(table: str, rows: int) -> None:
        copied.append(f"{table} {rows}")
        if copied[-1] == "delivery 2":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("portal.cli.backups.show_moved", cut_off)
        assert run("move", "--to-file", file).exit_code != 0
    refused = run("user", "list", PORTAL_DATABASE_URL=file.read_text().replace("+psycopg", ""))
    assert "A move into this database did not end" in refused.stderr
    again = run("move", "--to-file", file)
    assert again.exit_code == 0, again.output
    assert "  delivery           4" in again.stderr
    assert "  delivery           2" not in again.stderr
    there = make_app(database_url=file.read_text())
    with there.app_context():
        assert rows_of(there) == before


def test_what_changed_between_two_parts_of_a_move_is_noticed(
    filled: Flask, run: Run, file: Path, instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows_of(filled)

    def cut_off(table: str, rows: int) -> None:
        if table == "delivery":
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("portal.cli.backups.show_moved", cut_off)
        run("move", "--to-file", file)
    with closing(sqlite3.connect(instance / "portal.db")) as connection:
        connection.execute("UPDATE contact SET role = 'Outra' WHERE id = 2")
        connection.commit()
    again = run("move", "--to-file", file)
    assert again.exit_code == 1
    assert "contact differs" in again.stderr


def test_a_move_refuses_what_it_must_not_touch(filled: Flask, run: Run, file: Path, instance: Path) -> None:
    rows_of(filled)
    with closing(sqlite3.connect(instance / "portal.db")) as connection:
        connection.execute("SELECT count(*) FROM contact").fetchone()
        assert "A portal is running on this database" in run("move", "--to-file", file).stderr
    address = file.read_text()
    file.write_text(f"sqlite:///{instance / 'other.db'}")
    assert "FILE names PostgreSQL" in run("move", "--to-file", file).stderr
    file.write_text(address)
    assert run("move", "--to-file", file).exit_code == 0
    assert "holds a portal already" in run("move", "--to-file", file).stderr
    engine = create_engine(address)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    engine.dispose()
    assert "holds other tables" in run("move", "--to-file", file).stderr
