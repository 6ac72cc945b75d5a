"""Sending many deliveries again by API, as a job, and the progress of jobs."""

from typing import Any

from flask import Response, jsonify

from portal.api import examples
from portal.api.job_schemas import JobSchema, ResendCountSchema, ResendSchema
from portal.api.protocol.access import admin, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import or_404
from portal.database.db import db
from portal.deliveries import resending
from portal.deliveries.filtering import read_filter
from portal.models import Task
from portal.tasks import store
from portal.worker.kinds import KINDS

blueprint = ApiBlueprint("jobs", __name__)


@blueprint.route("/deliveries/resend", methods=["POST"], tags=["deliveries"])
@admin
@blueprint.arguments(ResendSchema, example={"filter": {"status": "failed", "level": 3}, "dry_run": True})
@blueprint.response(202, JobSchema, description="The job that sends them.", example=examples.JOB)
@blueprint.other_response(200, ResendCountSchema, description="A dry run.", example=examples.RESEND_COUNT)
@blueprint.problems(400, 409, 413, 415, 422)
@blueprint.doc(operationId="resendDeliveries")
def resend(given: dict[str, Any]) -> Task | Response:
    """Send again all deliveries that match a filter

    The same ids and the same bytes, each contact's in their order, with all their tries again. Tests, what is on its
    way already and what has no body any more are left out. Which deliveries go is settled when the job is made; one
    that somebody sends again meanwhile is not sent twice. `dry_run` counts and sends nothing.
    """
    actor = current_caller().actor
    wanted = read_filter(db.session, current_caller().company_id, given["filter"])
    risks = resending.risks_meant(wanted, given.get("include", ()))
    if given["dry_run"]:
        count = resending.look(db.session, actor.company_id, wanted).tell(risks)
        return jsonify(ResendCountSchema().dump(count))  # another shape than the route's own
    task = resending.resend_many(db.session, actor, wanted, risks=risks)
    db.session.commit()
    return task


@blueprint.route("/jobs/<int:job_id>", tags=["jobs"])
@admin
@blueprint.response(200, JobSchema, example=examples.JOB)
@blueprint.problems(404)
@blueprint.doc(operationId="getJob")
def show(job_id: int) -> Task:
    """How far a job is, and what came of it"""
    return or_404(store.get_task(db.session, current_caller().company_id, KINDS, job_id))
