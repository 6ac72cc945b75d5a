"""Work that goes on by itself, sending many again or bringing the CRM in sync: its progress and its result."""

from datetime import timedelta

from flask import Blueprint, abort, render_template
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import clock
from portal.contacts import syncing
from portal.database.db import db
from portal.deliveries import resending
from portal.models import OPEN_STATUSES, Task
from portal.tasks import store
from portal.web import access

KINDS = (resending.KIND, syncing.KIND)
WATCHED_FOR = timedelta(minutes=5)
"""How long after its end the page of a job looks for what arrives of it."""

bp = Blueprint("jobs", __name__, url_prefix="/jobs")


@bp.get("/<int:job_id>")
@access.admin
def show(job_id: int) -> ResponseReturnValue:
    return _show("jobs/show.html", get_job_or_404(job_id))


@bp.get("/<int:job_id>/progress")
@access.admin
def progress(job_id: int) -> ResponseReturnValue:
    """What the page of a job says now, for a page that shows it."""
    return _show("jobs/_progress.html", get_job_or_404(job_id))


def get_job_or_404(job_id: int) -> Task:
    """The job of the reader's company: nobody can forget to check whose it is."""
    task = store.get_task(db.session, current_user.company_id, KINDS, job_id)
    if task is None:
        abort(404)
    return task


def _show(template: str, task: Task) -> ResponseReturnValue:
    is_open = task.status in store.OPEN
    made = syncing.made_by(db.session, task) if task.kind == syncing.KIND else {}
    coming = sum(made.get(status, 0) for status in OPEN_STATUSES)
    is_recent = task.finished_at is None or clock.utcnow() - task.finished_at < WATCHED_FOR
    return render_template(
        template, task=task, is_open=is_open, made=made, coming=coming, is_moving=is_open or (coming > 0 and is_recent)
    )
