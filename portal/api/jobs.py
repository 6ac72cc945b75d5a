"""Jobs by API: giving many contacts another owner or campaign, and the progress of any."""

from typing import Any

from flask import Response, jsonify
from marshmallow import fields

from portal.api import examples
from portal.api.contact_schemas import ContactFilterSchema
from portal.api.protocol.access import current_caller
from portal.api.protocol.fields import AnswerSchema, Flag, Object, StrictSchema, Text, about, choice
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse, refuse_unknown
from portal.contacts import assigning, classifying
from portal.contacts.filtering import read_filter
from portal.database.db import db, reading
from portal.models import TASK_STATUSES, Task
from portal.privacy import retention
from portal.tasks import store
from portal.web.access import current_actor, or_404
from portal.worker.kinds import KINDS

blueprint = ApiBlueprint("jobs", __name__, tag="jobs")


class Total(fields.Integer):
    """How many there are, for jobs that count before they begin."""

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


class AssignSchema(StrictSchema):
    filter = Object(ContactFilterSchema, required=True, metadata=about("Empty: every contact."))
    owner = Text(254, allow_none=True, metadata=about("Who gets them: an e-mail or a number."))
    campaign = Text(200, allow_none=True, metadata=about("Where they go: a campaign's name or number."))
    dry_run = Flag(load_default=False, metadata=about("Only count; nobody is moved."))


class MatchingSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts that match."))


@blueprint.route("POST /contacts/assign", access="admin", problems=(409,))
@blueprint.arguments(AssignSchema, example={"filter": {"owner": "ana@example.com"}, "owner": "rui@example.com"})
@blueprint.response(202, JobSchema, description="The job that moves them.", example=examples.ASSIGN_JOB)
@blueprint.alt_response(200, schema=MatchingSchema, description="A dry run.", example=examples.COUNT)
def assign_contacts(given: dict[str, Any]) -> Task | Response:
    """Give all contacts that match another owner or campaign

    As a job; with the filter `owner` it hands one person's contacts over to another. Who is in the campaign already,
    as another contact, is not moved: the job counts them as `present`. No webhook fires: the receiver then has the old
    data (`data_changed`). `dry_run` counts those that match.
    """
    caller = current_caller()
    wanted = read_filter(db.session, caller.company_id, given["filter"], reader_id=caller.user_id)
    refuse_unknown(wanted, given["filter"], within="filter.")
    try:
        target = assigning.read_target(db.session, caller.company_id, given.get("owner"), given.get("campaign"))
    except LookupError as error:
        refuse([(str(error.args[0]), "unknown_value")])
    if given["dry_run"]:
        with reading():
            return jsonify({"count": classifying.look(db.session, caller.company_id, wanted).count})
    task = assigning.start(db.session, current_actor(), wanted, target)
    db.session.commit()
    return task


@blueprint.route("GET /jobs/<int:job_id>", access="admin")
@blueprint.response(200, JobSchema, example=examples.JOB)
def get_job(job_id: int) -> Task:
    """How far a job is, and what came of it"""
    return or_404(store.get_task(db.session, current_actor().company_id, KINDS, job_id))
