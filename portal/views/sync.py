"""Bringing the CRM in sync: how many contacts it does not know as they are, and sending it those."""

from flask import flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.company.endpoint import get_endpoint, state_of
from portal.company.refusals import NoAddress
from portal.contacts import syncing
from portal.database.db import db
from portal.views.jobs import begin_job
from portal.web import access
from portal.web.redirects import see_other

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
    try:
        task = syncing.start(db.session, access.current_actor())
    except NoAddress as refusal:
        flash(refusal.sentence, "error")
        return see_other(url_for(".confirm"))
    return begin_job(task, instead=url_for(".confirm"))
