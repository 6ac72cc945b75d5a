"""Keeping where a contact is found in the CRM, as the answer to its delivery says: the answer itself is purged."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, String, Table, delete, insert, select

from portal.database.driver import Statement
from portal.database.rows import given, rows_of, within
from portal.database.tables import Key
from portal.egress import origin_of
from portal.outbox.claims import Claim, delivery
from portal.rules.crm_link import find, read_answer
from portal.webhook import Outcome
from portal.working_models import CrmRecord

crm_record: Table = CrmRecord.__table__  # type: ignore[assignment]

_told = rows_of("told", id=Key)
# The answer to one of a merged contact tells of that one.
_is_own = delivery.c.former_contact_id.is_(None), delivery.c.contact_id.is_not(None)
_of_delivery = delivery.c.id == given("delivery_id", Key)

FORGET = Statement(
    delete(crm_record).where(
        within(
            crm_record.c.contact_id,
            select(delivery.c.contact_id).where(within(delivery.c.id, select(_told.c.id)), *_is_own),
        )
    )
)
KEEP = Statement(
    insert(crm_record).from_select(
        ["contact_id", "pointer", "value"],
        select(delivery.c.contact_id, given("pointer", String()), given("value", String())).where(
            _of_delivery, *_is_own
        ),
    )
)


def keep_records(
    connection: Connection, results: Sequence[tuple[Claim, Outcome]], endpoints: Mapping[int, Any]
) -> None:
    """Keep what these answers say, of each contact what the last one does. Its company has said where to look.

    What answered from an origin that is not the endpoint's any more was another CRM.
    """
    found: dict[int | None, dict[str, int | str]] = {}
    for claim, outcome in results:
        url = endpoints[claim.company_id].url
        if claim.link_pointer is None or outcome.reason != "ok_json" or url is None:
            continue
        if origin_of(url) == origin_of(claim.url):
            value = find(read_answer(outcome.response_body), claim.link_pointer)
            if value is not None:
                row: dict[str, int | str] = {"delivery_id": claim.delivery_id, "value": value}
                found[claim.contact_id] = row | {"pointer": claim.link_pointer}
    if found:
        FORGET.run(connection, told=[(row["delivery_id"],) for row in found.values()])
        KEEP.run_many(connection, found.values())
