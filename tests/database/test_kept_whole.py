"""What a restore holds, what an upgrade leaves of folder and keys, and how a reference that lost a rule is told."""

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import create_engine, text

from portal.clock import utcnow
from portal.database import backup
from portal.database.backup import BackupError
from portal.database.backup.contents import HOLD
from portal.database.db import db, prepare_engine
from portal.database.structure import find_flaws
from portal.database.upgrading import KEPT_BACKUPS, back_up, upgrade_schema
from portal.working_models import WorkerHeartbeat
from tests.conftest import URL
from tests.factories import endpoint_of, make_company

OTHERS = (
    "portal-0001-20260101T000000Z.db.keep",
    "portal-copy-20260101T000000Z.db",
    "portal-00011-20260101T000000Z.db",
    "my-portal-0001-20260101T000000Z.db",
    "portal-0001-20260101T000000.db",
    "nightly-2026-01-01.db",
)


def test_a_restored_outbox_is_held_whole(app: Flask) -> None:
    known, without = make_company(url=URL), make_company("Sem endereço")
    for company in (known, without):
        endpoint_of(company).state, endpoint_of(company).next_probe_at = "failing", utcnow()
    db.session.add(WorkerHeartbeat(worker="a:1:2", seen_at=utcnow()))
    db.session.commit()
    with db.engine.begin() as connection:
        for statement in HOLD:
            connection.execute(text(statement))
    db.session.expire_all()
    held, other = endpoint_of(known), endpoint_of(without)
    assert (held.state, held.paused_reason, held.next_probe_at) == ("paused", "restored", None)
    assert (other.state, other.paused_reason) == ("failing", None)
    assert db.session.query(WorkerHeartbeat).count() == 0


def test_only_the_oldest_copies_of_upgrades_go_and_nothing_of_an_operator(app: Flask, tmp_path: Path) -> None:
    make_company()
    db.session.commit()
    db.session.remove()
    folder = tmp_path / "backups"
    folder.mkdir()
    for name in OTHERS:
        (folder / name).touch()
    # The newest are of a lower revision: what counts is when they were made.
    made = [f"portal-{9 - at:04}-202603{at:02}T000000Z.db" for at in range(1, KEPT_BACKUPS + 2)]
    for name in made:
        back_up(db.engine, folder / name)
    assert {file.name for file in folder.iterdir()} == {*OTHERS, *made[1:]}


def test_the_copy_of_another_upgrade_in_the_same_second_stays(app: Flask, tmp_path: Path) -> None:
    """That one was first: what stands in the database by now may be what came of it."""
    path = tmp_path / "backups" / "portal-0041-20260301T000000Z.db"
    back_up(db.engine, path)
    first = path.read_bytes()
    make_company()
    db.session.commit()
    assert (back_up(db.engine, path), path.read_bytes()) == (path, first)
    assert list(path.parent.iterdir()) == [path]


def test_a_copy_that_the_disk_has_no_room_for_leaves_nothing(
    app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fill_up(_source: Path, target: Path) -> None:
        for part in (target, target.with_name(f"{target.name}-journal")):
            part.write_bytes(b"half")
        raise sqlite3.OperationalError("database or disk is full")

    for place in ("portal.database.upgrading", "portal.database.backup.sqlite"):
        monkeypatch.setattr(f"{place}.copy_database", fill_up)
    path = tmp_path / "backups" / "portal-0001-20260301T000000Z.db"
    with pytest.raises(sqlite3.OperationalError):
        back_up(db.engine, path)
    with pytest.raises(BackupError):
        backup.back_up(db.engine, path)
    assert list(path.parent.iterdir()) == []


def test_an_upgrade_gives_the_keys_back_to_the_connection_that_it_took(tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path / 'portal.db'}")
    prepare_engine(engine)
    upgrade_schema(engine, backups=None, now=utcnow() - timedelta(days=1))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    engine.dispose()


@pytest.mark.parametrize("lost", [" ON UPDATE CASCADE", " ON DELETE CASCADE"])
def test_a_reference_that_lost_what_follows_a_change_is_told(app: Flask, lost: str) -> None:
    path = Path(str(db.engine.url.database))
    db.session.remove()
    db.engine.dispose()
    with closing(sqlite3.connect(path)) as file:
        names = [
            name for (name, sql) in file.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE ?", [f"%{lost}%"])
        ]
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_master SET sql = replace(sql, ?, '') WHERE name = ?", [lost, names[0]])
        file.commit()
    with db.engine.connect() as connection:
        flaws = [flaw.message for flaw in find_flaws(connection, db.metadata)]
    assert any(message.startswith(f"{names[0]} lacks the constraint") for message in flaws)
