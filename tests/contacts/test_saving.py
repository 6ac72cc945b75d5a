"""Saving contacts: what is matched, what is set, and many at once come out as the same contacts one by one."""

import json
import threading
import time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text

from portal.audit import Actor
from portal.contacts import candidates
from portal.contacts.body import payload_of
from portal.contacts.checking import check_item
from portal.contacts.items import InvalidContact, OwnerItem
from portal.contacts.saved import Saved
from portal.contacts.saving import save_batch, save_items
from portal.database.db import db, looking
from portal.models import Campaign, Classification, Company, Contact, Delivery, User
from tests import factories
from tests.conftest import BOTH
from tests.examples import examples
from tests.factories import make_company, make_user

ZONE = ZoneInfo("America/Sao_Paulo")


@pytest.fixture
def company(app, receiver) -> Company:
    return make_company(url=receiver.url)


@pytest.fixture
def owner(company) -> User:
    return make_user(company, email="dona@example.com")


def test_an_owner_is_told_by_the_address_whatever_its_letters_and_the_spaces_around_it() -> None:
    item = check_item({"contact": {}, "contact_owner": {"email": "  Dona@Example.com "}}, ZONE)
    assert item.owner == OwnerItem("dona@example.com", None)


def save_many(company: Company, owner: User, items: list[dict[str, Any]], **options: Any) -> list[Saved]:
    given = [check_item(item, ZONE) for item in items]
    results = save_batch(db.session, Actor(company.id, "ana"), given, default_owner=owner, **options)
    db.session.commit()
    db.session.expire_all()
    return results


texts = st.sampled_from(["a", "b", "c"])
item_facts = st.fixed_dictionaries(
    {"name": st.sampled_from(["Ana", "Élio"])},
    optional={
        "linkedin_public_id": texts,
        "email": texts.map("{}@x.test".format),
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


@pytest.mark.slow(15)
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(before=st.lists(an_item, max_size=3), items=st.lists(an_item, min_size=1, max_size=6))
def test_a_batch_does_what_batches_of_one_do_one_after_the_other(app, receiver, before, items):
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
        for item in before:
            save_many(company, owner, [_with_ids(item, base, None)])
    ids = [sorted(row.id for row in db.session.query(Contact.id).filter_by(company_id=pair[0].id)) for pair in pairs]
    one = [save_many(*pairs[0], [_with_ids(item, base, ids[0])])[0] for item in items]
    many = save_many(*pairs[1], [_with_ids(item, base, ids[1]) for item in items])
    assert [done(result) for result in many] == [done(result) for result in one]
    assert state_of(pairs[1][0]) == state_of(pairs[0][0])
    db.session.commit()


def done(result: Saved) -> Any:
    if result.error is not None:
        return result.error.problem
    return result.created, result.changed, result.classified, result.previous_level, result.sent


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


ANA = {"name": "Ana", "linkedin_public_id": "ana", "email": "ana@x.example"}


@BOTH
@pytest.mark.parametrize(
    ("facts", "campaign", "is_same"),
    [
        ({"linkedin_public_id": "ana", "email": "new@x.example"}, "X", True),
        ({"email": "ana@x.example"}, "X", True),
        ({"linkedin_public_id": "ana"}, "Y", False),
        ({"email": "ana@x.example"}, None, False),
        ({"name": "Ana"}, "X", False),
    ],
)
def test_a_contact_is_matched_by_its_linkedin_id_else_by_its_email_within_the_campaign(
    company, owner, facts, campaign, is_same
):
    (ana,) = save_many(company, owner, [{"contact": ANA, "campaign": {"name": "X"}}])
    item = {"contact": {"name": "Ana Lima"} | facts, "campaign": {"name": campaign}}
    (saved,) = save_many(company, owner, [item])
    assert (saved.contact_id == ana.contact_id, saved.created) == (is_same, not is_same)


def test_the_linkedin_id_decides_before_the_email_and_the_oldest_is_matched(company, owner):
    items = [{"name": "Ana", "email": "a@x.example"}, {"name": "Bia", "linkedin_public_id": "b"}]
    by_email, by_profile = save_many(company, owner, [{"contact": item} for item in items])
    (saved,) = save_many(company, owner, [{"contact": {"email": "a@x.example", "linkedin_public_id": "b"}}])
    assert saved.contact_id == by_profile.contact_id
    (saved,) = save_many(company, owner, [{"contact": {"email": "a@x.example"}}])
    assert saved.contact_id == by_email.contact_id


def test_the_number_decides_before_all_and_a_campaign_moves_the_contact(company, owner):
    ana, bia = save_many(company, owner, [{"contact": ANA}, {"contact": {"name": "Bia"}}])
    item = {"contact": {"id": bia.contact_id, "email": "ana@x.example"}, "campaign": {"name": "Y", "description": "d"}}
    (saved,) = save_many(company, owner, [item])
    moved = db.session.get_one(Contact, saved.contact_id)
    assert (saved.contact_id, moved.email, moved.name) == (bia.contact_id, "ana@x.example", "Bia")
    assert (moved.campaign.name, moved.campaign.description) == ("Y", "d")
    assert db.session.get_one(Contact, ana.contact_id).campaign.name == "Geral"


def test_what_is_absent_stays_and_what_is_given_is_replaced(company, owner):
    messages = [{"sender_name": "Ana", "message": "Oi"}, {"sender_name": "Bia", "message": "Olá"}]
    item = {"contact": ANA | {"role": "Diretora", "phone": "1"}, "messages": messages}
    (saved,) = save_many(company, owner, [item])
    change = {"contact": {"id": saved.contact_id, "name": "Élia", "phone": None}, "messages": messages[1:]}
    save_many(company, owner, [change | {"contact_owner": {"name": "Novo", "email": "NOVO@x.example"}}])
    contact = db.session.get_one(Contact, saved.contact_id)
    assert (contact.name, contact.role, contact.phone, contact.search_name) == ("Élia", "Diretora", None, "elia")
    assert [message.message for message in contact.messages] == ["Olá"]
    assert (contact.owner.email, contact.owner.name, contact.owner.role) == ("novo@x.example", "Novo", None)


def test_saving_again_what_is_there_changes_nothing(company, owner):
    items = [{"contact": ANA | {"interest_level": 2}, "messages": [{"message": "Oi"}]}]
    (first,) = save_many(company, owner, items)
    before = db.session.get_one(Contact, first.contact_id).updated_at
    (again,) = save_many(company, owner, items)
    assert done(again) == (False, False, False, 2, False)
    assert db.session.get_one(Contact, first.contact_id).updated_at == before


def test_a_contact_is_found_by_what_it_holds_now_and_no_more_by_what_it_held(company, owner):
    items = [
        {"contact": ANA},
        {"contact": {"linkedin_public_id": "ana", "email": "other@x.example"}},
        {"contact": {"email": "other@x.example"}},
        {"contact": {"name": "Ana", "email": "ana@x.example"}},
    ]
    assert [each.created for each in save_many(company, owner, items)] == [True, False, False, True]


def test_a_body_holds_what_was_true_when_its_level_was_set(company, owner):
    items = [
        {"contact": ANA | {"interest_level": 1}, "campaign": {"name": "X", "description": "first"}},
        {"contact": ANA | {"name": "Ana Lima"}, "campaign": {"name": "X", "description": "second"}},
    ]
    save_many(company, owner, items)
    body = json.loads(db.session.query(Delivery).one().body)
    assert (body["contact"]["name"], body["campaign"]["description"]) == ("Ana", "first")


def test_a_row_that_was_read_before_shows_what_was_saved(company, owner):
    (saved,) = save_items(db.session, Actor(company.id, "ana"), [{"contact": ANA}], default_owner=owner)
    contact = db.session.get_one(Contact, saved.contact_id)
    item = {"contact": {"id": saved.contact_id, "name": "Bia", "interest_level": 3}}
    save_items(db.session, Actor(company.id, "ana"), [item], default_owner=owner)
    assert (contact.name, contact.interest_level) == ("Bia", 3)


@pytest.mark.parametrize(
    ("second", "field"), [({"role": "x"}, "contact.name"), ({"name": 7}, "contact.name"), ({"id": 99}, "contact.id")]
)
def test_of_a_list_all_are_saved_or_none_and_the_error_has_the_place(company, owner, second, field):
    with pytest.raises(InvalidContact) as caught:
        save_items(db.session, Actor(company.id, "ana"), [{"contact": ANA}, {"contact": second}], default_owner=owner)
    assert (caught.value.place, caught.value.field) == (1, field)


@BOTH
def test_one_contact_saved_by_two_at_once_is_made_once(app: Flask) -> None:
    company = factories.make_company()
    factories.make_contact(company)  # the campaign exists: it makes nobody wait
    owner, actor = factories.owner_of(company), factories.actor_of(company)
    db.session.commit()

    def save() -> None:
        with factories.session_of(app) as session:
            save_items(session, actor, [{"contact": ANA}], default_owner=session.merge(owner))
            session.commit()

    second = threading.Thread(target=save)
    save_items(db.session, actor, [{"contact": ANA}], default_owner=owner)
    second.start()
    second.join(0.3)
    db.session.commit()
    second.join()
    assert len(db.session.scalars(select(Contact).where(Contact.linkedin_public_id == "ana")).all()) == 1


WAITING_HERE = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
"""The server has the databases of other tests too."""


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_who_locks_contacts_in_another_order_makes_no_batch_fail(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    company = factories.make_company()
    owner, actor = factories.owner_of(company), factories.actor_of(company)
    persons: list[dict[str, Any]] = [{"name": "Ana", "email": "ana@x.test"}, {"name": "Bia", "linkedin_public_id": "b"}]
    ids = [factories.save(company, {"contact": person}).id for person in persons]
    db.session.commit()
    find_by_email, engine, others = candidates._Reading._select_holders, db.engine, []

    def lock_both() -> None:
        with engine.connect() as other:
            other.execute(text("SET LOCAL deadlock_timeout = '1min'"))  # not the other is told to give up
            for contact_id in ids:
                other.execute(select(Contact.id).where(Contact.id == contact_id).with_for_update())
            other.rollback()

    def somebody_waits_for_a_lock() -> bool:
        with looking(db.engine) as connection:  # a second look in one transaction shows what the first did
            return bool(connection.exec_driver_sql(WAITING_HERE).scalar())

    def find_when_another_waits_for_bia(self: Any, *arguments: Any) -> Any:
        if self._is_locking:
            others.append(threading.Thread(target=lock_both))
            others[-1].start()
            while others[-1].is_alive() and not somebody_waits_for_a_lock():
                time.sleep(0.01)
        return find_by_email(self, *arguments)

    monkeypatch.setattr(candidates._Reading, "_select_holders", find_when_another_waits_for_bia)
    items = [{"contact": person | {"role": "CEO"}} for person in persons]
    saved = save_items(db.session, actor, items, default_owner=owner)
    db.session.commit()
    for other in others:
        other.join()
    assert len(others) == 2
    assert [each.contact_id for each in saved] == ids
    assert db.session.scalars(select(Contact.role)).all() == ["CEO", "CEO"]
