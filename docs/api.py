"""Writes docs/api.md from the OpenAPI document that the portal itself serves.

python docs/api.py
"""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from portal.application import create_app
from portal.config import load_settings

PAGE = Path(__file__).with_suffix(".md")
METHODS = ("get", "post", "put", "delete")
INTRODUCTION = """# The API

JSON under `/api/v1`, with `Authorization: Bearer` and a token of *Administration › API tokens* or `portal token add`:

    curl -X PUT https://portal.example.com/api/v1/contacts/7/interest-level -d '{"interest_level": 3}' \\
      -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"

A contact has the shape of the webhook's body; a list of at most 1000 is saved by one call, which may be repeated with
an `Idempotency-Key`. Lists come in pages, with the filters of the pages that people see. Read on while `next_cursor` is
not null: of a long log of deliveries a page before the last may have few items, or none. What takes long is a job:
`contacts/sync`, `contacts/assign`, `deliveries/resend` and `sync` answer 202 with it, and with `{"dry_run": true}` only
count. The note about a cause is written as `{"text": "ticket 123"}`, and read as `note.text`. Errors are RFC 9457
problems with a stable `code`. A token may call 1000 times at once and 50 times a second (counted by each process); then
429 says in `Retry-After` when to come back.

The whole of it, with examples: `/api/docs` on your portal; as OpenAPI: `/api/v1/openapi.json` (`?language=pt-BR` for
Portuguese).

| call | what it does |
|---|---|
"""


def page() -> str:
    with tempfile.TemporaryDirectory() as instance:
        client = create_app(load_settings({"PORTAL_INSTANCE": instance})).test_client()
        return INTRODUCTION + "".join(rows(client.get("/api/v1/openapi.json").get_json()["paths"]))


def rows(paths: dict[str, Any]) -> Iterator[str]:
    for path, calls in paths.items():
        short = re.sub(r"{(?!cause)\w+}", "{id}", path)
        for method in METHODS:
            if method in calls:
                yield f"| `{method.upper()} {short}` | {calls[method]['summary']} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
