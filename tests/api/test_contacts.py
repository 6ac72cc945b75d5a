"""Contacts by API: made, changed, classified and read in the body's own shape."""

import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.api.examples import CONTACT_ITEM as EXAMPLE
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Campaign, Classification, Contact, Delivery, User
from tests.api.conftest import BESIDE, Caller, check_problem, field_errors

OpenDatabase = Callable[[], Any]


def save(api: Caller, *items: dict[str, Any]) -> list[dict[str, Any]]:
    response = api.post("/contacts", list(items))
    assert response.status_code == 200, response.get_data(as_text=True)
    results: list[dict[str, Any]] = response.json["results"]  # type: ignore[index]
    return results


def count(open_database: OpenDatabase, model: Any) -> int:
    with open_database():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def person(**facts: Any) -> dict[str, Any]:
    return {"contact": {"name": "Ana", "linkedin_public_id": "ana"} | facts}


def test_one_object_makes_one_contact(api: Caller) -> None:
    assert api.post("/contacts", person()).json == {"results": [{"id": 1, "created": True, "delivery_id": None}]}


def test_a_list_makes_contacts_in_its_order(api: Caller) -> None:
    results = save(api, person(), person(linkedin_public_id="bia", name="Bia"), person(name="Ana Lima"))
    assert [(result["id"], result["created"]) for result in results] == [(1, True), (2, True), (1, False)]


def test_an_empty_list_makes_nothing(api: Caller) -> None:
    assert api.post("/contacts", []).json == {"results": []}


def test_what_was_sent_is_read_back(api: Caller) -> None:
    (result,) = save(api, EXAMPLE)
    answer = api.get(f"/contacts/{result['id']}").json
    for name, given in EXAMPLE["contact"].items():
        assert answer["contact"][name] == given
    assert answer["messages"] == EXAMPLE["messages"]
    assert answer["contact_owner"]["email"] == "ana@example.com"
    assert answer["campaign"]["name"] == "Indústria 2026"


def test_a_contact_is_read_in_the_documents_order(api: Caller, contact_id: int) -> None:
    sample = json.loads((api.get(f"/contacts/{contact_id}")).data)
    assert list(sample) == ["contact", "contact_owner", "campaign", "messages", *BESIDE]
    assert list(sample["contact"])[:3] == ["id", "name", "invite_date"]
    assert sample["sync"] == "never_sent"


def test_what_is_read_may_be_sent_back(api: Caller, contact_id: int) -> None:
    answer = api.get(f"/contacts/{contact_id}").json
    assert save(api, answer) == [{"id": contact_id, "created": False, "delivery_id": None}]
    assert api.get(f"/contacts/{contact_id}").json == answer


ODD = [
    {"contact": {"name": "Só Nome"}},
    {"contact": {"name": "Só Nome", "current_company": "Xis"}},
    {"contact": {"name": "José \u0301Ñandú 李 🙂 O'Neil \"B\" </b>", "email": "ação@exãmple.test"}},
    {"contact": {"name": "Éder", "linkedin_public_id": "https://br.linkedin.com/in/%C3%A9der-s%C3%A1/pt?trk=x"}},
    {"contact": {"name": "Sem Id", "linkedin_public_id": "não tem", "email": "-", "phone": ""}},
    {"contact": {"name": "Dias", "email": "d@x.test"}
     | dict.fromkeys(("invite_date", "accept_date", "collect_date", "reply_date"), "2018-11-04 00:30:00")},
    {"contact": {"name": "Cheio", "email": "c@x.test", "interest_level": 3, "role": "=1+1", "location": "a\tb",
                 "skills": [{"skill": "Vendas", "endorsements": None}, {"skill": "Vendas", "endorsements": 2}],
                 "experiences": [{"experience": "", "company_link": None}]},
     "campaign": {"name": "Feira 1/2", "description": "linha 1\r\nlinha 2"},
     "contact_owner": {"name": "Bia", "email": "BIA@x.test"},
     "messages": [{"message": " oi\n\n🙂 ", "date": None, "pending_message": 1},
                  {"sender_name": "Ana", "message": "", "date": "2021-01-22 12:28:47", "pending_message": 0}]},
    {"contact": {"name": "Cheio", "email": "c@x.test", "interest_level": 1}, "campaign": {"name": "Outra"}},
]  # fmt: skip


def every_contact(api: Caller) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = api.get("/contacts?limit=100").json["items"]
    return items


def test_whatever_is_read_may_be_sent_back_and_changes_nothing(
    api: Caller, hook: Receiver, open_database: OpenDatabase
) -> None:
    first, *_ = [each["id"] for each in save(api, *ODD)]
    other = save(api, {"contact": {"name": "Antiga", "linkedin_public_id": "antiga", "interest_level": 2}})[0]["id"]
    assert api.post(f"/contacts/{first}/merge", {"contact_id": other}).status_code == 200
    before, sent = every_contact(api), count(open_database, Delivery)
    unchanged = [{"id": each["contact"]["id"], "created": False, "delivery_id": None} for each in before]
    assert save(api, *before) == unchanged
    assert [save(api, each)[0] for each in before] == unchanged
    assert (every_contact(api), count(open_database, Delivery)) == (before, sent)
    without_numbers = [each | {"contact": {**each["contact"], "id": None}} for each in before]
    assert save(api, *without_numbers) == unchanged
    assert (every_contact(api), count(open_database, Delivery)) == (before, sent)


def test_the_webhooks_own_sample_is_taken_but_for_its_unknown_number(api: Caller, data_sample: dict[str, Any]) -> None:
    problem = check_problem(api.post("/contacts", data_sample), 422, "invalid_fields")
    assert field_errors(problem) == {"contact.id": "unknown"}
    del data_sample["contact"]["id"]
    assert save(api, data_sample)[0]["created"]


def test_what_is_absent_stays(api: Caller) -> None:
    save(api, person(phone="123", skills=[{"skill": "Vendas", "endorsements": 1}]))
    save(api, {"contact": {"linkedin_public_id": "ana", "role": "Diretora"}})
    facts = api.get("/contacts/1").json["contact"]
    assert (facts["name"], facts["phone"], facts["role"], len(facts["skills"])) == ("Ana", "123", "Diretora", 1)


def test_the_tokens_user_owns_a_new_contact(api: Caller) -> None:
    save(api, person())
    assert api.get("/contacts/1").json["contact_owner"]["email"] == api.email


def test_an_unknown_owner_becomes_a_person_without_log_in(api: Caller, open_database: OpenDatabase) -> None:
    save(api, person() | {"contact_owner": {"name": "Bia", "email": "BIA@example.com"}})
    with open_database():
        owner = db.session.scalars(select(User).where(User.email == "bia@example.com")).one()
        assert (owner.name, owner.role, owner.password_hash) == ("Bia", None, None)


def test_an_erased_contact_is_gone_and_its_deliveries_stay_without_data(
    api: Caller, contact_id: int, delivery_id: str
) -> None:
    response = api.call("DELETE", f"/contacts/{contact_id}")
    assert (response.status_code, response.data) == (204, b"")
    check_problem(api.get(f"/contacts/{contact_id}"), 404, "not_found")
    check_problem(api.call("DELETE", f"/contacts/{contact_id}"), 404, "not_found")
    left = api.get(f"/deliveries/{delivery_id}").json
    assert (left["status"], left["contact_id"], left["body"]) == ("cancelled", None, None)


def test_a_campaign_is_made_once_by_its_name(api: Caller, open_database: OpenDatabase) -> None:
    campaign = {"campaign": {"name": "Feira"}}
    save(api, person() | campaign, person(linkedin_public_id="bia") | campaign)
    with open_database():
        assert db.session.scalars(select(Campaign.name)).all() == ["Feira"]


def test_a_level_that_differs_fires_a_webhook(api: Caller, hook: Receiver, open_database: OpenDatabase) -> None:
    (first,) = save(api, person(interest_level=2))
    (same,) = save(api, person(interest_level=2))
    (removed,) = save(api, person(interest_level=None))
    assert first["delivery_id"].startswith("msg_")
    assert same["delivery_id"] is removed["delivery_id"] is None
    with open_database():
        actors = db.session.execute(select(Classification.old_level, Classification.new_level, Classification.actor))
        assert actors.all() == [(None, 2, api.email), (2, None, api.email)]


def test_without_a_level_nothing_is_classified(api: Caller, hook: Receiver, open_database: OpenDatabase) -> None:
    save(api, person(interest_level=3))
    save(api, person(phone="1"))
    assert count(open_database, Classification) == 1
    assert api.get("/contacts/1").json["contact"]["interest_level"] == 3


def test_without_an_address_a_classification_fires_nothing(api: Caller) -> None:
    assert save(api, person(interest_level=1))[0]["delivery_id"] is None


def test_one_bad_contact_saves_none(api: Caller, hook: Receiver, open_database: OpenDatabase) -> None:
    items = [person(interest_level=1), person(linkedin_public_id="b"), {"contact": {"linkedin_public_id": "new"}}]
    problem = check_problem(api.post("/contacts", items), 422, "invalid_fields")
    assert field_errors(problem) == {"2.contact.name": "required"}
    assert count(open_database, Contact) == count(open_database, Delivery) == count(open_database, Campaign) == 0


def test_every_bad_field_of_a_list_is_named(api: Caller) -> None:
    items = [person(), person(phone=1), person(name=None) | {"extra": 1}]
    problem = check_problem(api.post("/contacts", items), 422, "invalid_fields")
    assert field_errors(problem) == {
        "1.contact.phone": "not_a_text",
        "2.contact.name": "null",
        "2.extra": "unknown_field",
    }


@pytest.mark.slow
def test_a_thousand_contacts_are_taken_and_one_more_is_not(api: Caller, open_database: OpenDatabase) -> None:
    items = [person(linkedin_public_id=f"p{number}") for number in range(1001)]
    problem = check_problem(api.post("/contacts", items), 422, "invalid_fields")
    assert field_errors(problem) == {"": "too_many"}
    assert len(save(api, *items[:1000])) == 1000
    assert count(open_database, Contact) == 1000


BAD_FIELDS = [
    ("contact.name", "a\ud800", "surrogate"),
    ("contact.role", "\udfff", "surrogate"),
    ("contact.phone", "1\0", "nul"),
    ("contact.email", "x" * 255, "too_long"),
    ("contact.name", 7, "not_a_text"),
    ("contact.name", ["a"], "not_a_text"),
    ("contact.name", True, "not_a_text"),
    ("contact.name", "", "required"),
    ("contact.interest_level", 4, "unknown_level"),
    ("contact.interest_level", 0, "unknown_level"),
    ("contact.interest_level", True, "not_an_integer"),
    ("contact.interest_level", "2", "not_an_integer"),
    ("contact.interest_level", 2.0, "not_an_integer"),
    ("contact.interest_level", 10**400, "unknown_level"),
    ("contact.id", True, "not_an_integer"),
    ("contact.id", 999, "unknown"),
    ("contact.id", -1, "out_of_range"),
    ("contact.id", 2**63, "out_of_range"),
    ("contact.id", 2**63 - 1, "unknown"),
    ("contact.invite_date", "yesterday", "not_a_date"),
    ("contact.invite_date", "2026-02-30 10:00:00", "not_a_date"),
    ("contact.invite_date", "0001-01-01T00:00:00+14:00", "not_a_date"),
    ("contact.invite_date", "0001-01-01T00:00:00Z", "not_a_date"),
    ("contact.accept_date", "0001-01-01 00:00:00", "not_a_date"),
    ("contact.reply_date", "9999-12-31T23:59:59Z", "not_a_date"),
    ("contact.invite_date", 20260101, "not_a_date"),
    ("contact.invite_date", "", "not_a_date"),
    ("contact.company_id", 1, "unknown_field"),
    ("contact.is_admin", True, "unknown_field"),
    ("contact.search_name", "x", "unknown_field"),
    ("contact.skills", None, "null"),
    ("contact.skills", {}, "not_a_list"),
    ("contact.skills.0", 1, "not_an_object"),
    ("contact.skills", [{}] * 2001, "too_many"),
    ("contact.skills.0.endorsements", -1, "not_a_count"),
    ("contact.skills.0.endorsements", True, "not_an_integer"),
    ("contact.skills.0.skill", "\ud83d", "surrogate"),
    ("contact.experiences.0.company_link", "\0", "nul"),
    ("contact_owner.email", "nobody", "not_an_email"),
    ("contact_owner.email", None, "null"),
    ("contact_owner.role", "admin", "unknown_field"),
    ("contact_owner.password", "x", "unknown_field"),
    ("campaign.name", "x" * 201, "too_long"),
    ("campaign.name", "\ud800", "surrogate"),
    ("campaign.company_id", 2, "unknown_field"),
    ("messages", {}, "not_a_list"),
    ("messages.0.message", "x" * 20_001, "too_long"),
    ("messages.0.sender_name", None, "null"),
    ("messages.0.date", "\ud800", "not_a_date"),
    ("messages.0.date", "9999-12-31 12:00:00", "not_a_date"),
    ("messages.0.pending_message", 2, "not_a_flag"),
    ("messages.0.pending_message", True, "not_an_integer"),
    ("contact", None, "null"),
    ("contact", [], "not_an_object"),
    ("company_id", 2, "unknown_field"),
]


@pytest.mark.parametrize(("path", "value", "code"), BAD_FIELDS)
def test_a_bad_field_is_named(api: Caller, open_database: OpenDatabase, path: str, value: Any, code: str) -> None:
    item: Any = deepcopy(EXAMPLE)
    *way, last = path.split(".")
    place = item
    for step in way:
        place = place[int(step)] if step.isdecimal() else place[step]
    place[int(last) if last.isdecimal() else last] = value
    problem = check_problem(api.post("/contacts", item), 422, "invalid_fields")
    assert field_errors(problem)[path] == code
    assert count(open_database, Contact) == 0


def test_numbers_that_no_type_holds_are_refused(api: Caller) -> None:
    data = b'{"contact": {"name": "a", "phone": 1e400, "interest_level": 1e400}}'
    response = api.call("POST", "/contacts", data=data, content_type="application/json")
    codes = field_errors(check_problem(response, 422, "invalid_fields"))
    assert codes == {"contact.phone": "not_a_text", "contact.interest_level": "not_an_integer"}


def test_a_whole_surrogate_pair_is_a_character(api: Caller) -> None:
    data = b'{"contact": {"name": "\\ud83d\\ude00"}}'
    assert api.call("POST", "/contacts", data=data, content_type="application/json").status_code == 200
    assert api.get("/contacts/1").json["contact"]["name"] == "\N{GRINNING FACE}"


def test_a_classification_answers_what_changed(api: Caller, hook: Receiver, contact_id: int) -> None:
    path = f"/contacts/{contact_id}/interest-level"
    first = api.put(path, {"interest_level": 2}).json
    assert first == {
        "contact_id": contact_id,
        "interest_level": 2,
        "previous_level": None,
        "delivery_id": first["delivery_id"],
    }
    assert api.get(f"/deliveries/{first['delivery_id']}").json["interest_level"] == 2
    again = api.put(path, {"interest_level": 2}).json
    assert (again["previous_level"], again["delivery_id"]) == (2, None)
    removed = api.put(path, {"interest_level": None}).json
    assert (removed["interest_level"], removed["previous_level"], removed["delivery_id"]) == (None, 2, None)


def test_a_member_may_classify_and_make_contacts(member: Caller, contact_id: int) -> None:
    assert member.put(f"/contacts/{contact_id}/interest-level", {"interest_level": 1}).status_code == 200
    assert member.post("/contacts", person()).status_code == 200


@pytest.mark.parametrize(
    ("value", "path", "code"),
    [
        ({}, "interest_level", "required"),
        ({"interest_level": 4}, "interest_level", "unknown_level"),
        ({"interest_level": False}, "interest_level", "not_an_integer"),
        ({"interest_level": 1, "actor": "me"}, "actor", "unknown_field"),
    ],
)
def test_a_bad_level_is_refused(api: Caller, contact_id: int, value: Any, path: str, code: str) -> None:
    response = api.put(f"/contacts/{contact_id}/interest-level", value)
    assert field_errors(check_problem(response, 422, "invalid_fields")) == {path: code}


def test_a_contact_says_whether_the_crm_knows_it(api: Caller, delivery_id: str, contact_id: int) -> None:
    assert api.get(f"/contacts/{contact_id}").json["sync"] == "waiting"
