"""A backup a day: made once its time has come, looked at, and only its own old files removed."""

import logging
import os
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from portal.database.backup.nightly import Nightly, choose_kept, find_all, find_overdue, last_made_at
from portal.database.db import db
from portal.database.upkeep import size_of
from tests.factories import make_company, make_contact

AT = time(3)


def morning(day: int, hour: int = 3, minute: int = 5) -> datetime:
    return datetime(2026, 3, day, hour, minute, tzinfo=UTC)


def turn(nightly: Nightly, now: datetime) -> Path | None:
    """A turn at that moment, whose file is as old as it then would be."""
    made = nightly.turn(now)
    if made is not None:
        os.utime(made, (now.timestamp(), now.timestamp()))
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


def test_a_day_has_one_backup_however_late_the_worker_came(app: Flask, folder: Path) -> None:
    make_contact(make_company())
    db.session.commit()
    nightly = Nightly(db.engine, folder, AT)
    assert turn(nightly, morning(10, hour=1)) == folder / "nightly-2026-03-10.db", "none was made since yesterday at 3"
    assert turn(nightly, morning(10, hour=2, minute=59)) is None
    assert turn(nightly, morning(10)) == folder / "nightly-2026-03-10.db"
    assert turn(nightly, morning(10, hour=23)) is None
    assert turn(nightly, morning(11, hour=14)) == folder / "nightly-2026-03-11.db"
    with closing(sqlite3.connect(folder / "nightly-2026-03-11.db")) as copy:
        assert copy.execute("SELECT count(*) FROM contact").fetchone() == (1,)
    assert last_made_at(folder) == morning(11, hour=14)
    assert [file.stat().st_mode & 0o077 for file in (folder, *folder.iterdir())] == [0, 0, 0]


def test_what_is_kept_is_a_week_and_four_weeks_and_every_other_file(app: Flask, folder: Path) -> None:
    folder.mkdir()
    theirs = ["portal-2026-01-01.db", "nightly-old.db", "nightly-2026-01-01.db.gz"]
    for name in theirs:
        (folder / name).touch()
    nightly = Nightly(db.engine, folder, AT)
    for number in range(60):
        assert turn(nightly, morning(1) + timedelta(days=number)) is not None
    days = sorted(find_all(folder))
    last = date(2026, 4, 29)
    assert days[-7:] == [last - timedelta(days=number) for number in reversed(range(7))]
    assert days[:-7] == [date(2026, 4, 5), date(2026, 4, 12), date(2026, 4, 19), date(2026, 4, 22)]
    assert set(theirs) <= {file.name for file in folder.iterdir()}


def test_one_that_fails_is_said_and_tried_again_after_an_hour(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    nightly = Nightly(db.engine, folder, AT)
    usage = shutil.disk_usage(folder.parent)
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", lambda _: usage._replace(free=10))
        assert turn(nightly, morning(10)) is None
    (told,) = [record for record in caplog.records if getattr(record, "action", "") == "backup_failed"]
    assert told.levelno == logging.ERROR
    assert "it was skipped" in told.getMessage()
    assert turn(nightly, morning(10, minute=30)) is None
    assert turn(nightly, morning(10, hour=4, minute=6)) is not None


@pytest.mark.parametrize(("missing", "is_made"), [(0, True), (1, False)])
def test_a_backup_needs_twice_the_databases_size_on_its_disk(
    app: Flask, folder: Path, monkeypatch: pytest.MonkeyPatch, missing: int, is_made: bool
) -> None:
    free = 2 * (size_of(db.engine) or 0) - missing
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    assert (turn(Nightly(db.engine, folder, AT), morning(10)) is not None) == is_made


def test_one_that_failed_is_tried_again_at_the_hour_and_not_before(app: Flask, folder: Path) -> None:
    nightly = Nightly(db.engine, folder, AT)
    folder.touch()  # no folder can be made there
    assert nightly.turn(morning(10)) is None
    folder.unlink()
    assert nightly.turn(morning(10) + timedelta(hours=1, microseconds=-1)) is None
    assert nightly.turn(morning(10) + timedelta(hours=1)) is not None


@pytest.mark.parametrize(("microseconds", "is_overdue"), [(0, False), (1, True)])
def test_two_days_without_one_are_too_long(folder: Path, microseconds: int, is_overdue: bool) -> None:
    now = morning(10) + timedelta(days=2, microseconds=microseconds)
    assert find_overdue(folder, begun_at=morning(10), now=now) == (morning(10) if is_overdue else None)


def test_the_weeks_are_those_before_the_kept_days() -> None:
    assert choose_kept([]) == set()
    assert choose_kept([date(2026, 1, 1)]) == {date(2026, 1, 1)}


def test_a_backup_that_is_just_being_removed_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "nightly-2026-01-01.db").symlink_to(tmp_path / "gone")
    assert last_made_at(tmp_path) is None
