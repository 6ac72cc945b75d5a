"""Bringing the CRM in sync: how many contacts it does not know as they are, and sending it those."""

from flask import Blueprint, flash, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_login import current_user

from portal import audit
from portal.company.endpoint import get_endpoint, is_configured, state_of
from portal.contacts import syncing
from portal.database.db import db, reading
from portal.tasks import store
from portal.web import access
from portal.web.redirects import see_other

bp = Blueprint("sync", __name__, url_prefix="/sync")


@bp.get("")
@access.admin
def confirm() -> ResponseReturnValue:
    """What would be sent, before anything is."""
    return render_template(
        "sync/confirm.html",
        by_level=syncing.count_out_of_sync(db.session, current_user.company_id),
        backlog=syncing.backlog_of(db.session, current_user.company_id),
        state=state_of(get_endpoint(db.session, current_user.company_id)),
    )


@bp.post("")
@access.admin
def start() -> ResponseReturnValue:
    """Begin; who asks twice is shown what was begun."""
    company_id = current_user.company_id
    under_way = store.find_open(db.session, company_id, syncing.KIND)
    if under_way is not None:
        return see_other(url_for("jobs.show", job_id=under_way.id))
    if not is_configured(db.session, company_id):
        flash(_("Nenhuma URL de destino está configurada."), "error")
        return see_other(url_for(".confirm"))
    db.session.rollback()
    with reading():  # looking through many contacts holds up nobody who writes
        contact_ids = syncing.find_out_of_sync(db.session, company_id)
        db.session.rollback()
    if not contact_ids:
        return see_other(url_for(".confirm"))
    task = syncing.prepare(db.session, access.current_actor(), contact_ids)
    audit.record(
        db.session,
        access.current_actor(),
        "contacts.synced",
        subject=str(len(contact_ids)),
    )
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=task.id))
