"""A request and its answer as JSON tells them."""

from collections.abc import Iterable, Sequence
from typing import overload

from portal.models import Attempt
from portal.runtime import runtime
from portal.verdict import decode


def message_of(attempt: Attempt) -> str:
    """What was seen, which rule decided, what to do."""
    return runtime().explain(attempt).message


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
    return None if body is None else decode(body)
