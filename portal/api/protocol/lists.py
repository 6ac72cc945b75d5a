"""What lists have in common: filters by campaign and owner, and pages."""

from typing import Any

from marshmallow.validate import Range
from sqlalchemy.orm import Session

from portal.api.protocol.fields import NumberParameter, StrictSchema, Text
from portal.contacts.listing import campaign_id_of, owner_id_of

MAX_LIMIT, DEFAULT_LIMIT = 200, 50
NO_ROW = 0
"""A number that no row has."""

PAGE_NOTE = {"description": "null on the last page."}


class ListQuerySchema(StrictSchema):
    campaign = Text(200, metadata={"description": "A campaign's name, or its number."})
    owner = Text(254, metadata={"description": "An owner's e-mail, or their number."})
    limit = NumberParameter(load_default=DEFAULT_LIMIT, validate=Range(1, MAX_LIMIT, error="out_of_range"))
    cursor = Text(200, metadata={"description": "`next_cursor` of the page before."})


COMMON = ("campaign", "owner", "limit", "cursor")
"""What every list is asked by, as above."""


def filters_of(session: Session, company_id: int, given: dict[str, Any]) -> dict[str, Any]:
    """The filters of a query, with campaign and owner by number; one that does not exist matches nothing."""
    filters = {name: value for name, value in given.items() if name not in COMMON}
    for name, number_of in (("campaign", campaign_id_of), ("owner", owner_id_of)):
        if asked := given.get(name):
            try:
                filters[f"{name}_id"] = number_of(session, company_id, asked)
            except ValueError:
                filters[f"{name}_id"] = NO_ROW
    return filters
