"""What is refused is named, all of it, with the limits that it goes over; what the document shows is accepted."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, ValidationError, fields

from portal.api import examples
from portal.api.contacts import item_form
from portal.api.protocol.problems import flatten
from portal.api.protocol.sentences import FIELD_SENTENCES
from tests.api.conftest import Caller, check_problem, field_errors


def messages(problem: dict[str, Any]) -> dict[str, str]:
    return {error["path"]: error["message"] for error in problem["errors"]}


def test_every_contact_that_is_not_accepted_is_named_whoever_refuses_it(api: Caller) -> None:
    good, no_form = {"contact": {"name": "Ana"}}, {"contact": {"name": 7}}
    unknown, too_early = {"contact": {"id": 99}}, {"contact": {"name": "Rui", "reply_date": "0001-01-01 00:00:00"}}
    problem = check_problem(api.post("/contacts", [too_early, good, no_form, unknown]), 422, "invalid_fields")
    assert field_errors(problem) == {
        "0.contact.reply_date": "not_a_date",
        "2.contact.name": "not_a_text",
        "3.contact.id": "unknown",
    }
    assert api.get("/contacts").json["items"] == []


def test_every_field_of_a_contact_that_is_not_accepted_is_named_and_the_first_stays_first(api: Caller) -> None:
    contact = {"reply_date": "0001-01-01 00:00:00", "invite_date": "0001-01-01 00:00:00", "name": " "}
    item = {"contact_owner": {"email": "İ" * 200 + "@x.example"}, "contact": contact}
    problem = check_problem(api.post("/contacts", [{"contact": {"name": "Ana"}}, item]), 422, "invalid_fields")
    assert list(field_errors(problem).items()) == [
        ("1.contact.name", "required"),
        ("1.contact_owner.email", "too_long"),
        ("1.contact.reply_date", "not_a_date"),
        ("1.contact.invite_date", "not_a_date"),
    ]


def test_the_list_of_errors_is_bounded(api: Caller) -> None:
    problem = check_problem(api.post("/contacts", [{"contact": {"id": 99}}] * 1000), 422, "invalid_fields")
    assert len(problem["errors"]) == 100


@pytest.mark.parametrize(
    ("item", "path", "code", "words"),
    [
        ({"messages": [{"message": "x" * 20_001}]}, "messages.0.message", "too_long", "At most 20,000 characters."),
        ({"campaign": {"name": "x" * 201}}, "campaign.name", "too_long", "At most 200 characters."),
        ({"messages": [{"message": "x" * 20_000}] * 26}, "messages", "too_long", "At most 500,000 characters."),
        (
            {"contact": {"name": "Ana", "skills": [{"skill": "x" * 300}] * 334}},
            "contact.skills",
            "too_long",
            "At most 100,000 characters.",
        ),
        ({"messages": [{}] * 2001}, "messages", "too_many", "At most 2,000 items."),
        ({"contact": {"id": -1}}, "contact.id", "out_of_range", "Has to be between 0 and 9,223,372,036,854,775,807."),
    ],
)
def test_a_limit_is_in_its_message(api: Caller, item: Any, path: str, code: str, words: str) -> None:
    item = {"contact": {"name": "Ana"}} | item
    problem = check_problem(api.post("/contacts", item, headers={"Accept-Language": "en"}), 422, "invalid_fields")
    assert (field_errors(problem), messages(problem)) == ({path: code}, {path: words})
    problem = check_problem(api.post("/contacts", item, headers={"Accept-Language": "pt-BR"}), 422, "invalid_fields")
    assert messages(problem)[path] != words


def test_so_many_contacts_at_once_and_no_more(api: Caller) -> None:
    answer = api.post("/contacts", [{"contact": {"name": "Ana"}}] * 1001, headers={"Accept-Language": "en"})
    assert messages(check_problem(answer, 422, "invalid_fields")) == {"": "At most 1,000 items."}


@pytest.mark.parametrize(
    "body",
    [
        '{"contact": {"name": "Ana"}, "sync": {%s}}',  # which is ignored otherwise
        '{"contact": {"name": "Ana"}, "unknown": [{%s}]}',
        '{"contact": {"name": "Ana", "skills": [{%s}]}}',
        "{%s}",
    ],
)
@pytest.mark.parametrize("name", ['"n%d": 1', '"contact": %d'], ids=["other names", "one name"])
def test_no_object_has_more_members_than_any_form(api: Caller, body: str, name: str) -> None:
    def answer(count: int) -> dict[str, str]:
        data = body % ", ".join(name % number for number in range(count))
        answer = api.post("/contacts", data=data, content_type="application/json", headers={"Accept-Language": "en"})
        return {} if answer.status_code == 200 else messages(check_problem(answer, 422, "invalid_fields"))

    assert answer(1001) == {"": "At most 1,000 items."}
    assert "" not in answer(1000)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ('{"contact": {"name": "Ana", "interest_level": 1, "interest_level": 3}}', "interest_level"),
        ('[{"contact": {"name": "Ana"}}, {"contact": {"name": "Rui"}, "contact": {"name": "Eva"}}]', "contact"),
        ('{"contact": {"name": "Ana"}, "sync": {"a": 1, "a": 1}}', "a"),  # which is ignored otherwise
    ],
)
def test_a_member_that_an_object_has_twice_is_named_and_nothing_is_saved(api: Caller, body: str, name: str) -> None:
    answer = api.post("/contacts", data=body, content_type="application/json")
    assert field_errors(check_problem(answer, 422, "invalid_fields")) == {name: "repeated_field"}
    assert api.get("/contacts").json["items"] == []


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/contacts?level=1&level=3", ["level"]),
        ("/deliveries?status=failed&limit=1&status=pending&limit=1", ["status", "limit"]),
    ],
)
def test_a_parameter_that_is_given_twice_is_named(api: Caller, path: str, names: list[str]) -> None:
    problem = check_problem(api.get(path), 422, "invalid_fields")
    assert field_errors(problem) == dict.fromkeys(names, "repeated_field")


def test_the_documents_example_of_a_contact_is_accepted_and_what_comes_back_too(app: Flask, api: Caller) -> None:
    document: Any = api.get("/openapi.json").json
    operation = document["paths"]["/api/v1/contacts"]["post"]
    example = operation["requestBody"]["content"]["application/json"]["example"]
    (saved,) = api.post("/contacts", example).json["results"]
    contact = api.get(f"/contacts/{saved['id']}").json
    assert api.post("/contacts", [contact]).json == {
        "results": [{"id": saved["id"], "created": False, "delivery_id": None}]
    }
    assert api.get(f"/contacts/{saved['id']}").json == contact


def test_the_document_names_its_server(app: Flask, api: Caller, make_app: Any) -> None:
    assert api.get("/openapi.json").json["servers"] == [{"url": "http://localhost"}]
    other = make_app(base_url="https://portal.example.com/vendas")
    document: Any = other.test_client().get("/api/v1/openapi.json").json
    assert document["servers"] == [{"url": "https://portal.example.com/vendas"}]


def test_a_filter_s_fields_have_the_documented_names_alone(api: Caller) -> None:
    asked = {"owner": api.email, "dry_run": True}
    assert api.post("/contacts/assign", asked | {"filter": {"import": 4, "level": "none"}}).status_code != 400
    problem = check_problem(api.post("/contacts/assign", asked | {"filter": {"import_id": 4}}), 422, "invalid_fields")
    assert field_errors(problem) == {"filter.import_id": "unknown_field"}


JSON_KINDS = (None, True, 1, 0, 1.5, "talvez", "yes", "on", "1", "\x00", [], ["x"], {}, {"x": 1})


def fields_of(schema: Schema) -> Iterator[fields.Field[Any]]:
    """Every field that a request's body may have, those of inner objects too."""
    for each in schema.load_fields.values():
        field = each
        while isinstance(field, fields.List):
            yield field
            field = field.inner
        yield field
        if isinstance(field, fields.Nested):
            yield from fields_of(field.schema)


@pytest.mark.parametrize("item", [examples.CONTACT_ITEM, examples.CONTACT])
def test_a_contact_with_every_field_is_read_at_a_glance(item: dict[str, Any]) -> None:
    assert item_form.is_right(item)
    assert item_form.deserialize(item) is item
    assert not item_form.is_right(item | {"messages": [{"message": "\x00"}]})


def test_a_body_s_fields_take_no_value_for_another_and_refuse_it_by_the_documented_codes(app: Flask) -> None:
    views = [view for name, view in app.view_functions.items() if name.startswith("api.")]
    asked = [each for view in views for each in getattr(view, "_apidoc", {}).get("arguments", {}).get("parameters", ())]
    found = [field for each in asked if each["in"] == "json" for field in fields_of(each["schema"])]
    assert len(found) > 40
    for field in found:
        for value in JSON_KINDS:
            try:
                taken = field.deserialize(value)
            except ValidationError as error:
                codes = {code.partition(":")[0] for _path, code in flatten(error.messages)}
                assert codes <= FIELD_SENTENCES.keys(), (field, value)
            else:
                assert type(taken) is type(value), (field, value)
