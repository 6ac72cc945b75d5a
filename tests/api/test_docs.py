"""The page of the API: made of the OpenAPI document, open to anybody, and complete."""

import html
import json
import re
import shlex
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from flask import Flask

from portal.api.protocol import spec as protocol_spec
from portal.database.db import db
from portal.web.headers import CONTENT_SECURITY_POLICY
from tests.api.conftest import Caller
from tests.applications import statements_of


@pytest.fixture
def document(app: Flask) -> dict[str, Any]:
    return app.test_client().get("/api/v1/openapi.json").json  # type: ignore[return-value]


TAGS = ("contacts", "webhook", "deliveries", "jobs", "sync")
PAGES = ("/api/docs", *(f"/api/docs/{tag}" for tag in TAGS))


def open_page(app: Flask, url: str) -> str:
    response = app.test_client().get(url, headers={"Accept-Language": "en"})
    assert response.status_code == 200
    assert response.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
    assert len(response.data) < 80_000
    return html.unescape(response.get_data(as_text=True))


@pytest.fixture
def page(app: Flask) -> str:
    """The pages of all tags, one after the other."""
    return "".join(open_page(app, url) for url in PAGES[1:])


def operations_of(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def bodies_of(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """What goes in and what comes out with success, of every operation."""
    found = []
    for _, _, operation in operations_of(document):
        answers = [answer for status, answer in operation["responses"].items() if status < "300"]
        for holder in [*answers, operation.get("requestBody")]:
            if holder and "content" in holder:
                found.append((operation["operationId"], holder["content"]["application/json"]))
    return found


def section_of(page: str, key: str) -> str:
    return next(part for part in page.split('<details class="attempt">') if f'id="{key}"' in part)


def test_the_first_page_leads_to_every_call(app: Flask, document: dict[str, Any]) -> None:
    page = open_page(app, "/api/docs")
    for method, path, operation in operations_of(document):
        link = page.partition(f'href="/api/docs/{operation["tags"][0]}#{operation["operationId"]}"')[2].partition(
            "</a>"
        )[0]
        assert (method.upper() in link, path in link, operation["summary"] in link) == (True, True, True)


def test_a_tag_that_is_none_has_no_page(app: Flask) -> None:
    assert app.test_client().get("/api/docs/nothing").status_code == 404


def test_every_operation_stands_on_the_page_with_what_it_says(document: dict[str, Any], page: str) -> None:
    for method, path, operation in operations_of(document):
        section = section_of(page, operation["operationId"])
        assert method.upper() in section
        assert path in section
        assert operation["summary"] in section
        for parameter in operation.get("parameters", []):
            assert f"<code>{parameter['name']}</code>" in section
        for status in operation["responses"]:
            assert status in section


def test_what_stands_within_a_list_or_an_object_is_named_by_its_place(page: str) -> None:
    places = ("results[].delivery_id", "contact.skills[].endorsements", "contact.id")
    section = section_of(page, "saveContacts") + section_of(page, "getContact")
    assert [place for place in places if f"<code>{place}</code>" not in section] == []


def test_every_example_is_on_the_page(document: dict[str, Any], page: str) -> None:
    for _, media in bodies_of(document):
        assert json.dumps(media["example"], ensure_ascii=False, indent=2) in page


def test_every_example_is_of_its_schema(document: dict[str, Any]) -> None:
    for name, media in bodies_of(document):
        schema = {**media["schema"], "components": document["components"]}
        assert jsonschema_rs.is_valid(schema, media["example"]), name


def test_a_curl_line_is_a_call_that_works(api: Caller, contact_id: int, page: str) -> None:
    section = section_of(page, "classifyContact")
    address, _, method, _, token, _, content_type, _, body = words_of(section.partition(">curl ")[2])
    assert (method, token) == ("PUT", "Authorization: Bearer $TOKEN")
    path = address.removeprefix("http://localhost/api/v1").replace("/7/", f"/{contact_id}/")
    assert api.call(method, path, data=body, content_type=content_type.partition(": ")[2]).status_code == 200


def test_the_curl_line_of_the_docs_is_a_call_that_works(api: Caller, contact_id: int) -> None:
    docs = (Path(__file__).parent.parent.parent / "docs" / "api.md").read_text()
    _, method, address, _, body, _, token, _, content_type = words_of(docs.partition("curl ")[2])
    assert (method, token) == ("PUT", "Authorization: Bearer $TOKEN")
    path = address.partition("/api/v1")[2].replace("/7/", f"/{contact_id}/")
    assert api.call(method, path, data=body, content_type=content_type.partition(": ")[2]).status_code == 200


def words_of(command: str) -> list[str]:
    """The words of a command over several lines, up to the end of its example."""
    return shlex.split(re.split("</pre>|\n\n", command)[0].replace("\\\n", ""))


@pytest.mark.parametrize("url", PAGES)
def test_a_page_asks_for_nothing_from_elsewhere_and_needs_no_script(app: Flask, url: str) -> None:
    page = open_page(app, url)
    assert "//" not in "".join(part.partition('"')[0] for part in page.split('src="')[1:])
    assert 'href="http' not in page


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "pt-BR",
            ("Corpo do pedido", "Criar ou alterar contatos", "Cada um na forma do corpo", "400 Pedido malformado"),
        ),
        ("en", ("Request body", "Make or change contacts", "Each in the shape of", "400 Bad Request")),
    ],
)
def test_its_words_are_in_the_readers_language(app: Flask, language: str, words: tuple[str, ...]) -> None:
    page = app.test_client().get("/api/docs/contacts", headers={"Accept-Language": language}).text
    assert [word for word in words if word not in page] == []


def texts_of(part: Any) -> list[str]:
    """Every summary and description, examples apart."""
    if isinstance(part, list):
        return [text for item in part for text in texts_of(item)]
    if not isinstance(part, dict):
        return []
    own = [part[name] for name in protocol_spec.TEXTS if isinstance(part.get(name), str)]
    return own + [text for name, item in part.items() if name != "example" for text in texts_of(item)]


def paragraphs_of(document: Any) -> list[str]:
    """The texts by paragraphs, since each is translated by itself."""
    return [paragraph for text in texts_of(document) for paragraph in text.split("\n\n")]


def test_every_text_is_there_in_portuguese_and_names_the_same_codes(app: Flask, document: dict[str, Any]) -> None:
    translated = app.test_client().get("/api/v1/openapi.json?language=pt-BR").json
    pairs = list(zip(paragraphs_of(document), paragraphs_of(translated), strict=True))
    same_in_both = {"", "OK", "`resend`, `sync`, `send_current`, `classify`, `import`, `purge` ..."}
    assert {english for english, shown in pairs if english == shown} <= same_in_both
    codes = [(sorted(english.split("`")[1::2]), sorted(shown.split("`")[1::2])) for english, shown in pairs]
    assert [each for each in codes if each[0] != each[1]] == []


@pytest.mark.parametrize("url", PAGES[:2])
def test_a_page_asks_the_database_nothing(app: Flask, url: str) -> None:
    with app.app_context():
        engine = db.engine
    with statements_of(engine) as seen:
        assert app.test_client().get(url).status_code == 200
    assert seen == []
