"""Bringing the CRM in sync: what it does not know, or of the contacts that a filter shows; counted, then sent."""

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.company.endpoint import get_endpoint, state_of
from portal.contacts import completing, syncing
from portal.database.db import db
from portal.database.paging import row_number
from portal.views.contacts import asked_filter, read_filter
from portal.views.jobs import begin_job
from portal.web import access

bp = access.Pages("sync", __name__, url_prefix="/sync")


@bp.get("", access="admin")
def confirm() -> ResponseReturnValue:
    """What would be sent, before anything is."""
    return render_template(
        "sync/confirm.html",
        by_level=syncing.count_out_of_sync(db.session, current_user.company_id),
        backlog=syncing.backlog_of(db.session, current_user.company_id),
        state=state_of(get_endpoint(db.session, current_user.company_id)),
    )


@bp.post("", access="admin")
def start() -> ResponseReturnValue:
    """Begin; who asks twice is shown what was begun."""
    return begin_job(syncing.start(db.session, access.current_actor()), instead=url_for(".confirm"))


@bp.get("/contacts", access="admin")
def confirm_current() -> ResponseReturnValue:
    """How many of the contacts that match the filter of the address would be sent, and why the others are not."""
    company_id = current_user.company_id
    return render_template(
        "sync/confirm_current.html",
        matching=completing.look(db.session, company_id, read_filter()),
        asked=asked_filter(),
        state=state_of(get_endpoint(db.session, company_id)),
    )


@bp.post("/contacts", access="admin")
def start_current() -> ResponseReturnValue:
    """Send the current data of what was counted there, as a task."""
    newest_id = request.form.get("newest_id", 0, type=row_number)
    task = completing.start(db.session, access.current_actor(), read_filter(), newest_id=newest_id)
    return begin_job(task, instead=url_for(".confirm_current", **asked_filter()))
