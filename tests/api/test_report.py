"""The report by API: the same numbers, each company its own."""

from collections.abc import Callable
from typing import Any

from portal.database.db import db
from portal.models import Company
from tests.api.conftest import Caller, check_problem, field_errors
from tests.factories import make_contact, make_delivery, mark_delivered, set_url
from tests.report.test_report import on

MARCH = "since=2026-03-01T03:00:00Z&until=2026-04-01T03:00:00Z"


def test_the_report_counts_and_its_contacts_are_listed(
    api: Caller, member: Caller, stranger: Caller, open_database: Callable[[], Any]
) -> None:
    with open_database(), on(4):
        company = db.session.get_one(Company, api.company_id)
        set_url(company, "http://127.0.0.1:9999/hook")
        mark_delivered(make_delivery(make_contact(company), 3))
        make_delivery(make_contact(company), 3)
    report = api.get(f"/report?{MARCH}").json
    high = {"level": 3, "contacts": 2, "in_crm": 1, "with_warning": 0, "missing": 1}
    assert report["levels"][0] == report["campaigns"][0]["levels"][0] == report["owners"][0]["levels"][0] == high
    assert report["weeks"][1]["levels"][0] == high
    assert (report["median_seconds"], report["timed"], report["outages"]) == (0.0, 1, [])
    assert report["message"].endswith(": 2 contatos de nível alto; 1 no CRM, 1 não.")
    assert member.get(f"/report?{MARCH}").json == report
    for arrival, number in (("", 2), (",in_crm", 1), (",missing", 1), (",with_warning", 0)):
        reached = f"3,2026-03-01T03:00:00Z,2026-04-01T03:00:00Z{arrival}"
        assert len(api.get(f"/contacts?reached={reached}").json["items"]) == number
        assert stranger.get(f"/contacts?reached={reached}").json["items"] == []
    assert stranger.get(f"/report?{MARCH}").json["levels"][0]["contacts"] == 0
    problem = check_problem(api.get(f"/report?{MARCH}&owner=nobody@example.com"), 422, "invalid_fields")
    assert field_errors(problem) == {"owner": "unknown_value"}
    assert "contato" in api.get("/report").json["message"]


def test_a_span_that_cannot_be_is_refused(api: Caller) -> None:
    for span in ("since=2026-03-01T00:00:00Z&until=2026-02-01T00:00:00Z", "since=2020-01-01T00:00:00Z"):
        assert field_errors(check_problem(api.get(f"/report?{span}"), 422, "invalid_fields")) == {"until": "bad_span"}
