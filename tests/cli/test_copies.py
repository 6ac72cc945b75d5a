"""Copies from before an erasure are named, with the command that removes them."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest
from flask import Flask

from portal.privacy import marks
from tests.cli.conftest import Run
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


def test_what_was_made_after_the_erasure_is_not_named(run: Run, copies: list[Path]) -> None:
    erase_somebody(run)
    for path in copies:
        os.utime(path)
    os.utime(copies[0].parent / NIGHTLY)
    assert "may still hold" not in run("doctor").stdout


def test_what_was_made_at_the_same_moment_is_named(run: Run, copies: list[Path], instance: Path) -> None:
    erase_somebody(run)
    os.utime(instance / marks.FILE, (1_000_000, 1_000_000))
    assert "may still hold" in run("doctor").stdout


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
