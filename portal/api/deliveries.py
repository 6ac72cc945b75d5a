"""The delivery log by API: filtered pages, one delivery with its attempts, and sending it again."""

from typing import Any

from portal import audit, clock, outbox
from portal.api import examples
from portal.api.delivery_schemas import DeliveryPageSchema, DeliveryQuerySchema, DeliverySchema
from portal.api.protocol.access import admin, current_caller, member, note_once_a_day
from portal.api.protocol.exchange import join_headers, message_of, text_of
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem, refuse
from portal.company.endpoint import is_configured
from portal.database.db import db
from portal.database.paging import InvalidCursor
from portal.deliveries.filtering import read_filter
from portal.deliveries.log import attempts_of, get_delivery, page_deliveries
from portal.models import Attempt, Delivery

blueprint = ApiBlueprint("deliveries", __name__)


@blueprint.route("/deliveries", tags=["deliveries"])
@member
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema, example=examples.DELIVERY_PAGE)
@blueprint.problems()
@blueprint.doc(operationId="listDeliveries")
def index(given: dict[str, Any]) -> dict[str, Any]:
    """The deliveries that match every filter, newest first"""
    company_id = current_caller().company_id
    wanted = read_filter(db.session, company_id, given)
    try:
        page = page_deliveries(db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"))
    except InvalidCursor:
        refuse([("cursor", "invalid_cursor")])
    return {"items": [facts_of(row) for row in page.items], "next_cursor": page.next_cursor}


@blueprint.route("/deliveries/<webhook_id:delivery_id>", tags=["deliveries"])
@member
@blueprint.response(200, DeliverySchema, example=examples.DELIVERY)
@blueprint.problems(404)
@blueprint.doc(operationId="getDelivery")
def show(delivery_id: str) -> dict[str, Any]:
    """One delivery, with its body and every attempt

    The audit log keeps who read a body, once a day for each person.
    """
    if get_delivery_or_404(delivery_id).body is not None:
        note_once_a_day("delivery.viewed", subject=delivery_id)
    return details_of(get_delivery_or_404(delivery_id))


@blueprint.route("/deliveries/<delivery_id>/resend", methods=["POST"], tags=["deliveries"])
@admin
@blueprint.response(202, DeliverySchema, example=examples.RESENT)
@blueprint.problems(404, 409)
@blueprint.doc(operationId="resendDelivery")
def resend(delivery_id: str) -> dict[str, Any]:
    """Send a delivery again, the same id and the same bytes

    It is due at once, with all its tries again. Nothing changes when it is due or being sent already. What was
    delivered before reaches the receiver twice; what was superseded puts an older state back.
    """
    delivery = get_delivery_or_404(delivery_id)
    refuse_resend(delivery)
    caller = current_caller()
    if outbox.resend(db.session, delivery, actor=caller.email, now=clock.utcnow()):
        audit.record(
            db.session,
            caller.actor,
            "delivery.resent",
            subject=delivery_id,
        )
    answer = details_of(delivery)
    db.session.commit()
    return answer


def get_delivery_or_404(delivery_id: str) -> Delivery:
    """The delivery of the caller's company: nobody can forget to check whose it is."""
    delivery = None
    if delivery_id.isascii() and delivery_id.isprintable():
        delivery = get_delivery(db.session, current_caller().company_id, delivery_id)
    if delivery is None:
        raise Problem(404, "not_found")
    return delivery


def refuse_resend(delivery: Delivery) -> None:
    """Raises Problem (409) for what cannot be sent again."""
    if delivery.is_test:
        raise Problem(409, "test_delivery")
    if delivery.body is None:
        raise Problem(409, "body_purged")
    if not is_configured(db.session, delivery.company_id):
        raise Problem(409, "webhook_unset")


def facts_of(row: Delivery) -> dict[str, Any]:
    """A delivery as lists show it."""
    return {
        "id": row.webhook_id,
        "status": row.status,
        "contact_id": row.contact_id,
        "interest_level": row.interest_level,
        "previous_level": row.previous_level,
        "reason": row.reason,
        "attempt_count": row.attempt_count,
        "next_attempt_at": row.next_attempt_at if row.status == "pending" else None,
        "created_at": row.created_at,
        "delivered_at": row.delivered_at,
    }


def details_of(row: Delivery) -> dict[str, Any]:
    """A delivery with its body and its attempts, in the order they were made."""
    attempts = [attempt_facts(attempt) for attempt in reversed(attempts_of(db.session, row))]
    return facts_of(row) | {"body": text_of(row.body), "attempts": attempts}


def attempt_facts(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "trigger": attempt.trigger,
        "started_at": attempt.started_at,
        "duration_ms": attempt.duration_ms,
        "url": attempt.url,
        "status_code": attempt.status_code,
        "reason": attempt.reason,
        "message": message_of(attempt),
        "warning": attempt.warning,
        "request_headers": join_headers(attempt.request_headers),
        "response_headers": join_headers(attempt.response_headers),
        "response_body": text_of(attempt.response_body),
    }
