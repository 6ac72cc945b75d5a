"""The delivery log by API: filtered pages, one delivery with its attempts, and sending again: one, or many as a job."""

from collections.abc import Callable
from functools import partial
from typing import Any

from flask import Response, jsonify
from marshmallow import fields
from marshmallow.validate import OneOf, Range

from portal.api import examples
from portal.api.contact_schemas import CRM_URL
from portal.api.jobs import JobSchema
from portal.api.protocol.exchange import OFFER_NOTE, join_headers, message_of, offer_of
from portal.api.protocol.fields import (
    MAX_KEY,
    AnswerSchema,
    FilterSchema,
    Flag,
    ItemList,
    ListQuerySchema,
    Moment,
    NumberParameter,
    Object,
    StrictSchema,
    Text,
    TimeParameter,
    WholeNumber,
    about,
    choice,
    key,
    level,
)
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse_unknown
from portal.database.db import db
from portal.database.paging import Page
from portal.deliveries import log, resending
from portal.deliveries.filtering import OUTSTANDING, SEARCHED, read_filter
from portal.deliveries.opening import crm_address_of
from portal.deliveries.resending import RISKS
from portal.models import DELIVERY_STATUSES, LEVELS, TRIGGERS, Delivery, Task
from portal.outbox.next_try import WAITS_FOR, next_try_of
from portal.rules.reasons import WORDS
from portal.rules.verdict import WARNINGS, decode
from portal.web.access import current_actor, or_404, own_or_404

MAX_NUMBER = 2**31 - 1  # of an attempt: PostgreSQL compares with no greater one

blueprint = ApiBlueprint("deliveries", __name__, tag="deliveries")
get_delivery_or_404 = partial(own_or_404, log.get_delivery)


class Told(fields.String):
    """A text that `tell` makes of the whole object."""

    _CHECK_ATTRIBUTE = False

    def __init__(self, tell: Callable[[Any], str | None], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tell = tell

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return self._tell(obj)


class Headers(fields.Dict):
    """Headers by name, which an attempt keeps as pairs."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(keys=fields.String(), values=fields.String(), **kwargs)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> dict[str, str]:
        return join_headers(value)


class BodyText(fields.String):
    """Bytes, shown as text: by their byte order mark, or as UTF-8."""

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        return None if value is None else decode(value)


class NextAttempt(Moment):
    """When a waiting delivery is tried next."""

    _CHECK_ATTRIBUTE = False

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:
        coming = next_try_of(obj)
        return super()._serialize(coming.at if coming else None, attr, obj, **kwargs)


def wait_of(delivery: Delivery) -> str | None:
    """What holds a waiting delivery."""
    coming = next_try_of(delivery)
    return coming.waits_for if coming else None


def crm_url_of(delivery: Delivery) -> str | None:
    """Where the contact of a delivery is found in the CRM."""
    return crm_address_of(db.session, delivery.contact) if delivery.contact else None


class DeliveryFilterSchema(FilterSchema):
    """The filters of `listDeliveries`, as an object."""

    status = choice(DELIVERY_STATUSES)
    contact_id: fields.Integer = key()
    level: fields.Integer = WholeNumber(LEVELS, error="unknown_level")
    reason = choice(tuple(WORDS))
    warning = choice(WARNINGS)
    trigger = choice(TRIGGERS)
    since = TimeParameter(metadata=about("Created at this time or later."))
    until = TimeParameter(metadata=about("Created before this time."))
    outstanding = choice(
        OUTSTANDING,
        metadata=about(
            "`yes`: only the newest of each contact whose level the CRM does not know. `warning`: only "
            "those with an open warning that speaks of an error."
        ),
    )
    outage_id: fields.Integer = key(metadata=about("Only what that outage held up."))
    search = Text(
        200,
        metadata=about(
            "The contact's name, e-mail, phone, LinkedIn id or company; the delivery's id; or, among "
            f"the latest {SEARCHED:,} deliveries, an HTTP code, or the first or last six characters of an id."
        ),
    )


class DeliveryQuerySchema(ListQuerySchema, DeliveryFilterSchema):
    """The same in a query, where numbers are texts."""

    contact_id = NumberParameter(validate=Range(0, MAX_KEY, error=f"out_of_range:0:{MAX_KEY}"))
    outage_id = NumberParameter(validate=Range(0, MAX_KEY, error=f"out_of_range:0:{MAX_KEY}"))
    level = NumberParameter(validate=OneOf(LEVELS, error="unknown_level"))


class AttemptQuerySchema(StrictSchema):
    attempts_before = NumberParameter(
        validate=Range(1, MAX_NUMBER, error=f"out_of_range:1:{MAX_NUMBER}"),
        metadata=about("Only attempts with a lower `number`."),
    )


class DeliveryItemSchema(AnswerSchema):
    id = fields.String(attribute="webhook_id", metadata=about("Sent as `webhook-id`."))
    status = choice(DELIVERY_STATUSES)
    trigger = choice(TRIGGERS, metadata=about("What made it; `test` is no classification."))
    contact_id = fields.Integer(allow_none=True, metadata=about("null for a test, and once the person was erased."))
    interest_level = level()
    previous_level = level()
    reason = fields.String(allow_none=True, metadata=about("Of the last attempt; null before the first."))
    warning = fields.String(allow_none=True, metadata=about("What was odd about the answer that was accepted."))
    attempt_count = fields.Integer()
    next_attempt_at = NextAttempt(
        allow_none=True, metadata=about("Only while pending, and never in the past; null while sending is paused.")
    )
    waits_for = Told(
        wait_of,
        allow_none=True,
        validate=OneOf(WAITS_FOR),
        metadata=about(
            "While pending: its own time, the next probe of a receiver that takes nothing, or that "
            "somebody resumes sending."
        ),
    )
    created_at = Moment()
    delivered_at = Moment(allow_none=True)


class AttemptSchema(AnswerSchema):
    number = fields.Integer()
    trigger = choice(TRIGGERS)
    started_at = Moment()
    duration_ms = fields.Integer(allow_none=True)
    url = fields.String()
    status_code = fields.Integer(allow_none=True)
    reason = fields.String()
    message = Told(message_of, metadata=about("What was seen, which rule decided, what to do."))
    offer = Told(offer_of, allow_none=True, metadata=OFFER_NOTE)
    warning = fields.String(allow_none=True)
    request_headers = Headers()
    response_headers = Headers()
    response_body = BodyText(allow_none=True, metadata=about("The first 16 KiB, as text."))


class DeliverySchema(DeliveryItemSchema):
    body = BodyText(allow_none=True, metadata=about("The exact bytes; null once the retention is over."))
    attempts = fields.List(
        fields.Nested(AttemptSchema),
        metadata=about(
            f"In the order they were made. Of more than {log.ATTEMPTS_TOLD}, the latest: the first one's `number` is "
            "above 1 then, and `attempts_before` with it brings earlier ones."
        ),
    )
    crm_url = Told(crm_url_of, allow_none=True, metadata=about(CRM_URL))


class DeliveryPageSchema(AnswerSchema):
    items = fields.List(fields.Nested(DeliveryItemSchema))
    next_cursor = fields.String(
        allow_none=True,
        metadata=about("null on the last page. Of a long log a page before it may have few items, or none."),
    )


class ResendSchema(StrictSchema):
    filter = Object(DeliveryFilterSchema, required=True, metadata=about("Empty: every delivery."))
    include = ItemList(
        choice(RISKS),
        length=len(RISKS),
        metadata=about(
            "What goes though it may surprise the CRM: `delivered` reached it before, `older` puts an "
            "older level back, `maybe_received` had no whole answer. What the filter's `status` names goes anyway: "
            "`delivered`, and `older` by `superseded`."
        ),
    )
    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class ResendCountSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Deliveries that would be sent again."))
    left_out = fields.Dict(
        keys=choice(RISKS), values=fields.Integer(), metadata=about("What matches and would go if `include` named it.")
    )


@blueprint.route("GET /deliveries", access="member")
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema, example=examples.DELIVERY_PAGE)
def list_deliveries(given: dict[str, Any]) -> Page[Delivery]:
    """The deliveries that match every filter, newest first"""
    company_id = current_actor().company_id
    wanted = refuse_unknown(read_filter(db.session, company_id, given), given)
    return log.page_deliveries(db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"))


@blueprint.route("GET /deliveries/<webhook_id:delivery_id>", access="member")
@blueprint.arguments(AttemptQuerySchema, location="query")
@blueprint.response(200, DeliverySchema, example=examples.DELIVERY)
def get_delivery(given: dict[str, Any], delivery_id: str) -> Delivery:
    """One delivery, with its body and its attempts

    The audit log keeps who read a body, once a day for each person.
    """
    delivery = or_404(log.read_content(db.session, current_actor(), delivery_id))
    return log.take_attempts(db.session, delivery, before=given.get("attempts_before"))


@blueprint.route("POST /deliveries/<delivery_id>/resend", access="admin", problems=(409,))
@blueprint.response(202, DeliverySchema, example=examples.RESENT)
def resend_delivery(delivery_id: str) -> Delivery:
    """Send a delivery again, the same id and the same bytes

    It is due at once, with all its tries again. Nothing changes when it is due or being sent already. What was
    delivered before reaches the receiver twice; what was superseded puts an older state back.
    """
    delivery = get_delivery_or_404(delivery_id)
    resending.resend(db.session, current_actor(), delivery, accepting=resending.RISKS)
    # Read before the commit: later, a read takes the lock again.
    answer = log.take_attempts(db.session, get_delivery_or_404(delivery_id))
    db.session.commit()
    return answer


@blueprint.route("POST /deliveries/resend", access="admin", problems=(409,))
@blueprint.arguments(ResendSchema, example={"filter": {"status": "failed", "level": 3}, "dry_run": True})
@blueprint.response(202, JobSchema, description="The job that sends them.", example=examples.JOB)
@blueprint.alt_response(200, schema=ResendCountSchema, description="A dry run.", example=examples.RESEND_COUNT)
def resend_deliveries(given: dict[str, Any]) -> Task | Response:
    """Send again all deliveries that match a filter

    The same ids and the same bytes, each contact's in their order, with all their tries again. Tests, what is on its
    way already and what has no body any more are left out. Which deliveries go is settled when the job is made; one
    that somebody sends again meanwhile is not sent twice. `dry_run` counts and sends nothing.
    """
    actor = current_actor()
    wanted = read_filter(db.session, actor.company_id, given["filter"])
    refuse_unknown(wanted, given["filter"], within="filter.")
    risks = resending.risks_meant(wanted, given.get("include", ()))
    if given["dry_run"]:
        count = resending.look(db.session, actor.company_id, wanted).tell(risks)
        return jsonify(ResendCountSchema().dump(count))  # another shape than the route's own
    task = resending.start(db.session, actor, wanted, risks=risks)
    db.session.commit()
    return task
