"""Statements that insert rows, in the words in which each database takes them soonest."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, Insert, Table, insert, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from portal.database.driver import Statement
from portal.database.rows import given

Inserts = Mapping[Statement, Sequence[Mapping[str, Any]]]  # rows of values, by what inserts them


def insert_into(table: Table) -> Statement:
    """The statement that inserts a row, from a value for each of its columns but the number."""
    return insert_given(table, [column.name for column in table.columns if column.name != "id"])


def insert_given(table: Table, names: Sequence[str], **fixed: Any) -> Statement:
    """The statement that inserts a row, from a value for each of the columns `names`, with what is `fixed`."""
    return insert_values(table, **given_values(table, names, **fixed))


def given_values(table: Table, names: Sequence[str], **fixed: Any) -> dict[str, ColumnElement[Any]]:
    """A parameter for each of the columns `names`, and what is `fixed` of others."""
    givens = {name: given(name, table.c[name].type) for name in names}
    return {**givens, **{name: literal(value) for name, value in fixed.items()}}


def insert_values(table: Table, **values: ColumnElement[Any]) -> Statement:
    """The statement that inserts a row of these values.

    PostgreSQL selects them, of many rows at once. SQLite keeps a copy of each page that a select may fill.
    """
    return Statement(insert_selected(table, **values), on_sqlite=insert(table).values(values).inline())


def insert_selected(table: Table, **values: ColumnElement[Any]) -> Insert:
    """The element of a statement that inserts what it selects, as PostgreSQL takes many rows at once."""
    return insert(table).from_select(list(values), select(*values.values()))


def insert_together(connection: Connection, inserts: Inserts) -> None:
    """Insert the rows of each statement, in this order. PostgreSQL is told all of them as one statement.

    There none may read what another inserts.
    """
    told = {statement: rows for statement, rows in inserts.items() if rows}
    if connection.dialect.name != "postgresql" or len(told) < 2:
        for statement, rows in told.items():
            statement.run_many(connection, rows)
        return
    parts = [statement.once_for(rows) for statement, rows in told.items()]
    values = {f"{name}_{place}": value for place, (_, its) in enumerate(parts) for name, value in its.items()}
    _as_one(*(statement for statement, _ in parts)).run(connection, **values)


@cache
def _as_one(*parts: Statement) -> Statement:
    """Statements that insert, as one; its parameters are theirs, each told by the place of its own."""
    *others, last = [part.told_at(place) for place, part in enumerate(parts)]
    return Statement(last.add_cte(*(other.cte(f"part_{place}") for place, other in enumerate(others))))


def insert_or_add(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], *, adding: tuple[str, ...]
) -> None:
    """Insert the rows; where one of that key exists, add the columns `adding` to it instead."""
    _insert_or_add(connection.dialect.name, table, adding).run_many(connection, rows)


@cache
def _insert_or_add(dialect: str, table: Table, adding: tuple[str, ...]) -> Statement:
    adds: Any = (sqlite if dialect == "sqlite" else postgresql).insert(table)
    adds = adds.values({column.name: given(column.name, column.type) for column in table.columns})
    sums = {name: table.c[name] + adds.excluded[name] for name in adding}
    keys = [column.name for column in table.primary_key]
    return Statement(adds.on_conflict_do_update(index_elements=keys, set_=sums))
