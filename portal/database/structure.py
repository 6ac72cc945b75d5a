"""What a database has beside its columns, against what the models say: indexes, constraints, rows that refer to others.

`database.schema` looks at the columns, without which no portal starts. What is found here somebody took away or turned
off by hand: the portal goes on, but is slow, takes what it should refuse, or holds what belongs to nobody.
"""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Connection,
    Constraint,
    ForeignKeyConstraint,
    Index,
    MetaData,
    Table,
    exists,
    func,
    null,
    select,
    text,
)
from sqlalchemy.exc import SAWarning
from sqlalchemy.schema import AddConstraint, CreateIndex, DropIndex

from portal.database.indexes import tables_on

# What PostgreSQL has and does not use: what is said of a table, and the query that finds the table and the name.
_UNUSED = (
    (
        "has an index {name} that was not made to its end. Run: REINDEX INDEX {name}",
        "SELECT t.relname, i.relname FROM pg_index JOIN pg_class t ON t.oid = indrelid"
        " JOIN pg_class i ON i.oid = indexrelid WHERE NOT indisvalid AND pg_table_is_visible(t.oid)",
    ),
    (
        "has a constraint {name} that its rows were never held to. Run: ALTER TABLE {table} VALIDATE CONSTRAINT {name}",
        "SELECT relname, conname FROM pg_constraint JOIN pg_class t ON t.oid = conrelid"
        " WHERE NOT convalidated AND pg_table_is_visible(t.oid)",
    ),
    (
        "has disabled triggers, so nobody checks what refers to what. Run: ALTER TABLE {table} ENABLE TRIGGER ALL",
        "SELECT DISTINCT relname, '' FROM pg_trigger JOIN pg_class t ON t.oid = tgrelid"
        " WHERE tgisinternal AND tgenabled IN ('D', 'R') AND pg_table_is_visible(t.oid)",
    ),
)


@dataclass(frozen=True)
class Flaw:
    """What is wrong, and what to do. What `is_slow` is right all the same."""

    message: str
    is_slow: bool = False


def find_flaws(connection: Connection, metadata: MetaData) -> Iterator[Flaw]:
    """What differs from the models, in a database whose columns are theirs. It reads every row that refers to another.

    Indexes and constraints that the models do not know are the operator's own.
    """
    metadata = tables_on(connection.dialect.name, metadata)
    names = [table.name for table in metadata.sorted_tables]
    found = MetaData()
    with warnings.catch_warnings():
        # An index on an expression, as only an operator makes one.
        warnings.filterwarnings("ignore", "Skipped unsupported reflection of expression-based index", SAWarning)
        found.reflect(connection, only=names)
    for table in metadata.sorted_tables:
        yield from _compare_indexes(connection, table, found.tables[table.name])
        yield from _compare_constraints(connection, table, found.tables[table.name])
        yield from _find_orphans(connection, table)
    if connection.dialect.name == "postgresql":
        for said, query in _UNUSED:
            for name, part in connection.execute(text(query)):
                if name in names:
                    yield Flaw(f"{name} {said.format(table=name, name=part)}")


def _compare_indexes(connection: Connection, table: Table, found: Table) -> Iterator[Flaw]:
    there = {index.name: index for index in found.indexes}
    for index in _by_name(table.indexes):
        harm, made = ("it may take doubles" if index.unique else "it is slow"), there.get(index.name)
        making = _words(connection, CreateIndex(index))
        if made is None:
            yield Flaw(f"{table.name} lacks the index {index.name}, so {harm}. Run: {making}", not index.unique)
        elif _shape_of(made, connection.dialect.name) != _shape_of(index, connection.dialect.name):
            mend = f"{_words(connection, DropIndex(index))}; {making}"
            yield Flaw(f"{table.name} has another index {index.name}, so {harm}. Run: {mend}", not index.unique)


def _shape_of(index: Index, dialect: str) -> tuple[Any, ...]:
    """Of the rows that it holds, the columns and texts in their condition: PostgreSQL says it in words of its own."""
    columns = index.table.columns if index.table is not None else ()
    words = re.findall(r"'[^']*'|\w+", str(index.dialect_options[dialect]["where"]))
    return index.columns.keys(), bool(index.unique), {word for word in words if word[0] == "'" or word in columns}


def _compare_constraints(connection: Connection, table: Table, found: Table) -> Iterator[Flaw]:
    there = [_meaning_of(constraint) for constraint in found.constraints]
    for constraint in _by_name(table.constraints):
        if _meaning_of(constraint) not in there:
            mend = f"Run: {_words(connection, AddConstraint(constraint, isolate_from_table=False))}"
            if connection.dialect.name == "sqlite":  # which adds none to a table that is there
                mend = "Stop the portal and restore a backup."
            said = f"{table.name} lacks the constraint {constraint.name}, so it takes what it should refuse."
            yield Flaw(f"{said} {mend}")


def _meaning_of(constraint: Constraint) -> Any:
    """What a constraint does, whatever its name; a check is told by its name."""
    if isinstance(constraint, CheckConstraint):
        return constraint.name
    columns = [column.name for column in constraint.columns]  # type: ignore[attr-defined]
    if isinstance(constraint, ForeignKeyConstraint):
        return columns, constraint.referred_table.name, constraint.ondelete, constraint.onupdate
    return type(constraint), columns


def _find_orphans(connection: Connection, table: Table) -> Iterator[Flaw]:
    """Rows that refer to one that is not there. Of every reference of ours the first column is the other's number."""
    for reference in sorted(table.foreign_key_constraints, key=lambda reference: list(reference.column_keys)):
        key = reference.elements[0]
        column, other = key.parent, key.column.table.alias()
        is_orphan = column.is_not(None), ~exists().where(other.c[key.column.name] == column)
        count = connection.scalar(select(func.count()).select_from(table).where(*is_orphan))
        if count:
            change = table.update().values({column: null()}) if key.ondelete == "SET NULL" else table.delete()
            mend = _words(connection, change.where(column.not_in(select(key.column))))
            said = f"{table.name}: {count} rows have a {column.name} that is no {key.column.table.name}'s"
            yield Flaw(f"{said}. Restore a backup from before, or run: {mend}")


def _by_name(parts: Any) -> list[Any]:
    return sorted(parts, key=lambda part: str(part.name))


def _words(connection: Connection, statement: Any) -> str:
    return " ".join(str(statement.compile(dialect=connection.dialect)).split())
