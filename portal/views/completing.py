"""Sending the current data of all contacts that match the filter of the list: counted before it is done."""

from flask import flash, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.company.endpoint import get_endpoint, state_of
from portal.company.refusals import NoAddress
from portal.contacts import completing
from portal.database.db import db
from portal.database.paging import row_number
from portal.views.contacts import asked_filter, read_filter
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.redirects import see_other

bp = access.Pages("completing", __name__, url_prefix="/sync/contacts")


@bp.get("", access="admin")
def confirm() -> ResponseReturnValue:
    """How many of the contacts that match the filter of the address would be sent, and why the others are not."""
    company_id = current_user.company_id
    return render_template(
        "sync/confirm_current.html",
        matching=completing.look(db.session, company_id, read_filter()),
        asked=asked_filter(),
        state=state_of(get_endpoint(db.session, company_id)),
    )


@bp.post("", access="admin")
def start() -> ResponseReturnValue:
    """Send what was counted there, as a task."""
    newest_id, wanted = request.form.get("newest_id", 0, type=row_number), read_filter()
    try:
        task = completing.start(db.session, access.current_actor(), wanted, newest_id=newest_id)
    except NoAddress as refusal:
        flash(refusal.sentence, "error")
        return see_other(url_for(".confirm", **asked_filter()))
    return begin_job(task, instead=url_for(".confirm", **asked_filter()))
