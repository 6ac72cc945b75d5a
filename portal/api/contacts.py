"""Contacts by API: made and changed in the body's own shape, read, and classified."""

from typing import Any

from flask import Response, jsonify, request
from marshmallow import ValidationError
from sqlalchemy.orm import Session

from portal import classification, contacts
from portal.api.access import current_caller, member
from portal.api.contact_schemas import (
    EXAMPLE,
    ClassifiedSchema,
    ContactItemSchema,
    ContactSchema,
    LevelSchema,
    ResultsSchema,
)
from portal.api.parsing import ApiBlueprint, read_json
from portal.api.problems import FieldError, Problem, flatten, refuse
from portal.api.spec import DELIVERY_ID, KEY_PATH
from portal.contact_items import InvalidContact
from portal.contacts import get_contact, payload_of
from portal.db import db
from portal.models import Company, Contact, User
from portal.sync import states_of

MAX_CONTACTS = 1000

blueprint = ApiBlueprint("contacts", __name__)
item_schema = ContactItemSchema()


@blueprint.route("/contacts", methods=["POST"], tags=["contacts"])
@member
@blueprint.response(200, ResultsSchema, example={"results": [{"id": 7, "created": True, "delivery_id": DELIVERY_ID}]})
@blueprint.problems(400, 409, 413, 415, 422)
@blueprint.doc(
    operationId="saveContacts",
    requestBody={
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "oneOf": [
                        ContactItemSchema,
                        {"type": "array", "items": ContactItemSchema, "maxItems": MAX_CONTACTS},
                    ]
                },
                "example": EXAMPLE,
            }
        },
    },
)
def save_contacts() -> dict[str, Any]:
    """Make or change contacts

    One object, or a list of at most 1000, each in the shape of the webhook's body. A contact is matched by
    `contact.id`, else by `linkedin_public_id`, else by `email`, both within the campaign. What is absent stays as it
    is. A campaign is made by its name; an owner whose e-mail is unknown becomes a person without log-in; without an
    owner a new contact is the token's user's. An `interest_level` that differs is a classification: `delivery_id` is
    the webhook that it fires. All or nothing: when one contact is not accepted, none is saved, and `errors` names its
    place, as `3.contact.name`.
    """
    given = read_json(request)
    is_list = isinstance(given, list)
    items = load_items(given if is_list else [given], is_list=is_list)
    caller = current_caller()
    company, owner = db.session.get_one(Company, caller.company_id), db.session.get_one(User, caller.user_id)
    results = []
    for index, item in enumerate(items):
        try:
            results.append(save_item(db.session, company, item, owner=owner))
        except InvalidContact as error:
            refuse([(f"{index}.{error.field}" if is_list else error.field, error.problem)])
    db.session.commit()
    return {"results": results}


@blueprint.route(f"/contacts/<{KEY_PATH}:contact_id>", tags=["contacts"])
@member
@blueprint.response(200, ContactSchema)
@blueprint.problems(404)
@blueprint.doc(operationId="getContact")
def get_one(contact_id: int) -> Response:
    """One contact

    In the shape of the webhook's body, with dates in the company's time zone, plus `sync`: whether the CRM knows the
    contact's level (`in_sync`, `waiting`, `out_of_sync`, `never_sent`).
    """
    contact = get_contact_or_404(contact_id)
    return jsonify(payload_of(contact) | {"sync": states_of(db.session, [contact])[contact.id]})


@blueprint.route(f"/contacts/<{KEY_PATH}:contact_id>/interest-level", methods=["PUT"], tags=["contacts"])
@member
@blueprint.arguments(LevelSchema, example={"interest_level": 3})
@blueprint.response(
    200,
    ClassifiedSchema,
    example={"contact_id": 7, "interest_level": 3, "previous_level": 2, "delivery_id": DELIVERY_ID},
)
@blueprint.problems(400, 404, 413, 415)
@blueprint.doc(operationId="classifyContact")
def classify(given: dict[str, Any], contact_id: int) -> dict[str, Any]:
    """Classify a contact

    A webhook fires when a level is set for the first time or changed; not when it is saved again or removed (null).
    """
    contact = get_contact_or_404(contact_id)
    level = given["interest_level"]
    classified = classification.classify(db.session, contact, level, actor=current_caller().email)
    answer = {
        "contact_id": contact_id,
        "interest_level": level,
        "previous_level": classified.previous_level,
        "delivery_id": classified.delivery.webhook_id if classified.delivery else None,
    }
    db.session.commit()
    return answer


def get_contact_or_404(contact_id: int) -> Contact:
    """The contact of the caller's company: nobody can forget to check whose it is."""
    contact = get_contact(db.session, current_caller().company_id, contact_id)
    if contact is None:
        raise Problem(404, "not_found")
    return contact


def load_items(given: list[Any], *, is_list: bool) -> list[dict[str, Any]]:
    """The contacts that were sent, in the schema's types. Raises Problem, naming every field that is wrong."""
    if len(given) > MAX_CONTACTS:
        refuse([("", "too_many")])
    items: list[dict[str, Any]] = []
    errors: list[FieldError] = []
    for index, item in enumerate(given):
        try:
            items.append(item_schema.load(item))
        except ValidationError as error:
            errors.extend(flatten(error.messages_dict, str(index) if is_list else ""))
    if errors:
        refuse(errors)
    return items


def save_item(session: Session, company: Company, item: dict[str, Any], *, owner: User) -> dict[str, Any]:
    """Save one contact, and classify it when a level was given. Raises InvalidContact."""
    saved = contacts.save_contact(session, company, item, default_owner=owner)
    delivery = None
    if "interest_level" in item["contact"]:
        level = item["contact"]["interest_level"]
        delivery = classification.classify(session, saved.contact, level, actor=current_caller().email).delivery
    return {
        "id": saved.contact.id,
        "created": saved.created,
        "delivery_id": delivery.webhook_id if delivery else None,
    }
