"""What each check of `portal doctor` says on either side of its edges."""

import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import time, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.cli import checks
from portal.cli.checks import MEGABYTE, Finding
from portal.config import Settings
from portal.database.db import db
from portal.models import Endpoint
from portal.privacy import marks
from portal.working_models import WorkerHeartbeat
from tests.conftest import URL
from tests.factories import NOON, make_company, make_contact, make_delivery

PLENTY = 1000 * MEGABYTE


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "instance"
    folder.mkdir(mode=0o700)
    return Settings(instance=folder, database_url=f"sqlite:///{folder}/portal.db", secret_key="k" * 48)


def said(findings: Iterable[Finding]) -> list[tuple[str, str, str]]:
    return [(each.check, each.level, each.message) for each in findings]


def with_free(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=free))


@pytest.mark.parametrize(
    ("mode", "level"), [(0o700, "ok"), (0o770, "ok"), (0o701, "warn"), (0o702, "warn"), (0o704, "warn")]
)
def test_a_folder_that_is_open_to_everybody_is_a_warning(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, mode: int, level: str
) -> None:
    with_free(monkeypatch, PLENTY)
    settings.instance.chmod(mode)
    folder = settings.instance
    words = f"{folder} is open to every user of this machine: chmod 750 {folder}" if level == "warn" else str(folder)
    assert said(checks.check_instance(settings)) == [("instance", level, words), ("disk", "ok", "1000 MB free")]


def test_a_folder_that_is_elsewhere_is_well_and_one_of_another_user_fails(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = replace(settings, instance=settings.instance / "none")
    words = f"{nowhere.instance} does not exist: the database and the key are elsewhere"
    assert said(checks.check_instance(nowhere)) == [("instance", "ok", words)]
    for refused in (os.R_OK, os.W_OK, os.X_OK):
        with monkeypatch.context() as patch:
            patch.setattr(os, "access", lambda _, asked, refused=refused: not asked & refused)
            (first, *_) = said(checks.check_instance(settings))
        folder = settings.instance
        assert first == ("instance", "fail", f"{folder} cannot be written by its own user: chmod u+rwx {folder}")


@pytest.mark.parametrize(
    ("user", "flag", "words"),
    [
        (1, 0, ". It belongs to user {}, and this is user {}: chown it, or run as it."),
        (0, os.ST_RDONLY, ": its disk is read-only. Mount it for writing; a defect may be behind it."),
    ],
)
def test_what_cannot_be_written_is_told_by_its_cause(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, user: int, flag: int, words: str
) -> None:
    settings.backups.mkdir()
    owner = os.geteuid()
    monkeypatch.setattr(os, "access", lambda *_: False)
    monkeypatch.setattr(os, "geteuid", lambda: owner + user)
    monkeypatch.setattr(os, "statvfs", lambda _: SimpleNamespace(f_flag=flag))
    with_free(monkeypatch, PLENTY)
    told = words.format(owner, owner + user)
    assert said(checks.check_instance(settings))[0][2] == f"{settings.instance} cannot be written{told}"
    [(_, level, message)] = said(checks.check_backups(replace(settings, backup_at=time(3))))
    assert (level, message) == ("fail", f"{settings.backups} cannot be written{told}")


@pytest.mark.parametrize(("mode", "is_open"), [(0o600, False), (0o610, True), (0o601, True), (0o644, True)])
def test_a_key_is_for_its_owner_alone(settings: Settings, mode: int, is_open: bool) -> None:
    key = settings.instance / "secret.key"
    key.touch()
    key.chmod(mode)
    expected = [("instance", "fail", f"Others may read {key}: chmod 600 {key}")] if is_open else []
    assert said(checks.check_instance(settings))[1:-1] == expected


@pytest.mark.parametrize(("missing", "level"), [(0, "ok"), (1, "warn"), (900, "warn"), (901, "fail")])
def test_a_disk_has_room_for_a_while(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, missing: int, level: str
) -> None:
    with_free(monkeypatch, PLENTY - missing * MEGABYTE)
    advice = "" if level == "ok" else ": make room before the database cannot be written any more"
    assert said(checks.check_instance(settings))[-1] == ("disk", level, f"{1000 - missing} MB free{advice}")


@pytest.mark.parametrize(
    ("given", "level", "words"),
    [
        ({}, "warn", "PORTAL_BASE_URL is not set"),
        ({"base_url": "http://x.test"}, "warn", "http://x.test is not https"),
        *(({"base_url": f"http://{host}:8000"}, "ok", "http://") for host in ("localhost", "127.0.0.1", "[::1]")),
        ({"base_url": "https://x.test"}, "warn", "https://x.test needs a proxy in front: set PORTAL_PROXY_HOPS=1."),
        ({"base_url": "https://localhost"}, "warn", "https://localhost needs a proxy"),
        ({"base_url": "https://x.test", "proxy_hops": 1}, "ok", "https://x.test"),
    ],
)
def test_the_base_address_is_judged(settings: Settings, given: Mapping[str, Any], level: str, words: str) -> None:
    ((check, found, message),) = said(checks.check_base_url(replace(settings, **given)))
    assert (check, found, message[: len(words)]) == ("address", level, words)


@pytest.mark.parametrize(
    ("age", "level", "words"),
    [
        (timedelta(days=2), "ok", "The last one: 2026-"),
        (timedelta(days=2, seconds=1), "warn", "The last one is old: see the worker's log and the disk. 2026-"),
    ],
)
def test_a_last_backup_of_two_days_is_old(settings: Settings, age: timedelta, level: str, words: str) -> None:
    settings = replace(settings, backup_at=time(3))
    settings.backups.mkdir()
    file = settings.backups / "nightly-2026-01-01.db"
    file.touch()
    os.utime(file, (NOON.timestamp(), NOON.timestamp()))
    with time_machine.travel(NOON + age, tick=False):
        ((_, found, message),) = said(checks.check_backups(settings))
    assert (found, message[: len(words)]) == (level, words)


def test_backups_are_off_none_yet_or_cannot_be_made(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    off = ("backups", "ok", "PORTAL_BACKUP_AT is off: the portal makes none by itself.")
    assert said(checks.check_backups(settings)) == [off]
    settings = replace(settings, backup_at=time(3))
    place = settings.backups
    assert said(checks.check_backups(settings)) == [("backups", "warn", f"None is in {place} yet.")]
    place.mkdir()
    assert said(checks.check_backups(settings)) == [("backups", "warn", f"None is in {place} yet.")]
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        words = f"{place} cannot be written by its own user: chmod u+rwx {place}"
        assert said(checks.check_backups(settings)) == [("backups", "fail", words)]
    place.rmdir()
    place.touch()
    words = f"{place} is no folder, so none can be made: move it away."
    assert said(checks.check_backups(settings)) == [("backups", "fail", words)]


def test_the_list_of_the_erased_has_to_be_a_file(settings: Settings) -> None:
    assert said(checks.check_copies(settings)) == []
    (settings.instance / marks.FILE).mkdir()
    ((_, level, message),) = said(checks.check_copies(settings))
    assert (level, "is no file, so who was erased is not noted there" in message) == ("fail", True)


@pytest.mark.parametrize(
    ("facts", "level", "words"),
    [
        ({"url": None}, "warn", "no address is set, so nothing is sent: `portal webhook set URL`."),
        ({"state": "active"}, "ok", "active"),
        ({"state": "failing"}, "warn", "its receiver takes nothing; what waits goes out when it is back."),
        ({"state": "paused", "paused_reason": "restored"}, "warn", "paused (restored): `portal webhook resume`"),
    ],
)
def test_an_endpoint_is_judged_by_its_state(facts: Mapping[str, Any], level: str, words: str) -> None:
    found, message = checks._judge_state(Endpoint(**{"url": URL, "state": "active"} | facts))
    assert (found, message[: len(words)]) == (level, words)


@pytest.mark.parametrize(("seconds", "level"), [(60, "ok"), (61, "warn"), (600, "warn"), (601, "fail")])
def test_a_queue_is_late_after_a_minute_and_very_late_after_ten(app: Flask, seconds: int, level: str) -> None:
    with time_machine.travel(NOON, tick=False):
        make_delivery(make_contact(make_company(url=URL))).next_attempt_at = NOON - timedelta(seconds=seconds)
        db.session.add(WorkerHeartbeat(worker="a", seen_at=NOON))
        db.session.commit()
        worker, queue = said(checks.check_sending())
    assert worker == ("worker", "ok", "1 alive")
    is_told = "is the worker alive" in queue[2]
    assert (*queue[:2], is_told) == ("queue", level, level != "ok")
    assert queue[2].startswith(f"The oldest due delivery waits for {seconds} s")


@pytest.mark.parametrize(("ahead", "level"), [(300, "ok"), (301, "fail")])
def test_a_clock_is_wrong_where_what_was_written_is_five_minutes_ahead(app: Flask, ahead: int, level: str) -> None:
    with time_machine.travel(NOON, tick=False):
        make_delivery(make_contact(make_company(url=URL))).created_at = NOON + timedelta(seconds=ahead)
        db.session.commit()
        ((check, found, _),) = said(checks.check_clock())
    assert (check, found) == ("clock", level)
