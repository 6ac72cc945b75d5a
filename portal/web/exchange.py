"""A request and its answer as people read them: inert text, masked signatures, a command to send the same again."""

import json
import shlex
import unicodedata
from collections.abc import Iterable, Sequence

from portal.models import Attempt
from portal.rules.credentials import is_masked
from portal.rules.verdict import decode

MASKED_HEADERS = {"webhook-signature", "set-cookie", "authorization"}
VISIBLE_START = 8


def pretty_json(body: bytes) -> str:
    """The body indented, with letters instead of escapes; as it is when it is no JSON."""
    try:
        return json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return readable(body)


def readable(body: bytes) -> str:
    """Bytes as text in which every character that would not be seen, or would turn the text around, is spelled out."""
    return "".join(_spell_out(character) for character in decode(body).replace("\r\n", "\n"))


def shown_headers(headers: Iterable[Sequence[str]]) -> list[tuple[str, str]]:
    """Header names and values, with all but the beginning of a secret value masked."""
    return [(name, value if is_shown(name, value) else f"{value[:VISIBLE_START]}…") for name, value, *_ in headers]


def is_shown(name: str, value: str) -> bool:
    """Whether a header may be shown as it is: a fixed header's value is masked already."""
    return name.lower() not in MASKED_HEADERS or is_masked(value)


def curl_command(attempt: Attempt, body: bytes) -> str:
    """A shell command that sends the same body; the signature is left out, for it holds for a few minutes only."""
    lines = [f"curl -i -X POST {shlex.quote(attempt.url)}"]
    for name, value in attempt.request_headers:
        if is_shown(name, value) and name.lower() != "content-length":  # curl counts what it sends
            lines.append(f"-H {shlex.quote(f'{name}: {value}')}")
    lines.append(f"--data-binary {shlex.quote(body.decode('ascii', 'replace'))}")
    return " \\\n  ".join(lines)


def content_type_of(attempt: Attempt) -> str | None:
    """The Content-Type that the receiver put on its answer."""
    return next((value for name, value in attempt.response_headers if name.lower() == "content-type"), None)


def _spell_out(character: str) -> str:
    if character in "\n\t" or not unicodedata.category(character).startswith("C"):
        return character
    code = ord(character)
    return f"\\u{{{code:x}}}" if code > 0xFFFF else f"\\u{code:04x}"
