"""The progress of jobs, by API."""

from typing import Any

from marshmallow import fields

from portal.api import examples
from portal.api.protocol.access import current_caller
from portal.api.protocol.fields import AnswerSchema, about, choice
from portal.api.protocol.parsing import ApiBlueprint
from portal.database.db import db
from portal.models import TASK_STATUSES, Task
from portal.privacy import retention
from portal.tasks import store
from portal.web.access import or_404
from portal.worker.kinds import KINDS

blueprint = ApiBlueprint("jobs", __name__, tag="jobs")


class Total(fields.Integer):
    """How many there are, where that was counted before."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> Any:
        return None if obj.kind == retention.KIND else super()._serialize(value, attr, obj, **kwargs)


class JobSchema(AnswerSchema):
    id = fields.Integer()
    kind = fields.String(metadata=about("`resend`, `sync`, `send_current`, `classify`, `import`, `purge` ..."))
    status = choice(TASK_STATUSES)
    position = fields.Integer(metadata=about("How many are done."))
    total = Total(allow_none=True, metadata=about("null for a purge, which counts nothing before."))
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata=about("What came of them: `resent` or `sent`, and `unchanged`."),
    )
    reason = fields.String(allow_none=True, metadata=about("Why it failed, else null."))


@blueprint.route("GET /jobs/<int:job_id>", access="admin")
@blueprint.response(200, JobSchema, example=examples.JOB)
def get_job(job_id: int) -> Task:
    """How far a job is, and what came of it"""
    return or_404(store.get_task(db.session, current_caller().company_id, KINDS, job_id))
