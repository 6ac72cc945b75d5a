"""The webhook by API: its address, how it has been going, outages, a test, pause and resume, the key that signs."""

from typing import Any

from marshmallow import fields

from portal.api import examples
from portal.api.protocol.exchange import OFFER_NOTE, result_of
from portal.api.protocol.fields import (
    PAGE_NOTE,
    AnswerSchema,
    Flag,
    ListQuerySchema,
    Moment,
    StrictSchema,
    Text,
    about,
    choice,
)
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse
from portal.company import endpoint, testing
from portal.company.endpoint import Status
from portal.company.header import FixedHeader, HeaderChoice, read_header
from portal.company.outages import OutageFacts, page_outages
from portal.company.refusals import HeaderRefused
from portal.database.db import db
from portal.database.paging import Page
from portal.models import ENDPOINT_STATES
from portal.runtime import runtime
from portal.web.access import current_actor

blueprint = ApiBlueprint("webhook", __name__, tag="webhook")

STATES = ("unset", *ENDPOINT_STATES)
PAUSED_REASONS = ("manual", "gone", "outage", "restored")
# The most characters that are looked at. Addresses and headers have lower limits of their own.
MAX_URL, MAX_HEADER = 4000, 8000

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


@blueprint.route("GET /webhook", access="member")
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
def get_webhook() -> Status:
    """The company's webhook: where it goes, and how it has been going"""
    return endpoint.describe(db.session, current_actor().company_id)


@blueprint.route("PUT /webhook", access="admin")
@blueprint.arguments(UrlSchema, example={"url": examples.URL})
@blueprint.response(200, SavedWebhookSchema, example=examples.SAVED_WEBHOOK)
def set_webhook(given: dict[str, Any]) -> dict[str, Any]:
    """Set the address, or remove it (null)

    Deliveries that wait go to the new address; when it is removed they are cancelled. An address that the portal does
    not send to is refused with `code` `invalid_url` or `blocked_address`, a header with `invalid_header`. The value of
    the header goes to the scheme, host and port that it was saved for: with others it has to be given again. Contacts
    that were in sync stay so, unless `other_crm` says that the address leads to another CRM, or to another account.
    """
    actor, url, header, other_crm = current_actor(), given["url"], header_of(given), given["other_crm"]
    if url is not None:
        saved = endpoint.set_address(db.session, runtime(), actor, url, header=header, other_crm=other_crm)
        return vars(commit()) | {"advice": saved.advice}
    if isinstance(header, FixedHeader):
        raise HeaderRefused("name", "no_address")
    if other_crm:
        refuse([("other_crm", "no_address")])
    endpoint.remove_address(db.session, actor)
    return vars(commit()) | {"advice": ()}


@blueprint.route("POST /webhook/test", access="admin", problems=(409,))
@blueprint.arguments(TestUrlSchema, required=False, example={"url": examples.URL})
@blueprint.response(200, TestResultSchema, example=examples.TEST_RESULT)
def test_webhook(given: dict[str, Any]) -> dict[str, Any]:
    """Send the sample to an address, saved or not, and say what came of it

    The same code sends as for every delivery. The test stands in the log, marked as a test, and is never retried.
    Repeated headers are joined by a comma.
    """
    actor, header = current_actor(), header_of(given)
    return result_of(testing.send_test(db.session, runtime(), actor, given.get("url"), header=header))


@blueprint.route("POST /webhook/pause", access="admin", problems=(409,))
@blueprint.response(200, WebhookSchema, example=examples.PAUSED)
def pause_webhook() -> Status:
    """Send nothing until somebody resumes; what is classified waits, and nothing is lost"""
    endpoint.pause(db.session, current_actor())
    return commit()


@blueprint.route("POST /webhook/resume", access="admin", problems=(409,))
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
def resume_webhook() -> Status:
    """Send again, once a test has shown that somebody is there

    The sample is sent to the configured address first. When that is not delivered, nothing is resumed: `code` is
    `test_failed`, `detail` says what was seen, `reason` is the test's, and `delivery_id` finds it in the log. While
    nothing is paused or failing, nothing is sent and nothing changes.
    """
    testing.resume(db.session, runtime(), current_actor())
    return commit()


@blueprint.route("POST /webhook/rotate-secret", access="admin")
@blueprint.response(200, SecretSchema, example=examples.SECRET)
def rotate_secret() -> dict[str, Any]:
    """Sign with a new key

    It is told this once. The key before it signs too, until `old_secret_until`; one before that does not any more.
    """
    secret = endpoint.rotate_secret(db.session, current_actor(), vault=runtime().vault)
    return {"secret": secret, "old_secret_until": commit().old_secret_until}


def header_of(given: dict[str, Any]) -> HeaderChoice:
    """The header that was given. Raises HeaderRefused."""
    header = given.get("header", "saved")
    return read_header(**header) if isinstance(header, dict) else header


def commit() -> Status:
    """Keep what was done. Returns how the webhook stands then."""
    status = endpoint.describe(db.session, current_actor().company_id)
    db.session.commit()
    return status


@blueprint.route("GET /outages", access="member")
@blueprint.arguments(ListQuerySchema, location="query")
@blueprint.response(200, OutagePageSchema, example=examples.OUTAGE_PAGE)
def list_outages(given: dict[str, Any]) -> Page[OutageFacts]:
    """When the receiver took nothing, the newest first

    An outage begins with the first of several failures in a row, of different deliveries, and ends when a delivery
    arrives, or when somebody resumes sending or changes the address. `listDeliveries` with `outage_id` lists what it
    held up.
    """
    return page_outages(db.session, current_actor().company_id, limit=given["limit"], cursor=given.get("cursor"))
