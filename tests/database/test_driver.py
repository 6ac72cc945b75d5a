"""Statements told together do what each of them does by itself, and fail as it does; plans are kept for a second."""

from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Table, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError, OperationalError

from portal import clock
from portal.database import driver
from portal.database.db import AWAY, db, looking, reading
from portal.database.driver import Statement, apart, together
from portal.database.inserting import insert_into, insert_together
from portal.database.troubles import TROUBLES, name_trouble
from portal.database.words import transaction_of_words
from portal.working_models import AttemptCount
from tests import factories
from tests.conftest import BOTH

table: Table = AttemptCount.__table__  # type: ignore[assignment]
INSERT, READ = insert_into(table), Statement(select(table.c.number))
PID = Statement(select(func.pg_backend_pid().label("number")))
FACTS = {"status": "delivered", "reason": "ok_text", "up_to_ms": 50, "part": 1, "number": 7, "total_ms": 9}


@BOTH
def test_what_is_told_together_is_read_in_its_turn_and_stays(app: Flask) -> None:
    row = FACTS | {"company_id": factories.make_company().id}
    db.session.commit()
    with db.engine.begin() as connection, together(connection):
        before = READ.all(connection)
        INSERT.run(connection, **row)
        assert (before, [each.number for each in READ.all(connection)]) == ([], [7])
        INSERT.run(connection, **row | {"part": 2})
    assert db.session.scalars(select(AttemptCount.part)).all() == [1, 2]


@BOTH
@pytest.mark.parametrize("is_read_after", [False, True])
def test_what_fails_among_it_is_sqlalchemys_error_and_nothing_stays(app: Flask, is_read_after: bool) -> None:
    row = FACTS | {"company_id": factories.make_company().id}
    db.session.commit()

    def run() -> None:
        with db.engine.begin() as connection, together(connection):
            INSERT.run(connection, **row)
            INSERT.run(connection, **row)
            if is_read_after:
                READ.all(connection)

    with pytest.raises(IntegrityError):
        run()
    assert db.session.scalars(select(AttemptCount.number)).all() == []


@BOTH
def test_a_transaction_of_words_ends_with_its_last_one_or_leaves_nothing(app: Flask) -> None:
    row = FACTS | {"company_id": factories.make_company().id}
    db.session.commit()

    def run(part: int, error: type[Exception] | None = None) -> None:
        with transaction_of_words(connection):
            INSERT.run(connection, **row | {"part": part})
            asked = READ.ask(connection)
            with apart(connection), apart(connection), together(connection), apart(connection):
                connection.execute(update(table).values(number=table.c.number + 1))
            INSERT.run(connection, **row | {"part": part + 1})
            if error:
                raise error
            if part:
                assert [each.number for each in asked()] == [7]

    with db.engine.connect() as connection:
        run(1)
        with pytest.raises(IntegrityError):  # which the end of it is told
            run(0)
        with pytest.raises(ZeroDivisionError):
            run(3, ZeroDivisionError)
        assert sorted(db.session.scalars(select(AttemptCount.part)).all()) == [1, 2]
        assert {each.number for each in READ.all(connection)} == {7, 8}
        connection.rollback()
        assert not connection.in_transaction()
        driver_connection: Any = connection.connection.driver_connection
        assert not getattr(driver_connection, "autocommit", False), "others begin transactions"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_pipeline_that_cannot_be_left_takes_its_connection_with_it(app: Flask) -> None:
    def run() -> None:
        with transaction_of_words(connection):
            READ.all(connection)
            driver_connection: Any = connection.connection.driver_connection
            # Of this its pipeline does not know, and the answer has not come when it is left.
            driver_connection.pgconn.send_query_params(b"SELECT pg_sleep(0.05)", [])
            raise ZeroDivisionError

    with db.engine.connect() as connection:
        with pytest.raises(OperationalError):
            run()
        assert connection.invalidated
    assert db.session.scalars(select(AttemptCount.number)).all() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("is_read_after", [False, True])
def test_a_server_that_ends_within_a_transaction_of_words_is_away(app: Flask, *, is_read_after: bool) -> None:
    row = FACTS | {"company_id": factories.make_company().id}
    db.session.commit()

    def run() -> None:
        with transaction_of_words(connection):
            INSERT.run(connection, **row)
            (number,) = PID.all(connection)[0]
            db.session.execute(select(func.pg_terminate_backend(number, 5000)))
            INSERT.run(connection, **row | {"part": 2})
            if is_read_after:
                READ.all(connection)

    with db.engine.connect() as connection:
        with pytest.raises(OperationalError):
            run()
        assert connection.invalidated
    assert db.session.scalars(select(AttemptCount.number)).all() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_comes_to_be_read_only_is_away_by_both_roads(app: Flask) -> None:
    row = FACTS | {"company_id": factories.make_company().id}
    db.session.commit()
    with db.engine.connect() as connection:
        connection.execute(text("SET default_transaction_read_only = on"))
        connection.commit()
        with pytest.raises(AWAY) as told:
            connection.execute(insert(table), row)
        assert name_trouble(told.value) is TROUBLES["database_read_only"]
        connection.rollback()
        with pytest.raises(AWAY), transaction_of_words(connection):
            INSERT.run(connection, **row)
        connection.invalidate()
    assert db.session.scalars(select(AttemptCount.number)).all() == []


@BOTH
@pytest.mark.parametrize("parts", [[1], [1, 2, 3]])
def test_postgresql_is_told_once_what_several_statements_insert(
    app: Flask, monkeypatch: pytest.MonkeyPatch, parts: list[int]
) -> None:
    company = factories.make_company()
    db.session.commit()
    told: list[str] = []
    tell = driver._run
    monkeypatch.setattr(
        driver, "_run", lambda at, what, *given, **how: told.append(what.sql) or tell(at, what, *given, **how)
    )
    with db.engine.begin() as connection:
        rows = [FACTS | {"company_id": company.id, "part": part} for part in (0, *parts)]
        insert_together(connection, {insert_into(table): [], insert_into(table): rows[:1], INSERT: rows[1:]})
    assert len(told) == (1 if on_postgresql() else 2)
    assert db.session.scalars(select(AttemptCount.part).order_by(AttemptCount.part)).all() == [0, *parts]


@BOTH
@pytest.mark.parametrize("plans_anew", [True, False])
def test_what_postgresql_plans_anew_is_prepared_and_planned_once_a_second(
    app: Flask, monkeypatch: pytest.MonkeyPatch, *, plans_anew: bool
) -> None:
    db.session.remove()
    words: list[str] = []
    tell = driver.run_words

    def hear(connection: Any, sql: str) -> None:
        words.append(sql)
        tell(connection, sql)

    monkeypatch.setattr(driver, "run_words", hear)
    read, is_asked = Statement(select(table.c.number), plans_anew=plans_anew), plans_anew and on_postgresql()
    with looking(db.engine) as connection:
        connection.info.pop(driver.PLANNED_AT, None)
        for seconds, most in ((0.0, 0), (0.9, 0), (1.1, 1), (1.9, 1), (2.2, 2)):
            monkeypatch.setattr(clock, "monotonic", lambda seconds=seconds: seconds)
            for _ in range(6):  # psycopg has prepared what it ran five times
                assert read.all(connection) == []
            assert words == ["DISCARD PLANS"] * (most if is_asked else 0)
        if on_postgresql():
            held = connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements").scalars().all()
            assert read.compiled_for(connection.dialect).sql in held


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_plans_are_forgotten_within_what_only_reads(app: Flask) -> None:
    db.session.remove()
    read = Statement(select(table.c.number), plans_anew=True)
    with reading(), db.engine.begin() as connection:
        assert read.all(connection) == []
        connection.info[driver.PLANNED_AT] = long_ago = clock.monotonic() - driver.PLAN_SECONDS
        assert read.all(connection) == []
        assert connection.info[driver.PLANNED_AT] > long_ago


def on_postgresql() -> bool:
    return db.engine.dialect.name == "postgresql"
