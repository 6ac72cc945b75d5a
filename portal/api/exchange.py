"""A request and its answer as JSON tells them."""

import codecs
from collections.abc import Iterable, Sequence
from typing import overload

from portal.models import Attempt
from portal.reasons import explain
from portal.runtime import runtime

BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def message_of(attempt: Attempt) -> str:
    """What was seen, which rule decided, what to do."""
    words = explain(
        attempt.reason,
        status_code=attempt.status_code,
        request_sent=attempt.request_sent,
        deadline_seconds=runtime().settings.deadline,
    )
    return words.message


def join_headers(headers: Iterable[Sequence[str]]) -> dict[str, str]:
    """Values by name, as sent or received; what was repeated is joined by a comma (RFC 9110, section 5.3)."""
    joined: dict[str, str] = {}
    names: dict[str, str] = {}
    for name, value, *_ in headers:
        shown = names.setdefault(name.lower(), name)
        joined[shown] = f"{joined[shown]}, {value}" if shown in joined else value
    return joined


@overload
def text_of(body: bytes) -> str: ...
@overload
def text_of(body: None) -> None: ...
def text_of(body: bytes | None) -> str | None:
    """Bytes as text, by their byte order mark or as UTF-8; what cannot be decoded is replaced."""
    if body is None:
        return None
    encoding = next((name for mark, name in BYTE_ORDER_MARKS if body.startswith(mark)), "utf-8")
    return body.decode(encoding, "replace")
