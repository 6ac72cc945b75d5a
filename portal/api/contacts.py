"""Contacts by API: saved, once however often the call is repeated; read, classified, sent, merged, and erased."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from flask import Response, json, jsonify, request

from portal.api import contact_schemas as schemas
from portal.api import examples
from portal.api.jobs import JobSchema
from portal.api.protocol import idempotency
from portal.api.protocol.access import current_caller
from portal.api.protocol.fields import Object
from portal.api.protocol.idempotency import KeyReused, KeyUnderWay
from portal.api.protocol.parsing import ApiBlueprint, load_many, read_json
from portal.api.protocol.problems import FieldError, Problem, refuse, refuse_unknown
from portal.api.sync import CountSchema
from portal.contacts import classifying, completing, listing, merging, syncing
from portal.contacts.body import payload_of
from portal.contacts.filtering import read_filter
from portal.contacts.items import RefusedItems
from portal.contacts.records import PersonRecord
from portal.contacts.saved import Saved
from portal.contacts.saving import save_each, save_items
from portal.contacts.standing import Standing, standings_of
from portal.database.db import db, reading
from portal.database.gathering import Take
from portal.deliveries.opening import crm_addresses_of
from portal.models import Contact, Task
from portal.people.tokens import Bearer
from portal.privacy import erasing
from portal.runtime import runtime
from portal.web import bodies
from portal.web.access import current_actor, own_or_404

REPLAYED = "Idempotent-Replayed"
RETRY_AFTER_SECONDS = 1

blueprint = ApiBlueprint("contacts", __name__, tag="contacts")
get_contact_or_404 = partial(own_or_404, listing.get_contact)
item_form = Object(schemas.ContactItemSchema, error_messages={"null": "not_an_object"})


@blueprint.route("POST /contacts", access="member", problems=(400, 409, 413, 415))
@bodies.up_to(bodies.FORM_BYTES, who_is_known=bodies.CALL_BYTES)
@blueprint.arguments(schemas.RepeatableSchema, location="headers")
@blueprint.response(200, schemas.ResultsSchema, example=examples.SAVED)
@blueprint.doc(requestBody=schemas.SAVE_BODY)
def save_contacts(headers: dict[str, Any]) -> Response:
    """Make or change contacts

    One object, or a list of at most 1000, each in the shape of the webhook's body. A contact is matched by
    `contact.id`; else within the campaign by `linkedin_public_id`; else by `email`, unless both have LinkedIn ids and
    these differ; else by name and company where neither has a LinkedIn id or an e-mail (of a list, entries that differ
    are as many people). A LinkedIn id may come as any address of a profile. A text that is no LinkedIn id or no
    e-mail is not stored, and `notes` says so. What is absent stays as it is. Who was merged into another contact means
    that one: it takes the level, adds the messages, and takes what it lacks (`merged_away` in `notes`). A campaign is
    made by its name; an owner whose e-mail is unknown becomes a person without log-in; without an owner a new contact
    is the token's user's. An `interest_level` that differs is a classification: `delivery_id` is the webhook that it
    fires. All or nothing: when one contact is not accepted, none is saved, and `errors` names every one by its place,
    as `3.contact.name`, up to 100. What GET gives may be sent back: `sync`, `warning`, `data_changed` and the numbers
    of owner and campaign are not used.

    With an `Idempotency-Key`, any text that you use once, a call may be repeated for 24 hours: the same request gets
    the first one's answer, with the header `Idempotent-Replayed: true`, and does nothing again. Another request with
    the same key is refused with `idempotency_key_reused`. A refused call does not use its key up.
    """
    given = read_json(request)
    is_list = isinstance(given, list)
    items, errors = load_many(item_form, given if is_list else [given], most=schemas.MAX_CONTACTS)
    caller, key = current_caller(), headers.get("idempotency_key")
    if key is not None and not errors and (answer := earlier_answer(caller, key, given)) is not None:
        return answer_with(answer, is_replayed=True)
    is_plain = key is None and not is_list and not errors
    if is_plain and (saved := save_with_others(caller, items[0])) is not None:
        return answer_with(answer_of([saved]))
    answer = answer_of(save(caller, items, errors, is_list=is_list))
    if key is not None:
        idempotency.finish(db.session, caller.company_id, key, answer=answer)
    db.session.commit()
    return answer_with(answer)


def earlier_answer(caller: Bearer, key: str, given: Any) -> str | None:
    """What the first call with this key was answered; None when this is the first. Raises Problem."""
    request_hash = idempotency.fingerprint(request.path, caller.user_id, given)
    try:
        return idempotency.begin(db.session, caller.company_id, key, request_hash=request_hash)
    except KeyReused as error:
        raise Problem(422, "idempotency_key_reused") from error
    except KeyUnderWay as error:
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        raise Problem(409, "request_under_way", headers=headers) from error


def answer_of(results: Sequence[Saved]) -> str:
    return json.dumps({"results": [_told(each) for each in results]}, separators=(",", ":"))


def answer_with(answer: str, *, is_replayed: bool = False) -> Response:
    return Response(answer, content_type="application/json", headers={REPLAYED: "true"} if is_replayed else None)


def save_with_others(caller: Bearer, item: Any) -> Saved | None:
    """Save a contact, together with those of the same caller's other calls that wait to be saved.

    None when nothing was saved: alone it is, or is told why not.
    """
    actor, owner = current_actor(), owner_of(caller)

    def save_all(take: Take[Any]) -> Sequence[Saved | None] | None:
        try:
            results = save_each(db.session, actor, take, default_owner=owner)
        except Exception:  # one of them may be the cause: each is saved alone
            db.session.rollback()
            return None
        db.session.commit()
        return results

    saved: Saved | None = runtime().calls.write((actor, caller.user_id), item, save_all)
    return saved


def owner_of(caller: Bearer) -> PersonRecord:
    """Whose a new contact is that names no owner."""
    return PersonRecord(caller.user_id, caller.name, caller.email)


def save(
    caller: Bearer, items: Mapping[int, Any], errors: dict[int, list[FieldError]], *, is_list: bool
) -> list[Saved]:
    """Save the contacts, one result each. Raises Problem (422), which names every one that is not accepted.

    `errors` are of those that have not the form of a contact: all are looked at, and none is saved then.
    """
    places = list(items)
    try:
        results = save_items(db.session, current_actor(), list(items.values()), default_owner=owner_of(caller))
    except RefusedItems as refused:
        for each in refused.every:
            code = each.problem if each.most is None else f"{each.problem}:{each.most}"
            errors.setdefault(places[each.place], []).append((each.field, code))
    if errors:
        db.session.rollback()
        refuse([(_path(place, path, is_list), code) for place in sorted(errors) for path, code in errors[place]])
    return results


def _path(place: int, path: str, is_list: bool) -> str:
    return f"{place}.{path}".removesuffix(".") if is_list else path


def _told(saved: Saved) -> dict[str, Any]:
    """What became of one contact; `notes` only where something was left out or mended."""
    told = {"id": saved.contact_id, "created": saved.created, "delivery_id": saved.delivery_id}
    notes = [{"field": note.field, "problem": note.problem} for note in saved.notes]
    return told | ({"notes": notes} if notes else {})


@blueprint.route("GET /contacts", access="member")
@blueprint.arguments(schemas.ContactQuerySchema, location="query")
@blueprint.response(200, schemas.ContactPageSchema, example=examples.CONTACT_PAGE)
def list_contacts(given: dict[str, Any]) -> Response:
    """The contacts that match every filter, by name

    Each in the shape of the webhook's body, plus `sync`, `warning`, `data_changed` and `crm_url`. A cursor ends with
    the contact that it stands for: when that one is erased, begin again.
    """
    company_id = current_actor().company_id
    wanted = read_filter(db.session, company_id, given, reader_id=current_caller().user_id)
    refuse_unknown(wanted, given)
    page = listing.page_contacts(
        db.session, company_id, wanted, limit=given["limit"], cursor=given.get("cursor"), with_messages=True
    )
    return jsonify({"items": shapes_of(page.items), "next_cursor": page.next_cursor})


@blueprint.route("GET /contacts/<int:contact_id>", access="member")
@blueprint.response(200, schemas.ContactSchema, example=examples.CONTACT)
def get_contact(contact_id: int) -> Response:
    """One contact

    In the shape of the webhook's body, with dates in the company's time zone, plus `sync`: whether the CRM knows the
    contact's level (`in_sync`, `waiting`, `out_of_sync`, `never_sent`: no send of it is in the log), `warning`: what
    was odd about the last answer that was accepted, until somebody settles it, and `data_changed`: whether the receiver
    has the data of before.
    """
    return jsonify(*shapes_of([get_contact_or_404(contact_id)]))


@blueprint.route("PUT /contacts/<int:contact_id>/interest-level", access="member")
@blueprint.arguments(schemas.LevelSchema, example={"interest_level": 3})
@blueprint.response(200, schemas.ClassifiedSchema, example=examples.CLASSIFIED)
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
@blueprint.response(200, schemas.SentSchema, example=examples.SENT)
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
@blueprint.arguments(schemas.SendCurrentSchema, example={"filter": {"data_changed": "true"}, "dry_run": True})
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
    refuse_unknown(wanted, given["filter"], within="filter.")
    if given["dry_run"]:
        with reading():
            return jsonify({"count": completing.look(db.session, actor.company_id, wanted).count})
    task = completing.start(db.session, actor, wanted)
    db.session.commit()
    return task


@blueprint.route("POST /contacts/<int:contact_id>/merge", access="admin", problems=(409,))
@blueprint.arguments(schemas.MergeSchema, example={"contact_id": 12})
@blueprint.response(200, schemas.ContactSchema, example=examples.CONTACT)
def merge_contacts(given: dict[str, Any], contact_id: int) -> Response:
    """Merge another contact into this one

    For one person who is there twice. This one keeps its number, its level and what it says; what it lacks comes from
    the other, with the messages, the history and the deliveries, and the other is gone. Of more than 2,000 messages, or
    500,000 characters of them, the newest stay. No webhook fires. What waits keeps its bytes, and with them the other's
    number: the receiver may know both.
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
