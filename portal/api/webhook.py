"""The webhook's settings by API: the address, how it has been going, and a test."""

from datetime import timedelta
from typing import Any

from flask import request

from portal import clock, outbox
from portal.api import examples
from portal.api.deliveries import get_delivery_or_404
from portal.api.protocol.access import admin, current_caller, member
from portal.api.protocol.exchange import result_of, text_of
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem
from portal.api.webhook_schemas import SecretSchema, TestResultSchema, TestUrlSchema, UrlSchema, WebhookSchema
from portal.company import endpoint as endpoints
from portal.company.endpoint import get_endpoint, state_of
from portal.database.db import db
from portal.deliveries.log import MAX_TESTS_A_MINUTE, attempts_of, count_tests_since
from portal.egress import AddressError, CheckedAddress
from portal.models import Endpoint
from portal.rules.reasons import explain_address
from portal.runtime import runtime

TESTS_COUNTED_FOR = timedelta(minutes=1)

blueprint = ApiBlueprint("webhook", __name__)


@blueprint.route("/webhook", tags=["webhook"])
@member
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
@blueprint.problems()
@blueprint.doc(operationId="getWebhook")
def show() -> dict[str, Any]:
    """The company's webhook: where it goes, and how it has been going"""
    return facts_of(get_endpoint(db.session, current_caller().company_id))


@blueprint.route("/webhook", methods=["PUT"], tags=["webhook"])
@admin
@blueprint.arguments(UrlSchema, example={"url": examples.URL})
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
@blueprint.problems(400, 413, 415)
@blueprint.doc(operationId="setWebhook")
def save(given: dict[str, Any]) -> dict[str, Any]:
    """Set the address, or remove it (null)

    Deliveries that wait go to the new address; when it is removed they are cancelled. An address that the portal does
    not send to is refused with `code` `invalid_url` or `blocked_address`.
    """
    caller = current_caller()
    checked = check_url(given["url"]) if given["url"] is not None else None
    endpoint = get_endpoint(db.session, caller.company_id)
    if checked is None:
        endpoints.remove_url(db.session, endpoint, actor=caller.email, ip=request.remote_addr)
    else:
        endpoints.set_url(db.session, endpoint, checked, actor=caller.email, ip=request.remote_addr)
    answer = facts_of(endpoint)
    db.session.commit()
    return answer


@blueprint.route("/webhook/test", methods=["POST"], tags=["webhook"])
@admin
@blueprint.arguments(TestUrlSchema, required=False, example={"url": examples.URL})
@blueprint.response(200, TestResultSchema, example=examples.TEST_RESULT)
@blueprint.problems(400, 409, 413, 415)
@blueprint.doc(operationId="testWebhook")
def send_test(given: dict[str, Any]) -> dict[str, Any]:
    """Send the sample to an address, saved or not, and say what came of it

    The same code sends as for every delivery. The test stands in the log, marked as a test, and is never retried.
    Repeated headers are joined by a comma.
    """
    caller = current_caller()
    limit_tests()
    url = given.get("url") or configured_url()
    checked = check_url(url)
    sent = runtime().send_test(company_id=caller.company_id, url=checked.address.url, actor=caller.email)
    delivery = get_delivery_or_404(sent.webhook_id)
    (attempt,) = attempts_of(db.session, delivery)
    return result_of(attempt, delivered=sent.outcome.delivered, body=text_of(delivery.body))


@blueprint.route("/webhook/rotate-secret", methods=["POST"], tags=["webhook"])
@admin
@blueprint.response(200, SecretSchema, example=examples.SECRET)
@blueprint.problems()
@blueprint.doc(operationId="rotateSecret")
def rotate_secret() -> dict[str, Any]:
    """Sign with a new key

    It is told this once. The key before it signs too, until `old_secret_until`; one before that does not any more.
    """
    caller = current_caller()
    endpoint = get_endpoint(db.session, caller.company_id)
    secret = endpoints.rotate_secret(
        db.session, endpoint, vault=runtime().vault, actor=caller.email, ip=request.remote_addr
    )
    answer = {"secret": secret, "old_secret_until": endpoint.old_secret_until}
    db.session.commit()
    return answer


def configured_url() -> str:
    """The company's address. Raises Problem (409) when there is none."""
    url = get_endpoint(db.session, current_caller().company_id).url
    if url is None:
        raise Problem(409, "webhook_unset")
    return url


def limit_tests() -> None:
    """Raises Problem (429) when the company made too many tests within the last minute."""
    since = clock.utcnow() - TESTS_COUNTED_FOR
    if count_tests_since(db.session, current_caller().company_id, since) >= MAX_TESTS_A_MINUTE:
        headers = {"Retry-After": str(round(TESTS_COUNTED_FOR.total_seconds()))}
        raise Problem(429, "too_many_tests", headers=headers)


def check_url(url: str) -> CheckedAddress:
    """The address, if the policy permits it. Raises Problem (422). Ends the transaction: checking asks the network."""
    db.session.rollback()
    try:
        return runtime().egress.check(url)
    except AddressError as error:
        sentence = explain_address(error.problem)
        errors = [{"path": "url", "code": error.problem, "message": sentence}]
        raise Problem(422, error.reason, detail=sentence, errors=errors, problem=error.problem) from error


def facts_of(endpoint: Endpoint) -> dict[str, Any]:
    return {
        "url": endpoint.url,
        "state": state_of(endpoint),
        "paused_reason": endpoint.paused_reason,
        "waiting": outbox.waiting_count(db.session, endpoint.company_id),
        "consecutive_failures": endpoint.consecutive_failures,
        "last_success_at": endpoint.last_success_at,
        "last_failure_at": endpoint.last_failure_at,
    }
