"""The steps of a move to PostgreSQL, tried between two files: what is copied, from where on, and what is refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine, delete, func, insert, select, text, update

from portal.clock import utcnow
from portal.database import moving
from portal.database.db import db, prepare_engine
from portal.database.moving import MoveError, move
from portal.database.schema import HEAD_REVISION, UNFINISHED_MOVE, current_revision
from portal.database.tables import Base
from portal.models import Company, Contact
from tests.factories import make_company, make_contact

contact, company = Contact.__table__, Company.__table__


@pytest.fixture
def target(tmp_path: Path, sqlite_template: Path) -> Iterator[Engine]:
    path = tmp_path / "target.db"
    shutil.copy(sqlite_template, path)
    engine = create_engine(f"sqlite:///{path}")
    prepare_engine(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def held(app: Flask) -> Iterator[Connection]:
    owner = make_company()
    for number in range(5):
        make_contact(owner, name=f"Contato {number}")
    db.session.remove()
    with db.engine.connect() as connection:
        yield connection


def rows_of(connection: Connection, table: Any) -> list[str]:
    return sorted(repr(tuple(row)) for row in connection.execute(select(table)))


def copy(held: Connection, target: Engine, *tables: Any) -> list[tuple[str, int]]:
    told: list[tuple[str, int]] = []
    for table in tables:
        moving._copy(held, target, table, lambda *report: told.append(report))
    return told


def test_every_row_of_every_table_arrives_a_chunk_at_a_time(
    held: Connection, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 2)
    told = copy(held, target, *Base.metadata.sorted_tables)
    assert [done for name, done in told if name == "contact"] == [2, 4, 5]
    assert {name for name, _ in told} >= {table.name for table in Base.metadata.sorted_tables if rows_of(held, table)}
    with target.connect() as connection:
        for table in Base.metadata.sorted_tables:
            assert rows_of(connection, table) == rows_of(held, table), table.name
    assert moving._compare(held, target, contact) == 5


def test_a_move_that_was_cut_off_goes_on_after_the_last_row_that_arrived(
    held: Connection, target: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moving, "CHUNK", 2)
    tables = Base.metadata.sorted_tables[: Base.metadata.sorted_tables.index(contact) + 1]
    copy(held, target, *tables)
    with target.begin() as connection:
        connection.execute(delete(contact).where(contact.c.id > 2))
        connection.execute(update(contact).values(name="as it came"))
    assert copy(held, target, contact) == [("contact", 4), ("contact", 5)]
    assert copy(held, target, contact) == []
    with target.connect() as connection:
        names = connection.execute(select(contact.c.name).order_by(contact.c.id)).scalars().all()
    assert names == ["as it came", "as it came", "Contato 2", "Contato 3", "Contato 4"]


def test_a_table_without_a_number_arrives_as_a_whole() -> None:
    by_number = {table.name for table in Base.metadata.sorted_tables if moving._number_of(table) is not None}
    assert by_number >= {"company", "contact", "delivery", "attempt", "task"}
    for table in Base.metadata.sorted_tables:
        keys = list(table.primary_key.columns)
        is_one = len(keys) == 1 and keys[0].type.python_type is int
        assert (table.name in by_number) == is_one, table.name


def test_one_cell_that_differs_is_told_with_its_table(held: Connection, target: Engine) -> None:
    copy(held, target, *Base.metadata.sorted_tables)
    with target.begin() as connection:
        first, second = connection.execute(select(contact.c.id, contact.c.name).order_by(contact.c.id)).all()[:2]
        for row, name in ((first, second.name), (second, first.name)):  # the same cells, in other rows
            connection.execute(update(contact).where(contact.c.id == row.id).values(name=name))
    with pytest.raises(MoveError, match=r"^contact differs: SQLite has 5 rows, PostgreSQL 5, and they"):
        moving._compare(held, target, contact)
    with target.begin() as connection:
        connection.execute(delete(contact).where(contact.c.id == first.id))
    with pytest.raises(MoveError, match=r"SQLite has 5 rows, PostgreSQL 4"):
        moving._compare(held, target, contact)


def test_rows_are_the_same_in_whatever_order_they_come(held: Connection) -> None:
    forward, backward = (
        moving._sum(held, select(contact).order_by(order).subquery()) for order in (contact.c.id, contact.c.id.desc())
    )
    assert forward == backward
    assert forward[0] == 5


def test_no_number_is_given_again_not_even_that_of_a_row_that_is_gone(held: Connection) -> None:
    told: list[Any] = []
    other: Any = SimpleNamespace(execute=lambda _statement, values: told.append(values))
    empty, without_number = Base.metadata.tables["task"], Base.metadata.tables["worker_heartbeat"]
    held.execute(text("DELETE FROM contact WHERE id = (SELECT max(id) FROM contact)"))
    moving._go_on_counting(held, other, contact)
    held.execute(text("DELETE FROM sqlite_sequence WHERE name = 'contact'"))
    for table in (contact, empty, without_number):
        moving._go_on_counting(held, other, table)
    assert told == [{"table": "contact", "column": "id", "most": most} for most in (5, 4)]
    held.rollback()


def test_only_an_empty_portal_is_moved_into_and_is_no_versions_until_the_end(target: Engine) -> None:
    moving._prepare(target, Base.metadata, utcnow())
    assert current_revision(target) == UNFINISHED_MOVE
    with target.begin() as connection:
        connection.execute(insert(company).values(name="Vendas", created_at=utcnow()))
    moving._prepare(target, Base.metadata, utcnow())  # one that was cut off goes on
    with target.begin() as connection:
        moving._note_revision(connection, HEAD_REVISION)
    with pytest.raises(MoveError, match=r"holds a portal already\. Nothing was changed"):
        moving._prepare(target, Base.metadata, utcnow())
    assert current_revision(target) == HEAD_REVISION


def test_a_database_of_somebody_elses_is_not_moved_into(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'other.db'}")
    prepare_engine(engine)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE invoice (id INTEGER)"))
    with pytest.raises(MoveError, match="holds other tables: a move needs an empty one"):
        moving._prepare(engine, Base.metadata, utcnow())
    engine.dispose()


def test_a_move_goes_from_sqlite_to_postgresql_and_no_other_way(app: Flask, target: Engine) -> None:
    postgresql = create_engine("postgresql+psycopg://nobody@localhost/none")
    for pair in ((db.engine, target), (postgresql, target), (postgresql, postgresql)):
        with pytest.raises(MoveError, match="A move goes from SQLite to PostgreSQL"):
            move(*pair, Base.metadata, now=utcnow(), report=lambda *_: None)
    assert db.session.scalar(select(func.count()).select_from(Company)) == 0
