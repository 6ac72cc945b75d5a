"""What anybody may type into the address of a page: never a failure of the server, on either database."""

import pytest

from portal.database.db import db
from portal.models import Task
from tests.conftest import BOTH

PAGES = (
    "/contacts",
    "/contacts/live",
    "/contacts/assign",
    "/contacts/classify/all",
    "/sync/contacts",
    "/deliveries",
    "/deliveries/live",
    "/deliveries/news",
    "/deliveries/resend",
    "/report",
    "/report/report.csv",
    "/audit",
    "/audit/audit.csv",
    "/team",
    "/triage",
    "/webhook",
)
NAMES = (
    *(
        "action",
        "actor",
        "campaign",
        "contact",
        "id",
        "left",
        "level",
        "month",
        "outage",
        "owner",
        "reached",
        "reason",
        "search",
        "seen",
        "since",
    ),
    *("state", "status", "sync", "test", "than", "trigger"),
)
ALONE = ("cursor", "after", "until")
"""What may be refused before the others are looked at, or leaves nothing for them to find."""
VALUES = (
    *("%00", "a%00b", "%ED%A0%80", "%FF", "'", "%25", "-1", "1.5", "0001-01-01", "0002-01-01", "9999-12-31"),
    *(2**31, 2**63, 10**30),
)


@BOTH
@pytest.mark.parametrize("path", PAGES)
def test_nothing_in_a_query_makes_a_page_fail(admin, path):
    queries = ["&".join(f"{name}={value}" for name in NAMES) for value in VALUES]
    queries += [f"{name}={value}" for name in ALONE for value in VALUES]
    answers = {query: admin.get(f"{path}?{query}").status_code for query in queries}
    assert {query: code for query, code in answers.items() if code not in (200, 302, 303, 400, 404)} == {}


@BOTH
@pytest.mark.parametrize("path", ["/deliveries/%00", "/deliveries/a%00b/confirm", "/links/%00", "/%00"])
def test_no_row_has_a_nul_in_its_address(admin, path):
    assert admin.get(path).status_code == 404


@BOTH
def test_the_api_finds_nothing_under_a_nul(app, admin):
    assert app.test_client().get("/api/v1/deliveries/%00").status_code == 404


@pytest.mark.parametrize("moment", ["", "x", "2026-03-10T12:00:00", "0001-01-01T00:00:00+14:00"])
def test_a_moment_that_no_page_wrote_settles_nothing(admin, moment):
    assert admin.post("/warnings", {"warning": "source_code", "seen_at": moment}).status_code == 400


LISTS = {
    "/contacts": ("/contacts.csv", "/contacts/classify/all", "/contacts/assign", "/sync/contacts", "/triage"),
    "/deliveries": ("/deliveries.csv", "/deliveries/resend"),
    "/audit": ("/audit/audit.csv",),
    "/report": ("/report/report.csv",),
}
"""Each list with what its filter is for: files, and acts on all that match."""
ONLY_READ = ("/contacts.csv", "/triage", "/deliveries.csv", "/audit/audit.csv", "/report/report.csv")


@pytest.mark.parametrize(("shown", "path"), [(shown, path) for shown, paths in LISTS.items() for path in paths])
def test_a_file_or_an_act_for_what_does_not_exist_leads_to_the_list_that_says_so(admin, company, shown, path):
    query = "action=nothing" if shown == "/audit" else "campaign=99&owner=98"
    answers = [admin.get(f"{path}?{query}")] + ([] if path in ONLY_READ else [admin.post(f"{path}?{query}")])
    assert {(answer.status_code, answer.location) for answer in answers} == {(303, f"{shown}?{query}")}
    assert "O filtro pede algo que não existe" in admin.get(f"{shown}?{query}").text
    assert db.session.query(Task).count() == 0
