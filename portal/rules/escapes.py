"""Text behind the escapes of JSON, HTML and addresses, with the place of each character. Linear in its length.

What was written as `Jo\\u00e3o`, `Jo%C3%A3o` or `Jo&atilde;o` is read as `João`.
"""

import html
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass

_ESCAPE = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # one character beyond the first 65,536
    r"|\\u[0-9a-fA-F]{4}"
    r"|\\[bfnrt\"/\\]"
    r"|(?:%[0-9a-fA-F]{2})+"
    r"|&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,31});"
)


@dataclass(frozen=True)
class Decoded:
    """A text without escapes. `places[n]` is where its character `n` begins in the written text."""

    text: str
    places: "array[int]"


def decode_escapes(written: str) -> Decoded:
    """The text that is meant, whichever of these escapes it was written with."""
    pieces, places, end = [], array("l"), 0
    for found in _ESCAPE.finditer(written):
        pieces.append(written[end : found.start()])
        places.extend(range(end, found.start()))
        for character, offset in _read(found[0]):
            pieces.append(character)
            places.append(found.start() + offset)
        end = found.end()
    pieces.append(written[end:])
    places.extend(range(end, len(written) + 1))
    return Decoded("".join(pieces), places)


def _read(escape: str) -> Iterator[tuple[str, int]]:
    """The characters of one escape, each with its place there."""
    if escape.startswith("%"):
        yield from _read_percent(bytes.fromhex(escape.replace("%", "")))
    elif escape.startswith("\\u"):
        units = bytes.fromhex(escape.replace("\\u", ""))
        yield units.decode("utf-16-be", "surrogatepass"), 0
    elif escape.startswith("\\"):
        yield " " if escape[1] in "bfnrt" else escape[1], 0
    else:
        yield from ((character, offset) for offset, character in enumerate(html.unescape(escape)))


def _read_percent(data: bytes) -> Iterator[tuple[str, int]]:
    try:
        text, encoding = data.decode(), "utf-8"
    except UnicodeDecodeError:
        text, encoding = data.decode("latin-1"), "latin-1"
    offset = 0
    for character in text:
        yield character, offset
        offset += 3 * len(character.encode(encoding))
