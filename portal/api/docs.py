"""The OpenAPI document as pages for people, `/api/docs`: made from that document, so that both say the same."""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request
from flask_babel import lazy_gettext as _l

from portal.api.examples import DELIVERY_ID
from portal.api.protocol.spec import translate

# What stands for the variable parts of an address in the curl lines.
PATH_VALUES = {"cause": "server_error", "contact_id": "7", "delivery_id": DELIVERY_ID, "job_id": "4"}

TAG_WORDS = {
    "contacts": _l("Contatos"),
    "webhook": _l("Webhook"),
    "deliveries": _l("Entregas"),
    "jobs": _l("Tarefas"),
    "sync": _l("O que o CRM sabe"),
}
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Field:
    """A parameter, or a member of a body by its path, such as `contact.skills[].skill`."""

    path: str
    kind: str
    is_required: bool
    note: str


@dataclass(frozen=True)
class Body:
    """A request's or an answer's body. `example` is indented JSON; empty when there is no body."""

    label: str
    example: str
    fields: tuple[Field, ...]


@dataclass(frozen=True)
class Operation:
    """One call. `problems` are the statuses with their titles; `curl` goes with the portal's own address in front."""

    key: str
    tag: str
    method: str
    path: str
    title: str
    paragraphs: tuple[str, ...]
    parameters: tuple[Field, ...]
    body: Body | None
    answers: tuple[Body, ...]
    problems: tuple[str, ...]
    curl: tuple[str, ...]


def make_blueprint(document: Json) -> Blueprint:
    """The pages of this OpenAPI document, which is read once, now: every call in short, and those of each tag whole.

    They are in the reader's language. Anybody may open them.
    """
    documents = {"en": document, "pt-BR": translate(document)}
    operations = {language: read_operations(each) for language, each in documents.items()}
    tags = dict.fromkeys(operation.tag for operation in operations["en"])
    said: dict[str, Any] = {"documents": documents, "operations": operations, "tags": tags, "tag_words": TAG_WORDS}
    blueprint = Blueprint("api_docs", __name__)

    def index() -> str:
        return render_template("api/docs.html", **said)

    def show(tag: str) -> str:
        if tag not in tags:
            abort(404)
        return render_template("api/docs_tag.html", **said, tag=tag, origin=request.url_root[:-1])

    blueprint.add_url_rule("/api/docs", "index", index)
    blueprint.add_url_rule("/api/docs/<tag>", "show", show)
    return blueprint


def read_operations(document: Json) -> list[Operation]:
    """Every operation, in the document's order."""
    return [
        _operation(document, path, method, operation, item.get("parameters", []))
        for path, item in document["paths"].items()
        for method, operation in item.items()
        if method != "parameters"
    ]


def _operation(document: Json, path: str, method: str, operation: Json, shared: list[Json]) -> Operation:
    responses = [(status, _resolve(document, answer)) for status, answer in sorted(operation["responses"].items())]
    successes = [response for response in responses if response[0] < "300"]
    problems = [response for response in responses if response[0] > "300"]
    body = operation.get("requestBody")
    parameters = sorted(
        [*shared, *operation.get("parameters", [])], key=lambda each: each["name"] in ("limit", "cursor")
    )
    return Operation(
        key=operation["operationId"],
        tag=operation["tags"][0],
        method=method.upper(),
        path=path,
        title=operation["summary"],
        paragraphs=tuple(operation.get("description", "").split("\n\n")),
        parameters=tuple(_field(document, each["name"], each["schema"], each) for each in parameters),
        body=_body(document, "", body) if body else None,
        answers=tuple(_body(document, f"{status} {answer['description']}", answer) for status, answer in successes),
        problems=tuple(f"{status} {answer['description']}" for status, answer in problems),
        curl=_curl(path.format(**PATH_VALUES), method.upper(), body),
    )


def _body(document: Json, label: str, holder: Json) -> Body:
    if "content" not in holder:
        return Body(label, "", ())
    media = holder["content"]["application/json"]
    example = json.dumps(media["example"], ensure_ascii=False, indent=2)
    return Body(label, example, tuple(_members(document, media["schema"])))


def _members(document: Json, schema: Json, prefix: str = "") -> Iterator[Field]:
    """The members of an object, and of the objects in it, each after what it belongs to."""
    schema = _resolve(document, schema)
    for name, member in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield _field(document, path, member, {"required": name in schema.get("required", ())})
        inner = _resolve(document, member)
        is_list = "items" in inner
        yield from _members(document, inner.get("items", inner), f"{path}[]." if is_list else f"{path}.")


def _field(document: Json, path: str, schema: Json, holder: Json) -> Field:
    note = holder.get("description") or schema.get("description", "")
    return Field(path, _kind(_resolve(document, schema)), bool(holder.get("required")), note)


def _kind(schema: Json) -> str:
    """What a value is, in a few words: its type, or the values that there are."""
    if "enum" in schema:
        return " | ".join("null" if value is None else str(value) for value in schema["enum"])
    kinds = schema.get("type", "object")
    return " | ".join([kinds] if isinstance(kinds, str) else kinds)


def _resolve(document: Json, part: Json) -> Json:
    """The part itself, or what it refers to; of several forms, the first."""
    if "$ref" in part:
        for name in part["$ref"].removeprefix("#/").split("/"):
            document = document[name]
        return document
    forms = part.get("oneOf") or part.get("anyOf")
    return _resolve(document, forms[0]) if forms else part


def _curl(path: str, method: str, body: Json | None) -> tuple[str, ...]:
    """The lines of a call by curl; the first is the address, without its beginning."""
    lines = (path, f"-X {method}", '-H "Authorization: Bearer $TOKEN"')
    if not body:
        return lines
    example = json.dumps(body["content"]["application/json"]["example"], ensure_ascii=False)
    return (*lines, "-H 'Content-Type: application/json'", f"-d {shlex.quote(example)}")
