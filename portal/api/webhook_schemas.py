"""The shapes of the webhook's settings and of a test."""

from typing import Any

from marshmallow import fields

from portal.api.protocol.exchange import OFFER_NOTE
from portal.api.protocol.fields import Moment, StrictSchema, Text, choice
from portal.models import ENDPOINT_STATES

STATES = ("unset", *ENDPOINT_STATES)
PAUSED_REASONS = ("manual", "gone", "outage", "restored")
MAX_URL, MAX_HEADER = 4000, 8000
"""Characters that are looked at; addresses and headers have limits of their own."""

URL_NOTE = {"description": "An http or https address of a public host."}


class AdviceSchema(StrictSchema):
    code = fields.String(required=True)
    message = fields.String(required=True, attribute="sentence")


def advice_list() -> fields.List[Any]:
    note = {"description": "What to mind about this address; empty when there is nothing."}
    return fields.List(fields.Nested(AdviceSchema), required=True, metadata=note)


class HeaderSchema(StrictSchema):
    name = Text(MAX_HEADER, required=True)
    value = Text(MAX_HEADER, required=True, metadata={"description": "It is encrypted, and never told again."})


class WebhookSchema(StrictSchema):
    url = fields.String(required=True, allow_none=True)
    state = choice(STATES, required=True)
    paused_reason = choice(
        PAUSED_REASONS,
        required=True,
        allow_none=True,
        metadata={
            "description": "Why nothing is sent: a person paused it (`manual`), the receiver answered 410 (`gone`), "
            "days of nothing but failure (`outage`), or a backup was restored (`restored`)."
        },
    )
    waiting = fields.Integer(required=True, metadata={"description": "Deliveries in the queue."})
    consecutive_failures = fields.Integer(required=True)
    last_success_at = Moment(required=True, allow_none=True)
    last_failure_at = Moment(required=True, allow_none=True)
    header_name = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "The fixed header; its value is not told."},
    )


class SavedWebhookSchema(WebhookSchema):
    advice = advice_list()


class SecretSchema(StrictSchema):
    secret = fields.String(required=True, metadata={"description": "`whsec_...`; it is not shown again."})
    old_secret_until = Moment(required=True, metadata={"description": "Until then the key before signs too."})


class UrlSchema(StrictSchema):
    url = Text(MAX_URL, required=True, allow_none=True, metadata=URL_NOTE)
    header = fields.Nested(
        HeaderSchema,
        allow_none=True,
        metadata={
            "description": "One more header that every request carries, such as an API key; null removes it. Without "
            "this member the saved one stays, as long as scheme, host and port of the address stay."
        },
    )


class TestUrlSchema(StrictSchema):
    optional_body = True

    url = Text(MAX_URL, allow_none=True, metadata={"description": "Without one, the configured address is tested."})
    header = fields.Nested(
        HeaderSchema,
        allow_none=True,
        metadata={
            "description": "Sent with this test and not saved; null sends none. Without this member the saved one is "
            "sent, when it belongs to scheme, host and port of the address."
        },
    )


class SentRequestSchema(StrictSchema):
    method = fields.String(required=True)
    url = fields.String(required=True)
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True)


class ReceivedResponseSchema(StrictSchema):
    headers = fields.Dict(keys=fields.String(), values=fields.String(), required=True)
    body = fields.String(required=True)
    size = fields.Integer(required=True, metadata={"description": "Bytes that were read of the answer."})
    truncated = fields.Boolean(required=True, metadata={"description": "`body` is only the beginning."})


class TestResultSchema(StrictSchema):
    delivered = fields.Boolean(required=True)
    reason = fields.String(required=True)
    message = fields.String(required=True, metadata={"description": "What was seen, which rule decided, what to do."})
    offer = fields.String(required=True, allow_none=True, metadata=OFFER_NOTE)
    warning = fields.String(required=True, allow_none=True)
    status_code = fields.Integer(required=True, allow_none=True)
    duration_ms = fields.Integer(required=True, allow_none=True)
    request = fields.Nested(SentRequestSchema, required=True)
    response = fields.Nested(
        ReceivedResponseSchema, required=True, allow_none=True, metadata={"description": "null when nothing answered."}
    )
    advice = advice_list()
