"""Admins are told by mail when the portal's own backups have stopped: once a day, in their language."""

import logging
import os
from collections.abc import Iterator
from datetime import time, timedelta
from functools import partial
from pathlib import Path

import pytest
import time_machine
from flask import Flask

from portal.clock import utcnow
from portal.database.db import db
from portal.i18n import speaking
from portal.models import AuditEntry
from portal.notices.backups import BackupWatch
from portal.notices.reports import ReportMail
from portal.notices.telling import Teller
from portal.worker.notifier import Notifier
from tests import factories
from tests.conftest import BOTH, URL, MakeApp
from tests.factories import make_company, make_user
from tests.notices.conftest import MailHost
from tests.notices.test_notices import SENDER, logged, server_at, set_endpoint
from tests.postgres import free_port

TOLD = "O portal não faz cópia de segurança desde"
MINUTES = timedelta(minutes=11)


@pytest.fixture
def app(make_app: MakeApp, mail_host: MailHost) -> Iterator[Flask]:
    app = make_app(smtp_url=mail_host.address, mail_from=SENDER, backup_at=time(3))
    with app.app_context():
        yield app


@pytest.fixture
def moved() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(factories.NOON, tick=False) as moved:
        yield moved


@pytest.fixture
def admins(app: Flask, moved) -> None:
    """Two companies, which speak two languages."""
    make_user(make_company(), email="ana@example.com")
    other = make_company("Sales")
    other.locale = "en"
    make_user(other, email="bob@example.com")
    db.session.commit()


def watch_of(app: Flask, **changed: object) -> BackupWatch:
    settings = app.extensions["portal"].settings
    for name, value in changed.items():
        object.__setattr__(settings, name, value)
    return BackupWatch(db.engine, settings, partial(speaking, app))


def make_backup(instance: Path) -> None:
    (instance / "backups").mkdir(exist_ok=True)
    file = instance / "backups" / f"nightly-{utcnow():%Y-%m-%d}.db"
    file.touch()
    os.utime(file, (utcnow().timestamp(), utcnow().timestamp()))


def acts() -> list[str]:
    return [each.action for each in db.session.query(AuditEntry).filter(AuditEntry.action.startswith("backup."))]


def subjects(mail_host: MailHost) -> list[str]:
    return [f"{message['To']}: {message['Subject']}" for message in mail_host.messages]


@BOTH
def test_every_companys_admins_learn_it_once_a_day_until_there_is_one(
    app: Flask, admins: None, mail_host: MailHost, instance: Path, moved
) -> None:
    make_backup(instance)
    watch, another = watch_of(app), watch_of(app)
    moved.shift(timedelta(days=2) - MINUTES)
    watch.tell_overdue()
    assert mail_host.messages == []
    moved.shift(2 * MINUTES)
    for each in (watch, another, watch):
        each.tell_overdue()
    assert len(mail_host.messages) == 2
    assert f"ana@example.com: {TOLD} 10 de mar. de 2026 09:00:00" in subjects(mail_host)
    assert any(
        each.startswith("bob@example.com: The portal has made no backup since Mar") for each in subjects(mail_host)
    )
    assert [entry.subject for entry in db.session.query(AuditEntry).filter_by(action="backup.overdue")] == [
        "2026-03-10 12:00:00 UTC"
    ] * 2
    db.session.commit()
    moved.shift(timedelta(days=1, minutes=1))
    watch.tell_overdue()
    assert len(mail_host.messages) == 4
    make_backup(instance)
    moved.shift(timedelta(days=1, minutes=1))
    watch.tell_overdue()
    assert len(mail_host.messages) == 4


def test_a_worker_that_just_started_makes_the_backup_that_is_missing_first(
    app: Flask, admins: None, mail_host: MailHost, moved, caplog
) -> None:
    moved.shift(timedelta(days=30))
    watch = watch_of(app)
    logging.getLogger("portal").propagate = True
    watch.tell_overdue()
    assert mail_host.messages == []
    moved.shift(MINUTES)
    watch.tell_overdue()
    assert len(mail_host.messages) == 2, "none was ever made"
    assert acts() == ["backup.overdue", "backup.told"] * 2
    assert logged(caplog) == [("INFO", "notice_sent", number, "backup.overdue") for number in (1, 2)]


def test_who_wants_no_backups_is_told_nothing(app: Flask, admins: None, mail_host: MailHost, moved) -> None:
    watch = watch_of(app, backup_at=None)
    moved.shift(timedelta(days=30))
    watch.tell_overdue()
    assert mail_host.messages == []


def test_a_mail_server_that_is_away_is_told_in_the_log(app: Flask, admins: None, moved, caplog) -> None:
    watch = watch_of(app, smtp_url=server_at(free_port()))
    moved.shift(timedelta(days=30))
    logging.getLogger("portal").propagate = True
    watch.tell_overdue()
    assert "A notice could not be sent" in caplog.text
    assert [each[1:] for each in logged(caplog)] == [("notice_failed", number, "backup.overdue") for number in (1, 2)]
    assert acts() == ["backup.overdue"] * 2, "nobody was told"


def test_a_folder_that_cannot_be_read_silences_no_other_notice(app: Flask, mail_host: MailHost) -> None:
    class Unreadable(BackupWatch):
        def tell_overdue(self) -> None:
            raise PermissionError("backups")

    company = make_company(url=URL)
    make_user(company, email="ana@example.com")
    set_endpoint(company, state="failing", failing_since=factories.NOON)
    means, held = app.extensions["portal"], (db.engine, app.extensions["portal"].settings, partial(speaking, app))
    notifier = Notifier(Teller(*held, means.vault, means.egress), Unreadable(*held), ReportMail(*held))
    with pytest.raises(PermissionError):
        notifier.turn()
    assert [message["To"] for message in mail_host.messages] == ["ana@example.com"]
