"""The shapes of sending many deliveries again, and of a job's progress."""

from marshmallow import fields
from marshmallow.validate import OneOf

from portal.api.protocol.fields import (
    Flag,
    ItemList,
    Object,
    StrictSchema,
    Text,
    TimeParameter,
    WholeNumber,
    choice,
    key,
)
from portal.deliveries.resending import RISKS
from portal.models import DELIVERY_STATUSES, LEVELS, TASK_STATUSES, TRIGGERS
from portal.rules.reasons import WORDS


class DeliveryFilterSchema(StrictSchema):
    """The filters of `listDeliveries`, as an object."""

    status = choice(DELIVERY_STATUSES)
    contact_id = key()
    campaign = Text(200, metadata={"description": "A campaign's name, or its number."})
    owner = Text(254, metadata={"description": "An owner's e-mail, or their number."})
    level = WholeNumber(validate=OneOf(LEVELS, error="unknown_level"))
    reason = choice(tuple(WORDS))
    trigger = choice(TRIGGERS)
    since = TimeParameter(metadata={"description": "Created at this time or later."})
    until = TimeParameter(metadata={"description": "Created before this time."})
    search = Text(200, metadata={"description": "The contact's name, LinkedIn id, or the delivery's id."})


class ResendSchema(StrictSchema):
    filter = Object(DeliveryFilterSchema, required=True, metadata={"description": "Empty: every delivery."})
    include = ItemList(
        choice(RISKS),
        length=len(RISKS),
        metadata={
            "description": "What goes though it may surprise the CRM: `delivered` reached it before, `older` puts an "
            "older level back, `maybe_received` had no whole answer. Without it `maybe_received` goes, and what the "
            "filter's `status` names."
        },
    )
    dry_run = Flag(load_default=False, metadata={"description": "Only count; nothing is sent."})


class ResendCountSchema(StrictSchema):
    count = fields.Integer(required=True, metadata={"description": "Deliveries that would be sent again."})
    left_out = fields.Dict(
        keys=choice(RISKS),
        values=fields.Integer(),
        required=True,
        metadata={"description": "What matches and would go if `include` named it."},
    )


class JobSchema(StrictSchema):
    id = fields.Integer(required=True)
    kind = fields.String(required=True, metadata={"description": "`resend`, `sync`, `classify` or `import`."})
    status = choice(TASK_STATUSES, required=True)
    position = fields.Integer(required=True, metadata={"description": "How many are done."})
    total = fields.Integer(required=True)
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "What came of them: for a resend `resent` and `unchanged`."},
    )
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why it failed, else null."})
