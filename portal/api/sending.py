"""Whether the webhook sends: pause it, and resume once a test has shown that somebody is there."""

from typing import Any

from flask import request

from portal.api import examples
from portal.api.protocol.access import admin, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem
from portal.api.webhook import configured_url, facts_of, limit_tests
from portal.api.webhook_schemas import WebhookSchema
from portal.company import endpoint as endpoints
from portal.company.endpoint import get_endpoint
from portal.database.db import db
from portal.runtime import runtime

blueprint = ApiBlueprint("sending", __name__)


@blueprint.route("/webhook/pause", methods=["POST"], tags=["webhook"])
@admin
@blueprint.response(200, WebhookSchema, example=examples.PAUSED)
@blueprint.problems(409)
@blueprint.doc(operationId="pauseWebhook")
def pause() -> dict[str, Any]:
    """Send nothing until somebody resumes; what is classified waits, and nothing is lost"""
    caller = current_caller()
    configured_url()
    endpoint = get_endpoint(db.session, caller.company_id)
    endpoints.pause(db.session, endpoint, actor=caller.email, ip=request.remote_addr)
    answer = facts_of(endpoint)
    db.session.commit()
    return answer


@blueprint.route("/webhook/resume", methods=["POST"], tags=["webhook"])
@admin
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
@blueprint.problems(409)
@blueprint.doc(operationId="resumeWebhook")
def resume() -> dict[str, Any]:
    """Send again, once a test has shown that somebody is there

    The sample is sent to the configured address first. When that is not delivered, nothing is resumed: `code` is
    `test_failed`, `detail` says what was seen, `reason` is the test's, and `delivery_id` finds it in the log. While
    nothing is paused or failing, nothing is sent and nothing changes.
    """
    caller = current_caller()
    url = configured_url()
    endpoint = get_endpoint(db.session, caller.company_id)
    if endpoint.state == "active":
        return facts_of(endpoint)
    limit_tests()
    sent = runtime().send_test(company_id=caller.company_id, url=url, actor=caller.email)
    if not sent.outcome.delivered:
        detail = runtime().explain(sent.outcome).message
        raise Problem(409, "test_failed", detail=detail, reason=sent.outcome.reason, delivery_id=sent.webhook_id)
    endpoint = get_endpoint(db.session, caller.company_id)
    if endpoint.url != url:  # somebody changed the address meanwhile: the test says nothing about that one
        raise Problem(409, "conflict")
    endpoints.resume(db.session, endpoint, actor=caller.email, ip=request.remote_addr)
    answer = facts_of(endpoint)
    db.session.commit()
    return answer
