"""`portal doctor`: what is wrong is said, and what to do about it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import update

from portal.cli.console import check_stored_secrets
from portal.clock import utcnow
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Delivery, Endpoint
from portal.working_models import WorkerHeartbeat
from tests.authority import Authority
from tests.cli.conftest import Run
from tests.factories import endpoint_of, make_company, make_contact, make_delivery
from tests.postgres import free_port


@pytest.fixture
def well(app: Flask, receiver: Receiver, instance: Path) -> dict[str, str]:
    """An installation with nothing wrong; returns the settings for that."""
    instance.chmod(0o700)
    make_company(url=receiver.url)
    db.session.add(WorkerHeartbeat(worker="a", seen_at=utcnow()))
    db.session.commit()
    return {"PORTAL_BASE_URL": "http://localhost:8000"}


def levels(result) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for check in json.loads(result.stdout)["checks"]:
        found.setdefault(check["check"], set()).add(check["level"])
    return found


def test_a_well_installation_has_one_line_for_each_check(run: Run, well, receiver: Receiver) -> None:
    result = run("doctor", **well)
    assert result.exit_code == 0, result.output
    lines = [line.split(maxsplit=2) for line in result.stdout.splitlines()]
    assert {level for level, _, _ in lines} <= {"ok", "warn"}
    names = {name for _, name, _ in lines}
    assert names == {
        "settings", "instance", "disk", "address", "authorities", "database",
        "backups", "key", "clock", "worker", "queue", "webhook", "mail",
    }  # fmt: skip
    assert receiver.received == []


@pytest.mark.parametrize(
    ("hours", "setting", "said"),
    [(1, "03:00", "ok    backups   The last one:"), (50, "03:00", "warn  backups   The last one is old"),
     (None, "03:00", "warn  backups   None is in"), (50, "off", "ok    backups   PORTAL_BACKUP_AT is off")],
)  # fmt: skip
def test_the_last_backup_is_told(run: Run, well, instance: Path, hours: int | None, setting: str, said: str) -> None:
    if hours is not None:
        (instance / "backups").mkdir()
        file = instance / "backups" / "nightly-2026-01-01.db"
        file.touch()
        at = utcnow().timestamp() - hours * 3600
        os.utime(file, (at, at))
    assert said in run("doctor", **well, PORTAL_BACKUP_AT=setting).stdout


def test_the_operators_authorities_are_named(run: Run, well, authority: Authority) -> None:
    result = run("doctor", **well, PORTAL_CA_FILE=str(authority.file))
    assert f"and 1 of PORTAL_CA_FILE ({authority.file})" in result.stdout


def test_json_says_the_same(run: Run, well) -> None:
    shape = json.loads(run("doctor", "--json", **well).stdout)
    assert shape["ok"] is True
    assert {tuple(check) for check in shape["checks"]} == {("check", "level", "message")}


def test_a_setting_that_cannot_be_used_is_the_only_line(run: Run) -> None:
    result = run("doctor", PORTAL_DEADLINE="soon")
    assert result.exit_code == 1
    assert result.stdout.startswith("fail  settings  PORTAL_DEADLINE: 'soon' is not a number")
    assert len(result.stdout.splitlines()) == 1


def test_another_key_than_the_databases_fails(run: Run, well) -> None:
    result = run("doctor", "--json", **well, PORTAL_SECRET_KEY="x" * 48)
    assert result.exit_code == 1
    assert levels(result)["key"] == {"fail"}


def test_a_damaged_secret_is_named_and_keeps_nothing_from_starting(run: Run, well) -> None:
    endpoint = db.session.query(Endpoint).one()
    endpoint.secret = endpoint.secret[:-6] + "AAAAAA"
    db.session.commit()
    result = run("doctor", "--json", **well)
    assert levels(result)["key"] == {"fail", "ok"}
    assert f"(endpoint.secret, row {endpoint.id})" in result.stdout
    check_stored_secrets(db.session)


def test_no_worker_fails_and_says_what_to_run(run: Run, well) -> None:
    db.session.execute(update(WorkerHeartbeat).values(seen_at=utcnow() - timedelta(minutes=2)))
    db.session.commit()
    result = run("doctor", **well)
    assert result.exit_code == 1
    assert "fail  worker    None is alive, so nothing is sent: run `portal serve`" in result.stdout


def test_a_late_queue_fails(run: Run, well, app: Flask) -> None:
    make_delivery(make_contact(make_company()))
    db.session.execute(update(Delivery).values(next_attempt_at=utcnow() - timedelta(hours=1)))
    db.session.commit()
    assert levels(run("doctor", "--json", **well))["queue"] == {"fail"}


def test_a_database_without_tables_fails_and_the_rest_is_left_out(run: Run, instance: Path) -> None:
    (instance / "portal.db").write_bytes(b"")
    result = run("doctor")
    assert result.exit_code == 1
    assert "Run: portal upgrade" in result.stdout
    assert " worker " not in result.stdout


def test_a_damaged_database_fails(run: Run, well, instance: Path) -> None:
    db.session.remove()
    db.engine.dispose()
    with (instance / "portal.db").open("r+b") as file:
        file.seek(4096 * 5)
        file.write(b"\xff" * 4096 * 60)
    result = run("doctor", **well)
    assert result.exit_code == 1
    assert "fail  database" in result.stdout


def test_each_companys_address_and_state_are_judged(run: Run, well, app: Flask) -> None:
    make_company("Sem URL")
    paused = make_company("Em pausa", url="http://127.0.0.1:9099/")
    endpoint_of(paused).state, endpoint_of(paused).paused_reason = "paused", "restored"
    private = make_company("Privada")
    endpoint_of(private).url = "http://10.0.0.1/hook"
    db.session.commit()
    lines = run("doctor", **well).stdout
    assert "warn  webhook   Sem URL: no address is set" in lines
    assert "warn  webhook   Em pausa: paused (restored)" in lines
    (refused,) = [
        line for line in lines.splitlines() if line.startswith("fail  webhook   Privada: http://10.0.0.1/hook: ")
    ]
    assert "By this shell's environment and portal.cfg" in refused


def test_a_clock_behind_what_was_written_fails(run: Run, well, app: Flask) -> None:
    make_delivery(make_contact(make_company()))
    db.session.execute(update(Delivery).values(created_at=utcnow() + timedelta(days=1)))
    db.session.commit()
    assert levels(run("doctor", "--json", **well))["clock"] == {"fail"}


def test_a_workers_clock_that_is_ahead_fails(run: Run, well) -> None:
    for ahead, level in ((4, "ok"), (6, "fail")):
        db.session.execute(update(WorkerHeartbeat).values(seen_at=utcnow() + timedelta(minutes=ahead)))
        db.session.commit()
        assert levels(run("doctor", "--json", **well))["clock"] == {level}


def test_a_key_that_others_may_read_fails(run: Run, well, instance: Path) -> None:
    (instance / "secret.key").write_text("k" * 48)
    (instance / "secret.key").chmod(0o644)
    assert "fail" in levels(run("doctor", "--json", **well))["instance"]


def test_a_mail_server_that_is_not_there_fails(run: Run, well) -> None:
    mail = {"PORTAL_SMTP_URL": f"smtp://127.0.0.1:{free_port()}", "PORTAL_MAIL_FROM": "portal@example.com"}
    assert levels(run("doctor", "--json", **well, **mail))["mail"] == {"fail"}


def test_https_without_a_proxy_is_a_warning(run: Run, well) -> None:
    assert levels(run("doctor", "--json", PORTAL_BASE_URL="https://portal.example"))["address"] == {"warn"}


def test_it_works_on_postgresql(run: Run, postgres_url: str) -> None:
    result = run("doctor", "--json", PORTAL_DATABASE_URL=postgres_url)
    found = levels(result)
    assert (found["database"], found["clock"], found["key"]) == ({"ok"}, {"ok"}, {"ok"})
