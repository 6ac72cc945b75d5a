"""The shapes of bringing the CRM in sync, and of settling what it accepted with a warning."""

from marshmallow import fields

from portal.api.contact_schemas import ContactFilterSchema
from portal.api.protocol.fields import AnswerSchema, Flag, Object, StrictSchema, TimeParameter, about, choice, key
from portal.rules.verdict import WARNINGS


class SyncSchema(StrictSchema):
    optional_body = True

    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class SendCurrentSchema(StrictSchema):
    filter = Object(ContactFilterSchema, required=True, metadata=about("Empty: every contact."))
    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class CountSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts that would get a delivery."))


class SettleSchema(StrictSchema):
    contact_id: fields.Integer = key()
    warning = choice(WARNINGS)
    until = TimeParameter(metadata=about("What the CRM accepted later stays open: nobody has looked at it."))


class SettledSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Contacts whose warning was settled."))
