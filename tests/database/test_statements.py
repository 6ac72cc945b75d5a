"""A statement in the words of both databases, its parameters as their drivers take them, and its rows as they come."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Connection,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    create_engine,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from portal.database.db import db
from portal.database.driver import Hold, Statement
from portal.database.inserting import insert_given, insert_into, insert_or_add
from portal.database.rows import by_index, each_of, given, rows_of, within
from portal.database.tables import UTCDateTime
from tests.factories import NOON

fact = Table(
    "fact",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("name", String),
    Column("seen_at", UTCDateTime),
    Column("number", Integer),
)
total = Table(
    "total", MetaData(), *(Column(name, Integer, primary_key=True) for name in ("day", "kind")), Column("sum", Integer)
)
TYPES: dict[str, Any] = {
    "id": BigInteger(),
    "at": UTCDateTime(),
    "raw": LargeBinary(),
    "said": JSON(),
    "ok": Boolean(),
    "name": String(),
}
ROW = [7, NOON, b"\x00\xff", {"a": ["é"]}, True, 'a "b"']


@pytest.fixture
def connection() -> Any:
    engine = create_engine("sqlite://")
    fact.metadata.create_all(engine)
    total.metadata.create_all(engine)
    with engine.connect() as connection:
        yield connection
    engine.dispose()


def words_of(statement: Statement, dialect: Any) -> str:
    return " ".join(statement.compiled_for(dialect).sql.split())


def test_rows_that_come_in_are_one_parameter_on_both_databases() -> None:
    rows = rows_of("told", id=BigInteger(), at=UTCDateTime())
    statement = Statement(
        update(fact)
        .where(within(fact.c.id, select(rows.c.id)), by_index(fact.c.id, select(rows.c.id)), fact.c.number == 3)
        .values(name=given("name", String()))
    )
    assert words_of(statement, sqlite.dialect()) == (
        "UPDATE fact SET name=? WHERE fact.id IN (SELECT told.id FROM (SELECT json_extract(told_json.value, '$[0]') AS "
        "id, json_extract(told_json.value, '$[1]') AS at FROM json_each(?) AS told_json) AS told) AND 1 AND "
        "fact.number = 3"
    )
    found = (
        "fact.id = ANY (ARRAY(SELECT told.id FROM (SELECT told_json.id AS id, told_json.at AS at FROM ROWS FROM "
        "(json_to_recordset(CAST(%(told)s AS JSON)) AS (id BIGINT, at TIMESTAMP WITH TIME ZONE)) AS told_json) "
        "AS told))"
    )
    said = words_of(statement, postgresql.dialect()).replace("::VARCHAR", "")
    assert said == f"UPDATE fact SET name=%(name)s WHERE {found} AND {found} AND fact.number = 3"


def test_the_numbers_found_for_each_row_are_looked_up_one_by_one() -> None:
    other = fact.alias("other")
    numbers = each_of("numbers", select(other.c.id).where(other.c.number == fact.c.number))
    statement = Statement(select(fact.c.id, numbers.c.value).select_from(fact).join(numbers, fact.c.id == 1))
    inner = "SELECT other.id FROM fact AS other WHERE other.number = fact.number"
    assert words_of(statement, sqlite.dialect()) == (
        "SELECT fact.id, numbers.value FROM fact JOIN json_each((SELECT json_group_array(id) FROM "
        f"({inner}))) AS numbers ON fact.id = 1"
    )
    assert f"LATERAL (SELECT unnest(ARRAY({inner})) AS value) AS numbers ON" in words_of(
        statement, postgresql.dialect()
    )


def test_each_value_of_a_row_is_written_as_json_that_its_database_reads() -> None:
    rows = rows_of("told", **TYPES)
    statement = Statement(select(rows.c.id))
    (written,) = statement.compiled_for(sqlite.dialect()).bind({"told": [ROW]})
    assert written == '[[7,1773144000000000,"\\\\x00ff",{"a":["\\u00e9"]},1,"a \\"b\\""]]'
    bound = statement.compiled_for(postgresql.dialect()).bind({"told": [ROW, [8, *[None] * 5]]})
    assert bound == {
        "told": '[{"id":7,"at":"2026-03-10 12:00:00+00:00","raw":"\\\\x00ff","said":{"a":["\\u00e9"]},"ok":true,'
        '"name":"a \\"b\\""},{"id":8,"at":null,"raw":null,"said":null,"ok":null,"name":null}]'
    }


def test_rows_come_back_in_pythons_types_under_their_names(connection: Connection) -> None:
    moment = NOON + timedelta(microseconds=5)
    insert_into(fact).run(connection, name="Ana", seen_at=moment, number=1)
    (row,) = Statement(
        select(fact.c.id, fact.c.seen_at, fact.c.name.label("who")).where(fact.c.number == given("wanted", Integer()))
    ).all(connection, wanted=1)
    assert (row.id, row.seen_at, row.who, tuple(row)) == (1, moment, "Ana", (1, moment, "Ana"))
    assert Statement(select(fact.c.id).where(fact.c.number == 2)).all(connection) == []


@pytest.mark.parametrize("times", [0, 1, 3])
def test_it_runs_once_for_each_row_with_what_is_fixed(connection: Connection, times: int) -> None:
    statement = insert_given(fact, ["name", "seen_at"], number=9)
    statement.run_many(connection, ({"name": f"{each}", "seen_at": NOON, "more": 1} for each in range(times)))
    found = connection.execute(select(fact.c.name, fact.c.seen_at, fact.c.number).order_by(fact.c.id)).all()
    assert [tuple(row) for row in found] == [(f"{each}", NOON, 9) for each in range(times)]
    forget = Statement(delete(fact).where(fact.c.name == given("name", String())))
    forget.run_many(connection, [{"name": f"{each}"} for each in range(times)])
    assert connection.execute(select(fact)).all() == []


def test_where_a_key_exists_the_sums_are_added_to(connection: Connection) -> None:
    rows = [{"day": day, "kind": kind, "sum": 1} for day in (1, 2) for kind in (1, 2)]
    insert_or_add(connection, total, rows[:3], adding=("sum",))
    insert_or_add(connection, total, [{**row, "sum": 10} for row in rows[1:]], adding=("sum",))
    found = connection.execute(select(total.c.day, total.c.kind, total.c.sum).order_by(total.c.day, total.c.kind)).all()
    assert [tuple(row) for row in found] == [(1, 1, 1), (1, 2, 11), (2, 1, 11), (2, 2, 10)]


def test_many_rows_that_are_selected_into_a_table_are_one_statement_of_postgresqls() -> None:
    statement = Statement(
        insert(fact).from_select(["name", "number"], select(given("name", String()), given("number", Integer()))),
        plans_anew=True,
    )
    names, at_once = statement._at_once
    assert names == ["name", "number"]
    said = words_of(at_once, postgresql.dialect())
    assert said.startswith("INSERT INTO fact (name, number) SELECT rows.name, rows.number FROM (SELECT rows_json.name")
    assert at_once.compiled_for(postgresql.dialect()).plans_anew
    assert not at_once.compiled_for(sqlite.dialect()).plans_anew
    assert not Statement(select(fact.c.id)).compiled_for(postgresql.dialect()).plans_anew


def test_a_row_of_values_is_selected_on_postgresql_and_no_select_on_sqlite() -> None:
    statement = insert_given(fact, ["name"], number=9)
    assert words_of(statement, sqlite.dialect()) == "INSERT INTO fact (name, number) VALUES (?, 9)"
    assert words_of(statement, postgresql.dialect()).startswith("INSERT INTO fact (name, number) SELECT %(name)s")


def test_who_writes_on_sqlite_holds_all_and_asks_nothing(app: Flask) -> None:
    said: list[str] = []
    with db.engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_trace_callback(said.append)
        hold = Hold(select(fact.c.id).with_for_update())
        hold.run(connection)
        driver.set_trace_callback(None)
    assert [each for each in said if "fact" in each] == []
    assert words_of(hold, postgresql.dialect()) == "SELECT fact.id FROM fact FOR UPDATE"
