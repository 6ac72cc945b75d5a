"""Work in the background, of every kind: its progress and its result."""

from collections import Counter
from datetime import timedelta

from flask import abort, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal import clock
from portal.database.db import db
from portal.models import Task
from portal.tasks import store
from portal.views.job_kinds import KINDS
from portal.web import access
from portal.web.redirects import see_other

WATCHED_FOR = timedelta(minutes=5)  # how long after its end the page of a job still looks for arrivals

bp = access.Pages("jobs", __name__, url_prefix="/jobs")


@bp.get("/<int:job_id>", access="member")
def show(job_id: int) -> ResponseReturnValue:
    """The progress of a job, or its report; a file that nobody started yet has its preview."""
    task = get_job_or_404(job_id)
    if task.status == "draft":
        return see_other(url_for("imports.show", task_id=job_id))
    return _show("jobs/show.html", task)


@bp.get("/<int:job_id>/progress", access="member")
def progress(job_id: int) -> ResponseReturnValue:
    """What the page of a job says now. Once a file was examined, the page goes on to its preview."""
    task = get_job_or_404(job_id)
    if task.status == "draft":
        return "", 200, {"HX-Redirect": url_for("imports.show", task_id=job_id)}
    return _show("jobs/_progress.html", task)


def begin_job(task: Task, *, instead: str) -> ResponseReturnValue:
    """Keep a job that has something to do, and show it; one that has nothing is not kept and leads to `instead`."""
    if not task.total:
        db.session.rollback()
        return see_other(instead)
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=task.id))


def get_job_or_404(job_id: int) -> Task:
    """The job of the reader's company, if the reader may see it: nobody can forget to check whose it is."""
    task = access.or_404(store.get_task(db.session, current_user.company_id, KINDS, job_id))
    if KINDS[task.kind].is_for_admins and not current_user.is_admin:
        abort(403)
    return task


def _show(template: str, task: Task) -> ResponseReturnValue:
    kind, is_open = KINDS[task.kind], task.status in store.OPEN
    counts = Counter(kind.count(task))
    is_recent = task.finished_at is None or clock.utcnow() - task.finished_at < WATCHED_FOR
    return render_template(
        template,
        task=task,
        kind=kind,
        counts=counts,
        is_open=is_open,
        is_moving=is_open or (counts["coming"] > 0 and is_recent),
        **kind.report(task),
    )
