"""What a header such as an API key gives away: how it is shown, and kept out of what a receiver repeats. Pure."""

import base64
import binascii
from collections.abc import Sequence

MASK = "…"
SCHEMES = ("Bearer", "Basic")
SHORTEST = 6  # a shorter credential is left where it is found: blotting it would spoil answers, and hide nothing


def mask_value(value: str) -> str:
    """A header's value as anybody may see it: at most the name of its scheme."""
    scheme, _, rest = value.partition(" ")
    return f"{scheme} {MASK}" if rest and scheme in SCHEMES else MASK


def is_masked(value: str) -> bool:
    """Whether `mask_value` made that."""
    return value.endswith(MASK)


def credentials_of(value: str) -> tuple[str, ...]:
    """The parts of a header's value that nobody else may learn, in the forms in which an answer may repeat them."""
    scheme, _, rest = value.partition(" ")
    found = [rest if rest and scheme in SCHEMES else value]
    if scheme == "Basic":
        found.append(_password_of(rest))
    escaped = [each.replace("/", "\\/") for each in found]  # as PHP writes JSON
    return tuple({each for each in found + escaped if len(each) >= SHORTEST})


def blot(text: str, credentials: Sequence[str]) -> str:
    """The text with stars, as many as there were characters, in the place of credentials."""
    for each in credentials:
        text = text.replace(each, "*" * len(each))
    return text


def blot_body(body: bytes, credentials: Sequence[str]) -> bytes:
    """`blot` for bytes; nothing else of them changes."""
    for each in credentials:
        body = body.replace(each.encode(), b"*" * len(each.encode()))
    return body


def _password_of(pair: str) -> str:
    try:
        return base64.b64decode(pair).decode().partition(":")[2]
    except (binascii.Error, UnicodeDecodeError):
        return ""
