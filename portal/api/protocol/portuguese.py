"""The OpenAPI document in Portuguese. Its texts are written in English, beside the code that they are about."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

CATALOGUE = Path(__file__).parents[2] / "translations" / "api.pt_BR.json"
"""The Portuguese of every paragraph, by its English without line ends."""
TEXTS = ("summary", "description")


def translate(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document with its texts in Portuguese; examples stay as they are."""
    catalogue: dict[str, str] = json.loads(CATALOGUE.read_text(encoding="utf-8"))
    translated: dict[str, Any] = _translate(document, catalogue)
    return translated


def _translate(part: Any, catalogue: Mapping[str, str]) -> Any:
    if isinstance(part, list):
        return [_translate(item, catalogue) for item in part]
    if not isinstance(part, dict):
        return part
    return {name: _translate_member(name, item, catalogue) for name, item in part.items()}


def _translate_member(name: str, item: Any, catalogue: Mapping[str, str]) -> Any:
    if name == "example":
        return item
    is_text = name in TEXTS and isinstance(item, str)
    return _in_portuguese(item, catalogue) if is_text else _translate(item, catalogue)


def _in_portuguese(text: str, catalogue: Mapping[str, str]) -> str:
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return "\n\n".join(catalogue.get(paragraph, paragraph) for paragraph in paragraphs)
