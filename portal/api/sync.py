"""What the CRM knows, by API: bringing it in sync as a job, why contacts have not arrived, and settling warnings."""

from typing import Any

from flask import Response, jsonify
from marshmallow import fields

from portal.api import examples
from portal.api.jobs import JobSchema
from portal.api.protocol.exchange import message_of
from portal.api.protocol.fields import AnswerSchema, Flag, Moment, StrictSchema, Text, TimeParameter, about, choice, key
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem, refuse
from portal.contacts import doubts, notes, syncing
from portal.contacts.doubts import Doubt
from portal.contacts.listing import get_contact
from portal.contacts.syncing import Cause, causes_of
from portal.database.db import db, reading
from portal.deliveries.log import last_attempts
from portal.models import DELIVERY_STATUSES, Task
from portal.rules.reasons import explain_warning
from portal.rules.verdict import WARNINGS
from portal.web.access import current_actor

blueprint = ApiBlueprint("sync", __name__, tag="sync")


class SyncSchema(StrictSchema):
    optional_body = True

    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class CountSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts that would get a delivery."))


@blueprint.route("POST /sync", access="admin", problems=(409,))
@blueprint.arguments(SyncSchema, required=False, example={"dry_run": True})
@blueprint.response(202, JobSchema, description="The job that sends them.", example=examples.SYNC_JOB)
@blueprint.alt_response(200, schema=CountSchema, description="A dry run: what would be sent.", example=examples.COUNT)
def bring_in_sync(given: dict[str, Any]) -> Task | Response:
    """Bring the CRM in sync

    A job that makes one delivery, with the latest state only, for each contact that is out of sync, and for each that
    has a level and was never sent, level 3 first. What is on its way already is left alone, and while such a job is
    under way it is the answer, so asking twice sends once. `dry_run` counts those contacts and sends nothing.
    """
    if given.get("dry_run"):
        with reading():
            by_level = syncing.count_out_of_sync(db.session, current_actor().company_id)
        return jsonify({"count": sum(by_level.values())})
    task = syncing.start(db.session, current_actor())
    db.session.commit()
    return task


class CauseNoteSchema(AnswerSchema):
    text = fields.String()
    actor = fields.String()
    written_at = Moment()


class CauseSchema(AnswerSchema):
    cause = fields.String(metadata=about("A `reason`, or a `warning` of what was accepted."))
    status = choice(DELIVERY_STATUSES, metadata=about("`delivered` where it is a warning."))
    contacts = fields.Integer()
    message = fields.String(metadata=about("Of the newest such attempt that is kept, or of the warning: what to do."))
    note = fields.Nested(CauseNoteSchema, allow_none=True)


class CausesSchema(AnswerSchema):
    items = fields.List(fields.Nested(CauseSchema))


class NewNoteSchema(StrictSchema):
    text = Text(notes.MAX_NOTE, required=True, allow_none=True, metadata=about("null or empty: there is none."))


class WrittenSchema(AnswerSchema):
    cause = fields.String()
    note = fields.Nested(CauseNoteSchema, allow_none=True)


@blueprint.route("GET /causes", access="member")
@blueprint.response(200, CausesSchema, example=examples.CAUSES)
def list_causes() -> dict[str, Any]:
    """Why contacts have not arrived, or arrived with a warning

    In groups by cause, with the note that somebody wrote about it: what has failed, then what waits, then what was
    accepted with a warning. `listDeliveries` with `outstanding`, `status` and `reason` lists a group of the first two,
    `listContacts` with `warning` one of the last.
    """
    return {"items": shapes_of(current_actor().company_id)}


@blueprint.route("PUT /causes/<cause>/note", access="admin")
@blueprint.arguments(NewNoteSchema, example={"text": "I spoke to support, ticket 123"})
@blueprint.response(200, WrittenSchema, example=examples.CAUSE_NOTE)
def write_cause_note(given: dict[str, Any], cause: str) -> dict[str, Any]:
    """Write the note about a cause

    One for all that failed for that `reason`, or arrived with that `warning`, in the place of what it said.
    """
    if cause not in notes.CAUSES:
        raise Problem(404, "not_found")
    note = notes.write_note(db.session, current_actor(), cause, given["text"] or "")
    facts = {name: getattr(note, name) for name in CauseNoteSchema().fields} if note else None
    db.session.commit()
    return {"cause": cause, "note": facts}


def shapes_of(company_id: int) -> list[dict[str, Any]]:
    """Each cause as `CauseSchema` has it."""
    stuck, odd = causes_of(db.session, company_id), doubts.doubts_of(db.session, company_id)
    kept = notes.notes_of(db.session, company_id)
    found: list[tuple[str, str, Cause | Doubt]] = [
        *((each.reason, each.status, each) for each in stuck),
        *((each.warning, "delivered", each) for each in odd),
    ]
    examples_of = last_attempts(db.session, [each.delivery_id for _, _, each in found])
    return [
        {
            "cause": cause,
            "status": status,
            "contacts": each.contacts,
            "message": message_of(examples_of[each.delivery_id])
            if each.delivery_id in examples_of
            else explain_warning(cause),
            "note": kept.get(cause),
        }
        for cause, status, each in found
        if each.delivery_id in examples_of or isinstance(each, Doubt)  # a warning stays open when its answer is purged
    ]


class SettleSchema(StrictSchema):
    contact_id: fields.Integer = key()
    warning = choice(WARNINGS)
    until = TimeParameter(metadata=about("What the CRM accepted later stays open: nobody has looked at it."))


class SettledSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts whose warning was settled."))


@blueprint.route("POST /warnings/settle", access="admin")
@blueprint.arguments(SettleSchema, example={"warning": "error_words"})
@blueprint.response(200, SettledSchema, example=examples.COUNT)
def settle_warnings(given: dict[str, Any]) -> Response:
    """Settle warnings

    The CRM accepted deliveries and answered something odd; somebody looked there, and all is well. `contact_id` settles
    the open warning of one contact, `warning` those of one kind, both together that of one contact if it is of that
    kind. The log keeps what was answered, and the next answer with a warning opens a new one.
    """
    if not given:
        refuse([("contact_id", "required")])
    actor, contact_id = current_actor(), given.get("contact_id")
    if contact_id is not None and get_contact(db.session, actor.company_id, contact_id) is None:
        refuse([("contact_id", "unknown")])
    wanted = {"contact_id": contact_id, "warning": given.get("warning"), "seen_at": given.get("until")}
    count = doubts.settle(db.session, actor, **wanted)
    db.session.commit()
    return jsonify({"count": count})
