"""Telling what is due, in no transaction: a line in the log for operators, and a letter to a company's admins."""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock, mail
from portal.config import Settings
from portal.database.db import AWAY, reading
from portal.mail import MailError, MailServer
from portal.notices.due import Notice, claim, find_due, give_back, give_up
from portal.notices.letters import Letter, explain_cause, write_letter

logger = logging.getLogger(__name__)

Speaking = Callable[[str, str], AbstractContextManager[None]]
"""Makes texts come in a language and a time zone."""


class Teller:
    """Tells admins and the log; without a mail server, the log alone."""

    def __init__(self, engine: Engine, settings: Settings, speaking: Speaking) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking
        self._logged: dict[int, tuple[str, int | None]] = {}
        """By endpoint, what the log was told last."""

    def tell_due(self, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Tell what is due now; before each letter `unless` may call it off.

        Returns False when the mail server did not take something that it may take later.
        """
        with reading(), Session(self._engine) as session:
            due = find_due(session, now=clock.utcnow())
        self._log(due)
        for notice in due:
            if unless():
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
                words = f"A company's CRM does not receive. {self._explain(notice)}".strip()
                logger.warning("%s", words, extra=_facts("endpoint_in_trouble", notice))
        self._logged = news

    def _tell(self, notice: Notice) -> bool:
        server, sender = self._settings.smtp_url, self._settings.mail_from
        if server is None or sender is None or (letter := self._write(notice)) is None:
            return True
        now = clock.utcnow()
        with Session(self._engine) as session, session.begin():
            if not claim(session, notice, now=now):
                return True
        try:
            post(letter, server=server, sender=sender)
        except MailError as error:
            logger.error("A notice could not be sent: %s", error, extra=_facts("notice_failed", notice))
            end = give_up if error.permanent else give_back
            with Session(self._engine) as session, session.begin():
                end(session, notice, claimed_at=now, error=str(error))
            return error.permanent
        logger.info("A notice was sent.", extra=_facts("notice_sent", notice))
        return True

    def _explain(self, notice: Notice) -> str:
        """Why, in the company's language; nothing where that cannot be told, for the log says the rest all the same."""
        try:
            with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
                return explain_cause(session, notice, limits=self._settings.limits)
        except AWAY:
            raise
        except Exception:
            logger.exception("A cause could not be told.", extra=_facts("notice_failed", notice))
            return ""

    def _write(self, notice: Notice) -> Letter | None:
        base_url, limits = self._settings.base_url, self._settings.limits
        with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
            return write_letter(session, notice, base_url=base_url, limits=limits)


def post(letter: Letter, *, server: MailServer, sender: str) -> None:
    """Hand a letter to the mail server. Raises MailError."""
    message = mail.write_message(sender=sender, recipients=letter.recipients, subject=letter.subject, text=letter.text)
    mail.send(server, message)


def _facts(action: str, notice: Notice) -> dict[str, object]:
    return {"action": action, "company_id": notice.company_id, "state": notice.state}
