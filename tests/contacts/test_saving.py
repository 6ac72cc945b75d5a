"""Many contacts at once come out as the same contacts one by one."""

import json
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from portal.contacts.body import payload_of
from portal.contacts.checking import InvalidContact, check_item
from portal.contacts.classifying import classify
from portal.contacts.saving import SAME, BatchItem, save_batch
from portal.contacts.single import save_contact
from portal.database.db import db
from portal.models import Campaign, Classification, Company, Contact, Delivery, User
from tests.conftest import BOTH
from tests.factories import make_company, make_user

ZONE = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def company(app, receiver) -> Company:
    return make_company(url=receiver.url)


@pytest.fixture
def owner(company) -> User:
    return make_user(company, email="dona@example.com")


def batch_item(item: dict[str, Any]) -> BatchItem:
    facts = item["contact"]
    return BatchItem(check_item(item, ZONE), facts.get("interest_level", SAME))


def save_many(company: Company, owner: User, items: list[dict[str, Any]], **options: Any) -> list[Any]:
    options = {"default_owner": owner, "actor": "ana"} | options
    results = save_batch(db.session, company, [batch_item(item) for item in items], **options)
    db.session.commit()
    db.session.expire_all()
    return results


def save_each(company: Company, owner: User, items: list[dict[str, Any]]) -> list[Any]:
    results = []
    for item in items:
        try:
            saved = save_contact(db.session, company, item, default_owner=owner)
        except InvalidContact as error:
            results.append(error.problem)
            continue
        level = item["contact"].get("interest_level", SAME)
        classified = classify(db.session, saved.contact, level, actor="ana") if level is not SAME else None
        results.append((saved.created, classified is not None and classified.delivery is not None))
    db.session.commit()
    return results


texts = st.sampled_from(["a", "b", "c"])
item_facts = st.fixed_dictionaries(
    {"name": st.sampled_from(["Ana", "Élio"])},
    optional={
        "linkedin_public_id": texts,
        "email": texts,
        "role": st.sampled_from(["x", "y", None]),
        "interest_level": st.sampled_from([1, 2, 3, None]),
        "skills": st.just([{"skill": "Vendas", "endorsements": 1}]),
        "id": st.sampled_from([1, 2, 999]),
    },
)
an_item = st.fixed_dictionaries(
    {"contact": item_facts},
    optional={
        "campaign": st.sampled_from(
            [{"name": "X"}, {"name": "Y", "description": "d"}, {"name": "X", "description": "e"}]
        ),
        "contact_owner": st.sampled_from(
            [{"email": "Dona@example.com"}, {"email": "novo@example.com", "name": "Novo"}]
        ),
        "messages": st.lists(st.sampled_from([{"sender_name": "Ana", "message": "Oi"}]), max_size=2),
    },
)


def state_of(company: Company) -> list[Any]:
    """All that a batch may change, without numbers that only count."""
    contacts = {contact.id: contact for contact in db.session.query(Contact).filter_by(company_id=company.id)}
    places = {contact_id: place for place, contact_id in enumerate(sorted(contacts))}
    bodies = []
    for row in db.session.query(Delivery).filter_by(company_id=company.id).order_by(Delivery.id):
        body = json.loads(row.body)
        bodies.append((places[row.contact_id], row.interest_level, row.previous_level, _without_numbers(body)))
    changes = db.session.query(Classification).filter_by(company_id=company.id).order_by(Classification.id)
    return [
        [_without_numbers(payload_of(contacts[contact_id])) for contact_id in sorted(contacts)],
        [contacts[contact_id].search_name for contact_id in sorted(contacts)],
        [(places[change.contact_id], change.old_level, change.new_level) for change in changes],
        bodies,
        sorted((row.name, row.description) for row in db.session.query(Campaign).filter_by(company_id=company.id)),
        sorted((row.name, row.email) for row in db.session.query(User).filter_by(company_id=company.id)),
    ]


def _without_numbers(body: dict[str, Any]) -> dict[str, Any]:
    for part in (body["contact"], body["contact_owner"], body["campaign"]):
        part.pop("id")
    body["contact"].pop("collect_date")
    return body


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=st.lists(an_item, max_size=3), items=st.lists(an_item, min_size=1, max_size=6))
def test_a_batch_does_what_one_call_after_the_other_does(app, receiver, before, items):
    number = db.session.query(Company).count()
    pairs = []
    for name in (f"One {number}", f"Many {number}"):
        company = make_company(name, url=receiver.url)
        owner = User(company_id=company.id, name="Dona", email="dona@example.com", created_at=company.created_at)
        db.session.add(owner)
        db.session.commit()
        pairs.append((company, owner))
    base = max([0, *(row.id for row in db.session.query(Contact.id))])
    for company, owner in pairs:
        save_each(company, owner, [_with_ids(item, base, None) for item in before])
    ids = [sorted(row.id for row in db.session.query(Contact.id).filter_by(company_id=pair[0].id)) for pair in pairs]
    one = save_each(*pairs[0], [_with_ids(item, base, ids[0]) for item in items])
    many = save_many(*pairs[1], [_with_ids(item, base, ids[1]) for item in items])
    assert [result.error.problem if result.error else (result.created, result.sent) for result in many] == one
    assert state_of(pairs[1][0]) == state_of(pairs[0][0])
    db.session.commit()


def _with_ids(item: dict[str, Any], base: int, ids: list[int] | None) -> dict[str, Any]:
    """The item with a contact's place as its real id; without one where nobody has one yet."""
    facts = dict(item["contact"])
    place = facts.pop("id", None)
    if place is not None and ids is not None:
        facts["id"] = ids[place - 1] if place <= len(ids) else base + 10**6
    return item | {"contact": facts}


@BOTH
def test_duplicates_in_a_batch_match_each_other_and_every_change_is_a_delivery(app, company, owner):
    items = [
        {"contact": {"name": "Ana", "email": "a@x.example", "interest_level": 1}},
        {"contact": {"name": "Bia", "interest_level": 2}},
        {"contact": {"name": "Ana", "email": "a@x.example", "interest_level": 3, "role": "Diretora"}},
        {"contact": {"name": "Ana", "email": "a@x.example", "interest_level": 3}},
    ]
    results = save_many(company, owner, items)
    assert [(each.created, each.changed, each.sent) for each in results] == [
        (True, False, True),
        (True, False, True),
        (False, True, True),
        (False, False, False),
    ]
    bodies = [json.loads(row.body)["contact"] for row in db.session.query(Delivery).order_by(Delivery.id)]
    assert [(body["name"], body["interest_level"], body["role"]) for body in bodies] == [
        ("Ana", 1, None),
        ("Bia", 2, None),
        ("Ana", 3, "Diretora"),
    ]
    assert db.session.query(Contact).count() == 2


@BOTH
def test_contacts_of_another_company_are_not_found(app, company, owner, receiver):
    other = make_company("Outra", url=receiver.url)
    stranger = make_user(other, email="vera@example.com")
    save_many(other, stranger, [{"contact": {"name": "Vera", "email": "a@x.example"}}])
    foreign = db.session.query(Contact).one().id
    results = save_many(company, owner, [{"contact": {"id": foreign, "name": "x"}}, {"contact": {"id": 10**30}}])
    assert [result.error.problem for result in results] == ["unknown", "unknown"]
    assert db.session.query(Contact).one().name == "Vera"


def test_without_sending_levels_are_recorded_and_nobody_is_told(company, owner):
    results = save_many(company, owner, [{"contact": {"name": "Ana", "interest_level": 3}}], is_sending=False)
    assert (results[0].classified, results[0].sent) == (True, False)
    assert db.session.query(Classification).one().new_level == 3
    assert db.session.query(Delivery).count() == 0


def test_a_refused_item_leaves_nothing_behind(company, owner):
    save_many(company, owner, [{"contact": {"id": 7}, "campaign": {"name": "Nova"}}, {"contact": {"role": "x"}}])
    assert db.session.query(Contact).count() == db.session.query(Campaign).count() == 0


def test_what_waits_for_a_retry_is_superseded(company, owner):
    save_many(company, owner, [{"contact": {"name": "Ana", "email": "a@x.example", "interest_level": 1}}])
    first = db.session.query(Delivery).one()
    first.attempt_count = 1
    db.session.commit()
    save_many(company, owner, [{"contact": {"name": "Ana", "email": "a@x.example", "interest_level": 2}}])
    assert [row.status for row in db.session.query(Delivery).order_by(Delivery.id)] == ["superseded", "pending"]
