import sqlite3
import threading
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from flask import Flask
from sqlalchemy import Connection, text, update
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from portal.contacts.saving import COMPANY
from portal.database.db import db, looking, reading
from portal.database.upkeep import empty_log
from portal.models import Company
from portal.people import tokens
from tests import factories
from tests.conftest import BOTH


@BOTH
def test_a_write_while_reading_fails_loudly(app: Flask) -> None:
    company = factories.make_company()
    with reading():
        company.name = "Outra"
        with pytest.raises(DBAPIError):
            db.session.commit()
        db.session.rollback()
    db.session.expire_all()
    assert db.session.get_one(Company, company.id).name == "Vendas Exemplo"


@BOTH
def test_concurrent_read_modify_writes_lose_nothing(app: Flask) -> None:
    company_id = factories.make_company().id
    db.session.remove()

    def work() -> None:
        for _ in range(20):
            with db.engine.begin() as connection:
                lock = "" if connection.dialect.name == "sqlite" else " FOR UPDATE"
                name = connection.execute(text(f"SELECT locale FROM company WHERE id = {company_id}{lock}")).scalar()
                count = int(name) if str(name).isdecimal() else 0
                connection.execute(text("UPDATE company SET locale = :n"), {"n": str(count + 1)})

    def in_context() -> None:
        with app.app_context():
            work()

    threads = [threading.Thread(target=in_context) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert db.session.get_one(Company, company_id).locale == "160"


def test_sqlite_is_opened_to_survive_a_power_cut(real_writing: None, app: Flask) -> None:
    with db.engine.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in (
                "journal_mode",
                "synchronous",
                "foreign_keys",
                "secure_delete",
                "wal_autocheckpoint",
                "journal_size_limit",
                "auto_vacuum",
            )
        }
    with reading(), db.engine.connect() as connection:
        patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    assert pragmas == {
        **{"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1},
        **{"wal_autocheckpoint": 4000, "journal_size_limit": 20 * 1024 * 1024, "auto_vacuum": 2},
    }
    assert patience >= 10_000  # milliseconds: who reads waits while the log is mended; who writes waits by itself


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_compiles_no_statement(app: Flask) -> None:
    """It would take longer than all the counts of a large company's report."""
    assert db.session.scalar(text("SHOW jit")) == "off"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_what_the_server_has_prepared_outlives_what_only_reads(app: Flask) -> None:
    db.session.remove()

    def prepared() -> int:
        with looking(db.engine) as connection:
            return int(connection.exec_driver_sql("SELECT count(*) FROM pg_prepared_statements").scalar_one())

    for _ in range(10):  # psycopg has prepared what it ran five times
        assert tokens.find_bearer(db.engine, "cat_none_none") is None
    held = prepared()
    with reading():
        db.session.scalar(text("SELECT 1"))
        db.session.rollback()
    db.session.remove()
    assert 0 < held <= prepared()


@BOTH
def test_a_look_begins_no_transaction_and_leaves_the_connection_as_it_was(app: Flask) -> None:
    company_id = factories.make_company().id
    db.session.remove()
    with looking(db.engine) as connection:
        assert COMPANY.all(connection, key=company_id)
        with Session(db.engine) as session:  # nobody waits for who looks
            session.get_one(Company, company_id).name = "Outra"
            session.commit()
        assert not is_in_transaction(connection)
        driver: Any = connection.connection.driver_connection
    assert db.engine.dialect.name == "sqlite" or not driver.autocommit
    with suppress(LookupError), db.engine.begin() as connection:
        connection.execute(update(Company).values(name="Esquecida"))
        raise LookupError
    assert db.session.get_one(Company, company_id).name == "Outra"


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_connection_that_breaks_during_a_look_says_so_and_is_taken_no_more(app: Flask) -> None:
    db.session.remove()
    with pytest.raises(OperationalError, match="terminating connection"), looking(db.engine) as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    assert tokens.find_bearer(db.engine, "cat_none_none") is None


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_connections_that_the_server_ended_a_moment_after_their_use_are_replaced_before_anybody_gets_them(
    app: Flask,
) -> None:
    db.session.remove()
    db.engine.dispose()
    for _ in range(2):  # asked just now whether it works
        with looking(db.engine) as connection:
            pid = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    with psycopg.connect(str(db.engine.url.render_as_string(hide_password=False)).replace("+psycopg", "")) as other:
        other.execute("SELECT pg_terminate_backend(%s, 10000)", (pid,))  # which waits until it is gone
    assert tokens.find_bearer(db.engine, "cat_none_none") is None
    assert db.session.scalar(text("SELECT pg_backend_pid()")) != pid


def is_in_transaction(connection: Connection) -> bool:
    driver: Any = connection.connection.driver_connection
    return bool(driver.in_transaction if connection.dialect.name == "sqlite" else driver.info.transaction_status)


def test_a_log_that_cannot_be_emptied_leaves_no_connection_out_of_patience(app: Flask) -> None:
    db.session.remove()
    db.engine.dispose()  # one connection, which the pool lends again

    def refuse(action: int, name: str | None, *_: Any) -> int:
        is_refused = action == sqlite3.SQLITE_PRAGMA and name == "wal_checkpoint"
        return sqlite3.SQLITE_DENY if is_refused else sqlite3.SQLITE_OK

    with db.engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        driver.set_authorizer(refuse)
    with pytest.raises(sqlite3.DatabaseError):
        empty_log(db.engine)
    with reading(), db.engine.begin() as connection:
        assert connection.connection.driver_connection is driver
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one() >= 10_000
