"""Values at the end of what a type holds, in every field of every page and call: refused or taken, and never a failure.

`test_torture` has the long ones; these are short, and each broke some program once.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.routing import Rule

import portal
from portal.api.protocol.access import RateLimit
from portal.audit import AuditFilter
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.database.filters import names_of
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Delivery
from portal.people import tokens
from tests.conftest import BOTH
from tests.factories import (
    classify_contact,
    make_bulk_classification,
    make_contact,
    make_import,
    make_user,
    set_url,
)
from tests.views.conftest import Person, admin, company, person

__all__ = ["admin", "company", "person"]

pytestmark = pytest.mark.slow(60)

VALUES = [
    "0001-01-01",
    "9999-12-31",
    "0001-01-01T00:00:00+23:59",
    "9999-12-31T23:59:59-23:59",
    "2026-03-10T09:00:00",
    "2026-02-30",
    "-1",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "NaN",
    "٣",
    "²",
    "\0",
    "\u202e\u2066",
    "%",
    "_\\",
    "'",
    "{{7*7}}",
    "../../etc/passwd",
    "[]",
    "null",
]
ON_PAGES = [VALUES[at] for at in (0, 2, 3, 6, 9, 10, 12, 14)]
"""Those that differ for pages, whose fields are all filled at once."""
SURROGATE = "\ud800"
"""Half a character, which only JSON can say."""
NAMED = re.compile(r"""request\.(?:args|form|values)(?:\.get(?:list)?\(|\[)\s*"(\w+)\"""")
IN_FORM = re.compile(r'<(?:input|select|textarea|button)[^>]*\sname="([\w-]+)"')


def names_in_code() -> set[str]:
    """Every field that some view reads by its name."""
    views = Path(portal.__file__).parent / "views"
    filters = [name for kind in (ContactFilter, DeliveryFilter, AuditFilter) for name in names_of(kind)]
    return {name for path in views.rglob("*.py") for name in NAMED.findall(path.read_text())} | set(filters)


@pytest.fixture
def urls(app: Flask, company: Any, receiver: Any) -> list[tuple[Rule, str]]:
    """An address of each page, of things that the company has."""
    set_url(company, receiver.url)
    contact = make_contact(company, email="ana@example.com")
    classify_contact(contact, 2)
    values = {
        "contact_id": contact.id,
        "campaign_id": contact.campaign_id,
        "webhook_id": db.session.query(Delivery).one().webhook_id,
        "task_id": make_import(company).id,
        "job_id": make_bulk_classification(contact).id,
        "token": "unknown",
        "token_id": 1,
        "user_id": make_user(company, role="member").id,
        "digest": "0123456789abcdef",
        "filename": "app.css",
        "group": "created",
    }
    db.session.commit()
    with app.test_request_context():
        return [
            (rule, rule.build(values, append_unknown=False)[1])
            for rule in app.url_map.iter_rules()
            if rule.arguments <= values.keys() and not rule.rule.startswith(("/api/", "/log", "/static"))
        ]


def test_pages(admin: Person, urls: list[tuple[Rule, str]]) -> None:
    names, failed = names_in_code(), []
    token = {"csrf_token": admin.token()}
    for rule, url in urls:
        text = admin.get(url).get_data().decode(errors="replace") if "GET" in (rule.methods or ()) else ""
        fields = sorted(names | set(IN_FORM.findall(text)) - {"csrf_token"})
        for method, where in (("GET", "query_string"), ("POST", "data")):
            if method in (rule.methods or ()):
                for value in ON_PAGES:
                    given: dict[str, Any] = dict.fromkeys(fields, value)
                    status = admin.open(url, method=method, **{where: given | token}).status_code
                    if status == 500:
                        failed.append(f"{method} {url} {value!r}: {status}")
    assert failed == []


def asked_of(described: dict[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    """Every call with a form of its address, and the names of what is asked in a query."""
    for path, methods in described["paths"].items():
        for method in {"get", "post", "put"} & methods.keys():
            names = [each["name"] for each in methods[method].get("parameters", ()) if each.get("in") == "query"]
            yield method, re.sub(r"{[^}]+}", "1", path), names


@BOTH
def test_calls(app: Flask, company: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    make_contact(company)
    token = tokens.create_token(db.session, make_user(company), label="test")
    db.session.commit()
    monkeypatch.setattr(RateLimit, "take", lambda *_given: 0)
    client, headers = app.test_client(), {"Authorization": f"Bearer {token}"}
    calls, failed = list(asked_of(client.get("/api/v1/openapi.json").json)), []
    assert len(calls) > 20
    for method, path, names in calls:
        for value in [*VALUES, SURROGATE]:
            tries: list[dict[str, Any]] = [{"query_string": {name: value}} for name in names if value != SURROGATE]
            if method != "get":
                contact = {"name": "A", "invite_date": value}
                tries += [
                    {"json": {"contact": contact, "messages": [{"text": "a", "date": value}]}},
                    {"json": {"contact": {"id": numbered(value), "name": value}}},
                    {"json": {"until": value, "warning": "error_words"}},
                    {"json": {"filter": {"since": value, "contact_id": numbered(value)}}},
                    {"json": {"url": value, "contact_id": numbered(value), "interest_level": numbered(value)}},
                ]
            for request in tries:
                address = "/api/v1" + path.removeprefix("/api/v1")
                status = client.open(address, method=method, headers=headers, **request).status_code
                if status == 500:
                    failed.append(f"{method} {path} {request!r:.120}")
    assert failed == []


def numbered(value: str) -> Any:
    """The value as JSON's number, where it is one."""
    return int(value) if re.fullmatch(r"-?[0-9]+", value) else value
