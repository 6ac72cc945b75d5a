"""What programs are generated from never changes unseen: the document of the API, but for the words of its prose.

tests/data/written/document.txt holds it; tests/views/written.py says how it is written anew.
"""

import json
from collections.abc import Mapping
from typing import Any

from flask import Flask

from tests.views.written import check

FITS = 160
PROSE = ("summary", "x-group")
TOLD = "..."  # stands for a description: its words may change, that there is one does not


def without_prose(part: Any, *, are_names: bool = False) -> Any:
    """`are_names`: the keys are the document's own, such as those of a schema's properties."""
    if isinstance(part, list):
        return [without_prose(each) for each in part]
    if not isinstance(part, Mapping):
        return part
    kept = {name: value for name, value in part.items() if are_names or name not in PROSE}
    if "description" in kept and not are_names:
        kept["description"] = TOLD
    return {
        name: value
        if name == "example"
        else without_prose(value, are_names=name in ("properties", "schemas", "responses") and not are_names)
        for name, value in kept.items()
    }


def lines_of(part: Any, name: str = "") -> list[str]:
    """What fits stands on one line, what is longer on one for each of its parts."""
    text = json.dumps(part, sort_keys=True)
    if len(text) <= FITS or not isinstance(part, dict | list):
        return [f"{name} {text}"]
    parts = sorted(part.items()) if isinstance(part, dict) else [(str(place), each) for place, each in enumerate(part)]
    return [line for key, each in parts for line in lines_of(each, f"{name} {key}".strip())]


def said_at(example: Mapping[str, Any]) -> dict[str, Any]:
    """A problem, without the phrases that Python gives its status."""
    return {name: None if name in ("title", "detail") else value for name, value in example.items()}


def test_the_document_says_what_it_was_promised_to_say(app: Flask) -> None:
    whole = app.test_client().get("/api/v1/openapi.json").json or {}
    document = without_prose({name: said for name, said in whole.items() if name not in ("info", "servers")})
    problems = {
        name: {kind: said_at(each["example"]) for kind, each in said["content"].items()}
        for name, said in whole["components"]["responses"].items()
        if "content" in said
    }
    parts = document | document.pop("components") | {"responses": problems}
    check("document", {name: lines_of(part) for name, part in sorted(parts.items())})
