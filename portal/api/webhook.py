"""The webhook by API: its address, how it has been going, outages, a test, pause and resume, the key that signs."""

from typing import Any

from portal.api import examples
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.exchange import result_of
from portal.api.protocol.fields import ListQuerySchema
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import refuse
from portal.api.webhook_schemas import (
    OutagePageSchema,
    SavedWebhookSchema,
    SecretSchema,
    TestResultSchema,
    TestUrlSchema,
    UrlSchema,
    WebhookSchema,
)
from portal.company import endpoint, testing
from portal.company.endpoint import Status
from portal.company.header import FixedHeader, HeaderChoice, read_header
from portal.company.outages import OutageFacts, page_outages
from portal.company.refusals import HeaderRefused
from portal.database.db import db
from portal.database.paging import Page
from portal.runtime import runtime

blueprint = ApiBlueprint("webhook", __name__, tag="webhook")


@blueprint.route("GET /webhook", access="member")
@blueprint.response(200, WebhookSchema, example=examples.WEBHOOK)
def get_webhook() -> Status:
    """The company's webhook: where it goes, and how it has been going"""
    return endpoint.describe(db.session, current_caller().company_id)


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
    actor, held = current_actor(), runtime()
    header = header_of(given)
    if given["url"] is not None:
        saved = endpoint.set_address(
            db.session,
            actor,
            given["url"],
            egress=held.egress,
            vault=held.vault,
            header=header,
            other_crm=given["other_crm"],
        )
        return vars(commit()) | {"advice": saved.advice}
    if isinstance(header, FixedHeader):
        raise HeaderRefused("name", "no_address")
    if given["other_crm"]:
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
    status = endpoint.describe(db.session, current_caller().company_id)
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
    return page_outages(db.session, current_caller().company_id, limit=given["limit"], cursor=given.get("cursor"))
