"""Telling each company's admins, once a day at most, that the portal makes no backups any more."""

import logging
from datetime import datetime, timedelta

from flask_babel import format_datetime
from flask_babel import gettext as _
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from portal import audit, clock
from portal.audit import Actor
from portal.config import Settings
from portal.database.backup import nightly
from portal.database.db import reading
from portal.mail import MailError
from portal.models import Company
from portal.notices.letters import Letter, recipients_of
from portal.notices.telling import Speaking, post

# The audit entry that is written before the letter. A worker that finds one of the last day writes no letter.
ACTION = "backup.overdue"
FIRST_LOOK = timedelta(minutes=10)  # When a new worker looks first. It makes a missing backup before.

logger = logging.getLogger(__name__)


class BackupWatch:
    """Looks whether the last backup is too old. Without a mail server the log says it, whenever one fails."""

    def __init__(self, engine: Engine, settings: Settings, speaking: Speaking) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking
        self._looks_from = clock.utcnow() + FIRST_LOOK

    def tell_overdue(self) -> None:
        """Write to the admins of every company, when there is no backup of the last days."""
        now = clock.utcnow()
        is_mute = self._settings.smtp_url is None or self._settings.backup_at is None
        if is_mute or now < self._looks_from or (since := self._overdue_since(now)) is None:
            return
        with reading(), Session(self._engine) as session:
            companies = session.scalars(select(Company).order_by(Company.id)).all()
        for company in companies:
            with Session(self._engine) as session, session.begin():
                session.execute(select(Company.id).where(Company.id == company.id).with_for_update())
                actor = Actor(company.id, audit.PORTAL)
                is_told = audit.has_recent(session, actor, ACTION)
                if not is_told:
                    audit.record(session, actor, "backup.overdue", subject=f"{since:%F %T} UTC")
            if not is_told:
                self._tell(company, since)

    def _overdue_since(self, now: datetime) -> datetime | None:
        with reading(), Session(self._engine) as session:
            begun_at = session.scalar(select(func.min(Company.created_at)))
        if begun_at is None:
            return None
        return nightly.find_overdue(self._settings.backups, begun_at=begun_at, now=now)

    def _tell(self, company: Company, since: datetime) -> None:
        with self._speaking(company.locale, company.timezone), reading(), Session(self._engine) as session:
            letter = write_overdue(recipients_of(session, company.id), since)
        if not letter.recipients:
            return
        facts = {"action": "notice_sent", "company_id": company.id, "state": ACTION}
        try:
            post(letter, self._settings)
        except MailError as error:
            logger.error("A notice could not be sent: %s", error, extra=facts | {"action": "notice_failed"})
            return
        logger.info("A notice was sent.", extra=facts)
        with Session(self._engine) as session, session.begin():
            audit.record(session, Actor(company.id, audit.PORTAL), "backup.told")


def write_overdue(recipients: tuple[str, ...], since: datetime) -> Letter:
    """The notice in the current language and time zone."""
    subject = _("O portal não faz cópia de segurança desde %(since)s", since=format_datetime(since, "medium"))
    advice = _(
        "Se o disco se perder, perde-se o que foi feito desde então. Avise quem opera o portal: o registro do worker e "
        "o comando portal doctor dizem por que a cópia não foi feita. O envio ao CRM não é afetado."
    )
    footer = _("Aviso do Catacliente Portal aos administradores. É no máximo um por dia, até que haja uma cópia.")
    return Letter(recipients, subject, f"{subject}.\n\n{advice}\n\n-- \n{footer}\n")
