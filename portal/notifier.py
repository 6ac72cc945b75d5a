"""Sending the notices: one thread of a worker. A mail server that is down or slow delays nothing but the notices."""

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from portal import clock, mail, notices
from portal.config import Settings
from portal.db import reading
from portal.mail import MailError, MailServer
from portal.notices import Letter, Notice

RETRY_SECONDS = 60.0
"""Before another try when the mail server took nothing."""
LOOK_SECONDS = 60.0
"""The longest sleep between two looks when nobody wakes the notifier."""
AWAY = (OperationalError, InterfaceError, PoolTimeout)
"""The database is locked, full or gone: trying again helps."""

logger = logging.getLogger(__name__)

Speaking = Callable[[str, str], AbstractContextManager[None]]
"""Makes texts come in a language and a time zone."""


class Notifier:
    """Tells admins what `portal.notices` finds. Without a mail server it does nothing."""

    def __init__(self, engine: Engine, settings: Settings, *, speaking: Speaking) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking
        self._wake = threading.Event()
        self._stopping = threading.Event()

    def wake(self) -> None:
        """Look for what is to be told. From any thread."""
        self._wake.set()

    def stop(self) -> None:
        """Make `run` end after the message it is at. From any thread."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Send notices until `stop`, at each wake-up."""
        if self._settings.smtp_url is None:
            return
        while not self._stopping.is_set():
            try:
                is_through = self.send_due()
            except AWAY as error:
                cause = error.__cause__ or error
                logger.warning("The notices could not be reached: %s", cause, extra={"action": "notices_unreachable"})
                is_through = False
            except Exception:  # whatever is wrong with one notice, the thread lives on and the log says it
                logger.exception("The notices could not be written.", extra={"action": "notice_failed"})
                is_through = False
            if not is_through:
                self._stopping.wait(RETRY_SECONDS)
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def send_due(self) -> bool:
        """Send what is due now. False when the mail server did not take something that it may take later."""
        with reading(), Session(self._engine) as session:
            due = notices.find_due(session, now=clock.utcnow())
        return all(self._tell(notice) for notice in due if not self._stopping.is_set())

    def _tell(self, notice: Notice) -> bool:
        server, sender = self._settings.smtp_url, self._settings.mail_from
        letter = self._write(notice)
        if server is None or sender is None or letter is None:
            return True
        now = clock.utcnow()
        with Session(self._engine) as session, session.begin():
            if not notices.claim(session, notice, now=now):
                return True
        facts = {"company_id": notice.company_id, "state": notice.state}
        try:
            post(letter, server=server, sender=sender)
        except MailError as error:
            logger.error("A notice could not be sent: %s", error, extra={"action": "notice_failed"} | facts)
            end = notices.give_up if error.permanent else notices.give_back
            with Session(self._engine) as session, session.begin():
                end(session, notice, claimed_at=now, error=str(error))
            return error.permanent
        logger.info("A notice was sent.", extra={"action": "notice_sent"} | facts)
        return True

    def _write(self, notice: Notice) -> Letter | None:
        settings = self._settings
        with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
            return notices.write_letter(session, notice, base_url=settings.base_url, deadline_seconds=settings.deadline)


def post(letter: Letter, *, server: MailServer, sender: str) -> None:
    """Hand a letter to the mail server. Raises MailError."""
    message = mail.write_message(sender=sender, recipients=letter.recipients, subject=letter.subject, text=letter.text)
    mail.send(server, message)
