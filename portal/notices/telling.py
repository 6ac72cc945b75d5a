"""Telling what is due, in no transaction: a line in the log, a letter to a company's admins, a post in its chat.

Why one of these did not arrive is said in the reader's language; what a server said stays as it said it.
"""

import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import partial

from flask_babel import gettext as _
from sqlalchemy import Engine, and_, select
from sqlalchemy.orm import Session

from portal import clock, mail
from portal.company.chat import get_chat
from portal.config import Settings
from portal.database.db import AWAY, reading
from portal.egress import Egress, open_session
from portal.mail import MailError
from portal.models import Endpoint
from portal.notices.chat import UNREADABLE, ChatError, post_to_chat
from portal.notices.due import Notice, claim, find_due, give_back, give_up
from portal.notices.letters import Letter, explain_cause, write_letter, write_notice
from portal.rules.reasons import WORDS, title_of
from portal.vault import Vault
from portal.working_models import Chat

logger = logging.getLogger(__name__)

# What chats answer at an address that is gone, or that serves something else.
NO_SUCH_CHAT = ("301", "302", "307", "308", "401", "403", "404", "410")
Send = Callable[[], None]  # Sends a notice that is written. Raises MailError or ChatError.
Speaking = Callable[[str, str], AbstractContextManager[None]]  # makes texts come in a language and a time zone


class Teller:
    """Tells admins, the company's chat and the log; without a mail server, the chat and the log."""

    def __init__(self, engine: Engine, settings: Settings, speaking: Speaking, vault: Vault, egress: Egress) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking
        self._vault = vault
        self._session = open_session(egress)
        self._logged: dict[int, tuple[str, int | None]] = {}  # what the log was told last, by endpoint
        self._in_trouble: dict[int, Notice] = {}  # the endpoints whose recovery the log will tell

    def tell_due(self, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Tell what is due now; before each notice `unless` may call it off.

        Returns False when the mail server or a chat did not take something that it may take later.
        """
        with reading(), Session(self._engine) as session:
            by_mail, in_chats = (find_due(session, way, now=clock.utcnow()) for way in (Endpoint, Chat))
        self._log(by_mail)
        self._log_recovered()
        are_posted = [self._tell(notice, self._prepare_post) for notice in in_chats if not unless()]
        for notice in by_mail:
            if unless():
                break
            if not self._tell(notice, self._prepare_letter):
                return False  # all letters go to one server
        return all(are_posted)

    def _log(self, due: Sequence[Notice]) -> None:
        """Say once in the log what is wrong: operators may look nowhere else."""
        news = {notice.endpoint_id: (notice.state, notice.delivery_id) for notice in due}
        for notice in due:
            if notice.state != "active" and self._logged.get(notice.endpoint_id) != news[notice.endpoint_id]:
                words = f"A company's CRM does not receive. {self._explain(notice)}".strip()
                logger.warning("%s", words, extra=_facts("endpoint_in_trouble", notice))
                if notice.state != "failed":  # one delivery, which nothing recovers from
                    self._in_trouble[notice.endpoint_id] = notice
        self._logged = news

    def _log_recovered(self) -> None:
        """Say once in the log whose trouble is over, by mail or without."""
        if not self._in_trouble:
            return
        is_over = and_(Endpoint.id.in_(self._in_trouble), Endpoint.state == "active", Endpoint.url.is_not(None))
        with reading(), Session(self._engine) as session:
            recovered = session.scalars(select(Endpoint.id).where(is_over)).all()
        for endpoint_id in recovered:
            notice = replace(self._in_trouble.pop(endpoint_id), state="active")
            logger.info("A company's CRM is sent to again.", extra=_facts("endpoint_recovered", notice))

    def _tell(self, notice: Notice, prepare: Callable[[Notice], Send | None]) -> bool:
        """Returns False when the notice is to be tried again. The log gets whatever else is wrong with it."""
        try:
            send = prepare(notice)
            return send is None or self._send(notice, send)
        except AWAY:
            raise
        except Exception:  # whatever is wrong with one notice, the others are sent and the log says it
            logger.exception("A notice could not be written.", extra=_facts("notice_failed", notice))
            return True

    def _send(self, notice: Notice, send: Send) -> bool:
        now = clock.utcnow()
        with Session(self._engine) as session, session.begin():
            if not claim(session, notice, now=now):
                return True
        try:
            send()
        except (MailError, ChatError) as error:
            logger.error("A notice did not reach everybody: %s", error, extra=_facts("notice_failed", notice))
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

    def _prepare_letter(self, notice: Notice) -> Send | None:
        if self._settings.smtp_url is None:
            return None
        base_url, limits = self._settings.base_url, self._settings.limits
        with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
            letter = write_letter(session, notice, base_url=base_url, limits=limits)
        return None if letter is None else partial(post, letter, self._settings)

    def _prepare_post(self, notice: Notice) -> Send | None:
        base_url, limits = self._settings.base_url, self._settings.limits
        with self._speaking(notice.language, notice.timezone), reading(), Session(self._engine) as session:
            chat = get_chat(session, notice.company_id)
            _subject, text = write_notice(session, notice, base_url=base_url, limits=limits)
        return None if chat is None else partial(post_to_chat, self._session, chat, text, vault=self._vault)


def post(letter: Letter, settings: Settings) -> None:
    """Hand a letter to the mail server, where there is one. Raises MailError, permanent when only some were refused."""
    if settings.smtp_url is not None and settings.mail_from is not None:  # the one is not set without the other
        to, subject = letter.recipients, letter.subject
        message = mail.write_message(sender=settings.mail_from, recipients=to, subject=subject, text=letter.text)
        mail.send(settings.smtp_url, message)


def _facts(action: str, notice: Notice) -> dict[str, object]:
    return {"action": action, "company_id": notice.company_id, "state": notice.state}


def explain_error(error: str) -> str:
    """What a MailError or ChatError says, which may have been stored meanwhile."""
    code, _colon, detail = error.partition(": ")
    if code in WORDS:
        return f"{title_of(code)}. {_('Detalhe técnico: %(detail)s.', detail=detail.rstrip('.'))}"
    return str(_("A resposta foi: “%(answer)s”.", answer=error))


def explain_chat_error(error: str) -> str:
    """The same of a ChatError, with what to do where another address helps."""
    if error == UNREADABLE:
        return str(_("O endereço guardado não pode mais ser lido: salve-o de novo."))
    is_gone = error[:3] in NO_SUCH_CHAT
    advice = _("O endereço pode ter sido apagado no chat: crie outro lá e salve-o aqui.") if is_gone else ""
    return f"{explain_error(error)} {advice}".strip()
