"""Taking an import back: what would go is counted first."""

from flask import render_template, url_for
from flask.typing import ResponseReturnValue
from flask_login import current_user

from portal.database.db import db
from portal.importing import undoing
from portal.views.imports import get_task_or_404
from portal.web import access
from portal.web.redirects import see_other

bp = access.Pages("import_undoing", __name__, url_prefix="/imports")


@bp.get("/<int:task_id>/undo", access="member")
def confirm(task_id: int) -> ResponseReturnValue:
    """What would go and what stays, before anything does."""
    task = get_task_or_404(task_id)
    found = undoing.look(db.session, current_user.company_id, task_id)
    return render_template("imports/undo.html", task=task, found=found)


@bp.post("/<int:task_id>/undo", access="member")
def start(task_id: int) -> ResponseReturnValue:
    job = undoing.start(db.session, access.current_actor(), get_task_or_404(task_id))
    db.session.commit()
    return see_other(url_for("jobs.show", job_id=job.id))
