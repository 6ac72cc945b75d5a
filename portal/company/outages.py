"""Outages as people and programs read them: when, why, and what became of what they held up. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from babel.dates import format_skeleton
from flask_babel import format_datetime, get_locale, to_user_timezone
from flask_babel import gettext as _
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from portal import clock
from portal.database.paging import Page, read_page
from portal.database.tables import moment
from portal.i18n import ngettext
from portal.models import OPEN_STATUSES, Delivery
from portal.rules import reasons
from portal.rules.circuit import GIVE_UP_AFTER
from portal.working_models import HeldDelivery, Outage

PAGE_SIZE = 10
RECENT = timedelta(days=6)  # how long ago a day needs no year


@dataclass(frozen=True, kw_only=True)
class OutageFacts:
    """One outage, with what became of the deliveries that it held up."""

    id: int
    began_at: datetime
    ended_at: datetime | None  # None while it lasts
    reason: str
    status_code: int | None
    held: int  # how many deliveries it held up; while it lasts, those that wait now
    waiting: int = 0
    delivered: int = 0
    failed: int = 0
    superseded: int = 0
    cancelled: int = 0
    last_delivered_at: datetime | None = None

    @property
    def forgotten(self) -> int:
        """Deliveries that retention has removed: nobody knows any more what became of them."""
        known = self.waiting + self.delivered + self.failed + self.superseded + self.cancelled
        return max(0, self.held - known)

    @property
    def prospect(self) -> str:
        """When the portal pauses, unless the receiver is back by then, in a sentence."""
        gives_up_at = self.began_at + GIVE_UP_AFTER
        if gives_up_at <= clock.utcnow():  # it does so when the next probe fails
            return str(_("Se a próxima tentativa também falhar, o portal pausa o envio até que alguém o retome."))
        return str(
            _(
                "Se ele não voltar até %(moment)s, o portal pausa o envio até que alguém o retome.",
                moment=_say(gives_up_at),
            )
        )

    @property
    def message(self) -> str:
        """The outage in a sentence, in the reader's language and time zone."""
        return explain(self)


def page_outages(
    session: Session, company_id: int, *, limit: int = PAGE_SIZE, cursor: str | None = None
) -> Page[OutageFacts]:
    """The company's outages, the newest first. Raises InvalidCursor."""
    query = select(Outage).where(Outage.company_id == company_id)
    page = read_page(session, query, Outage.id, limit=limit, cursor=cursor)
    return Page(_report(session, page.items), page.next_cursor, page.previous_cursor)


def last_outage(session: Session, company_id: int) -> OutageFacts | None:
    """The company's newest outage, or None when it has had none."""
    return next(iter(page_outages(session, company_id, limit=1).items), None)


def outages_between(session: Session, company_id: int, since: datetime, until: datetime) -> Sequence[OutageFacts]:
    """The outages that had a part in that time, the newest first; at most a hundred."""
    is_between = Outage.began_at < until, func.coalesce(Outage.ended_at, moment(until)) > since
    query = select(Outage).where(Outage.company_id == company_id, *is_between).order_by(Outage.id.desc())
    return _report(session, session.scalars(query.limit(100)).all())


def _report(session: Session, outages: Sequence[Outage]) -> list[OutageFacts]:
    became = case((Delivery.status.in_(OPEN_STATUSES), "waiting"), else_=Delivery.status)
    query = (
        select(HeldDelivery.outage_id, became.label("became"), func.count(), func.max(Delivery.delivered_at))
        .join(Delivery, Delivery.id == HeldDelivery.delivery_id)
        .where(HeldDelivery.outage_id.in_([outage.id for outage in outages]))
        .group_by(HeldDelivery.outage_id, became)
    )
    fates: dict[int, dict[str, int]] = {}
    arrivals: dict[int, datetime] = {}
    for outage_id, status, number, delivered_at in session.execute(query) if outages else ():
        fates.setdefault(outage_id, {})[status] = number
        if status == "delivered":
            arrivals[outage_id] = delivered_at
    return [
        OutageFacts(
            id=outage.id,
            began_at=outage.began_at,
            ended_at=outage.ended_at,
            reason=outage.reason,
            status_code=outage.status_code,
            **_held_by(session, outage, fates.get(outage.id, {})),
            last_delivered_at=arrivals.get(outage.id),
        )
        for outage in outages
    ]


def _held_by(session: Session, outage: Outage, fate: dict[str, int]) -> dict[str, int]:
    """What an outage held up; while it lasts, what waits."""
    if outage.held is not None:
        return {"held": outage.held, **fate}
    waits = Delivery.company_id == outage.company_id, Delivery.status == "pending"
    return dict.fromkeys(("held", "waiting"), session.scalar(select(func.count()).where(*waits)) or 0)


def explain(outage: OutageFacts) -> str:
    """Such as `Fora de sexta-feira 06/03 18:10 a segunda-feira 09/03 9:02 (HTTP 503); 14 esperaram, todas até 9:04.`"""
    cause = f"HTTP {outage.status_code}" if outage.status_code else reasons.title_of(outage.reason)
    began = _say(outage.began_at, clock.utcnow())
    if outage.ended_at is None:
        waiting = _("nenhuma entrega espera")
        if outage.held:
            waiting = ngettext("%(num)s entrega espera", "%(num)s entregas esperam", outage.held)
        return str(_("Fora desde %(began)s (%(cause)s); %(held)s.", began=began, cause=cause, held=waiting))
    facts = {"began": began, "ended": _say(outage.ended_at, outage.began_at), "cause": cause}
    return str(_("Fora de %(began)s a %(ended)s (%(cause)s); %(held)s.", held=_fate(outage), **facts))


def _fate(outage: OutageFacts) -> str:
    if not outage.held:
        return str(_("nenhuma entrega esperou"))
    held = ngettext("%(num)s entrega esperou", "%(num)s entregas esperaram", outage.held)
    time = _say(outage.last_delivered_at, outage.ended_at) if outage.last_delivered_at else ""
    if outage.delivered == outage.held:
        arrived = ngettext("e chegou até %(time)s", "e todas chegaram até %(time)s", outage.held, time=time)
        return f"{held} {arrived}"
    parts = [
        (
            outage.delivered,
            ngettext("%(num)s chegou até %(time)s", "%(num)s chegaram até %(time)s", outage.delivered, time=time),
        ),
        (outage.waiting, ngettext("%(num)s ainda espera", "%(num)s ainda esperam", outage.waiting)),
        (outage.failed, ngettext("%(num)s falhou", "%(num)s falharam", outage.failed)),
        (
            outage.superseded,
            ngettext(
                "%(num)s foi substituída por outra mais nova",
                "%(num)s foram substituídas por outras mais novas",
                outage.superseded,
            ),
        ),
        (outage.cancelled, ngettext("%(num)s foi cancelada", "%(num)s foram canceladas", outage.cancelled)),
        (
            outage.forgotten,
            ngettext(
                "o registro já não guarda o fim de %(num)s",
                "o registro já não guarda o fim de %(num)s",
                outage.forgotten,
            ),
        ),
    ]
    return f"{held}: " + ", ".join(str(words) for number, words in parts if number)


def _say(at: datetime, beside: datetime | None = None) -> str:
    """`18:10` on the day of what stands beside it, else `sexta-feira 06/03 18:10`; with the year what is longer ago."""
    if beside is not None and to_user_timezone(at).date() == to_user_timezone(beside).date():
        return str(format_datetime(at, "HH:mm"))
    if clock.utcnow() - at >= RECENT:
        return str(format_datetime(at, "short"))
    day = format_skeleton("MMdd", to_user_timezone(at), locale=get_locale())
    return f"{format_datetime(at, 'EEEE')} {day} {format_datetime(at, 'HH:mm')}"
