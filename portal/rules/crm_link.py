"""Where an answer says the CRM's own id or link, as a JSON Pointer (RFC 6901), and the address that this makes."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import quote, urlsplit

from portal.rules.verdict import decode

# Where the id stands in a template. A template of nothing else takes what the answer holds for the whole address.
SLOT = "{id}"
MAX_POINTER, MAX_TEMPLATE, MAX_VALUE = 300, 1000, 500
MOST_PLACES = 60


class InvalidTemplate(ValueError):
    """The text is no address of https with `SLOT` behind its host."""


def read_answer(body: bytes | None) -> Any:
    """The JSON of an answer; None for what is none, or was cut off."""
    try:
        return json.loads(decode(body or b""))
    except (ValueError, RecursionError):
        return None


def places_of(answer: Any) -> dict[str, str]:
    """What could be an id or a link in the answer, by its pointer: the first `MOST_PLACES`."""
    return dict(islice(_walk(answer), MOST_PLACES))


def find(answer: Any, pointer: str) -> str | None:
    """What stands there, if that could be an id or a link."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(answer, dict):
            answer = answer.get(name)
        elif isinstance(answer, list) and name.isascii() and name.isdecimal() and len(name) < 6:
            answer = answer[int(name)] if int(name) < len(answer) else None
        else:
            return None
    return _value_of(answer)


def check_template(text: str) -> str:
    """Returns the template without outer spaces. Raises InvalidTemplate."""
    text = text.strip()
    around = text.replace(SLOT, "")
    if SLOT not in text or len(text) > MAX_TEMPLATE or "{" in around or "}" in around:
        raise InvalidTemplate(text)
    host = re.split(r"[/?#]", text.removeprefix("https://"), maxsplit=1)[0]
    if text != SLOT and (SLOT in host or not _is_safe(text.replace(SLOT, "0"))):
        raise InvalidTemplate(text)
    return text


def build_address(template: str, value: str) -> str | None:
    """The address of this record in the CRM; None where the value makes none that is safe to open."""
    if template == SLOT:
        return value if _is_safe(value) else None
    if value in (".", ".."):
        return None
    return template.replace(SLOT, quote(value, safe=""))


def _walk(answer: Any) -> Iterator[tuple[str, str]]:
    waiting = [("", answer)]
    while waiting:
        pointer, value = waiting.pop()
        if len(pointer) > MAX_POINTER:
            continue
        if isinstance(value, dict | list):
            named = value.items() if isinstance(value, dict) else enumerate(value)
            inner = [(f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}", each) for name, each in named]
            waiting += reversed(inner)
        elif (text := _value_of(value)) is not None and pointer.isprintable():
            yield pointer, text


def _value_of(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value)
    return text if text.strip() and text.isprintable() and len(text) <= MAX_VALUE else None


def _is_safe(address: str) -> bool:
    """Whether a browser opens this over https, at a host that it names."""
    if not address.startswith("https://") or not address.isprintable() or any(each in ' \\"<>' for each in address):
        return False
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "").encode("idna")
        return bool(host) and "@" not in parts.netloc and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
