"""The list of contacts by API: filters, pages, and the body's own shape."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import delete

from portal.database.db import db
from portal.models import Company, Contact
from tests import factories
from tests.api.conftest import BESIDE, Caller, check_problem, field_errors
from tests.applications import statements_of

OpenDatabase = Callable[[], Any]

PEOPLE = [
    {"contact": {"name": "Ágata", "interest_level": 3}, "campaign": {"name": "Verão"}},
    {"contact": {"name": "Bia", "interest_level": 1}, "campaign": {"name": "Inverno"}},
    {"contact": {"name": "Caio"}, "campaign": {"name": "Verão"}, "contact_owner": {"email": "rui@example.com"}},
]


@pytest.fixture
def people(api: Caller) -> list[int]:
    results = api.post("/contacts", PEOPLE).json["results"]
    return [result["id"] for result in results]


def names(api: Caller, query: str = "") -> list[str]:
    response = api.get(f"/contacts{query}")
    assert response.status_code == 200, response.text
    return [item["contact"]["name"] for item in response.json["items"]]  # type: ignore[index]


def test_an_item_is_what_the_contact_itself_answers(api: Caller, people: list[int]) -> None:
    items = api.get("/contacts").json["items"]
    assert items == [api.get(f"/contacts/{contact_id}").json for contact_id in people]
    assert list(items[0]) == ["contact", "contact_owner", "campaign", "messages", *BESIDE]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ["Ágata", "Bia", "Caio"]),
        ("?search=AGA", ["Ágata"]),
        ("?search=%25", []),
        ("?campaign=Ver%C3%A3o", ["Ágata", "Caio"]),
        ("?campaign=1", ["Ágata", "Caio"]),
        ("?owner=rui@example.com", ["Caio"]),
        ("?level=3", ["Ágata"]),
        ("?level=none", ["Caio"]),
        ("?sync=never_sent", ["Ágata", "Bia", "Caio"]),
        ("?sync=in_sync", []),
        ("?campaign=Ver%C3%A3o&level=3&sync=never_sent&search=a", ["Ágata"]),
        ("?campaign=Inverno&level=3", []),
        ("?campaign=&owner=&search=&cursor=", ["Ágata", "Bia", "Caio"]),
    ],
)
def test_every_filter_counts(api: Caller, people: list[int], query: str, found: list[str]) -> None:
    assert names(api, query) == found


def test_pages_follow_each_other_without_gap_or_repetition(api: Caller, people: list[int]) -> None:
    seen, query = [], "?limit=1"
    while query:
        page = api.get(f"/contacts{query}").json
        seen += [item["contact"]["name"] for item in page["items"]]
        query = f"?limit=1&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == ["Ágata", "Bia", "Caio"]


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("?cursor=x", "cursor", "invalid_cursor"),
        ("?cursor=999", "cursor", "invalid_cursor"),
        ("?cursor=" + "9" * 30, "cursor", "invalid_cursor"),
        ("?level=4", "level", "unknown_value"),
        ("?level=", "level", "unknown_value"),
        ("?sync=maybe", "sync", "unknown_value"),
        ("?campaign=Outono", "campaign", "unknown_value"),
        ("?campaign=99", "campaign", "unknown_value"),
        ("?owner=nobody@example.com", "owner", "unknown_value"),
        ("?import=99", "import", "unknown_value"),
        ("?reached=3", "reached", "unknown_value"),
        ("?limit=0", "limit", "out_of_range"),
        ("?limit=201", "limit", "out_of_range"),
        ("?page=2", "page", "unknown_field"),
        ("?search=%00", "search", "nul"),
    ],
)
def test_a_bad_parameter_is_named(api: Caller, query: str, path: str, code: str) -> None:
    assert field_errors(check_problem(api.get(f"/contacts{query}"), 422, "invalid_fields")) == {path: code}


def test_a_cursor_ends_with_its_contact(api: Caller, people: list[int], open_database: OpenDatabase) -> None:
    cursor = api.get("/contacts?limit=1").json["next_cursor"]
    with open_database():
        db.session.execute(delete(Contact).where(Contact.id == int(cursor)))
        db.session.commit()
    check_problem(api.get(f"/contacts?limit=1&cursor={cursor}"), 422, "invalid_fields")


def test_another_company_sees_nothing_and_its_cursors_are_worth_nothing(
    api: Caller, stranger: Caller, people: list[int]
) -> None:
    assert stranger.get("/contacts").json == {"items": [], "next_cursor": None}
    for asked in ({"campaign": 1}, {"owner": api.user_id}):
        problem = check_problem(stranger.get(f"/contacts?{urlencode(asked)}"), 422, "invalid_fields")
        assert field_errors(problem) == dict.fromkeys(asked, "unknown_value")
    check_problem(stranger.get(f"/contacts?cursor={people[0]}"), 422, "invalid_fields")


def test_a_page_costs_the_same_statements_however_many_contacts_it_has(
    api: Caller, people: list[int], open_database: OpenDatabase
) -> None:
    def statements(query: str) -> int:
        with statements_of(engine) as seen:
            assert api.get(f"/contacts{query}").status_code == 200
        return len([one for one in seen if one.startswith("SELECT")])

    with open_database():
        engine = db.engine
        company = db.session.get_one(Company, api.company_id)
        for _ in range(5):
            factories.make_contact(company, messages=[])
    api.get("/contacts")
    assert statements("?limit=1") == statements("?limit=8")
