"""The shapes of bringing the CRM in sync."""

from marshmallow import fields

from portal.api.protocol.fields import Flag, StrictSchema


class SyncSchema(StrictSchema):
    optional_body = True

    dry_run = Flag(load_default=False, metadata={"description": "Only count; nothing is sent."})


class CountSchema(StrictSchema):
    count = fields.Integer(required=True, metadata={"description": "Contacts that would get a delivery."})
