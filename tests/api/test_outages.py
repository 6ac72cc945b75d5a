"""Outages by API: the company's own, by whoever has a token of it."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from portal.clock import utcnow
from portal.database.db import db
from portal.models import Company
from tests.api.conftest import Caller, check_problem
from tests.company.test_outages import arrive, break_down
from tests.factories import set_url


def test_outages_are_listed_with_what_became_of_what_waited(
    api: Caller, member: Caller, stranger: Caller, open_database: Callable[[], Any]
) -> None:
    with open_database():
        company = db.session.get_one(Company, api.company_id)
        company.timezone = "Asia/Tokyo"
        db.session.commit()
        set_url(company, "http://127.0.0.1:9999/hook")
        break_down(company, waiting=1)
        arrive(now=utcnow() + timedelta(hours=1))
    (outage,) = api.get("/outages").json["items"]
    assert (outage["reason"], outage["status_code"]) == ("server_error", 503)
    assert (outage["held"], outage["delivered"], outage["waiting"], outage["forgotten"]) == (6, 1, 5, 0)
    assert outage["began_at"] < outage["ended_at"] == outage["last_delivered_at"]
    assert "(HTTP 503); 6 entregas esperaram: 1 chegou até" in outage["message"]
    tokyo = datetime.fromisoformat(outage["ended_at"]).astimezone(ZoneInfo("Asia/Tokyo"))
    assert f" {tokyo:%H:%M} (HTTP 503)" in outage["message"]
    assert member.get("/outages").json["items"] == [outage]
    assert len(api.get(f"/deliveries?outage_id={outage['id']}").json["items"]) == 6
    assert stranger.get("/outages").json == {"items": [], "next_cursor": None}
    check_problem(api.get("/outages?cursor=x"), 422, "invalid_fields")
