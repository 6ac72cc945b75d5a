"""Sending many deliveries again by API, as a job, and the progress of jobs."""

from typing import Any

from flask import Response, jsonify

from portal import audit
from portal.api import examples
from portal.api.job_schemas import JobSchema, ResendCountSchema, ResendSchema
from portal.api.protocol.access import admin, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem
from portal.company.endpoint import is_configured
from portal.database.db import db, reading
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
def resend(given: dict[str, Any]) -> dict[str, Any] | Response:
    """Send again all deliveries that match a filter

    The same ids and the same bytes, each contact's in their order, with all their tries again. Tests, what is on its
    way already and what has no body any more are left out. Which deliveries go is settled when the job is made; one
    that somebody sends again meanwhile is not sent twice. `dry_run` counts and sends nothing.
    """
    caller = current_caller()
    with reading():  # looking through many deliveries holds up nobody who writes
        wanted = read_filter(db.session, caller.company_id, given["filter"])
        risks = given.get("include", resending.meant_by(wanted))
        if given["dry_run"]:
            return count(resending.look(db.session, caller.company_id, wanted), risks)
        if not is_configured(db.session, caller.company_id):
            raise Problem(409, "webhook_unset")
        chosen = resending.choose(db.session, caller.company_id, wanted, risks=risks)
        db.session.rollback()
    task = resending.prepare(db.session, caller.actor, chosen)
    audit.record(
        db.session,
        caller.actor,
        "deliveries.resent",
        subject=str(len(chosen)),
    )
    db.session.commit()
    return facts_of(task)


@blueprint.route("/jobs/<int:job_id>", tags=["jobs"])
@admin
@blueprint.response(200, JobSchema, example=examples.JOB)
@blueprint.problems(404)
@blueprint.doc(operationId="getJob")
def show(job_id: int) -> dict[str, Any]:
    """How far a job is, and what came of it"""
    task = store.get_task(db.session, current_caller().company_id, KINDS, job_id)
    if task is None:
        raise Problem(404, "not_found")
    return facts_of(task)


def count(matching: resending.Matching, risks: tuple[str, ...]) -> Response:
    """What would be sent again, and by risk what would not: another shape than the route's own."""
    left_out = {risk: matching.count(risk) for risk in resending.RISKS if risk not in risks}
    return jsonify(ResendCountSchema().dump({"count": matching.count(None, *risks), "left_out": left_out}))


def facts_of(task: Task) -> dict[str, Any]:
    """A job as its caller sees it."""
    return {
        "id": task.id,
        "kind": task.kind,
        "status": task.status,
        "position": task.position,
        "total": task.total,
        "counts": task.counts,
        "reason": task.reason,
    }
