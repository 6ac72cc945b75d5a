"""How a worker shows that it listens."""

import os
import shutil
from pathlib import Path

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select

from portal.database.db import db
from portal.outbox import bell
from portal.outbox.bell import DUE, DatagramBell, DatagramEar, NotifyEar
from tests.factories import NOON


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
    DatagramBell(tmp_path / "nowhere").after_commit()


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


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_nobody_else_gets_the_connection_of_an_ear_that_cannot_listen(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    db.session.remove()
    db.engine.dispose()  # the pool has only what the ear gives back
    monkeypatch.setattr(bell, "CHANNEL", "no channel")
    assert not NotifyEar(db.engine).wait(0)
    with db.engine.connect() as connection:
        assert connection.connection.driver_connection.autocommit is False  # type: ignore[union-attr]
