"""Sending the notices: one thread of a worker. A mail server that is down or slow delays nothing but the notices."""

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock, mail, notices
from portal.config import Settings
from portal.database.db import AWAY, reading
from portal.mail import MailError, MailServer
from portal.notices import Letter, Notice

RETRY_SECONDS = 60.0
"""Before another try when the mail server took nothing."""
LOOK_SECONDS = 60.0
"""The longest sleep between two looks when nobody wakes the notifier."""

logger = logging.getLogger(__name__)

Speaking = Callable[[str, str], AbstractContextManager[None]]
"""Makes texts come in a language and a time zone."""


class Notifier:
    """Tells admins what `portal.notices` finds, and the log; without a mail server, the log alone."""

    def __init__(self, engine: Engine, settings: Settings, *, speaking: Speaking) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking
        self._logged: dict[int, tuple[str, int | None]] = {}
        """By endpoint, what the log was told last."""
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
        while not self._stopping.is_set():
            try:
                is_through = self.send_due()
            except AWAY as error:
                cause = error.__cause__ or error
                logger.warning("The notices could not be reached: %s", cause, extra={"action": "notices_unreachable"})
                is_through = False
            if not is_through:
                self._stopping.wait(RETRY_SECONDS)
            self._wake.wait(LOOK_SECONDS)
            self._wake.clear()

    def send_due(self) -> bool:
        """Tell what is due now. False when the mail server did not take something that it may take later."""
        with reading(), Session(self._engine) as session:
            due = notices.find_due(session, now=clock.utcnow())
        self._log(due)
        for notice in due:
            if self._stopping.is_set():
                break
            try:
                if not self._tell(notice):
                    return False
            except AWAY:
                raise
            except Exception:  # whatever is wrong with one notice, the others are sent and the log says it
                logger.exception("A notice could not be written.", extra=_facts("notice_failed", notice))
        return True

    def _log(self, due: Sequence[Notice]) -> None:
        """Say once in the log what is wrong: operators may look nowhere else."""
        news = {notice.endpoint_id: (notice.state, notice.delivery_id) for notice in due}
        for notice in due:
            if notice.state != "active" and self._logged.get(notice.endpoint_id) != news[notice.endpoint_id]:
                logger.warning("A company's CRM does not receive.", extra=_facts("endpoint_in_trouble", notice))
        self._logged = news

    def _tell(self, notice: Notice) -> bool:
        server, sender = self._settings.smtp_url, self._settings.mail_from
        if server is None or sender is None or (letter := self._write(notice)) is None:
            return True
        now = clock.utcnow()
        with Session(self._engine) as session, session.begin():
            if not notices.claim(session, notice, now=now):
                return True
        try:
            post(letter, server=server, sender=sender)
        except MailError as error:
            logger.error("A notice could not be sent: %s", error, extra=_facts("notice_failed", notice))
            end = notices.give_up if error.permanent else notices.give_back
            with Session(self._engine) as session, session.begin():
                end(session, notice, claimed_at=now, error=str(error))
            return error.permanent
        logger.info("A notice was sent.", extra=_facts("notice_sent", notice))
        return True

    def _write(self, notice: Notice) -> Letter | None:
        settings = self._settings
        with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
            return notices.write_letter(session, notice, base_url=settings.base_url, limits=settings.limits)


def post(letter: Letter, *, server: MailServer, sender: str) -> None:
    """Hand a letter to the mail server. Raises MailError."""
    message = mail.write_message(sender=sender, recipients=letter.recipients, subject=letter.subject, text=letter.text)
    mail.send(server, message)


def _facts(action: str, notice: Notice) -> dict[str, object]:
    return {"action": action, "company_id": notice.company_id, "state": notice.state}
