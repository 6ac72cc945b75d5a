"""Mailing the report to whoever asks for it, in their language and time zone."""

import logging
from collections.abc import Callable
from zoneinfo import ZoneInfo

from flask_babel import gettext as _
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from portal import clock
from portal.config import Settings
from portal.database.db import AWAY, reading
from portal.mail import MailError
from portal.notices.letters import Letter
from portal.notices.telling import Speaking, post
from portal.report import Report, days_of, make_report
from portal.report.mailing import Issue, claim, find_due, give_back
from portal.report.words import say, say_tally, say_time

logger = logging.getLogger(__name__)


class ReportMail:
    """Mails the reports that are due; without a mail server, none."""

    def __init__(self, engine: Engine, settings: Settings, speaking: Speaking) -> None:
        self._engine = engine
        self._settings = settings
        self._speaking = speaking

    def send_due(self, *, unless: Callable[[], bool] = lambda: False) -> bool:
        """Send what is due now. Returns False when the mail server did not take one that it may take later."""
        if self._settings.smtp_url is None:
            return True
        with reading(), Session(self._engine) as session:
            due = find_due(session, now=clock.utcnow())
        are_sent = [self._try(issue) for issue in due if not unless()]
        return all(are_sent)

    def _try(self, issue: Issue) -> bool:
        try:
            return self._send(issue)
        except AWAY:
            raise
        except Exception:  # whatever is wrong with one report, the others are sent and the log says it
            logger.exception("A report could not be written.", extra={"action": "report_failed"})
            return True

    def _send(self, issue: Issue) -> bool:
        with self._speaking(issue.language, issue.timezone), reading(), Session(self._engine) as session:
            letter = write_report(session, issue, base_url=self._settings.base_url)
        with Session(self._engine) as session, session.begin():
            is_mine = claim(session, issue)
        if not is_mine:
            return True
        facts = {"action": "report_sent", "company_id": issue.company_id}
        try:
            post(letter, self._settings)
        except MailError as error:
            logger.error("A report could not be sent: %s", error, extra=facts | {"action": "report_failed"})
            if not error.permanent:
                with Session(self._engine) as session, session.begin():
                    give_back(session, issue)
            return error.permanent
        logger.info("A report was sent.", extra=facts)
        return True


def write_report(session: Session, issue: Issue, *, base_url: str | None) -> Letter:
    """The report in the current language and time zone: the sentence, then campaigns, time and outages."""
    zone = ZoneInfo(issue.timezone)
    report = make_report(session, issue.company_id, issue.wanted, zone=zone)
    sentence = say(report, zone=zone)
    campaigns = [f"{part.name}: {say_tally(part.levels[0])}." for part in report.campaigns]
    outages = [outage.message for outage in report.outages]
    parts = ["\n".join(lines) for lines in (campaigns, outages)]
    parts = [sentence, parts[0], say_time(report), parts[1], _where(report, zone, base_url), _footer(issue)]
    return Letter((issue.email,), sentence.removesuffix("."), "\n\n".join(part for part in parts if part) + "\n")


def _where(report: Report, zone: ZoneInfo, base_url: str | None) -> str:
    if base_url is None:
        return str(_("No portal, a página Relatório mostra quem é cada um."))
    first, last = days_of(report.whole.wanted, zone)
    return str(_("Ver no portal: %(url)s", url=f"{base_url}/report?since={first}&until={last}"))


def _footer(issue: Issue) -> str:
    rhythm = _("às segundas-feiras") if issue.every == "week" else _("no dia 1º de cada mês")
    words = _(
        "Relatório do Catacliente Portal, %(rhythm)s, porque %(email)s o pediu. Para não o receber mais, abra a página "
        "Relatório e escolha “nunca”.",
        rhythm=rhythm,
        email=issue.email,
    )
    return f"-- \n{words}"
