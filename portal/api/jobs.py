"""The progress of jobs, by API."""

from portal.api import examples
from portal.api.job_schemas import JobSchema
from portal.api.protocol.access import current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.database.db import db
from portal.models import Task
from portal.tasks import store
from portal.web.access import or_404
from portal.worker.kinds import KINDS

blueprint = ApiBlueprint("jobs", __name__, tag="jobs")


@blueprint.route("GET /jobs/<int:job_id>", access="admin")
@blueprint.response(200, JobSchema, example=examples.JOB)
def get_job(job_id: int) -> Task:
    """How far a job is, and what came of it"""
    return or_404(store.get_task(db.session, current_caller().company_id, KINDS, job_id))
