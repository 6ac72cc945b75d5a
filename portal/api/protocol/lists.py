"""What lists have in common: filters by campaign and owner, and pages."""

from marshmallow.validate import Range

from portal.api.protocol.fields import NumberParameter, StrictSchema, Text

MAX_LIMIT, DEFAULT_LIMIT = 200, 50

PAGE_NOTE = {"description": "null on the last page."}


class FilterSchema(StrictSchema):
    campaign = Text(200, metadata={"description": "A campaign's name, or its number."})
    owner = Text(254, metadata={"description": "An owner's e-mail, or their number."})


class ListQuerySchema(StrictSchema):
    limit = NumberParameter(
        load_default=DEFAULT_LIMIT, validate=Range(1, MAX_LIMIT, error=f"out_of_range:1:{MAX_LIMIT}")
    )
    cursor = Text(200, metadata={"description": "`next_cursor` of the page before."})
