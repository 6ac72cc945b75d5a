"""What the log says of a request that a page cannot say: each line has its name, and no address in it."""

import logging
import threading

import pytest
from flask import Flask
from sqlalchemy import select
from sqlalchemy.exc import OperationalError
from werkzeug.exceptions import InternalServerError

from portal.database.db import db
from portal.mail import MailError
from portal.models import Company
from portal.web import errors, link_mail
from tests.factories import make_company, make_user


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is heard, and no link of another test is on its way."""
    logging.getLogger("portal").propagate = True
    monkeypatch.setattr(link_mail, "_senders", threading.BoundedSemaphore(link_mail.MAX_SENDERS))


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(record.levelname, vars(record)["action"]) for record in dict.fromkeys(caplog.records)]


def test_a_fault_of_ours_stands_in_the_log_under_its_number(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    fault = ZeroDivisionError()
    with app.test_request_context("/contacts"):
        db.session.execute(select(Company.id))
        numbers = [errors.note_failure(InternalServerError(original_exception=fault)) for _ in range(2)]
        assert not db.session().in_transaction()
    (first, second) = dict.fromkeys(caplog.records)
    assert logged(caplog) == [("ERROR", "request_failed")] * 2
    assert [vars(each)["error_id"] for each in (first, second)] == numbers
    assert numbers[0] != numbers[1]
    assert vars(first)["path"] == "/contacts"
    assert first.exc_info == (ZeroDivisionError, fault, None)


def test_the_page_of_a_fault_names_its_number(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    with app.test_request_context("/contacts"):
        page, status = errors.show_failure(InternalServerError(original_exception=ZeroDivisionError()))
    (record,) = dict.fromkeys(caplog.records)
    assert (vars(record)["error_id"] in page, status) == (True, 500)


def test_what_the_database_refused_stands_in_the_log_with_its_cause(
    app: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    with app.test_request_context("/contacts"):
        db.session.execute(select(Company.id))
        errors.note_trouble(OperationalError("SELECT", {}, Exception("database is locked")))
        assert not db.session().in_transaction()
    (record,) = dict.fromkeys(caplog.records)
    assert logged(caplog) == [("ERROR", "database_busy")]
    assert (vars(record)["path"], "database is locked" in record.message) == ("/contacts", True)


def test_four_links_are_mailed_at_once_and_no_more(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    took = [link_mail._senders.acquire(blocking=False) for _ in range(5)]
    link_mail._start_sender(app, "bia@example.com", "192.0.2.7")
    link_mail._senders.release(4)
    assert (took, logged(caplog)) == ([True] * 4 + [False], [("WARNING", "reset_mail_dropped")])


@pytest.mark.parametrize(("problem", "level"), [(MailError("550 no"), "WARNING"), (ValueError(), "ERROR")])
def test_a_link_that_is_not_mailed_stands_in_the_log_and_makes_room(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, problem: Exception, level: str
) -> None:
    make_user(make_company(), email="bia@example.com")
    db.session.commit()

    def fail(*_given: object, **_more: object) -> None:
        raise problem

    monkeypatch.setattr(link_mail, "post", fail)
    with app.test_request_context():
        link_mail._senders.acquire()
        link_mail._mail_reset(app, "bia@example.com", "192.0.2.7")
    assert logged(caplog) == [(level, "reset_mail_failed")]
    assert "bia@" not in caplog.text
    with pytest.raises(ValueError, match="released too many times"):
        link_mail._senders.release()


def test_that_an_old_address_was_not_told_stands_in_the_log(
    app: Flask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_given: object) -> None:
        raise MailError("550 no")

    monkeypatch.setattr(link_mail, "post", fail)
    link_mail.tell_old_address(make_user(make_company()), "old@example.com")
    assert logged(caplog) == [("WARNING", "email_notice_failed")]
