"""Sending again: one delivery, or all that a filter matches; what would surprise the CRM is said before."""

from flask import Blueprint, abort, flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import audit, clock, outbox
from portal.company.endpoint import is_configured
from portal.database.db import db, reading
from portal.database.paging import row_number
from portal.deliveries import resending
from portal.views.deliveries import asked_filter, get_delivery_or_404, read_filter_or_say
from portal.web import access
from portal.web.redirects import back_or, see_other

bp = Blueprint("resending", __name__, url_prefix="/deliveries")


@bp.get("/<webhook_id>/resend")
@access.admin
def confirm(webhook_id: str) -> ResponseReturnValue:
    """Say what sending again would do, before it is done."""
    delivery = get_delivery_or_404(webhook_id)
    risk = resending.risk_of(db.session, delivery)
    return render_template("deliveries/resend.html", delivery=delivery, risk=risk)


@bp.post("/<webhook_id>/resend")
@access.admin
def start(webhook_id: str) -> ResponseReturnValue:
    delivery = get_delivery_or_404(webhook_id)
    page = url_for("deliveries.show", webhook_id=webhook_id)
    if delivery.is_test:
        abort(400)
    if delivery.body is None:
        flash(_("O conteúdo desta entrega já foi apagado: ela não pode ser reenviada."), "error")
        return back_or(page)
    if "confirmed" not in request.form and resending.risk_of(db.session, delivery) is not None:
        return see_other(url_for(".confirm", webhook_id=webhook_id))
    if not is_configured(db.session, delivery.company_id):
        return refuse_without_address(page)
    seen = request.form.get("seen_attempts", type=row_number)
    if outbox.resend(db.session, delivery, actor=current_user.email, now=clock.utcnow(), seen_attempts=seen):
        record("delivery.resent", webhook_id)
        flash(_("Reenvio pedido: a entrega sai agora."), "success")
    else:
        flash(_("Esta entrega já está a caminho; nada foi repetido."), "info")
    db.session.commit()
    return back_or(page)


@bp.get("/resend")
@access.admin
def confirm_many() -> ResponseReturnValue:
    """What matches the filter of the page's address, told apart by what sending it again would do."""
    wanted = read_filter_or_say()
    return render_template(
        "deliveries/resend_many.html",
        matching=resending.look(db.session, current_user.company_id, wanted),
        meant=resending.meant_by(wanted),
        risks=resending.RISKS,
        asked=asked_filter(),
    )


@bp.post("/resend")
@access.admin
def start_many() -> ResponseReturnValue:
    """Send again what was shown there, as a task; of what has a risk, only what was ticked."""
    company_id, wanted = current_user.company_id, read_filter_or_say()
    log = url_for("deliveries.index", **asked_filter())
    if not is_configured(db.session, company_id):
        return refuse_without_address(log)
    db.session.rollback()
    with reading():  # choosing among many holds up nobody who writes
        risks, newest_id = request.form.getlist("risk"), request.form.get("newest_id", type=row_number)
        chosen = resending.choose(db.session, company_id, wanted, risks=risks, newest_id=newest_id)
        db.session.rollback()
    if not chosen:
        flash(_("Nada foi reenviado: nenhuma das entregas escolhidas precisa disso."), "info")
        return see_other(log)
    task = resending.prepare(db.session, access.current_actor(), chosen)
    record("deliveries.resent", str(len(chosen)))
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=task.id))


def refuse_without_address(url: str) -> ResponseReturnValue:
    flash(_("Nenhuma URL de destino está configurada. Configure o webhook e reenvie."), "error")
    return see_other(url)


def record(action: str, subject: str) -> None:
    """Write down in the audit log who sent what again."""
    audit.record(db.session, access.current_actor(), action, subject=subject)
