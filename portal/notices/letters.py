"""A notice in words: the impact in the subject, then the log's own sentences, what comes next, and the page to open."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import format_datetime
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from portal import clock
from portal.company.outages import last_outage
from portal.contacts.doubts import Doubt, doubts_of
from portal.contacts.syncing import Backlog, backlog_of
from portal.i18n import ngettext
from portal.models import Attempt, Company, Contact, Endpoint, User
from portal.notices.due import Notice, is_newest, latest_failed
from portal.rules.reasons import Limits, explain_attempt


@dataclass(frozen=True)
class Letter:
    """What is to be mailed."""

    recipients: tuple[str, ...]
    subject: str
    text: str


def recipients_of(session: Session, company_id: int) -> tuple[str, ...]:
    """The addresses that notices go to: those of the company's admins who may log in."""
    admins = select(User.email).where(User.company_id == company_id, User.role == "admin", User.disabled_at.is_(None))
    return tuple(session.scalars(admins.order_by(User.email)))


def write_letter(session: Session, notice: Notice, *, base_url: str | None, limits: Limits) -> Letter | None:
    """The notice in the current language and time zone; None when there is nobody to read it."""
    recipients = recipients_of(session, notice.company_id)
    if not recipients:
        return None
    subject, text = write_notice(session, notice, base_url=base_url, limits=limits)
    return Letter(recipients, subject, text)


def write_notice(session: Session, notice: Notice, *, base_url: str | None, limits: Limits) -> tuple[str, str]:
    """The subject and the text, in the current language and time zone."""
    endpoint = session.get_one(Endpoint, notice.endpoint_id, options=[joinedload(Endpoint.company)])
    backlog = (
        _failed(session, notice.company_id) if notice.state == "failed" else backlog_of(session, notice.company_id)
    )
    subject = _impact(backlog, endpoint, state=notice.state)
    parts = [
        f"{subject}.",
        _last_outage(session, notice) or explain_cause(session, notice, limits=limits),
        _outlook(backlog, doubts_of(session, notice.company_id), state=notice.state),
        _where(notice.state, base_url=base_url),
        _footer(endpoint.company),
    ]
    return subject, "\n\n".join(part for part in parts if part) + "\n"


def write_trial(company: Company, recipient: str) -> Letter:
    """A letter that shows that letters arrive."""
    text = _("Os avisos do Catacliente Portal chegam a este endereço.")
    return Letter((recipient,), str(_("Teste dos avisos por e-mail")), f"{text}\n\n{_footer(company)}\n")


def _failed(session: Session, company_id: int) -> Backlog:
    """The contacts whose newest delivery failed for good. The letter leaves out what is still on its way."""
    latest = latest_failed(company_id)
    rows = session.execute(
        select(Contact.interest_level, Contact.classified_at)
        .join(latest, latest.c.contact_id == Contact.id)
        .where(is_newest(latest))
    ).all()
    return Backlog(
        contacts=len(rows),
        high=sum(row.interest_level == 3 for row in rows),
        since=min((row.classified_at for row in rows if row.classified_at is not None), default=None),
    )


def _impact(backlog: Backlog, endpoint: Endpoint, *, state: str) -> str:
    """How many contacts the CRM has not learned of, and since when: those of level 3 alone, when there are any."""
    if state == "active":
        return str(_("O CRM voltou a receber"))
    since = backlog.since or endpoint.failing_since
    facts = {"since": _weekday(since) if since else ""}
    if backlog.high:
        impact = ngettext(
            "%(num)s contato de nível alto não chegou ao CRM desde %(since)s",
            "%(num)s contatos de nível alto não chegaram ao CRM desde %(since)s",
            backlog.high,
            **facts,
        )
    elif backlog.contacts:
        impact = ngettext(
            "%(num)s contato não chegou ao CRM desde %(since)s",
            "%(num)s contatos não chegaram ao CRM desde %(since)s",
            backlog.contacts,
            **facts,
        )
    else:
        impact = _("O CRM não recebe nada desde %(since)s", **facts) if since else _("O CRM não está recebendo nada")
    return str(_("Envio parado: %(impact)s", impact=impact) if state == "paused" else impact)


def _last_outage(session: Session, notice: Notice) -> str:
    """What a recovery ended, in a sentence."""
    outage = last_outage(session, notice.company_id) if notice.state == "active" else None
    if outage is not None and outage.ended_at and notice.told_at and outage.ended_at < notice.told_at:
        return ""  # an older one: what was told last was no outage
    return outage.message if outage is not None and outage.ended_at is not None else ""


def _weekday(moment: datetime) -> str:
    """`terça-feira 14:10`, which is true whenever the letter is read; the whole date of what is longer ago."""
    is_recent = clock.utcnow() - moment < timedelta(days=6)
    return str(format_datetime(moment, "EEEE HH:mm" if is_recent else "medium"))


def explain_cause(session: Session, notice: Notice, *, limits: Limits) -> str:
    """Why, in the log's own sentences about the attempt that failed last."""
    endpoint = session.get_one(Endpoint, notice.endpoint_id)
    if notice.state == "active":
        return ""
    is_paused = notice.state == "paused"
    if is_paused and endpoint.paused_reason == "restored":
        return str(_("O portal foi restaurado de uma cópia de segurança e espera que alguém confirme o envio."))
    attempt = session.scalars(
        select(Attempt).where(Attempt.delivery_id == notice.delivery_id).order_by(Attempt.id.desc()).limit(1)
    ).first()
    words = explain_attempt(attempt, limits).message if attempt else ""
    if is_paused and endpoint.paused_reason == "outage":
        words = " ".join((_("Há três dias nenhum envio dá certo."), words)).strip()
    return words


def _outlook(backlog: Backlog, doubts: Sequence[Doubt], *, state: str) -> str:
    """What the portal does by itself, and what a person has to."""
    outlooks = {
        "failing": _("Nada se perde: o portal continua tentando e envia tudo quando ele voltar."),
        "paused": _("Nada se perde: o que foi classificado espera até que alguém retome o envio na página Webhook."),
        "failed": _("O portal não tenta mais sozinho. Depois de corrigir a causa, reenvie o que falhou."),
        "active": _("Tudo o que foi classificado chegou. Não é preciso fazer nada."),
    }
    if state == "active":
        return _left(backlog, sum(doubt.contacts for doubt in doubts)) or str(outlooks[state])
    return f"{_in_all(backlog)} {outlooks[state]}".strip()


def _in_all(backlog: Backlog) -> str:
    """All the contacts, when the subject speaks of those of level 3 only."""
    if not backlog.high or backlog.high == backlog.contacts:
        return ""
    return str(
        ngettext(
            "Ao todo, %(num)s contato não chegou ao CRM.",
            "Ao todo, %(num)s contatos não chegaram ao CRM.",
            backlog.contacts,
        )
    )


def _left(backlog: Backlog, doubtful: int) -> str:
    """What still has to arrive, to be done and to be checked after a recovery."""
    parts = []
    if backlog.waiting:
        parts.append(ngettext("%(num)s contato está na fila.", "%(num)s contatos estão na fila.", backlog.waiting))
    if backlog.stuck:
        parts.append(
            ngettext(
                "%(num)s contato não chega sozinho: é preciso enviá-lo de novo.",
                "%(num)s contatos não chegam sozinhos: é preciso enviá-los de novo.",
                backlog.stuck,
            )
        )
    if doubtful:
        parts.append(
            ngettext(
                "%(num)s contato foi recebido com um aviso que fala em erro: confira no CRM se foi salvo.",
                "%(num)s contatos foram recebidos com um aviso que fala em erro: confira no CRM se foram salvos.",
                doubtful,
            )
        )
    return " ".join(parts)


def _where(state: str, *, base_url: str | None) -> str:
    """The page to open: its address when the portal knows its own, else its name."""
    if state == "failed":
        path, words = "/deliveries?status=failed", _("No portal, abra Entregas e veja o que falhou.")
    elif state == "active":
        path, words = "/", _("No portal, a página Início mostra a situação.")
    else:
        path, words = "/webhook", _("No portal, a página Webhook mostra a situação.")
    return str(words if base_url is None else _("Ver no portal: %(url)s", url=base_url + path))


def _footer(company: Company) -> str:
    words = _(
        "Aviso do Catacliente Portal aos administradores de %(company)s. É no máximo um por hora.", company=company.name
    )
    return f"-- \n{words}"
