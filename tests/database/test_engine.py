"""What a connection is told when it opens, begins and ends, how long who writes waits, and what no error quotes."""

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import String, column, create_engine, insert, select, text
from sqlalchemy.exc import DBAPIError

from portal import clock
from portal.database import db as module
from portal.database.db import (
    POOLED,
    SCANS_ASIDE,
    always_take_indexes,
    ask_seldom,
    db,
    engine_options,
    patience,
    patience_left,
    reading,
    reading_apart,
    writing,
)
from portal.database.driver import Statement, run_words
from portal.database.rows import given
from portal.models import Company
from tests.factories import make_company

SETTINGS = ["SET lock_timeout = 15000", "SET jit = off", "SET random_page_cost = 1.1"]
NAME = "Ana Lima"


class Driver:
    """A connection of PostgreSQL's driver that notes what it is told, and whether outside of a transaction."""

    def __init__(self, *, served_by: int = 7) -> None:
        self.told: list[tuple[str, bool]] = []
        self.autocommit, self.read_only, self.prepare_threshold = False, None, 5
        self.info = SimpleNamespace(backend_pid=7)
        self._served_by = served_by

    def execute(self, words: str) -> Any:
        self.told.append((words, self.autocommit))
        return SimpleNamespace(fetchone=lambda: (self._served_by,))

    def commit(self) -> None:
        self.told.append(("COMMIT", self.autocommit))

    def rollback(self) -> None:
        self.told.append(("ROLLBACK", self.autocommit))


def test_each_database_is_asked_in_its_way_and_no_error_quotes_what_was_written() -> None:
    shared = {"hide_parameters": True, "max_overflow": 30, "query_cache_size": 100}
    assert engine_options("sqlite:///portal.db") == shared | {"connect_args": {"timeout": 15}}
    assert engine_options("postgresql+psycopg://db/portal") == shared | {"pool_pre_ping": True}


@pytest.mark.parametrize("is_pooled", [False, True])
def test_a_connection_to_postgresql_gets_its_settings_unless_a_pool_lends_another_server(is_pooled: bool) -> None:
    driver, record = Driver(served_by=8 if is_pooled else 7), SimpleNamespace(info={})
    module._open_postgresql(driver, record)
    asked = ["SELECT pg_backend_pid()", *([] if is_pooled else SETTINGS)]
    assert driver.told == [(words, True) for words in asked]
    assert (record.info, driver.autocommit) == ({POOLED: is_pooled}, False)
    assert driver.prepare_threshold == (None if is_pooled else 5)


def test_indexes_are_taken_on_each_connection_that_is_its_own_and_it_is_told_once() -> None:
    told = []
    for info in ({POOLED: True}, {POOLED: False}, {POOLED: False, SCANS_ASIDE: True}):
        driver = Driver()
        module._set_scans_aside(driver, SimpleNamespace(info=info), None)
        told.append((driver.told, driver.autocommit, info.get(SCANS_ASIDE)))
    assert told == [([], False, None), ([("SET enable_seqscan = off", True)], False, True), ([], False, True)]


def test_a_worker_takes_indexes_on_postgresql_alone_however_often_it_says_so() -> None:
    found = []
    for url in ("sqlite://", "postgresql+psycopg://nobody@localhost/none"):
        engine = create_engine(url)
        for _ in range(2):
            always_take_indexes(engine)
        found.append(list(engine.pool.dispatch.checkout))
        engine.dispose()
    assert found == [[], [module._set_scans_aside]]


@pytest.mark.parametrize(
    ("within", "is_pooled", "told", "read_only"),
    [
        ([], False, [], None),
        ([reading], False, [], True),
        ([reading, writing], False, [], None),
        ([lambda: patience(2)], False, ["SET LOCAL lock_timeout = 2000"], None),
        ([lambda: patience(0)], False, ["SET LOCAL lock_timeout = 1"], None),
        ([], True, ["SET LOCAL lock_timeout = 15000", "SET LOCAL random_page_cost = 1.1"], None),
    ],
)
def test_a_transaction_of_postgresql_begins_with_what_holds_for_it_alone(
    monkeypatch: pytest.MonkeyPatch,
    within: list[Callable[[], Any]],
    is_pooled: bool,
    told: list[str],
    read_only: bool | None,
) -> None:
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    for before in (None, True):
        driver, words = Driver(), []
        driver.read_only = before  # type: ignore[assignment]
        connection: Any = SimpleNamespace(
            connection=SimpleNamespace(driver_connection=driver), info={POOLED: is_pooled}, exec_driver_sql=words.append
        )
        entered = [each() for each in within]
        for each in entered:
            each.__enter__()
        module._begin_postgresql(connection)
        for each in reversed(entered):
            each.__exit__(None, None, None)
        assert (words, driver.read_only) == (told, read_only)


def test_a_connection_is_asked_once_a_second_whether_it_works_and_at_once_when_something_came_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[float] = []
    now = [100.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    here, there = socket.socketpair()

    class Connection:
        closed, fileno = False, here.fileno

    connection = Connection()
    ask = ask_seldom(lambda _: asked.append(now[0]) is None)
    with here, there:
        for moment in (100.0, 100.9, 101.0, 101.9):
            now[0] = moment
            assert ask(connection)
        assert asked == [100.0, 101.0]
        assert ask(Connection())
        assert asked == [100.0, 101.0, 101.9]  # another is asked for itself
        there.send(b"E")
        assert ask(connection)
        assert asked[3:] == [101.9]
        here.recv(1)
        connection.closed = True
        assert ask(connection)
        assert asked[4:] == [101.9]


@pytest.mark.parametrize(("read_only", "end"), [(None, "ROLLBACK"), (True, "COMMIT")])
def test_what_only_read_keeps_what_the_server_has_prepared(read_only: bool | None, end: str) -> None:
    driver = Driver()
    driver.read_only = read_only  # type: ignore[assignment]
    module._roll_back_postgresql(driver)
    assert driver.told == [(end, False)]


def test_patience_ends_with_the_shortest_that_is_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    assert patience_left() == 15
    with patience(10):
        with patience(12):
            assert patience_left() == 10
        with patience(4):
            now += 3
            assert patience_left() == 1
            now += 2
            assert patience_left() == 0
        assert patience_left() == 5
    assert patience_left() == 15
    for seconds, left in ((14.5, 14.5), (14.51, 15)):  # connections wait so long without being told
        with patience(seconds):
            assert patience_left() == pytest.approx(left)


def test_what_is_read_apart_ends_what_was_begun_and_lets_write_again(app: Flask) -> None:
    company = make_company()
    company.name = "Nobody saved this"
    db.session.flush()
    with suppress(LookupError), reading_apart(db.session):
        assert db.session.scalars(select(Company.name)).one() == "Vendas Exemplo"
        with pytest.raises(DBAPIError, match="readonly"):
            db.session.execute(text("DELETE FROM company"))
        raise LookupError
    company.name = "Outra"
    db.session.commit()


def test_no_error_of_the_database_quotes_what_was_to_be_written(app: Flask) -> None:
    company = make_company(NAME)
    columns = {"name": NAME, "id": company.id}
    failing: list[Callable[[Any], object]] = [
        lambda connection: connection.execute(insert(Company).values(columns)),
        lambda connection: Statement(select(given("name", String())).where(column("nowhere") == 1)).all(
            connection, name=NAME
        ),
        lambda connection: run_words(connection, "nonsense"),
    ]
    db.session.rollback()
    for act in failing:
        with db.engine.begin() as connection, pytest.raises(DBAPIError) as caught:
            act(connection)
        assert (NAME in str(caught.value), caught.value.hide_parameters) == (False, True)
        assert not caught.value.connection_invalidated


@pytest.fixture
def gone(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    connection = db.engine.connect()
    monkeypatch.setattr(connection.dialect, "is_disconnect", lambda *_: True)
    yield connection
    connection.close()


def test_a_connection_that_is_gone_is_taken_no_more(gone: Any) -> None:
    with pytest.raises(DBAPIError) as caught:
        run_words(gone, "nonsense")
    assert (caught.value.connection_invalidated, gone.invalidated) == (True, True)
