"""Bringing the CRM in sync by API, as a job: how many contacts it does not know as we do, and sending it those."""

from typing import Any

from flask import Response, jsonify
from marshmallow import fields

from portal.api import examples
from portal.api.jobs import JobSchema
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.fields import AnswerSchema, Flag, StrictSchema, about
from portal.api.protocol.parsing import ApiBlueprint
from portal.contacts import syncing
from portal.database.db import db, reading
from portal.models import Task

blueprint = ApiBlueprint("sync", __name__, tag="sync")


class SyncSchema(StrictSchema):
    optional_body = True

    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class CountSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts that would get a delivery."))


@blueprint.route("POST /sync", access="admin", problems=(409,))
@blueprint.arguments(SyncSchema, required=False, example={"dry_run": True})
@blueprint.response(202, JobSchema, description="The job that sends them.", example=examples.SYNC_JOB)
@blueprint.other_response(200, CountSchema, description="A dry run: what would be sent.", example=examples.COUNT)
def bring_in_sync(given: dict[str, Any]) -> Task | Response:
    """Bring the CRM in sync

    A job that makes one delivery, with the latest state only, for each contact that is out of sync, and for each that
    has a level and was never sent, level 3 first. What is on its way already is left alone, and while such a job is
    under way it is the answer, so asking twice sends once. `dry_run` counts those contacts and sends nothing.
    """
    if given.get("dry_run"):
        with reading():
            by_level = syncing.count_out_of_sync(db.session, current_caller().company_id)
        return jsonify({"count": sum(by_level.values())})
    task = syncing.start(db.session, current_actor())
    db.session.commit()
    return task
