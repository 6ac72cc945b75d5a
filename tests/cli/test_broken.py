"""`portal doctor` on what can be broken: each is named as docs/doctor.md says, and nothing ends in a traceback."""

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import text, update

from portal.cli import cli
from portal.clock import utcnow
from portal.database import troubles
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Delivery
from portal.working_models import WorkerHeartbeat
from tests.factories import endpoint_of, make_company, make_contact, make_delivery
from tests.postgres import free_port
from tests.programs import be_unprivileged, run_portal

ROOT = Path(__file__).parent.parent.parent
ROWS = re.findall(r"^\| ([^|]+) \| (\w+) \| `([^`|]+)` \| [^|]+ \|$", (ROOT / "docs" / "doctor.md").read_text(), re.M)


class Broken:
    """An installation that was well, to be broken; `environ` is what changes of its settings."""

    def __init__(self, app: Flask, instance: Path, receiver: Receiver) -> None:
        self.instance, self.file = instance, instance / "portal.db"
        self.key = instance / "secret.key"
        self.environ: dict[str, str] = {"PORTAL_BASE_URL": "http://localhost:8000"}
        self.held: list[sqlite3.Connection] = []
        instance.chmod(0o700)
        self.company = make_company(url=receiver.url)
        self.delivery = make_delivery(make_contact(self.company))
        db.session.add(WorkerHeartbeat(worker="a", seen_at=utcnow()))
        db.session.commit()

    def change(self, statement: str) -> None:
        db.session.execute(text(statement))
        db.session.commit()

    def write_key(self, key: str) -> None:
        self.key.write_text(key)
        self.key.chmod(0o600)
        self.environ["PORTAL_SECRET_KEY_FILE"] = str(self.key)

    def leave(self) -> None:
        """What is changed in the file is not to be seen by this process."""
        db.session.remove()
        db.engine.dispose()


def no_portal(broken: Broken) -> None:
    broken.environ["PORTAL_INSTANCE"] = str(broken.instance / "elsewhere")


def foreign_folder(broken: Broken) -> None:
    broken.instance.chmod(0o500)


def open_folder(broken: Broken) -> None:
    broken.instance.chmod(0o755)


def open_key(broken: Broken) -> None:
    broken.write_key("k" * 48)
    broken.key.chmod(0o644)


def no_key(broken: Broken) -> None:
    broken.environ["PORTAL_SECRET_KEY"] = "-"


def short_key(broken: Broken) -> None:
    broken.environ["PORTAL_SECRET_KEY"] = "-"
    broken.key.write_text("k" * 20)


def folder_as_key(broken: Broken) -> None:
    broken.environ["PORTAL_SECRET_KEY"] = "-"
    broken.key.mkdir()


def other_key(broken: Broken) -> None:
    broken.environ["PORTAL_SECRET_KEY"] = "x" * 48


def damaged_secret(broken: Broken) -> None:
    endpoint = endpoint_of(broken.company)
    endpoint.secret = endpoint.secret[:-6] + "AAAAAA"
    db.session.commit()


def config(line: bytes) -> Callable[[Broken], None]:
    def write(broken: Broken) -> None:
        (broken.instance / "portal.cfg").write_bytes(line)

    return write


def setting(**values: str) -> Callable[[Broken], None]:
    def set_values(broken: Broken) -> None:
        broken.environ |= values

    return set_values


def never_made(broken: Broken) -> None:
    broken.leave()
    broken.file.write_bytes(b"")


def change(statement: str) -> Callable[[Broken], None]:
    return lambda broken: broken.change(statement)


def by_another_program(*statements: str) -> Callable[[Broken], None]:
    """SQLite's own shell minds no foreign keys."""

    def run(broken: Broken) -> None:
        broken.leave()
        with closing(sqlite3.connect(broken.file)) as other, other:
            for statement in statements:
                other.execute(statement)

    return run


no_constraint = by_another_program(
    "PRAGMA writable_schema = ON",
    "UPDATE sqlite_schema SET sql = replace(sql, 'ck_delivery_status', 'ck_delivery_other') WHERE name = 'delivery'",
)


def overwrite(start: int, pages: int) -> Callable[[Broken], None]:
    def write(broken: Broken) -> None:
        broken.leave()
        with broken.file.open("r+b") as file:
            file.seek(start * 4096)
            file.write(b"\xff" * 4096 * pages)

    return write


def read_only_file(broken: Broken) -> None:
    broken.leave()
    broken.file.chmod(0o400)


def held_database(broken: Broken) -> None:
    broken.leave()
    broken.held.append(sqlite3.connect(broken.file, isolation_level=None))
    broken.held[0].execute("BEGIN IMMEDIATE")


def backups_of_another(broken: Broken) -> None:
    (broken.instance / "backups").mkdir(0o500)
    broken.instance.chmod(0o700)


def old_backup(broken: Broken) -> None:
    (broken.instance / "backups").mkdir()
    file = broken.instance / "backups" / "nightly-2026-01-01.db"
    file.touch()
    os.utime(file, (0, 0))


def foreign_tables(broken: Broken) -> None:
    broken.leave()
    broken.file.unlink()
    with closing(sqlite3.connect(broken.file)) as other:
        other.execute("CREATE TABLE company (number INTEGER)")


def file_as_backups(broken: Broken) -> None:
    (broken.instance / "backups").touch()


def folder_as_erasures(broken: Broken) -> None:
    (broken.instance / "erasures").mkdir()


def binary_key(broken: Broken) -> None:
    broken.environ["PORTAL_SECRET_KEY"] = "-"
    broken.key.write_bytes(b"\xff" * 64)
    broken.key.chmod(0o600)


def copy_from_before_an_erasure(broken: Broken) -> None:
    (broken.instance / "backups").mkdir()
    (broken.instance / "backups" / "before-restore-20260101T000000Z.db").touch()
    (broken.instance / "erasures").touch()


def late_queue(broken: Broken) -> None:
    db.session.execute(update(Delivery).values(next_attempt_at=utcnow() - timedelta(hours=1)))
    db.session.commit()


def clock_behind(broken: Broken) -> None:
    db.session.execute(update(Delivery).values(created_at=utcnow() + timedelta(days=1)))
    db.session.commit()


BREAK: dict[str, Callable[[Broken], None]] = {
    "there is no portal here": no_portal,
    "the folder belongs to somebody else": foreign_folder,
    "every user of the machine may enter the folder": open_folder,
    "others may read the secret key": open_key,
    "the secret key is gone": no_key,
    "the secret key is cut off": short_key,
    "the secret key is no text": binary_key,
    "a folder stands where the key should be": folder_as_key,
    "the key of another installation": other_key,
    "a secret in the database is damaged": damaged_secret,
    "a setting's value cannot be used": setting(PORTAL_DEADLINE="soon"),
    "a setting's name is mistyped": setting(PORTAL_BASE_URI="http://localhost"),
    "a setting is empty": setting(PORTAL_BASE_URL=" "),
    "`portal.cfg` is not UTF-8": config(b"PORTAL_MAIL_FROM=Jos\xe9 <a@example.com>\n"),
    "the file of authorities is missing": setting(PORTAL_CA_FILE="/nowhere/ca.pem"),
    "the database was never made": never_made,
    "the database is older than the program": change("UPDATE alembic_version SET version_num = '0013'"),
    "the database is newer than the program": change("UPDATE alembic_version SET version_num = '9999'"),
    "another program's tables are in the database": foreign_tables,
    "the database does not say its version": change("DELETE FROM alembic_version"),
    "a column is missing": change("ALTER TABLE contact DROP COLUMN merged"),
    "an index is gone, or another one bears its name": change("DROP INDEX ix_delivery_due"),
    "a constraint is gone": no_constraint,
    "rows refer to what is not there": by_another_program("DELETE FROM contact"),
    "the database's file is no database any more": overwrite(0, 1),
    "pages of the database's file are damaged": overwrite(5, 60),
    "the database's file can only be read": read_only_file,
    "another program holds the database": held_database,
    "a move into PostgreSQL was cut off": change("UPDATE alembic_version SET version_num = 'moving'"),
    "PostgreSQL does not answer": setting(PORTAL_DATABASE_URL=f"postgresql://portal@127.0.0.1:{free_port()}/portal"),
    "the nightly backups cannot be written": backups_of_another,
    "a file stands where the backups should be": file_as_backups,
    "the last backup is old": old_backup,
    "a copy is older than an erasure": copy_from_before_an_erasure,
    "a folder stands where the list of the erased should be": folder_as_erasures,
    "no worker runs": change("DELETE FROM worker_heartbeat"),
    "deliveries wait for long": late_queue,
    "this machine's clock is behind": clock_behind,
    "a worker's clock is ahead of this machine's": change("UPDATE worker_heartbeat SET seen_at = seen_at * 2"),
    "no address is set": change("UPDATE endpoint SET url = NULL"),
    "the address is a private one": change("UPDATE endpoint SET url = 'http://10.0.0.1/hook'"),
    "sending is paused": change("UPDATE endpoint SET state = 'paused', paused_reason = 'manual'"),
    "the mail server does not answer": setting(
        PORTAL_SMTP_URL=f"smtp://127.0.0.1:{free_port()}", PORTAL_MAIL_FROM="portal@example.com"
    ),
    "https without a proxy": setting(PORTAL_BASE_URL="https://portal.example.com"),
    "passwords travel openly": setting(PORTAL_BASE_URL="http://portal.example.com"),
}
OF_PERMISSIONS = (
    "the folder belongs to somebody else",
    "the database's file can only be read",
    "the nightly backups cannot be written",
)
"""What is tried in a process without root's powers."""


@pytest.fixture
def broken(app: Flask, instance: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broken]:
    monkeypatch.setattr(troubles, "PROBE_SECONDS", 0.2)
    broken = Broken(app, instance, receiver)
    yield broken
    for connection in broken.held:
        connection.close()
    for path in (instance, *instance.rglob("*")):
        path.chmod(0o700)


Result = tuple[int, str, str]
"""An exit code, and what was said on standard output and on standard error."""


def run_apart(environ: dict[str, str], *arguments: str) -> Result:
    """In a process that may no more than an ordinary user."""
    done = run_portal(environ, *arguments, act=be_unprivileged)
    return done.returncode, done.stdout, done.stderr


def run_here(environ: dict[str, str], *arguments: str) -> Result:
    absent = {} if "PORTAL_SECRET_KEY" in environ else {"PORTAL_SECRET_KEY": None}
    result = CliRunner().invoke(cli, arguments, env=environ | absent)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, result.stderr


def settings_of(broken: Broken, environ: dict[str, str]) -> dict[str, str]:
    merged = environ | broken.environ
    if "PORTAL_SECRET_KEY_FILE" in merged or merged["PORTAL_SECRET_KEY"] == "-":
        del merged["PORTAL_SECRET_KEY"]
    return merged


def test_every_row_of_the_page_is_tried() -> None:
    assert [name for name, _, _ in ROWS] == list(BREAK)
    assert len(ROWS) >= 25


@pytest.mark.parametrize(
    ("name", "check", "words"),
    [pytest.param(*row, marks=[pytest.mark.slow] if row[0] in OF_PERMISSIONS else [], id=row[0]) for row in ROWS],
)
def test_doctor_names_it(broken: Broken, environ: dict[str, str], name: str, check: str, words: str) -> None:
    BREAK[name](broken)
    broken.leave()
    run = run_apart if name in OF_PERMISSIONS else run_here
    code, told, complaint = run(settings_of(broken, environ), "doctor")
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    named = [line for line in lines if line[0] in ("warn", "fail") and line[1] == check and words in line[2]]
    assert named, told
    assert (code, complaint) == (int(any(level == "fail" for level, _, _ in lines)), "")


@pytest.mark.slow
@pytest.mark.parametrize("command", [("upgrade",), ("serve", "--port", "0"), ("worker",), ("backup", "b.db")])
@pytest.mark.parametrize("fault", ["a folder of another's", "a file that can only be read", "a damaged file"])
def test_no_command_ends_in_a_traceback(
    broken: Broken, environ: dict[str, str], fault: str, command: tuple[str, ...]
) -> None:
    broken.change("UPDATE alembic_version SET version_num = '0014'")
    {"a folder of another's": foreign_folder, "a file that can only be read": read_only_file}.get(
        fault, overwrite(0, 1)
    )(broken)
    broken.leave()
    code, told, complaint = run_apart(settings_of(broken, environ), *command)
    assert "Traceback" not in told + complaint
    assert code == 1
    assert complaint.startswith("Error: ")
    assert len(complaint.splitlines()) == 1
