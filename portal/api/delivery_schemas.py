"""The shapes of deliveries and their attempts, and the filters of the log."""

from typing import Any

from marshmallow import fields
from marshmallow.validate import OneOf, Range

from portal.api.contact_schemas import CRM_URL
from portal.api.protocol.exchange import OFFER_NOTE, join_headers, message_of, offer_of, text_of
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
from portal.api.protocol.lists import PAGE_NOTE, FilterSchema, ListQuerySchema
from portal.database.db import db
from portal.deliveries.filtering import OUTSTANDING, SEARCHED
from portal.deliveries.opening import crm_address_of
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS
from portal.outbox.next_try import WAITS_FOR, next_try_of
from portal.rules.reasons import WORDS
from portal.rules.verdict import WARNINGS


class Message(fields.String):
    """What came of an attempt, in the reader's words."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str:
        return message_of(obj)


class Offer(fields.String):
    """Where the answer to an attempt points."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return offer_of(obj)


class Headers(fields.Dict):
    """Headers by name, which an attempt keeps as pairs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), values=fields.String(), **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, str]:
        return join_headers(value)


class BodyText(fields.String):
    """Bytes, shown as text."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        shown: str | None = text_of(value)
        return shown


class NextAttempt(Moment):
    """When a delivery that waits is tried next."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        coming = next_try_of(obj)
        return super()._serialize(coming.at if coming else None, attr, obj, **kwargs)


class WaitsFor(fields.String):
    """What a delivery that waits is held by."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        coming = next_try_of(obj)
        return coming.waits_for if coming else None


class DeliveryFilterSchema(FilterSchema):
    """The filters of `listDeliveries`, as an object."""

    status = choice(DELIVERY_STATUSES)
    contact_id: fields.Integer = key()
    level: fields.Integer = WholeNumber(validate=OneOf(LEVELS, error="unknown_level"))
    reason = choice(tuple(WORDS))
    warning = choice(WARNINGS)
    trigger = choice(TRIGGERS)
    since = TimeParameter(metadata={"description": "Created at this time or later."})
    until = TimeParameter(metadata={"description": "Created before this time."})
    outstanding = choice(
        OUTSTANDING,
        metadata={
            "description": "`yes`: only the newest of each contact whose level the CRM does not know. `warning`: only "
            "those with an open warning that speaks of an error."
        },
    )
    outage_id: fields.Integer = key(metadata={"description": "Only what that outage held up."})
    search = Text(
        200,
        metadata={
            "description": "The contact's name, e-mail, phone, LinkedIn id or company; the delivery's id; or, among "
            f"the latest {SEARCHED:,} deliveries, an HTTP code, or the first or last six characters of an id."
        },
    )


class DeliveryQuerySchema(ListQuerySchema, DeliveryFilterSchema):
    """The same in a query, where numbers are texts."""

    contact_id = NumberParameter(validate=Range(0, MAX_KEY, error=f"out_of_range:0:{MAX_KEY}"))
    outage_id = NumberParameter(validate=Range(0, MAX_KEY, error=f"out_of_range:0:{MAX_KEY}"))
    level = NumberParameter(validate=OneOf(LEVELS, error="unknown_level"))


class DeliveryItemSchema(StrictSchema):
    id = fields.String(attribute="webhook_id", required=True, metadata={"description": "Sent as `webhook-id`."})
    status = choice(DELIVERY_STATUSES, required=True)
    contact_id = fields.Integer(required=True, allow_none=True, metadata={"description": "null for a test."})
    interest_level = level(required=True)
    previous_level = level(required=True)
    reason = fields.String(
        required=True, allow_none=True, metadata={"description": "Of the last attempt; null before the first."}
    )
    warning = fields.String(
        required=True, allow_none=True, metadata={"description": "What was odd about the answer that was accepted."}
    )
    attempt_count = fields.Integer(required=True)
    next_attempt_at = NextAttempt(
        required=True,
        allow_none=True,
        metadata={"description": "Only while pending, and never in the past; null while sending is paused."},
    )
    waits_for = WaitsFor(
        required=True,
        allow_none=True,
        validate=OneOf(WAITS_FOR),
        metadata={
            "description": "While pending: its own time, the next probe of a receiver that takes nothing, or that "
            "somebody resumes sending."
        },
    )
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
    message = Message(required=True, metadata={"description": "What was seen, which rule decided, what to do."})
    offer = Offer(required=True, allow_none=True, metadata=OFFER_NOTE)
    warning = fields.String(required=True, allow_none=True)
    request_headers = Headers(required=True)
    response_headers = Headers(required=True)
    response_body = BodyText(required=True, allow_none=True, metadata={"description": "The first 16 KiB, as text."})


class CrmUrl(fields.String):
    """Where the contact of a delivery is found in the CRM."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return crm_address_of(db.session, obj.contact) if obj.contact else None


class DeliverySchema(DeliveryItemSchema):
    body = BodyText(
        required=True, allow_none=True, metadata={"description": "The exact bytes; null once the retention is over."}
    )
    attempts = fields.List(
        fields.Nested(AttemptSchema), required=True, metadata={"description": "In the order they were made."}
    )
    crm_url = CrmUrl(required=True, allow_none=True, metadata={"description": CRM_URL})


class DeliveryPageSchema(StrictSchema):
    items = fields.List(fields.Nested(DeliveryItemSchema), required=True)
    next_cursor = fields.String(required=True, allow_none=True, metadata=PAGE_NOTE)
