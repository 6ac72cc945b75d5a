"""Writers on SQLite wait for each other in this process's own queue, and never for one who is through."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import OperationalError

from portal.database.db import db, patience, reading, take_turns
from portal.database.turns import Turn

NOBODY = object()


@pytest.fixture
def turn() -> Turn:
    return Turn()


@pytest.fixture
def engine(tmp_path: Path, turn: Turn) -> Iterator[Engine]:
    engine = create_engine(
        f"sqlite:///{tmp_path / 'turns.db'}", connect_args={"isolation_level": None, "check_same_thread": False}
    )
    take_turns(engine, turn)
    yield engine
    engine.dispose()


def is_free(turn: Turn) -> bool:
    taken = turn.take(NOBODY, at_most=0)
    turn.give_back(NOBODY)
    return taken


def fail(connection: Connection) -> None:
    with pytest.raises(OperationalError):
        connection.exec_driver_sql("nonsense")
    connection.rollback()


@pytest.mark.parametrize("end", [Connection.commit, Connection.rollback, Connection.close, Connection.invalidate, fail])
def test_a_turn_ends_with_its_transaction(engine: Engine, turn: Turn, end: Callable[[Connection], None]) -> None:
    with engine.connect() as connection:
        connection.begin()
        assert not is_free(turn)
        end(connection)
        assert is_free(turn)


def test_a_turn_ends_where_its_transaction_cannot_begin(engine: Engine, turn: Turn, tmp_path: Path) -> None:
    other = create_engine(f"sqlite:///{tmp_path / 'turns.db'}", connect_args={"isolation_level": None})
    with other.connect() as elsewhere, engine.connect() as connection, patience(0):
        elsewhere.exec_driver_sql("BEGIN IMMEDIATE")
        with pytest.raises(OperationalError, match="locked"):
            connection.begin()
        assert is_free(turn)
    other.dispose()


def test_who_only_reads_asks_for_no_turn(engine: Engine, turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    turn.take(NOBODY, at_most=0)
    with monkeypatch.context() as patch, reading():
        patch.setattr(turn, "take", None)
        with engine.begin() as connection:
            assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    assert not turn.take(engine, at_most=0), "a reader gave back what it did not have"


def test_sqlite_decides_about_whoever_is_out_of_patience(engine: Engine, turn: Turn) -> None:
    turn.take(NOBODY, at_most=0)
    with patience(0), engine.begin() as connection:  # nobody has the lock
        with pytest.raises(OperationalError, match="locked"), engine.begin():
            pass
        connection.exec_driver_sql("CREATE TABLE fact (id INTEGER)")
    turn.give_back(NOBODY)
    assert is_free(turn)


def test_a_child_waits_for_nobody_of_its_parent(turn: Turn) -> None:
    turn.take(NOBODY, at_most=0)
    turn.begin_anew()
    assert is_free(turn)


def test_the_portals_writers_take_turns(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    take, waits = Turn.take, threading.Semaphore(0)

    def take_and_tell(self: Turn, connection: object, *, at_most: float) -> bool:
        waits.release()
        return take(self, connection, at_most=at_most)

    monkeypatch.setattr(Turn, "take", take_and_tell)
    db.session.rollback()
    engine, written = db.engine, []

    def write() -> None:
        with engine.begin():
            written.append("later")

    with engine.begin():
        later = threading.Thread(target=write)
        later.start()
        assert all(waits.acquire(timeout=60) for _ in range(2)), "who comes later asks for the turn, too"
        written.append("first")
    later.join()
    assert written == ["first", "later"]
