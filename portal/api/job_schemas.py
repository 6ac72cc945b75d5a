"""The shapes of sending many deliveries again, and of a job's progress."""

from marshmallow import fields

from portal.api.delivery_schemas import DeliveryFilterSchema
from portal.api.protocol.fields import AnswerSchema, Flag, ItemList, Object, StrictSchema, about, choice
from portal.deliveries.resending import RISKS
from portal.models import TASK_STATUSES


class ResendSchema(StrictSchema):
    filter = Object(DeliveryFilterSchema, required=True, metadata=about("Empty: every delivery."))
    include = ItemList(
        choice(RISKS),
        length=len(RISKS),
        metadata=about(
            "What goes though it may surprise the CRM: `delivered` reached it before, `older` puts an "
            "older level back, `maybe_received` had no whole answer. What the filter's `status` names goes anyway: "
            "`delivered`, and `older` by `superseded`."
        ),
    )
    dry_run = Flag(load_default=False, metadata=about("Only count; nothing is sent."))


class ResendCountSchema(AnswerSchema):
    count = fields.Integer(metadata=about("Deliveries that would be sent again."))
    left_out = fields.Dict(
        keys=choice(RISKS), values=fields.Integer(), metadata=about("What matches and would go if `include` named it.")
    )


class JobSchema(AnswerSchema):
    id = fields.Integer()
    kind = fields.String(metadata=about("`resend`, `sync`, `send_current`, `classify`, `import`, `purge` ..."))
    status = choice(TASK_STATUSES)
    position = fields.Integer(metadata=about("How many are done."))
    total = fields.Integer()
    counts = fields.Dict(
        keys=fields.String(),
        values=fields.Integer(),
        metadata=about("What came of them: `resent` or `sent`, and `unchanged`."),
    )
    reason = fields.String(allow_none=True, metadata=about("Why it failed, else null."))
