"""Statements that are told together do what each of them does by itself, and fail as it does."""

import pytest
from flask import Flask
from sqlalchemy import Table, select
from sqlalchemy.exc import IntegrityError

from portal.database.db import db
from portal.database.driver import Statement, insert_into, together
from portal.working_models import AttemptCount
from tests import factories
from tests.conftest import BOTH

table: Table = AttemptCount.__table__  # type: ignore[assignment]
INSERT, READ = insert_into(table), Statement(select(table.c.number))
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
