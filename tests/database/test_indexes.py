"""The indexes that differ by database: SQLite's hold each row's number once, and serve as those that name it."""

from typing import Any

import pytest
from alembic import command
from flask import Flask
from sqlalchemy import inspect, text

from portal.database.db import db
from portal.database.indexes import tables_on
from portal.database.schema import HEAD_REVISION
from portal.database.scratch import scratch_engine
from portal.database.tables import Base
from portal.database.upgrading import config_for
from tests.conftest import BOTH

OF_ALL = ("log", "status", "contact", "campaign", "owner", "day")
"""The indexes that hold all deliveries, by the ends of their names."""


def columns_of(name: str) -> list[str]:
    return next(
        list(index.columns.keys())
        for index in tables_on("sqlite", Base.metadata).tables["delivery"].indexes
        if index.name == f"ix_delivery_{name}"
    )


def plan_of(query: str) -> str:
    with db.engine.connect() as connection:
        return "\n".join(str(row[-1]) for row in connection.execute(text(f"EXPLAIN QUERY PLAN {query}")))


@pytest.mark.parametrize("name", OF_ALL)
def test_what_is_alike_stands_by_its_number_and_is_found_by_it(app: Flask, name: str) -> None:
    alike = " AND ".join(f"{column} = 1" for column in columns_of(name))
    rows = f"SELECT id FROM delivery INDEXED BY ix_delivery_{name} WHERE {alike}"
    plan = plan_of(f"{rows} AND id < 9 ORDER BY id DESC")
    assert f"COVERING INDEX ix_delivery_{name}" in plan
    assert "rowid<?" in plan
    assert "TEMP B-TREE" not in plan


@pytest.mark.parametrize(("name", "column"), [("day", "company_id"), ("reached", "contact_id")])
def test_what_was_at_one_moment_comes_by_number(app: Flask, name: str, column: str) -> None:
    moment = columns_of(name)[-1]
    rows = f"SELECT id FROM delivery WHERE {column} = 1 AND {moment} IS NOT NULL"
    plan = plan_of(f"{rows} ORDER BY {moment} DESC, id DESC")
    assert f"COVERING INDEX ix_delivery_{name}" in plan
    assert "TEMP B-TREE" not in plan


@BOTH
def test_the_number_is_named_where_entries_do_not_end_with_it_and_back_again_where_they_do(app: Flask) -> None:
    def named() -> list[Any]:
        found = inspect(db.engine).get_indexes("delivery")
        return [each["name"] for each in found if each["column_names"][-1] == "id"]

    is_sqlite, before = db.engine.dialect.name == "sqlite", named()
    with db.engine.begin() as connection:
        command.downgrade(config_for(connection), "0041")
    older = named()
    assert len(older) == 13
    assert before == ([] if is_sqlite else older)
    with db.engine.begin() as connection:
        command.upgrade(config_for(connection), HEAD_REVISION)
    assert named() == before


def test_a_database_that_the_models_make_has_its_own_indexes_alone() -> None:
    made = {index.name for index in tables_on("sqlite", Base.metadata).tables["delivery"].indexes}
    engine = scratch_engine(Base.metadata)
    found = inspect(engine).get_indexes("delivery")
    engine.dispose()
    assert {index["name"] for index in found} == made
    assert [index["name"] for index in found if "id" in index["column_names"]] == []
