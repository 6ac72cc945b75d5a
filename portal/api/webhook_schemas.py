"""The shapes of the webhook's settings, of a test, and of outages."""

from typing import Any

from marshmallow import fields

from portal.api.protocol.exchange import OFFER_NOTE
from portal.api.protocol.fields import PAGE_NOTE, AnswerSchema, Flag, Moment, StrictSchema, Text, about, choice
from portal.models import ENDPOINT_STATES

STATES = ("unset", *ENDPOINT_STATES)
PAUSED_REASONS = ("manual", "gone", "outage", "restored")
MAX_URL, MAX_HEADER = 4000, 8000
"""Characters that are looked at; addresses and headers have limits of their own."""

URL_NOTE = about("An http or https address of a public host.")


class AdviceSchema(AnswerSchema):
    code = fields.String()
    message = fields.String(attribute="sentence")


def advice_list() -> fields.List[Any]:
    note = about("What to mind about this address; empty when there is nothing.")
    return fields.List(fields.Nested(AdviceSchema), metadata=note)


class HeaderSchema(StrictSchema):
    name = Text(MAX_HEADER, required=True)
    value = Text(MAX_HEADER, required=True, metadata=about("It is encrypted, and never told again."))


class WebhookSchema(AnswerSchema):
    url = fields.String(allow_none=True)
    state = choice(STATES)
    paused_reason = choice(
        PAUSED_REASONS,
        allow_none=True,
        metadata=about(
            "Why nothing is sent: a person paused it (`manual`), the receiver answered 410 (`gone`), "
            "days of nothing but failure (`outage`), or a backup was restored (`restored`)."
        ),
    )
    waiting = fields.Integer(metadata=about("Deliveries in the queue."))
    consecutive_failures = fields.Integer()
    last_success_at = Moment(allow_none=True)
    last_failure_at = Moment(allow_none=True)
    header_name = fields.String(allow_none=True, metadata=about("The fixed header; its value is not told."))


class SavedWebhookSchema(WebhookSchema):
    advice = advice_list()


class SecretSchema(AnswerSchema):
    secret = fields.String(metadata=about("`whsec_...`; it is not shown again."))
    old_secret_until = Moment(metadata=about("Until then the key before signs too."))


class UrlSchema(StrictSchema):
    url = Text(MAX_URL, required=True, allow_none=True, metadata=URL_NOTE)
    header = fields.Nested(
        HeaderSchema,
        allow_none=True,
        metadata=about(
            "One more header that every request carries, such as an API key; null removes it. Without "
            "this member the saved one stays, as long as scheme, host and port of the address stay."
        ),
    )
    other_crm = Flag(
        load_default=False, metadata=about("It is another CRM, or another account: no contact is in sync with it.")
    )


class TestUrlSchema(StrictSchema):
    optional_body = True

    url = Text(MAX_URL, allow_none=True, metadata=about("Without one, the configured address is tested."))
    header = fields.Nested(
        HeaderSchema,
        allow_none=True,
        metadata=about(
            "Sent with this test and not saved; null sends none. Without this member the saved one is "
            "sent, when it belongs to scheme, host and port of the address."
        ),
    )


class SentRequestSchema(AnswerSchema):
    method = fields.String()
    url = fields.String()
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    body = fields.String()


class ReceivedResponseSchema(AnswerSchema):
    headers = fields.Dict(keys=fields.String(), values=fields.String())
    body = fields.String()
    size = fields.Integer(metadata=about("Bytes that were read of the answer."))
    truncated = fields.Boolean(metadata=about("`body` is only the beginning."))


class TestResultSchema(AnswerSchema):
    delivered = fields.Boolean()
    reason = fields.String()
    message = fields.String(metadata=about("What was seen, which rule decided, what to do."))
    offer = fields.String(allow_none=True, metadata=OFFER_NOTE)
    warning = fields.String(allow_none=True)
    status_code = fields.Integer(allow_none=True)
    duration_ms = fields.Integer(allow_none=True)
    request = fields.Nested(SentRequestSchema)
    response = fields.Nested(ReceivedResponseSchema, allow_none=True, metadata=about("null when nothing answered."))
    advice = advice_list()


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
