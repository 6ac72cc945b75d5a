import threading

import pytest
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from portal.database.db import db, reading
from portal.models import Company
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
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
        patience = connection.exec_driver_sql("PRAGMA busy_timeout").scalar_one()
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert patience >= 10_000  # milliseconds: who writes waits for others, and is not refused at once


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_compiles_no_statement(app: Flask) -> None:
    """It would take longer than all the counts of a large company's report."""
    assert db.session.scalar(text("SHOW jit")) == "off"
