"""Bringing the CRM in sync by API: how many contacts it does not know as we do, and sending it those."""

from typing import Any

from portal import audit
from portal.api import examples
from portal.api.protocol.access import admin, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.protocol.problems import Problem
from portal.api.sync_schemas import CountSchema, SyncSchema
from portal.company.endpoint import is_configured
from portal.contacts import syncing
from portal.database.db import db, reading

blueprint = ApiBlueprint("sync", __name__)


@blueprint.route("/sync", methods=["POST"], tags=["sync"])
@admin
@blueprint.arguments(SyncSchema, required=False, example={"dry_run": True})
@blueprint.response(202, CountSchema, description="The deliveries that were made.", example=examples.COUNT)
@blueprint.other_response(200, CountSchema, description="A dry run: what would be sent.", example=examples.COUNT)
@blueprint.problems(400, 409, 413, 415)
@blueprint.doc(operationId="bringInSync")
def bring_in_sync(given: dict[str, Any]) -> tuple[dict[str, int], int]:
    """Bring the CRM in sync

    One delivery, with the latest state only, for each contact that is out of sync, and for each that has a level and
    was never sent, level 3 first. What is on its way already is left alone, so asking twice sends once. `dry_run`
    counts those contacts and sends nothing. The deliveries are made some at a time: when the call is cut short, those
    that were made stay, and calling again makes the rest.
    """
    caller = current_caller()
    # Reading every contact holds up nobody who writes.
    with reading():
        wanted = syncing.find_out_of_sync(db.session, caller.company_id)
        has_address = is_configured(db.session, caller.company_id)
        db.session.rollback()
    if given.get("dry_run"):
        return {"count": len(wanted)}, 200
    if not has_address:
        raise Problem(409, "webhook_unset")
    count = 0
    for contact_ids in syncing.batches(wanted):
        count += syncing.bring_in_sync(db.session, caller.company_id, contact_ids, actor=caller.email)
        db.session.commit()
    if count:
        record(count)
    return {"count": count}, 202


def record(count: int) -> None:
    """Write down in the audit log who sent how many."""
    caller = current_caller()
    audit.record(db.session, caller.actor, "contacts.synced", subject=str(count))
    db.session.commit()
