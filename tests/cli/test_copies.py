"""Copies from before an erasure are named, with the command that removes them."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from portal.database.db import db
from portal.privacy import marks
from tests.cli.conftest import Run
from tests.conftest import MakeApp
from tests.factories import make_company, make_contact

NIGHTLY = "nightly-2026-01-01.db"
COPIES = ("portal-0029-20260101T000000Z.db", "before-restore-20260101T000000Z.db", "of friday.db")


@pytest.fixture
def copies(app: Flask, instance: Path) -> list[Path]:
    """One of each kind, from before the erasure."""
    folder = instance / "backups"
    folder.mkdir()
    for name in (NIGHTLY, *COPIES):
        (folder / name).touch()
        os.utime(folder / name, (1_000_000, 1_000_000))
    return sorted(folder / name for name in COPIES)


def erase_somebody(run: Run) -> str:
    contact = make_contact(make_company())
    return str(run("erase", "--contact", contact.id, "--yes").stdout)


def test_whoever_erases_is_told_what_still_holds_the_person(run: Run, copies: list[Path], instance: Path) -> None:
    said = erase_somebody(run)
    command = shlex.join(["rm", *map(str, copies)])
    assert f"To remove them: {command}\n" in said
    assert "So may nightly backups, which go by themselves within weeks: 1." in said
    told = run("doctor").stdout
    assert told.count("may still hold who was erased") == 2
    assert f"and stay until you remove them: {command}\n" in told
    subprocess.run(command, shell=True, check=True)
    (instance / "backups" / NIGHTLY).unlink()
    assert "copies" not in run("doctor").stdout


def test_what_was_made_after_the_erasure_is_not_named(run: Run, copies: list[Path], instance: Path) -> None:
    erase_somebody(run)
    later = (instance / marks.FILE).stat().st_mtime + 1  # file systems tell moments apart by milliseconds only
    for path in (*copies, copies[0].parent / NIGHTLY):
        os.utime(path, (later, later))
    assert "may still hold" not in run("doctor").stdout


def test_what_was_made_at_the_same_moment_is_named(run: Run, copies: list[Path], instance: Path) -> None:
    erase_somebody(run)
    os.utime(instance / marks.FILE, (1_000_000, 1_000_000))
    assert "may still hold" in run("doctor").stdout


def touch_all(instance: Path, seconds: int) -> None:
    """What copying a folder may do to the times in it."""
    for path in (*(instance / "backups").iterdir(), instance / "erasures"):
        os.utime(path, (seconds, seconds))


@pytest.mark.parametrize(("copied_at", "erasures_at"), [(1_000_000, 2_000_000), (2_000_000, 1_000_000)])
def test_a_backup_is_old_by_what_it_holds_and_not_by_its_time(
    run: Run, app: Flask, instance: Path, copied_at: int, erasures_at: int
) -> None:
    backups = instance / "backups"
    backups.mkdir()
    contact = make_contact(make_company())
    assert not run("backup", backups / "before.db").exit_code
    run("erase", "--contact", contact.id, "--yes")
    assert not run("backup", backups / "after.db").exit_code
    touch_all(instance, copied_at)
    os.utime(instance / "erasures", (erasures_at, erasures_at))
    told = run("doctor").stdout
    assert shlex.join(["rm", str(backups / "before.db")]) in told
    assert "after.db" not in told
    assert sorted(path.name for path in backups.iterdir()) == ["after.db", "before.db"]


def test_a_copy_that_goes_while_it_is_looked_at_is_no_matter(
    run: Run, copies: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file = Path.is_file

    def take_away(path: Path) -> bool:
        was_there = is_file(path)
        if path in copies:
            path.unlink(missing_ok=True)
        return was_there

    monkeypatch.setattr(Path, "is_file", take_away)
    said = erase_somebody(run)
    assert "is erased" in said
    assert "To remove them" not in said


def test_a_list_of_the_erased_that_is_no_text_leaves_the_times(run: Run, copies: list[Path], instance: Path) -> None:
    (instance / "erasures").write_bytes(b"\xff\xfe")
    said = erase_somebody(run)
    assert "To remove them" in said


def test_nobody_erased_nothing_named(run: Run, copies: list[Path]) -> None:
    assert "may still hold" not in run("doctor").stdout


def test_nightly_files_stay_where_none_are_made_any_more(run: Run, copies: list[Path]) -> None:
    erase_somebody(run)
    assert NIGHTLY in run("doctor", PORTAL_BACKUP_AT="off").stdout


def test_after_a_move_the_old_file_is_named(run: Run, copies: list[Path], instance: Path, postgres_url: str) -> None:
    erase_somebody(run)
    os.utime(instance / "portal.db", (1_000_000, 1_000_000))
    told = run("doctor", PORTAL_DATABASE_URL=postgres_url).stdout
    assert str(instance / "portal.db") in told


def test_a_dump_of_postgresql_is_old_by_what_it_holds(
    make_app: MakeApp, run: Run, postgres_url: str, instance: Path
) -> None:
    there = {"PORTAL_DATABASE_URL": postgres_url}
    backups = instance / "backups"
    backups.mkdir()
    with make_app(database_url=postgres_url).app_context():
        contact_id = make_contact(make_company()).id
        db.session.rollback()
    assert not run("backup", backups / "before.dump", **there).exit_code
    run("erase", "--contact", contact_id, "--yes", **there)
    assert not run("backup", backups / "after.dump", **there).exit_code
    touch_all(instance, 1_000_000)
    told = run("doctor", **there).stdout
    assert shlex.join(["rm", str(backups / "before.dump")]) in told
