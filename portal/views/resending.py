"""Sending again: one delivery, or all that a filter matches; what would surprise the CRM is said before."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.company.refusals import Refusal
from portal.database.db import db
from portal.database.paging import row_number
from portal.deliveries import resending
from portal.deliveries.figures import say_when_it_leaves
from portal.views.deliveries import asked_filter, get_delivery_or_404, read_filter_or_say
from portal.web import access
from portal.web.redirects import back_or, done, see_other

bp = access.Pages("resending", __name__, url_prefix="/deliveries")


@bp.get("/<webhook_id>/resend", access="admin")
def confirm(webhook_id: str) -> ResponseReturnValue:
    """Say what sending again would do, before it is done."""
    delivery = get_delivery_or_404(webhook_id)
    risk = resending.risk_of(db.session, delivery)
    words = resending.RISK_WORDS[risk] if risk else ()
    has_old_data = resending.has_old_data(delivery)
    return render_template(
        "deliveries/resend.html", delivery=delivery, risk=risk, words=words, has_old_data=has_old_data
    )


@bp.post("/<webhook_id>/resend", access="admin")
def start(webhook_id: str) -> ResponseReturnValue:
    delivery = get_delivery_or_404(webhook_id)
    accepting = resending.RISKS if "confirmed" in request.form else ()
    if not accepting and resending.has_old_data(delivery):
        return see_other(url_for(".confirm", webhook_id=webhook_id))
    seen = request.form.get("seen_attempts", type=row_number)
    try:
        is_resent = resending.resend(
            db.session, access.current_actor(), delivery, accepting=accepting, seen_attempts=seen
        )
    except resending.NeedsConfirmation:
        return see_other(url_for(".confirm", webhook_id=webhook_id))
    target = url_for("deliveries.show", webhook_id=webhook_id)
    if is_resent:
        return done(f"{resending.RESENT} {say_when_it_leaves(db.session, current_user.company_id)}", target)
    return done(resending.explain_under_way(delivery), target, "info")


@bp.get("/resend", access="admin")
def confirm_matching() -> str:
    """What matches the filter of the page's address, told apart by what sending it again would do."""
    wanted = read_filter_or_say()
    return render_template(
        "deliveries/resend_matching.html",
        matching=resending.look(db.session, current_user.company_id, wanted),
        risks=resending.RISKS,
        asked=asked_filter(),
    )


@bp.post("/resend", access="admin")
def start_matching() -> ResponseReturnValue:
    """Send again what was shown there, as a task; of what has a risk, only what was ticked.

    Where that is nothing, the page asks again.
    """
    risks, newest_id = request.form.getlist("risk"), request.form.get("newest_id", type=row_number)
    actor, wanted = access.current_actor(), read_filter_or_say()
    task = resending.start(db.session, actor, wanted, risks=risks, newest_id=newest_id)
    if not task.total:
        db.session.rollback()
        return confirm_matching(), 422
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=task.id))


@bp.errorhandler(Refusal)
def explain_refusal(refusal: Refusal) -> ResponseReturnValue:
    """Back to the delivery, or to the log, with the reason why nothing was sent again."""
    db.session.rollback()
    flash(refusal.sentence, "error")
    named = request.view_args
    return back_or(url_for("deliveries.show", **named) if named else url_for("deliveries.index", **asked_filter()))
