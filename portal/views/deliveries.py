"""The delivery log: what went to the CRM, what it answered, and sending it again."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import audit, clock, outbox
from portal.db import db
from portal.deliveries import (
    COUNT_CAP,
    DeliveryFilter,
    InvalidCursor,
    attempts_of,
    count_by_status,
    deliveries_of,
    get_delivery,
    page_deliveries,
)
from portal.directory import campaigns_of, people_of
from portal.endpoints import is_configured
from portal.models import DELIVERY_STATUSES, Delivery
from portal.reasons.words import WORDS
from portal.runtime import runtime
from portal.views import access, exchange
from portal.views.chart import read_chart
from portal.views.redirects import see_other

NEEDS_CONFIRMATION = ("delivered", "superseded")
SOON = timedelta(minutes=1)
"""A page looks for news of deliveries that are tried within this time."""
MAX_LIVE = 50

bp = Blueprint("deliveries", __name__, url_prefix="/deliveries")


@bp.app_context_processor
def shared_names() -> dict[str, object]:
    return {"tries_in_all": len(runtime().settings.retry_schedule.delays)}


@bp.app_template_filter()
def select_moving(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Those of which looking again in a moment may show something new."""
    soon = clock.utcnow() + SOON
    return [
        delivery
        for delivery in deliveries
        if delivery.status == "sending"
        or (delivery.status == "pending" and (delivery.next_attempt_at is None or delivery.next_attempt_at < soon))
    ]


@bp.get("")
@access.member
def index() -> ResponseReturnValue:
    wanted = read_filter()
    try:
        page = page_deliveries(db.session, current_user.company_id, wanted, cursor=request.args.get("cursor"))
    except InvalidCursor:
        abort(400)
    return render_template(
        "deliveries/index.html",
        page=page,
        chart=None if request.args.get("cursor") else read_chart(wanted),
        wanted=wanted,
        is_filtered=wanted != DeliveryFilter(status=wanted.status),
        counts=count_by_status(db.session, current_user.company_id),
        count_cap=COUNT_CAP,
        reason_codes=tuple(WORDS),
        campaigns=campaigns_of(db.session, current_user.company_id),
        people=people_of(db.session, current_user.company_id),
    )


@bp.get("/live")
@access.member
def live() -> ResponseReturnValue:
    """The rows' news of the deliveries that were about to move, for a page that shows them."""
    ids = request.args.getlist("id")[:MAX_LIVE]
    return render_template(
        "deliveries/_live.html",
        deliveries=deliveries_of(db.session, current_user.company_id, ids),
        left=request.args.get("left", 0, type=int) - 1,
    )


@bp.get("/<webhook_id>")
@access.member
def show(webhook_id: str) -> ResponseReturnValue:
    delivery = get_delivery_or_404(webhook_id)
    siblings = DeliveryFilter(contact_id=delivery.contact_id)
    others = page_deliveries(db.session, delivery.company_id, siblings, limit=11).items if delivery.contact_id else []
    attempts = attempts_of(db.session, delivery)
    return render_template(
        "deliveries/show.html",
        delivery=delivery,
        attempts=attempts,
        seen=request.args.get("seen", 0, type=int) or len(attempts),
        exchange=exchange,
        others=[other for other in others if other.id != delivery.id][:10],
    )


@bp.get("/<webhook_id>/resend")
@access.admin
def confirm_resend(webhook_id: str) -> ResponseReturnValue:
    """Say what sending again would do, before it is done."""
    return render_template("deliveries/resend.html", delivery=get_delivery_or_404(webhook_id))


@bp.post("/<webhook_id>/resend")
@access.admin
def resend(webhook_id: str) -> ResponseReturnValue:
    delivery = get_delivery_or_404(webhook_id)
    if delivery.status in NEEDS_CONFIRMATION and "confirmed" not in request.form:
        return see_other(url_for(".confirm_resend", webhook_id=webhook_id))
    if delivery.is_test or delivery.body is None:
        abort(400)
    if not is_configured(db.session, delivery.company_id):
        flash(_("Nenhuma URL de destino está configurada. Configure o webhook e reenvie."), "error")
        return see_other(url_for(".show", webhook_id=webhook_id))
    seen = request.form.get("seen_attempts", type=int)
    changed = outbox.resend(db.session, delivery, actor=current_user.email, now=clock.utcnow(), seen_attempts=seen)
    if changed:
        audit.record(
            db.session,
            current_user.company_id,
            actor=current_user.email,
            action="delivery.resent",
            subject=webhook_id,
            ip=request.remote_addr,
        )
        flash(_("Reenvio pedido: a entrega sai agora."), "success")
    else:
        flash(_("Esta entrega já está a caminho; nada foi repetido."), "info")
    db.session.commit()
    return see_other(url_for(".show", webhook_id=webhook_id))


def get_delivery_or_404(webhook_id: str) -> Delivery:
    """The delivery of the reader's company: nobody can forget to check whose it is."""
    delivery = get_delivery(db.session, current_user.company_id, webhook_id)
    if delivery is None:
        abort(404)
    return delivery


def read_filter() -> DeliveryFilter:
    """The filter that the page's address holds; what it does not understand does not count."""
    asked = request.args
    status = asked.get("status")
    return DeliveryFilter(
        status=status if status in DELIVERY_STATUSES else None,
        contact_id=asked.get("contact", type=int),
        campaign_id=asked.get("campaign", type=int),
        owner_id=asked.get("owner", type=int),
        level=asked.get("level", type=int),
        reason=asked.get("reason") or None,
        trigger=asked.get("trigger") or None,
        since=read_day(asked.get("since")),
        until=read_day(asked.get("until"), days_later=1),
        search=asked.get("search", ""),
    )


def read_day(text: str | None, *, days_later: int = 0) -> datetime | None:
    """The beginning of a day in the company's time zone, as a time in UTC."""
    try:
        day = datetime.strptime(text or "", "%Y-%m-%d").date() + timedelta(days=days_later)
        return datetime.combine(day, time(), ZoneInfo(current_user.company.timezone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
