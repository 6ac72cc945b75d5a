"""Contacts by API: read in the body's own shape, classified, and erased. `saving` makes and changes them."""

from collections.abc import Sequence
from typing import Any

from flask import Response, jsonify

from portal.api import examples
from portal.api.contact_schemas import (
    ClassifiedSchema,
    ContactPageSchema,
    ContactQuerySchema,
    ContactSchema,
    LevelSchema,
    MergeSchema,
    SendCurrentSchema,
    SentSchema,
)
from portal.api.jobs import JobSchema
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.parsing import ApiBlueprint
from portal.api.sync import CountSchema
from portal.contacts import classifying, completing, listing, merging, syncing
from portal.contacts.body import payload_of
from portal.contacts.filtering import read_filter
from portal.contacts.standing import Standing, standings_of
from portal.database.db import db, reading
from portal.deliveries.opening import crm_addresses_of
from portal.models import Contact, Task
from portal.privacy import erasing
from portal.runtime import runtime
from portal.web.access import or_404

blueprint = ApiBlueprint("contacts", __name__, tag="contacts")


@blueprint.route("GET /contacts", access="member")
@blueprint.arguments(ContactQuerySchema, location="query")
@blueprint.response(200, ContactPageSchema, example=examples.CONTACT_PAGE)
def list_contacts(given: dict[str, Any]) -> Response:
    """The contacts that match every filter, by name

    Each in the shape of the webhook's body, plus `sync`, `warning`, `data_changed` and `crm_url`. A cursor ends with
    the contact that it stands for: when that one is erased, begin again.
    """
    company_id = current_caller().company_id
    wanted = read_filter(db.session, company_id, given, reader_id=current_caller().user_id)
    page = listing.page_contacts(
        db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"), with_messages=True
    )
    return jsonify({"items": shapes_of(page.items), "next_cursor": page.next_cursor})


@blueprint.route("GET /contacts/<int:contact_id>", access="member")
@blueprint.response(200, ContactSchema, example=examples.CONTACT)
def get_contact(contact_id: int) -> Response:
    """One contact

    In the shape of the webhook's body, with dates in the company's time zone, plus `sync`: whether the CRM knows the
    contact's level (`in_sync`, `waiting`, `out_of_sync`, `never_sent`: no send of it is in the log), `warning`: what
    was odd about the last answer that was accepted, until somebody settles it, and `data_changed`: whether the receiver
    has the data of before.
    """
    return jsonify(*shapes_of([get_contact_or_404(contact_id)]))


@blueprint.route("PUT /contacts/<int:contact_id>/interest-level", access="member")
@blueprint.arguments(LevelSchema, example={"interest_level": 3})
@blueprint.response(200, ClassifiedSchema, example=examples.CLASSIFIED)
def classify_contact(given: dict[str, Any], contact_id: int) -> dict[str, Any]:
    """Classify a contact

    A webhook fires when a level is set for the first time or changed; not when it is saved again or removed (null).
    """
    level = given["interest_level"]
    classified = classifying.classify(db.session, current_actor(), contact_id, level)
    db.session.commit()
    return {
        "contact_id": contact_id,
        "interest_level": level,
        "previous_level": classified.previous_level,
        "delivery_id": classified.delivery_id,
    }


@blueprint.route("POST /contacts/<int:contact_id>/sync", access="member", problems=(409,))
@blueprint.response(200, SentSchema, example=examples.SENT)
def send_contact(contact_id: int) -> dict[str, Any]:
    """Send a contact's current data

    One delivery (trigger `sync`) with the current body, where the receiver has the old data (`data_changed`) or
    does not know the level. Nothing goes when it has all of it, or it is on its way, so asking twice sends once. A
    contact without a level is refused with `no_level`.
    """
    get_contact_or_404(contact_id)
    sent = syncing.send_current(db.session, current_actor(), contact_id)
    db.session.commit()
    return {"contact_id": contact_id, "delivery_id": sent}


@blueprint.route("POST /contacts/sync", access="admin", problems=(409,))
@blueprint.arguments(SendCurrentSchema, example={"filter": {"data_changed": "true"}, "dry_run": True})
@blueprint.response(202, JobSchema, description="The job that sends them.", example=examples.SEND_CURRENT_JOB)
@blueprint.alt_response(200, schema=CountSchema, description="A dry run: what would be sent.", example=examples.COUNT)
def send_contacts(given: dict[str, Any]) -> Task | Response:
    """Send the current data of all contacts that match

    As `sendContact` does for one, as a job, level 3 first: a delivery for each contact that matches, has a level, and
    of which the receiver has the old data or does not know the level. What is on its way already is left alone,
    so asking twice sends once. `dry_run` counts those contacts and sends nothing.
    """
    actor = current_actor()
    wanted = read_filter(db.session, actor.company_id, given["filter"], reader_id=current_caller().user_id)
    if given["dry_run"]:
        with reading():
            return jsonify({"count": completing.look(db.session, actor.company_id, wanted).count})
    task = completing.start(db.session, actor, wanted)
    db.session.commit()
    return task


@blueprint.route("POST /contacts/<int:contact_id>/merge", access="admin", problems=(409,))
@blueprint.arguments(MergeSchema, example={"contact_id": 12})
@blueprint.response(200, ContactSchema, example=examples.CONTACT)
def merge_contacts(given: dict[str, Any], contact_id: int) -> Response:
    """Merge another contact into this one

    For one person who is there twice. This one keeps its number, its level and what it says; what it lacks comes from
    the other, with the messages, the history and the deliveries, and the other is gone. Of more than 2,000 messages
    the newest stay. No webhook fires. What waits keeps its bytes, and with them the other's number: the receiver may
    know both.
    """
    other = get_contact_or_404(given["contact_id"])
    merging.merge(db.session, current_actor(), get_contact_or_404(contact_id).id, other.id)
    answer = jsonify(*shapes_of([get_contact_or_404(contact_id)]))  # before the commit: a read takes the lock again
    db.session.commit()
    return answer


@blueprint.route("DELETE /contacts/<int:contact_id>", access="admin")
@blueprint.response(204)
def erase_contact(contact_id: int) -> None:
    """Erase a contact for good

    With its messages and history, and with the bodies and answers of its deliveries; what waits to be sent is
    cancelled. Deliveries stay in the log without data. An import under way that holds the person ends. What the
    receiver got is not taken back: tell it by its own means.
    """
    contact, held = get_contact_or_404(contact_id), runtime()
    erasing.erase_contact(db.session, contact, current_actor(), vault=held.vault)
    db.session.commit()
    erasing.finish(db.engine, held.settings.instance)


def shapes_of(contacts: Sequence[Contact]) -> list[dict[str, Any]]:
    """Each contact in the shape of the webhook's body, with where it stands beside it."""
    standings = standings_of(db.session, contacts)
    addresses = crm_addresses_of(db.session, contacts[0].company_id, contacts) if contacts else {}
    return [shape_of(contact, standings[contact.id], addresses.get(contact.id)) for contact in contacts]


def shape_of(contact: Contact, standing: Standing, crm_url: str | None) -> dict[str, Any]:
    beside = {"sync": standing.sync, "warning": standing.warning, "data_changed": standing.data_changed}
    return payload_of(contact) | beside | {"crm_url": crm_url}


def get_contact_or_404(contact_id: int) -> Contact:
    """The contact of the caller's company: nobody can forget to check whose it is."""
    return or_404(listing.get_contact(db.session, current_caller().company_id, contact_id))
