"""Making and changing contacts by API, once however often the call is repeated."""

from collections.abc import Mapping
from typing import Any

from flask import Response, json, request

from portal.api import examples
from portal.api.contact_schemas import MAX_CONTACTS, SAVE_BODY, ContactItemSchema, RepeatableSchema, ResultsSchema
from portal.api.protocol import idempotency
from portal.api.protocol.access import current_actor, current_caller
from portal.api.protocol.fields import Object
from portal.api.protocol.idempotency import KeyReused, KeyUnderWay
from portal.api.protocol.parsing import ApiBlueprint, load_many, read_json
from portal.api.protocol.problems import FieldError, Problem, refuse
from portal.contacts.checking import RefusedItems
from portal.contacts.records import PersonRecord
from portal.contacts.saved import Saved
from portal.contacts.saving import save_items
from portal.database.db import db
from portal.people.tokens import Bearer
from portal.web import bodies

REPLAYED = "Idempotent-Replayed"
RETRY_AFTER_SECONDS = 1

blueprint = ApiBlueprint("saving", __name__, tag="contacts")
item_form = Object(ContactItemSchema, error_messages={"null": "not_an_object"})


@blueprint.route("POST /contacts", access="member", problems=(400, 409, 413, 415))
@bodies.up_to(bodies.FORM_BYTES, who_is_known=bodies.CALL_BYTES)
@blueprint.arguments(RepeatableSchema, location="headers")
@blueprint.response(200, ResultsSchema, example=examples.SAVED)
@blueprint.doc(requestBody=SAVE_BODY)
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
    items, errors = load_many(item_form, given if is_list else [given], most=MAX_CONTACTS)
    caller, key = current_caller(), headers.get("idempotency_key")
    if key is not None and not errors and (answer := earlier_answer(caller, key, given)) is not None:
        return answer_with(answer, is_replayed=True)
    answer = json.dumps({"results": save(caller, items, errors, is_list=is_list)}, separators=(",", ":"))
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


def answer_with(answer: str, *, is_replayed: bool = False) -> Response:
    return Response(answer, content_type="application/json", headers={REPLAYED: "true"} if is_replayed else None)


def save(
    caller: Bearer, items: Mapping[int, Any], errors: dict[int, list[FieldError]], *, is_list: bool
) -> list[dict[str, Any]]:
    """Save the contacts, one result each. Raises Problem (422), which names every one that is not accepted.

    `errors` are of those that have not the form of a contact: all are looked at, and none is saved then.
    """
    owner, places = PersonRecord(caller.user_id, caller.name, caller.email), list(items)
    try:
        results = save_items(db.session, current_actor(), list(items.values()), default_owner=owner)
    except RefusedItems as refused:
        for each in refused.every:
            code = each.problem if each.most is None else f"{each.problem}:{each.most}"
            errors.setdefault(places[each.place], []).append((each.field, code))
    if errors:
        db.session.rollback()
        refuse([(_path(place, path, is_list), code) for place in sorted(errors) for path, code in errors[place]])
    return [_told(each) for each in results]


def _path(place: int, path: str, is_list: bool) -> str:
    return f"{place}.{path}".removesuffix(".") if is_list else path


def _told(saved: Saved) -> dict[str, Any]:
    """What became of one contact; `notes` only where something was left out or mended."""
    told = {"id": saved.contact_id, "created": saved.created, "delivery_id": saved.delivery_id}
    notes = [{"field": note.field, "problem": note.problem} for note in saved.notes]
    return told | ({"notes": notes} if notes else {})
