"""The admin of one company names what another has, in every field of every page and call: nothing changes or shows.

Addresses that hold a foreign number are tried in `tests/views/test_access.py`; here the address is one's own.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select
from werkzeug.routing import Rule

from portal import clock
from portal.contacts.filtering import ContactFilter
from portal.contacts.notes import write_note
from portal.database.db import db
from portal.database.filters import names_of
from portal.database.tables import Base
from portal.deliveries.filtering import DeliveryFilter
from portal.models import ApiToken, Campaign, Company, Contact, Delivery, Message, Task, User
from portal.people import tokens
from portal.working_models import HeldDelivery, Outage
from tests.api.conftest import Caller
from tests.factories import (
    actor_of,
    classify_contact,
    commit_contact,
    make_bulk_classification,
    make_company,
    make_import,
    make_user,
    save_many,
)
from tests.system.test_extremes import IN_FORM, NAMED, asked_of, names_in_code
from tests.views.conftest import Person, person

__all__ = ["person"]

pytestmark = pytest.mark.slow(60)

MARKS = {"Ours": "Zuleica", "Theirs": "Wladimir"}
"""A word in whatever a company has."""


def furnish(name: str, url: str) -> dict[str, Any]:
    """A company with one of everything. Returns what tells each of them in a field, by the field's name."""
    mark = MARKS[name]
    company = make_company(f"{mark} SA", url=url)
    admin = make_user(company, name=f"{mark} Admin", email=f"{mark.lower()}@example.com")
    heir = make_user(company, role="member", name=f"{mark} Membro", email=f"{mark.lower()}.m@example.com")
    items = [
        {
            "contact": {"name": f"{mark} {number}", "email": f"{mark.lower()}{number}@x.test"},
            "contact_owner": {"name": heir.name, "email": heir.email},
            "campaign": {"name": f"{mark} Campanha", "description": mark},
            "messages": [{"sender_name": mark, "message": mark}],
        }
        for number in (1, 2)
    ]
    contacts = [commit_contact(company.id, each.contact_id) for each in save_many(company, items)]
    for contact in contacts:
        classify_contact(contact, 2)
    delivery = db.session.query(Delivery).filter_by(company_id=company.id).first()
    delivery.status, delivery.next_attempt_at, delivery.reason = "failed", None, "timeout"
    outage = Outage(company_id=company.id, began_at=clock.utcnow(), ended_at=clock.utcnow(), reason="timeout", held=1)
    db.session.add(outage)
    db.session.flush()
    db.session.add(HeldDelivery(outage_id=outage.id, delivery_id=delivery.id))
    write_note(db.session, actor_of(company, admin.email), "timeout", f"{mark} nota")
    tokens.create_token(db.session, admin, label=f"{mark} chave")
    task = make_import(company, f"Nome,E-mail\n{mark},{mark.lower()}9@x.test\n".encode(), filename=f"{mark}.csv")
    job = make_bulk_classification(contacts[0])
    token = db.session.query(ApiToken).filter_by(company_id=company.id).one()
    db.session.commit()
    return {
        "company_id": company.id,
        "admin": admin,
        "contact": contacts[0].id,
        "other": contacts[1].id,
        "campaign": contacts[0].campaign_id,
        "owner": heir.id,
        "user": heir.id,
        "import": task.id,
        "task": task.id,
        "job": job.id,
        "token": token.id,
        "outage": outage.id,
        "webhook": delivery.webhook_id,
        "group": "created",
    }


OWN_WORDS = {
    "level": "1",
    "interest_level": "1",
    "newest_id": "999999",
    "warning": "error_words",
    "cause": "timeout",
    "every": "week",
    "search": "",
}
"""Fields that name nothing that anybody has, with what makes the act go on."""
FILTERED = {name for kind in (ContactFilter, DeliveryFilter) for name in names_of(kind)}
SYNONYMS = {"heir": "owner", "delivery": "webhook", "ids": "webhook", "id": "contact", "first": "contact"}


LAST = ("erase", "remove", "revoke", "close", "undo", "merge", "disable", "pause")
"""What takes something away comes when all else was tried."""


def kind_of(name: str) -> str:
    """What a field names, as `furnish` tells it."""
    short = name.removesuffix("_id").removesuffix("_ids")
    return SYNONYMS.get(short, short)


def filled(names: set[str], theirs: dict[str, Any]) -> dict[str, Any]:
    """A value for each field: the number or name of something that the other company has."""
    return {name: OWN_WORDS.get(name, theirs.get(kind_of(name), theirs["contact"])) for name in names}


def rows_of(company_id: int) -> dict[str, list[Any]]:
    """All that a company has, but what its own worker does with it."""
    db.session.expire_all()
    contacts = select(Contact.id).where(Contact.company_id == company_id)
    found: dict[str, list[Any]] = {}
    for table in Base.metadata.sorted_tables:
        if "company_id" in table.c:
            query = select(table).where(table.c.company_id == company_id)
        elif table is Message.__table__:
            query = select(table).where(table.c.contact_id.in_(contacts))
        elif table is Company.__table__:
            query = select(table).where(table.c.id == company_id)
        else:
            continue
        found[table.name] = [tuple(row) for row in db.session.execute(query.order_by(*table.primary_key))]
    db.session.commit()
    assert all(found[kind.__tablename__] for kind in (Contact, User, Campaign, Delivery, Task, Message, Outage))
    return found


@pytest.fixture
def both(app: Flask, receiver: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return furnish("Ours", receiver.url), furnish("Theirs", receiver.url)


def own_urls(app: Flask, own: dict[str, Any]) -> Iterator[tuple[Rule, str]]:
    values = {f"{name}_id": value for name, value in own.items()} | {"group": "created", "token": "unknown"}
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            if rule.arguments <= values.keys() and not rule.rule.startswith(("/api/", "/log", "/static")):
                yield rule, rule.build(values, append_unknown=False)[1]


def test_pages(app: Flask, both: Any, person: Any) -> None:
    own, theirs = both
    admin: Person = person(own["admin"])
    before, names, done = rows_of(theirs["company_id"]), names_in_code(), 0
    token = {"csrf_token": admin.token()}
    for rule, url in sorted(own_urls(app, own), key=lambda each: each[1].endswith(LAST)):
        text = admin.get(url).get_data().decode(errors="replace") if "GET" in (rule.methods or ()) else ""
        named = set(IN_FORM.findall(text)) - {"csrf_token"}
        given = filled(names | named, theirs)
        # Each alone, too: one that is not understood must not hide what the next would have done.
        source = inspect.getsource(sys.modules[app.view_functions[rule.endpoint].__module__])
        read = named | set(NAMED.findall(source)) | (FILTERED if "read_filter" in source else set())
        alone = [{name: given[name], "level": "1"} for name in sorted(read) if kind_of(name) in theirs]
        for method, where in (("GET", "query_string"), ("POST", "data")):
            for fields in (given, *alone) if method in (rule.methods or ()) else ():
                answer = admin.open(url, method=method, **{where: fields | token})
                assert MARKS["Theirs"].encode() not in answer.get_data(), (method, url, fields)
                done += method == "POST" and answer.status_code == 303
    assert done > 50
    assert admin.get("/contacts").status_code == 200
    assert rows_of(theirs["company_id"]) == before


def test_calls(app: Flask, both: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    own, theirs = both
    token = tokens.create_token(db.session, own["admin"], label="test")
    db.session.commit()
    monkeypatch.setattr("portal.api.protocol.access.CALLS_AT_ONCE", 10_000)
    caller = Caller(app, token, own["company_id"], own["admin"].id, own["admin"].email)
    described: Any = caller.get("/openapi.json").json
    before, told = rows_of(theirs["company_id"]), 0
    filters = [
        {name: value} for name, value in filled({"contact_id", "campaign", "owner", "import", "outage"}, theirs).items()
    ]
    for method, path, names in asked_of(described):
        address = path.removeprefix("/api/v1").replace("/1", f"/{own['contact']}", 1)
        tries: list[dict[str, Any]] = [
            {"query_string": {name: value}} for name, value in filled(set(names), theirs).items()
        ]
        if method != "get":
            tries += [{"json": {"filter": each}} for each in filters]
            tries += [
                {"json": {"contact": {"id": theirs["contact"], "name": "Eva"}}},
                {"json": {"contact_id": theirs["contact"], "interest_level": 1}},
                {"json": {"id": theirs["other"]}},
                {"json": {"contact": {"name": "Eva"}, "campaign": {"id": theirs["campaign"], "name": "Eva"}}},
                {"json": {"contact": {"name": "Eva"}, "contact_owner": {"id": theirs["owner"]}}},
            ]
        for given in tries:
            answer = caller.call(method.upper(), address, **given)
            assert MARKS["Theirs"] not in re.sub(r'"value":"[^"]*"', "", answer.text), (method, path, given)
            told += 1
    assert told > 100
    assert rows_of(theirs["company_id"]) == before
