"""Outages by API: when the receiver took nothing, and what became of what waited."""

from typing import Any

from marshmallow import fields

from portal.api import examples
from portal.api.protocol.access import current_caller
from portal.api.protocol.fields import PAGE_NOTE, AnswerSchema, ListQuerySchema, Moment, about
from portal.api.protocol.parsing import ApiBlueprint
from portal.company.outages import OutageFacts, page_outages
from portal.database.db import db
from portal.database.paging import Page

blueprint = ApiBlueprint("outages", __name__, tag="webhook")


class OutageSchema(AnswerSchema):
    id = fields.Integer()
    began_at = Moment(metadata=about("The first failure in a row."))
    ended_at = Moment(allow_none=True, metadata=about("null while it lasts."))
    reason = fields.String(metadata=about("Of the failure that told."))
    status_code = fields.Integer(allow_none=True)
    held = fields.Integer(metadata=about("Deliveries that it held up; while it lasts, those that wait now."))
    waiting = fields.Integer(metadata=about("How many of these are still on their way."))
    delivered = fields.Integer()
    failed = fields.Integer()
    superseded = fields.Integer()
    cancelled = fields.Integer()
    forgotten = fields.Integer(metadata=about("Those that retention has removed: their end is not known any more."))
    last_delivered_at = Moment(allow_none=True, metadata=about("When the last of those that arrived did."))
    message = fields.String(metadata=about("The outage in a sentence."))


class OutagePageSchema(AnswerSchema):
    items = fields.List(fields.Nested(OutageSchema))
    next_cursor = fields.String(allow_none=True, metadata=PAGE_NOTE)


@blueprint.route("GET /outages", access="member")
@blueprint.arguments(ListQuerySchema, location="query")
@blueprint.response(200, OutagePageSchema, example=examples.OUTAGE_PAGE)
def list_outages(given: dict[str, Any]) -> Page[OutageFacts]:
    """When the receiver took nothing, the newest first

    An outage begins with the first of several failures in a row, of different deliveries, and ends when a delivery
    arrives, or when somebody resumes sending or changes the address. `listDeliveries` with `outage_id` lists what it
    held up.
    """
    return page_outages(db.session, current_caller().company_id, limit=given["limit"], cursor=given.get("cursor"))
