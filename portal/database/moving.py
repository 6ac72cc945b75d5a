"""Carrying everything from SQLite to PostgreSQL, while nobody works on either.

The target's revision is no version's until everything is there and was compared: no portal starts on a part. Rows come
by their number, a chunk a transaction, so a move that was cut off goes on after the last row that arrived.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, Result, Table, func, inspect, select, text
from sqlalchemy.exc import DBAPIError

from portal.database.backup.sqlite import open_alone
from portal.database.schema import HEAD_REVISION, UNFINISHED_MOVE, check_schema, current_revision
from portal.database.troubles import message_of
from portal.database.upgrading import upgrade_schema

CHUNK = 500  # rows that are in memory at a time
Report = Callable[[str, int], None]  # hears a table's name and how many of its rows are there


class MoveError(Exception):
    """The move cannot be made; the message says why and what to do."""


def move(source: Engine, target: Engine, metadata: MetaData, *, now: datetime, report: Report) -> int:
    """Copy every table and compare it. Returns how many rows there are.

    The source is not changed. Raises MoveError, SchemaError (the source is of another version) or BackupError (somebody
    has the source open).
    """
    if source.dialect.name != "sqlite" or target.dialect.name != "postgresql":
        raise MoveError("A move goes from SQLite to PostgreSQL: the portal in use is on SQLite, FILE names PostgreSQL.")
    check_schema(source, metadata)
    source.dispose()
    _prepare(target, metadata, now)
    total = 0
    with open_alone(Path(str(source.url.database))) as held:
        for table in metadata.sorted_tables:
            try:
                _copy(held, target, table, report)
            except DBAPIError as error:
                raise MoveError(f"PostgreSQL does not take a row of {table.name}: {message_of(error)}.") from error
        for table in metadata.sorted_tables:
            total += _compare(held, target, table)
        with target.begin() as connection:
            for table in metadata.sorted_tables:
                _go_on_counting(held, connection, table)
            _note_revision(connection, HEAD_REVISION)
    return total


def _prepare(target: Engine, metadata: MetaData, now: datetime) -> None:
    """An empty database with every table, or one in which a move was cut off. Raises MoveError for any other."""
    revision = current_revision(target)
    if revision == UNFINISHED_MOVE:
        return
    if revision is None and inspect(target).get_table_names():
        raise MoveError("The database that FILE names holds other tables: a move needs an empty one.")
    if revision is None:
        upgrade_schema(target, backups=None, now=now)
    with target.begin() as connection:
        if any(connection.scalar(select(func.count()).select_from(table)) for table in metadata.sorted_tables):
            raise MoveError("The database that FILE names holds a portal already. Nothing was changed.")
        _note_revision(connection, UNFINISHED_MOVE)


def _note_revision(connection: Connection, revision: str) -> None:
    connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


def _copy(held: Connection, target: Engine, table: Table, report: Report) -> None:
    number = _number_of(table)
    if number is None:  # its order may be another one there: all of it in one transaction
        done = 0
        with target.begin() as connection:
            connection.execute(table.delete())
            for part in _stream(held, table).partitions():
                connection.execute(table.insert(), [dict(row._mapping) for row in part])
                done += len(part)
        report(table.name, done)
        return
    with target.connect() as connection:
        last = connection.scalar(select(func.max(number))) or 0
    done = held.scalar(select(func.count()).select_from(table).where(number <= last)) or 0
    query = select(table).order_by(number).limit(CHUNK)
    while rows := [dict(row._mapping) for row in held.execute(query.where(number > last))]:
        with target.begin() as connection:
            connection.execute(table.insert(), rows)
        last, done = rows[-1][number.name], done + len(rows)
        report(table.name, done)


def _number_of(table: Table) -> Column[int] | None:
    """The one whole number that is the table's key, if it has such."""
    column, *more = table.primary_key.columns
    return None if more or not isinstance(column.type, Integer) else column


def _compare(held: Connection, target: Engine, table: Table) -> int:
    """How many rows both sides have. Raises MoveError when any cell differs."""
    with target.connect() as connection:
        there = _sum(connection, table)
    if (here := _sum(held, table)) != there:
        raise MoveError(
            f"{table.name} differs: SQLite has {here[0]} rows, PostgreSQL {there[0]}, and they are not the same. The "
            "portal worked since this move began. Empty the PostgreSQL database, and begin again."
        )
    return here[0]


def _sum(connection: Connection, table: Table) -> tuple[int, int]:
    """How many rows there are, and the sum of a digest of each, whatever their order."""
    count = total = 0
    for row in _stream(connection, table):
        digest = hashlib.blake2b(repr(tuple(row)).encode(), digest_size=16).digest()
        count, total = count + 1, total + int.from_bytes(digest, "big")
    return count, total


def _stream(connection: Connection, table: Table) -> Result[Any]:
    return connection.execute(select(table), execution_options={"yield_per": CHUNK})


def _go_on_counting(held: Connection, connection: Connection, table: Table) -> None:
    """No number is given twice, not even that of a row that was deleted: the CRM may know it."""
    if (number := _number_of(table)) is None:
        return
    given = held.execute(text("SELECT seq FROM sqlite_sequence WHERE name = :name"), {"name": table.name}).scalar()
    most = max(given or 0, held.scalar(select(func.max(number))) or 0)
    if most:
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence(:table, :column), :most)"),
            {"table": table.name, "column": number.name, "most": most},
        )
