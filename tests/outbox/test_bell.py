"""How a worker shows that it listens."""

import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from resource import RUSAGE_THREAD, getrusage
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
import time_machine
from flask import Flask
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import scoped_session, sessionmaker

from portal import clock, create_app, outbox
from portal.database.db import POOLED, db
from portal.outbox import bell
from portal.outbox.bell import CALLED, DUE, DatagramBell, DatagramEar, NotifyBell, NotifyEar, make_bell, make_ear
from portal.runtime import runtime
from tests.conftest import BOTH
from tests.factories import NOON, make_company, make_contact


def test_a_worker_whose_folder_can_no_longer_be_written_goes_on_and_ends(tmp_path: Path) -> None:
    ear = DatagramEar(tmp_path)
    file = tmp_path / "workers" / ear.name
    assert file.exists()
    shutil.rmtree(file.parent)
    file.parent.write_text("where nothing can be written")
    ear.show_life()
    ear.close()
    assert file.parent.is_file()


def test_an_ear_hears_a_call_and_nothing_else(tmp_path: Path) -> None:
    ear = DatagramEar(tmp_path)
    try:
        assert not ear.wait(0.01)
        DatagramBell(tmp_path).after_commit()
        assert ear.wait(5)
        assert not ear.wait(0.01)
    finally:
        ear.close()


def test_a_commit_rings_once_however_many_applications_a_process_made(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What an application adds to the sessions of all would be added while others commit, too."""
    other = create_app(runtime().settings)
    other.extensions["portal"].egress.close()
    rung: list[Any] = []
    counted = SimpleNamespace(before_commit=rung.append, after_commit=lambda: None)
    monkeypatch.setitem(app.extensions, "portal", replace(runtime(), bell=counted))
    db.session.info[DUE] = True
    db.session.commit()
    assert len(rung) == 1


def test_what_else_lies_in_the_folder_keeps_no_worker_from_hearing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ears = [DatagramEar(tmp_path) for _ in range(2)]
    odd = ["99999", "note", "-1", "0", "9" * 30]
    monkeypatch.setattr(os, "listdir", lambda _folder: [*odd, *(ear.name for ear in ears)])
    try:
        DatagramBell(tmp_path).after_commit()
        assert [ear.wait(5) for ear in ears] == [True, True]
    finally:
        for ear in ears:
            ear.close()


def test_where_no_worker_ever_was_a_call_is_lost_and_fails_nobody(tmp_path: Path) -> None:
    folder = tmp_path / "nowhere"
    DatagramBell(folder).after_commit()
    assert not folder.exists(), "whoever calls makes no worker's place"


def test_the_file_of_a_worker_that_was_killed_goes_after_a_minute_and_no_other(tmp_path: Path) -> None:
    with time_machine.travel(NOON, tick=False):
        ear = DatagramEar(tmp_path)
        ages = {"1": 61, "2": 60, "note": 3600, ear.name: 59}
        for name, age in ages.items():
            file = tmp_path / "workers" / name
            file.touch()
            os.utime(file, (NOON.timestamp() - age,) * 2)
        ear.show_life()
        assert {file.name for file in (tmp_path / "workers").iterdir()} == {"2", "note", ear.name}
        ear.close()
        assert {file.name for file in (tmp_path / "workers").iterdir()} == {"2", "note"}


def test_a_commit_that_made_something_due_rings_once_and_a_rollback_forgets(app: Flask) -> None:
    ear = DatagramEar(Path(app.instance_path))
    try:
        for ends, is_due, rings in (("commit", True, True), ("commit", None, False), ("rollback", True, False)):
            db.session.execute(select(1))
            if is_due:
                db.session.info[DUE] = is_due
            getattr(db.session, ends)()
            assert ear.wait(0.01 if not rings else 5) is rings
        db.session.execute(select(1))
        db.session.commit()
        assert not ear.wait(0.01)
    finally:
        ear.close()


@pytest.mark.parametrize(("told", "rung"), [({}, []), ({"other": True}, []), ({DUE: True}, ["before", "after"])])
def test_the_bell_is_called_before_and_after_a_commit_that_made_something_due(
    told: dict[str, bool], rung: list[str]
) -> None:
    found: list[str] = []
    current: Any = SimpleNamespace(
        before_commit=lambda _: found.append("before"), after_commit=lambda: found.append("after")
    )
    sessions = scoped_session(sessionmaker(create_engine("sqlite://")))
    bell.ring_on_commit(sessions, lambda: current)
    sessions().info.update(told)
    sessions.execute(select(1))
    sessions.commit()
    assert found == rung
    sessions.remove()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_else_gets_the_connection_of_an_ear_that_cannot_listen(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.session.remove()
    db.engine.dispose()  # the pool has only what the ear gives back
    monkeypatch.setattr(bell, "CHANNEL", "no channel")
    ear = NotifyEar(db.engine)
    assert not ear.wait(0)
    ear.close()
    with db.engine.connect() as connection:
        assert connection.connection.driver_connection.autocommit is False  # type: ignore[union-attr]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_an_ear_of_postgresql_sleeps_until_it_is_called(app: Flask) -> None:
    ear = NotifyEar(db.engine)
    try:
        assert ear.wait(0), "it listens from now on"
        before = getrusage(RUSAGE_THREAD).ru_nvcsw
        assert not ear.wait(1.0)
        assert getrusage(RUSAGE_THREAD).ru_nvcsw - before < 6, "it woke by itself"
        with db.engine.begin() as connection:
            connection.execute(text("NOTIFY portal_due"))
        assert ear.wait(10)
        assert not ear.wait(0)
        ear.wake()
        begun = time.monotonic()
        assert not ear.wait(60), "nobody called"
        assert time.monotonic() - begun < 30
    finally:
        ear.close()


READABLE = os.eventfd(1)
"""A descriptor that always has something to read."""


class Wire:
    """A connection of PostgreSQL's that notes what it is told, and hears what it is given."""

    def __init__(self, *, is_pooled: bool = False, heard: Sequence[int | Exception] = ()) -> None:
        self.info = {POOLED: is_pooled}
        self.driver_connection: Any = SimpleNamespace(
            autocommit=False, notifies=self._notifies, fileno=lambda: READABLE
        )
        self.told: list[Any] = []
        self._heard = list(heard)

    def cursor(self) -> Any:
        return SimpleNamespace(execute=lambda words: self.told.append((words, self.driver_connection.autocommit)))

    def _notifies(self, *, timeout: float, stop_after: int) -> Iterator[str]:
        self.told.append((timeout, stop_after))
        heard = self._heard.pop(0)
        if isinstance(heard, Exception):
            raise heard
        yield from ["call"] * heard

    def invalidate(self) -> None:
        self.told.append("invalidate")

    def close(self) -> None:
        self.told.append("close")
        raise psycopg.OperationalError("it is gone")


class Server:
    """An engine of PostgreSQL whose connections are these, in turn."""

    def __init__(self, *wires: Wire) -> None:
        self.dialect = SimpleNamespace(name="postgresql", loaded_dbapi=psycopg)
        self._wires = list(wires)
        self.said: list[str] = []

    def raw_connection(self) -> Wire:
        if not self._wires:
            raise psycopg.OperationalError("nobody answers")
        return self._wires.pop(0)

    @contextmanager
    def begin(self) -> Iterator[Any]:
        yield SimpleNamespace(execute=lambda words: self.said.append(str(words)))


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr(clock, "sleep", slept.append)
    return slept


LISTENS = ("LISTEN portal_due", True)


def test_an_ear_of_postgresql_listens_at_its_first_wait_and_then_hears_calls(slept: list[float]) -> None:
    wire = Wire(heard=[0, 1])
    server: Any = Server(wire)
    ear = NotifyEar(server)
    assert [ear.wait(0.25), ear.wait(0.25), ear.wait(0.5)] == [True, False, True]
    assert wire.told == [LISTENS, (0, 1), (0, 1)]
    ear.show_life()
    for _ in range(2):
        ear.close()
    assert (wire.told[3:], slept, server.said) == (["invalidate", "close"], [], [])


def test_a_connection_that_breaks_is_given_up_and_another_one_listens_after_a_while(slept: list[float]) -> None:
    broken, next_one = Wire(heard=[psycopg.OperationalError("gone")]), Wire(heard=[1])
    server: Any = Server(broken, next_one)
    ear = NotifyEar(server)
    assert [ear.wait(0.25) for _ in range(4)] == [True, False, True, True]
    assert (broken.told, next_one.told) == ([LISTENS, (0, 1), "invalidate", "close"], [LISTENS, (0, 1)])
    assert slept == [0.25]
    ear.close()
    silent: Any = Server()
    ear = NotifyEar(silent)
    assert (ear.wait(3600), slept) == (False, [0.25, 0.5])
    ear.close()


@pytest.mark.parametrize("is_heard", [1, 0])
def test_behind_a_pool_an_ear_is_tried_first_and_says_once_that_it_hears_nothing(
    slept: list[float], caplog: pytest.LogCaptureFixture, is_heard: int
) -> None:
    wire = Wire(is_pooled=True, heard=[is_heard, 1])
    server: Any = Server(wire)
    ear = NotifyEar(server)
    assert [ear.wait(0.25), ear.wait(0.25)] == [True, bool(is_heard)]
    tried = [LISTENS, (2.0, 1)]
    assert (server.said, wire.told) == (
        ["NOTIFY portal_due"],
        [*tried, (0, 1)] if is_heard else [*tried, "invalidate", "close"],
    )
    ear.close()
    assert slept == ([] if is_heard else [0.25])
    words = "The pool before PostgreSQL lends a server for one transaction (pgbouncer: pool_mode = transaction), so "
    told = [] if is_heard else [("bell_unheard", f"{words}this worker is not woken at once: it looks once a second.")]
    assert [(getattr(each, "action", ""), each.getMessage()) for each in caplog.records] == told


def test_each_database_has_its_own_bell_and_ear(app: Flask, tmp_path: Path) -> None:
    server: Any = Server()
    kinds = []
    for engine in (db.engine, server):
        ear = make_ear(engine, tmp_path)
        kinds.append((type(make_bell(engine, tmp_path)), type(ear)))
        ear.close()
    assert kinds == [(DatagramBell, DatagramEar), (NotifyBell, NotifyEar)]


def test_the_bell_of_postgresql_rings_within_the_transaction(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[tuple[object, str]] = []
    monkeypatch.setattr(bell, "run_words", lambda connection, words: said.append((connection, words)))
    rings: Any = NotifyBell()
    rings.before_commit(db.session)
    rings.after_commit()
    assert said == [(db.session.connection(), "NOTIFY portal_due")]
    db.session.info[DUE] = CALLED
    rings.before_commit(db.session)
    assert len(said) == 1


@BOTH
def test_what_is_put_into_the_outbox_calls_once_it_is_committed(app: Flask, tmp_path: Path) -> None:
    contact = make_contact(make_company())
    facts = {"contact_id": contact.id, "campaign_id": None, "owner_id": None, "body": b"{}"}
    levels = {"interest_level": 3, "previous_level": None}
    db.session.commit()
    ear = make_ear(db.engine, runtime().settings.instance)
    try:
        ear.wait(0.01)  # it listens from now on
        outbox.enqueue(db.session, contact.company_id, [facts | levels], trigger="sync", actor="ana", now=NOON)
        assert not ear.wait(0.05)
        db.session.commit()
        assert ear.wait(10)
    finally:
        ear.close()
