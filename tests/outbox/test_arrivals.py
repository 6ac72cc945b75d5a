"""Which levels have arrived is noted of what told of them, and of nothing that misses it by one fact."""

from datetime import datetime
from typing import Any

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import Classification, Contact
from portal.outbox.arrivals import note_arrivals
from tests.conftest import BOTH
from tests.factories import NOON
from tests.outbox.stock import ENDED, HOUR, MOMENT, Rows, in_worker

TELLS = {"status": "delivered", "created_at": NOON, "delivered_at": NOON + HOUR, **ENDED}
LATER = {"created_at": NOON + MOMENT}
MERGED = {"former_contact_id": 900}


@BOTH
@pytest.mark.parametrize(
    ("told", "level", "arrived"),
    [
        ({}, {}, NOON + HOUR),
        (LATER, {}, NOON + HOUR),
        (MERGED, {}, NOON + HOUR),
        (LATER | MERGED, {}, None),
        ({"created_at": NOON - MOMENT}, {}, None),
        ({"delivered_at": None}, {}, None),
        ({"contact": "Bia"}, {}, None),
        ({}, {"new_level": None}, None),
        ({}, {"arrived_at": NOON - HOUR}, NOON - HOUR),
        ({"contact": "Bia"}, {"contact_id": "Bia"}, None),
    ],
)
def test_a_level_has_arrived_when_the_crm_first_took_it_or_a_later_one(
    app: Flask, told: dict[str, Any], level: dict[str, Any], arrived: datetime | None
) -> None:
    first = TELLS | told
    second = first | {"delivered_at": first["delivered_at"] and NOON + 2 * HOUR}
    rows = Rows({"second": second, "first": first})
    ana = rows.contacts["Ana"]
    of = db.session.get_one(Contact, rows.contacts[level.get("contact_id", "Ana")])
    place = {"company_id": of.company_id, "campaign_id": of.campaign_id, "owner_id": of.owner_id}
    facts = {"actor": "a", "created_at": NOON, "new_level": 2} | level | place | {"contact_id": of.id}
    db.session.add(Classification(**facts))
    db.session.commit()
    in_worker(lambda connection: note_arrivals(connection, [ana]))
    assert db.session.query(Classification.arrived_at).scalar() == arrived
