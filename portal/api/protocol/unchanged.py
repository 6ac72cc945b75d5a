"""Answers that the caller already has: every GET answers with an ETag, and with 304 to whoever sends it back."""

from typing import Any

from flask import Flask, Response, request

PREFIX = "/api/v1/"


def init_app(app: Flask) -> None:
    app.after_request(answer_unchanged)


def answer_unchanged(response: Response) -> Response:
    """Adds a weak tag, which compression leaves as it is."""
    if request.method == "GET" and request.path.startswith(PREFIX) and response.status_code == 200:
        response.add_etag(weak=True)
        response.headers["Cache-Control"] = "private, no-cache"
        response.make_conditional(request)
    return response


def document_unchanged(doc: dict[str, Any], _info: Any, *, method: str, **_context: Any) -> dict[str, Any]:
    """Let the OpenAPI document say so of every GET."""
    if method == "get":
        doc["responses"]["304"] = {"description": "Nothing changed since the answer whose ETag is in If-None-Match."}
    return doc
