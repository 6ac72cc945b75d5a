"""Why contacts have not arrived, or arrived with a warning, by API: in groups by cause, with one note a group."""

from typing import Any

from marshmallow import fields

from portal.api import examples
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.exchange import message_of
from portal.api.protocol.fields import AnswerSchema, Moment, StrictSchema, Text, about, choice
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem
from portal.contacts import doubts, notes
from portal.contacts.doubts import Doubt
from portal.contacts.syncing import Cause, causes_of
from portal.database.db import db
from portal.deliveries.log import last_attempts
from portal.models import DELIVERY_STATUSES
from portal.rules.reasons import explain_warning

blueprint = ApiBlueprint("causes", __name__, tag="sync")


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
    return {"items": shapes_of(current_caller().company_id)}


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
