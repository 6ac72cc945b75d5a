"""The delivery log by API: filtered pages, one delivery with its attempts, and sending again: one, or many as a job."""

from typing import Any

from flask import Response, jsonify

from portal.api import examples
from portal.api.delivery_schemas import (
    DeliveryPageSchema,
    DeliveryQuerySchema,
    DeliverySchema,
    ResendCountSchema,
    ResendSchema,
)
from portal.api.jobs import JobSchema
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.database.db import db
from portal.database.paging import Page
from portal.deliveries import log, resending
from portal.deliveries.filtering import read_filter
from portal.models import Delivery, Task
from portal.web.access import or_404

blueprint = ApiBlueprint("deliveries", __name__, tag="deliveries")


@blueprint.route("GET /deliveries", access="member")
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema, example=examples.DELIVERY_PAGE)
def list_deliveries(given: dict[str, Any]) -> Page[Delivery]:
    """The deliveries that match every filter, newest first"""
    company_id = current_caller().company_id
    wanted = read_filter(db.session, company_id, given)
    return log.page_deliveries(db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"))


@blueprint.route("GET /deliveries/<webhook_id:delivery_id>", access="member")
@blueprint.response(200, DeliverySchema, example=examples.DELIVERY)
def get_delivery(delivery_id: str) -> Delivery:
    """One delivery, with its body and every attempt

    The audit log keeps who read a body, once a day for each person.
    """
    return or_404(log.read_content(db.session, current_actor(), delivery_id))


@blueprint.route("POST /deliveries/<delivery_id>/resend", access="admin", problems=(409,))
@blueprint.response(202, DeliverySchema, example=examples.RESENT)
def resend_delivery(delivery_id: str) -> Delivery:
    """Send a delivery again, the same id and the same bytes

    It is due at once, with all its tries again. Nothing changes when it is due or being sent already. What was
    delivered before reaches the receiver twice; what was superseded puts an older state back.
    """
    delivery = get_delivery_or_404(delivery_id)
    resending.resend(db.session, current_actor(), delivery, accepting=resending.RISKS)
    answer = get_delivery_or_404(delivery_id)  # read before the commit: later, a read takes the lock again
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
    wanted = read_filter(db.session, current_caller().company_id, given["filter"])
    risks = resending.risks_meant(wanted, given.get("include", ()))
    if given["dry_run"]:
        count = resending.look(db.session, actor.company_id, wanted).tell(risks)
        return jsonify(ResendCountSchema().dump(count))  # another shape than the route's own
    task = resending.resend_many(db.session, actor, wanted, risks=risks)
    db.session.commit()
    return task


def get_delivery_or_404(delivery_id: str) -> Delivery:
    """The delivery of the caller's company: nobody can forget to check whose it is."""
    return or_404(log.get_delivery(db.session, current_caller().company_id, delivery_id))
