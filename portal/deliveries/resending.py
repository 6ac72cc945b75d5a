"""Sending again, one delivery or many: what can go, what needs a confirmation and why, and what is said about it.

Pages, API and commands only ask. Many go as a task, which any worker does.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from portal import audit, clock, outbox
from portal.audit import Actor
from portal.company.endpoint import is_configured, require_address
from portal.company.refusals import NoAddress, Refusal
from portal.database.db import reading_apart
from portal.deliveries.filtering import DeliveryFilter, select_deliveries
from portal.deliveries.log import is_erased
from portal.models import OPEN_STATUSES, Attempt, Delivery, Task
from portal.rules.reasons import LEAVING_DOUBT
from portal.tasks.slices import cut_numbers, queue_numbers
from portal.tasks.store import TaskClaim, TaskError

KIND = "resend"
CHUNK = 200
# What sending a delivery again may do besides bringing news. `delivered`: the CRM has it, and may keep it twice.
# `older`: it knows or will learn a newer level of the contact, and goes back to this one. `maybe_received`: a request
# went out and no whole answer came back, so it may have it.
RISKS = ("delivered", "older", "maybe_received")

RESENT = _l("Reenvio pedido.")
_MAY_DUPLICATE = _l(
    "Reenviar leva o mesmo conteúdo, com o mesmo código; "
    "um CRM que não confere o código pode criar um registro repetido."
)
# What is said about each risk: a title, then sentences.
RISK_WORDS = {
    "delivered": (_l("O CRM já recebeu esta entrega."), _MAY_DUPLICATE),
    "older": (
        _l("Isto faria o CRM voltar atrás."),
        _l("Depois desta entrega o contato recebeu outra. Reenviar a antiga pode deixar o CRM com o nível antigo."),
    ),
    "maybe_received": (
        _l("O CRM pode ter recebido esta entrega."),
        _l("Ela foi enviada, mas a resposta não veio inteira: ninguém sabe se o CRM a salvou."),
        _MAY_DUPLICATE,
    ),
}


class NotForTests(Refusal):
    """The delivery is a test."""

    code = "test_delivery"
    words = _l("Uma entrega de teste não é reenviada; faça um novo teste.")


class BodyPurged(Refusal):
    """Retention took the delivery's body."""

    code = "body_purged"
    words = _l("O corpo desta entrega já foi apagado pelo prazo de retenção; não há o que reenviar.")


class PersonErased(Refusal):
    """The person was erased, and with them the body."""

    code = "person_erased"
    words = _l("Os dados desta pessoa foram apagados a pedido; não há o que reenviar.")


class NeedsConfirmation(Refusal):
    """Sending the delivery again may do more than bring news: whoever asks has to say that this is meant."""

    code = "confirmation_needed"

    def __init__(self, risk: str) -> None:
        super().__init__(risk)
        self.risk, self.words = risk, " ".join(map(str, RISK_WORDS[risk]))


_newer = aliased(Delivery)
_is_older = or_(
    Delivery.status == "superseded",
    exists().where(
        _newer.contact_id == Delivery.contact_id,
        _newer.id > Delivery.id,
        or_(_newer.delivered_at.is_not(None), _newer.status.in_(OPEN_STATUSES)),
    ),
)
_is_maybe_received = exists().where(
    Attempt.delivery_id == Delivery.id,
    Attempt.request_sent,
    or_(Attempt.status_code.is_(None), Attempt.reason.in_(LEAVING_DOUBT)),
)


@dataclass(frozen=True)
class Group:
    """Deliveries of one level that have the same risk, or none; `first` and `last` are when they were made."""

    risk: str | None
    level: int | None
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Matching:
    """What matches a filter and can be sent again, in groups, and how many match that cannot."""

    groups: Sequence[Group]
    left_out: int
    newest_id: int  # of all that match: what comes later was not counted here

    @property
    def total(self) -> int:
        """All that match, with those that cannot be sent again."""
        return self.count() + self.left_out

    def count(self, *risks: str | None) -> int:
        """How many have one of these risks; of all when none is named."""
        return sum(group.count for group in self.groups if not risks or group.risk in risks)

    def tell(self, risks: Collection[str]) -> dict[str, Any]:
        """How many go when these risks are meant, and how many of each other risk stay out."""
        left_out = {risk: self.count(risk) for risk in RISKS if risk not in risks}
        return {"count": self.count(None, *risks), "left_out": left_out}

    def by_level(self) -> dict[int | None, int]:
        """How many there are of each level, the highest first."""
        levels: Counter[int | None] = Counter()
        for group in sorted(self.groups, key=lambda group: -(group.level or 0)):
            levels[group.level] += group.count
        return dict(levels)

    @property
    def first(self) -> datetime:
        return min(group.first for group in self.groups)

    @property
    def last(self) -> datetime:
        return max(group.last for group in self.groups)


def risk_of(session: Session, delivery: Delivery) -> str | None:
    """What sending this delivery again may do besides bringing news: one of `RISKS`, or None."""
    return session.scalar(select(_risk()).where(Delivery.id == delivery.id))


def has_old_data(delivery: Delivery) -> bool:
    """Whether the contact's body has other data by now than this delivery carries, the level aside."""
    contact = delivery.contact
    if contact is None or contact.data_changed_at is None or delivery.former_contact_id is not None:
        return False
    return contact.data_changed_at > delivery.created_at


def resend(
    session: Session,
    actor: Actor,
    delivery: Delivery,
    *,
    accepting: Collection[str] = (),
    seen_attempts: int | None = None,
) -> bool:
    """Makes a delivery due again at once, with all its tries, and writes down who asked. The caller commits.

    `accepting` are the risks that the person means. Returns False, and changes nothing, while the delivery is on its
    way, and when it has more than the `seen_attempts`.
    Raises NotForTests, PersonErased, BodyPurged, NoAddress and NeedsConfirmation.
    """
    if delivery.is_test:
        raise NotForTests
    if not delivery.has_body:
        raise PersonErased if is_erased(delivery) else BodyPurged
    require_address(session, delivery.company_id)
    risk = risk_of(session, delivery)
    if risk is not None and risk not in accepting:
        raise NeedsConfirmation(risk)
    if not outbox.resend(session, delivery, actor=actor.email, now=clock.utcnow(), seen_attempts=seen_attempts):
        return False
    audit.record(session, actor, "delivery.resent", subject=delivery.webhook_id)
    return True


def explain_under_way(delivery: Delivery) -> str:
    """Why a delivery that is on its way already was not sent again."""
    if delivery.status == "sending":
        return str(_("Esta entrega já está sendo enviada."))
    return str(_("Esta entrega já está na fila; nada foi repetido."))


def start(
    session: Session, actor: Actor, wanted: DeliveryFilter, *, risks: Collection[str], newest_id: int | None = None
) -> Task:
    """Begins a task that sends what matches again: what has no risk, and what has one of `risks`. The caller commits.

    What is newer than `newest_id` stays out, and what somebody sends again meanwhile is left alone. When nothing
    matches, the task is done at once. Ends the session's transaction. Raises NoAddress.
    """
    with reading_apart(session):
        require_address(session, actor.company_id)
        chosen = choose(session, actor.company_id, wanted, risks=risks, newest_id=newest_id)
    numbers = [number for pair in chosen for number in pair]
    return queue_numbers(session, actor, KIND, numbers, action="deliveries.resent", width=2)


def risks_meant(wanted: DeliveryFilter, include: Collection[str] = ()) -> frozenset[str]:
    """The risks that a program or a command means: those that it includes, and that which its filter's status names."""
    named = {"delivered": ("delivered",), "superseded": ("older",)}
    return frozenset((*include, *named.get(wanted.status or "", ())))


def look(session: Session, company_id: int, wanted: DeliveryFilter) -> Matching:
    """What matches, counted. It reads every delivery that does, and ends the session's transaction."""
    can_go, risk = _can_go(clock.utcnow()), _risk()
    facts = (func.count(), func.min(Delivery.created_at), func.max(Delivery.created_at), func.max(Delivery.id))
    with reading_apart(session):
        query = select_deliveries(session, company_id, wanted).with_only_columns(
            can_go.label("can_go"), case((can_go, risk)).label("risk"), Delivery.interest_level, *facts
        )
        rows = session.execute(query.group_by("can_go", "risk", Delivery.interest_level)).all()
    return Matching(
        groups=[Group(*row[1:-1]) for row in rows if row.can_go],
        left_out=sum(row[3] for row in rows if not row.can_go),
        newest_id=max((row[-1] for row in rows), default=0),
    )


def choose(
    session: Session, company_id: int, wanted: DeliveryFilter, *, risks: Collection[str], newest_id: int | None = None
) -> list[tuple[int, int]]:
    """The deliveries to send again, oldest first, each with its count of attempts, as `start` chooses them."""
    query = select_deliveries(session, company_id, wanted).with_only_columns(Delivery.id, Delivery.attempt_count)
    query = query.where(_can_go(clock.utcnow()), or_(_risk().is_(None), _risk().in_(risks)))
    if newest_id is not None:
        query = query.where(Delivery.id <= newest_id)
    return [(key, attempts) for key, attempts in session.execute(query.order_by(Delivery.id))]


def _resend_part(session: Session, claim: TaskClaim, numbers: Sequence[int]) -> Counter[str]:
    """Makes some of what was chosen due. Raises TaskError."""
    if not is_configured(session, claim.company_id):
        raise TaskError(NoAddress.code)
    chosen = list(zip(numbers[::2], numbers[1::2], strict=True))
    resent = outbox.resend_many(session, claim.company_id, chosen, actor=claim.actor.email, now=clock.utcnow())
    return Counter(resent=resent, unchanged=len(chosen) - resent)


work = partial(cut_numbers, size=CHUNK, part=_resend_part, width=2)


def _can_go(now: datetime) -> ColumnElement[bool]:
    """Whether a delivery can be sent again: no test, its body kept, and neither being sent nor due already."""
    waits = and_(Delivery.status == "pending", Delivery.next_attempt_at > now)
    return and_(Delivery.trigger != "test", Delivery.has_body, or_(Delivery.status.not_in(OPEN_STATUSES), waits))


def _risk() -> ColumnElement[Any]:
    return case(
        (Delivery.status.in_(OPEN_STATUSES), None),  # it goes out by itself anyway
        (Delivery.delivered_at.is_not(None), "delivered"),
        (_is_older, "older"),
        (_is_maybe_received, "maybe_received"),
    )
