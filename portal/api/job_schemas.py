"""The shapes of sending many deliveries again, and of a job's progress."""

from marshmallow import fields

from portal.api.delivery_schemas import DeliveryFilterSchema
from portal.api.protocol.fields import (
    Flag,
    ItemList,
    Object,
    StrictSchema,
    choice,
)
from portal.deliveries.resending import RISKS
from portal.models import TASK_STATUSES


class ResendSchema(StrictSchema):
    filter = Object(DeliveryFilterSchema, required=True, metadata={"description": "Empty: every delivery."})
    include = ItemList(
        choice(RISKS),
        length=len(RISKS),
        metadata={
            "description": "What goes though it may surprise the CRM: `delivered` reached it before, `older` puts an "
            "older level back, `maybe_received` had no whole answer. What the filter's `status` names goes anyway: "
            "`delivered`, and `older` by `superseded`."
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
    kind = fields.String(
        required=True, metadata={"description": "`resend`, `sync`, `send_current`, `classify`, `import`, `purge` ..."}
    )
    status = choice(TASK_STATUSES, required=True)
    position = fields.Integer(required=True, metadata={"description": "How many are done."})
    total = fields.Integer(required=True)
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        required=True,
        metadata={"description": "What came of them: `resent` or `sent`, and `unchanged`."},
    )
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why it failed, else null."})
