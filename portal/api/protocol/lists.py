"""What lists have in common: filters by campaign and owner, and pages."""

from marshmallow.validate import Range

from portal.api.protocol.fields import NumberParameter, StrictSchema, Text, about

MAX_LIMIT, DEFAULT_LIMIT = 200, 50

PAGE_NOTE = about("null on the last page.")


class FilterSchema(StrictSchema):
    campaign = Text(200, metadata=about("A campaign's name, or its number."))
    owner = Text(254, metadata=about("An owner's e-mail, or their number."))


class ListQuerySchema(StrictSchema):
    limit = NumberParameter(
        load_default=DEFAULT_LIMIT, validate=Range(1, MAX_LIMIT, error=f"out_of_range:1:{MAX_LIMIT}")
    )
    cursor = Text(200, metadata=about("`next_cursor` of the page before."))
