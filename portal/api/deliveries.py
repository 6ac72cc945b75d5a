"""The delivery log by API: filtered pages, one delivery with its attempts, and sending it again."""

from typing import Any

from portal.api import examples
from portal.api.delivery_schemas import DeliveryPageSchema, DeliveryQuerySchema, DeliverySchema
from portal.api.protocol.access import admin, current_caller, member
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import or_404
from portal.database.db import db
from portal.database.paging import Page
from portal.deliveries import resending
from portal.deliveries.filtering import read_filter
from portal.deliveries.log import get_delivery, page_deliveries, read_content
from portal.models import Delivery

blueprint = ApiBlueprint("deliveries", __name__)


@blueprint.route("/deliveries", tags=["deliveries"])
@member
@blueprint.arguments(DeliveryQuerySchema, location="query")
@blueprint.response(200, DeliveryPageSchema, example=examples.DELIVERY_PAGE)
@blueprint.problems()
@blueprint.doc(operationId="listDeliveries")
def index(given: dict[str, Any]) -> Page[Delivery]:
    """The deliveries that match every filter, newest first"""
    company_id = current_caller().company_id
    wanted = read_filter(db.session, company_id, given)
    return page_deliveries(db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"))


@blueprint.route("/deliveries/<webhook_id:delivery_id>", tags=["deliveries"])
@member
@blueprint.response(200, DeliverySchema, example=examples.DELIVERY)
@blueprint.problems(404)
@blueprint.doc(operationId="getDelivery")
def show(delivery_id: str) -> Delivery:
    """One delivery, with its body and every attempt

    The audit log keeps who read a body, once a day for each person.
    """
    return or_404(read_content(db.session, current_caller().actor, delivery_id))


@blueprint.route("/deliveries/<delivery_id>/resend", methods=["POST"], tags=["deliveries"])
@admin
@blueprint.response(202, DeliverySchema, example=examples.RESENT)
@blueprint.problems(404, 409)
@blueprint.doc(operationId="resendDelivery")
def resend(delivery_id: str) -> Delivery:
    """Send a delivery again, the same id and the same bytes

    It is due at once, with all its tries again. Nothing changes when it is due or being sent already. What was
    delivered before reaches the receiver twice; what was superseded puts an older state back.
    """
    delivery = get_delivery_or_404(delivery_id)
    resending.resend(db.session, current_caller().actor, delivery, accepting=resending.RISKS)
    answer = get_delivery_or_404(delivery_id)  # read before the commit: later, a read takes the lock again
    db.session.commit()
    return answer


def get_delivery_or_404(delivery_id: str) -> Delivery:
    """The delivery of the caller's company: nobody can forget to check whose it is."""
    return or_404(get_delivery(db.session, current_caller().company_id, delivery_id))
