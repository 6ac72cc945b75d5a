"""The shapes of bringing the CRM in sync, and of settling what it accepted with a warning."""

from marshmallow import fields

from portal.api.contact_schemas import ContactFilterSchema
from portal.api.protocol.fields import Flag, Object, StrictSchema, TimeParameter, choice, key
from portal.rules.verdict import WARNINGS


class SyncSchema(StrictSchema):
    optional_body = True

    dry_run = Flag(load_default=False, metadata={"description": "Only count; nothing is sent."})


class SendCurrentSchema(StrictSchema):
    filter = Object(ContactFilterSchema, required=True, metadata={"description": "Empty: every contact."})
    dry_run = Flag(load_default=False, metadata={"description": "Only count; nothing is sent."})


class CountSchema(StrictSchema):
    count = fields.Integer(required=True, metadata={"description": "Contacts that would get a delivery."})


class SettleSchema(StrictSchema):
    contact_id: fields.Integer = key()
    warning = choice(WARNINGS)
    until = TimeParameter(metadata={"description": "What the CRM accepted later stays open: nobody has looked at it."})


class SettledSchema(StrictSchema):
    count = fields.Integer(required=True, metadata={"description": "Contacts whose warning was settled."})
