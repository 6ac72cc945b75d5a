"""The shapes of deliveries and their attempts, and the filters of the log."""

from marshmallow import fields
from marshmallow.validate import OneOf, Range

from portal.api.protocol.fields import (
    MAX_KEY,
    Moment,
    NumberParameter,
    StrictSchema,
    Text,
    TimeParameter,
    WholeNumber,
    choice,
    key,
    level,
)
from portal.api.protocol.lists import PAGE_NOTE, ListQuerySchema
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS
from portal.rules.reasons import WORDS


class DeliveryFilterSchema(StrictSchema):
    """The filters of `listDeliveries`, as an object."""

    status = choice(DELIVERY_STATUSES)
    contact_id: fields.Integer = key()
    campaign = Text(200, metadata={"description": "A campaign's name, or its number."})
    owner = Text(254, metadata={"description": "An owner's e-mail, or their number."})
    level: fields.Integer = WholeNumber(validate=OneOf(LEVELS, error="unknown_level"))
    reason = choice(tuple(WORDS))
    trigger = choice(TRIGGERS)
    since = TimeParameter(metadata={"description": "Created at this time or later."})
    until = TimeParameter(metadata={"description": "Created before this time."})
    search = Text(200, metadata={"description": "The contact's name, LinkedIn id, or the delivery's id."})


class DeliveryQuerySchema(ListQuerySchema, DeliveryFilterSchema):
    """The same in a query, where numbers are texts."""

    contact_id = NumberParameter(validate=Range(0, MAX_KEY, error="out_of_range"))
    level = NumberParameter(validate=OneOf(LEVELS, error="unknown_level"))


class DeliveryItemSchema(StrictSchema):
    id = fields.String(required=True, metadata={"description": "Sent as `webhook-id`."})
    status = choice(DELIVERY_STATUSES, required=True)
    contact_id = fields.Integer(required=True, allow_none=True, metadata={"description": "null for a test."})
    interest_level = level(required=True)
    previous_level = level(required=True)
    reason = fields.String(
        required=True, allow_none=True, metadata={"description": "Of the last attempt; null before the first."}
    )
    attempt_count = fields.Integer(required=True)
    next_attempt_at = Moment(required=True, allow_none=True, metadata={"description": "Only while pending."})
    created_at = Moment(required=True)
    delivered_at = Moment(required=True, allow_none=True)


class AttemptSchema(StrictSchema):
    number = fields.Integer(required=True)
    trigger = choice(TRIGGERS, required=True)
    started_at = Moment(required=True)
    duration_ms = fields.Integer(required=True, allow_none=True)
    url = fields.String(required=True)
    status_code = fields.Integer(required=True, allow_none=True)
    reason = fields.String(required=True)
    message = fields.String(required=True, metadata={"description": "What was seen, which rule decided, what to do."})
    warning = fields.String(required=True, allow_none=True)
    request_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    response_headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    response_body = fields.String(
        required=True, allow_none=True, metadata={"description": "The first 16 KiB, as text."}
    )


class DeliverySchema(DeliveryItemSchema):
    body = fields.String(
        required=True, allow_none=True, metadata={"description": "The exact bytes; null once the retention is over."}
    )
    attempts = fields.List(
        fields.Nested(AttemptSchema), required=True, metadata={"description": "In the order they were made."}
    )


class DeliveryPageSchema(StrictSchema):
    items = fields.List(fields.Nested(DeliveryItemSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata=PAGE_NOTE)
