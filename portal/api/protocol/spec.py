"""The OpenAPI document: what all routes share, so that it says no more and no less than the API does.

Its texts are written in English, beside the code that they are about; it is read in Portuguese, too.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Response, jsonify, request
from flask_smorest import Api  # type: ignore[import-untyped]
from flask_smorest.utils import prepare_response  # type: ignore[import-untyped]
from marshmallow import fields

from portal.api.protocol.access import CALLS_A_SECOND, CALLS_AT_ONCE
from portal.api.protocol.fields import AnswerSchema, StrictSchema, about
from portal.api.protocol.problems import PROBLEM_TYPE
from portal.runtime import runtime
from portal.version import __version__

EXAMPLE_CODES = {
    400: "malformed_json",
    401: "invalid_token",
    403: "forbidden",
    404: "not_found",
    409: "webhook_unset",
    413: "request_too_large",
    415: "unsupported_media_type",
    422: "invalid_fields",
    429: "too_many_calls",
    500: "internal_error",
    503: "database_busy",
}

CONFIG = {
    "API_TITLE": "Catacliente Portal",
    "API_VERSION": __version__,
    "OPENAPI_VERSION": "3.1.0",
    "OPENAPI_URL_PREFIX": "/api/v1",
    "OPENAPI_JSON_PATH": "openapi.json",
    "API_SPEC_OPTIONS": {
        "info": {
            "description": "Contacts, their interest level, the webhook and its deliveries. Every call needs an API "
            "token of the company: `read` is good for GET, `classify` also for contacts and their levels, `manage` for "
            "everything. Errors are RFC 9457 problems with a stable `code`; their sentences are in "
            "Portuguese, or in English when `Accept-Language` asks for it. Times are RFC 3339 in UTC. A "
            f"token may call {CALLS_AT_ONCE} times at once and {CALLS_A_SECOND} times a second; then 429 says in "
            "`Retry-After` how many seconds to wait. An answer to GET carries an `ETag`: sent back as `If-None-Match` "
            "it makes the next answer 304, without a body, while nothing changed."
        },
        "security": [{"token": []}],
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "An API token: `cat_..._...`."}
            }
        },
    },
}


# The Portuguese of every paragraph, by its English without line ends.
CATALOGUE = Path(__file__).parents[2] / "translations" / "api.pt_BR.json"
TEXTS = ("summary", "description")


class FieldErrorSchema(AnswerSchema):
    path = fields.String(metadata=about("As `3.contact.name`; empty for the body itself."))
    code = fields.String()
    message = fields.String()


class ProblemSchema(StrictSchema):
    """An error (RFC 9457). Programs decide by `code`, people read `detail`."""

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    code = fields.String(required=True)
    errors = fields.List(fields.Nested(FieldErrorSchema))
    reason = fields.String(metadata=about("Why a test was not delivered."))
    delivery_id = fields.String(metadata=about("Of that test, in the log."))
    scope = fields.String(metadata=about("What a token must be good for: `read`, `classify` or `manage`."))
    problem = fields.String(metadata=about("What exactly is wrong with a refused address."))
    error_id = fields.String(metadata=about("Under which the server's log tells about a fault."))


def problem_example(status: HTTPStatus) -> dict[str, Any]:
    """What a problem of this status looks like."""
    example: dict[str, Any] = {
        "type": "about:blank",
        "title": status.phrase,
        "status": int(status),
        "detail": status.description or status.phrase,
        "code": EXAMPLE_CODES[status],
    }
    if status == HTTPStatus.UNPROCESSABLE_ENTITY:
        example["errors"] = [{"path": "3.contact.name", "code": "required", "message": "Required."}]
    return example


class PortalApi(Api):
    """flask-smorest with our problems in place of its errors."""

    DEFAULT_ERROR_RESPONSE_NAME = None

    def _openapi_json(self) -> Response:
        """The document. Its server is the address that was asked; `?language=pt-BR` translates it."""
        servers = [{"url": (runtime().settings.base_url or request.url_root).rstrip("/")}]
        document = self.spec.to_dict()
        if request.args.get("language") == "pt-BR":
            document = translate(document)
        return jsonify(document | {"servers": servers})

    def _register_error_handlers(self) -> None:
        """The blueprint has its own handlers. Smorest's would answer for pages too."""

    def _register_responses(self) -> None:
        for status in HTTPStatus:
            if status not in EXAMPLE_CODES:
                continue
            response = {"description": status.phrase, "schema": ProblemSchema, "example": problem_example(status)}
            prepare_response(response, self.spec, PROBLEM_TYPE)
            self.spec.components.response(status.name, response, lazy=True)

    def _register_etag_headers(self) -> None:
        """`unchanged` documents the ETags of all routes."""

    def _register_pagination_header(self) -> None:
        """Pages have `next_cursor`, not a header."""


def translate(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document with its texts in Portuguese; examples stay as they are."""
    catalogue: dict[str, str] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    translated: dict[str, Any] = _translate(document, catalogue)
    return translated


def _translate(part: Any, catalogue: Mapping[str, str], name: str = "") -> Any:
    """The part of this name; an example stays as it is."""
    if isinstance(part, list):
        return [_translate(item, catalogue) for item in part]
    if isinstance(part, dict):
        return {key: item if key == "example" else _translate(item, catalogue, key) for key, item in part.items()}
    if name not in TEXTS or not isinstance(part, str):
        return part
    paragraphs = (" ".join(paragraph.split()) for paragraph in part.split("\n\n"))
    return "\n\n".join(catalogue.get(paragraph, paragraph) for paragraph in paragraphs)
