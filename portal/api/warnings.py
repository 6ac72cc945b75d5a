"""Settling warnings by API: somebody looked into the CRM, and the contacts are right there."""

from typing import Any

from flask import Response, jsonify
from marshmallow import fields

from portal.api import examples
from portal.api.protocol.access import current_actor
from portal.api.protocol.fields import AnswerSchema, StrictSchema, TimeParameter, about, choice, key
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse
from portal.contacts import doubts
from portal.database.db import db
from portal.rules.verdict import WARNINGS

blueprint = ApiBlueprint("warnings", __name__, tag="sync")


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
    wanted = {"contact_id": given.get("contact_id"), "warning": given.get("warning"), "seen_at": given.get("until")}
    count = doubts.settle(db.session, current_actor(), **wanted)
    db.session.commit()
    return jsonify({"count": count})
