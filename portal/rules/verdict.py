"""The delivered rule: from a status and a body to a reason and a warning (product, section 5). Pure."""

import codecs
import hashlib
import json
import re
from dataclasses import dataclass

from portal.rules import complaints

# The reasons that mean: the receiver took the delivery.
DELIVERED_REASONS = frozenset({"ok_empty", "ok_json", "ok_text"})

# What a delivered answer can carry besides. The outbox finds the last one: it knows the shapes of answers before.
WARNINGS = ("error_in_json", "invalid_json", "source_code", "error_words", "shape_changed")
# The warnings that say that the receiver took the delivery, and may not have done what it is for.
DOUBTS = ("error_in_json", "source_code", "error_words")


@dataclass(frozen=True, slots=True)
class Verdict:
    """A stable reason code, and for a delivered answer perhaps a warning code."""

    reason: str
    warning: str | None = None

    @property
    def delivered(self) -> bool:
        """Whether the receiver took the delivery."""
        return self.reason in DELIVERED_REASONS


def judge(status_code: int, body: bytes, *, content_type: str | None = None, cut: str | None = None) -> Verdict:
    """Judge an answer. Never raises, in time linear in the body.

    `cut` says what ended the body early (`too_large`, `incomplete`, `malformed_body`, `timeout`, `undecodable`), None
    for a whole one; it is the reason with status 200, the status is with any other. `content_type` only serves a
    warning.
    """
    if status_code != 200:
        return Verdict(_judge_status(status_code))
    if cut is not None:
        return Verdict(cut)
    return _judge_body(body, content_type or "")


def shape_of(reason: str, body: bytes) -> str | None:
    """What an accepted answer looks like, as a short word that holds nothing of what it says; None for any other.

    Two JSON objects have one shape when they have the same keys; digits in keys count as one, since they may be ids.
    """
    if reason not in DELIVERED_REASONS:
        return None
    if reason != "ok_json":
        return reason.removeprefix("ok_")
    value = complaints.parse_json(decode(body).strip(_BLANKS))
    if isinstance(value, dict):
        keys = sorted({re.sub(r"\d+", "0", key) for key in value})
        return f"object:{hashlib.sha256(json.dumps(keys).encode()).hexdigest()[:8]}"
    return "list" if isinstance(value, list) else "string" if isinstance(value, str) else "value"


def _judge_status(status_code: int) -> str:
    named = {410: "gone", 429: "rate_limited"}
    classes = {2: "status_2xx", 3: "redirect", 4: "client_error", 5: "server_error"}
    return named.get(status_code) or classes.get(status_code // 100, "protocol_error")


def _judge_body(body: bytes, content_type: str) -> Verdict:
    text, is_binary = _decode(body)
    content = text.strip(_BLANKS)
    if not content:
        return Verdict("ok_empty")
    # A whole JSON value counts first: a JSON text may well hold a page.
    try:
        return Verdict("ok_json", complaints.of_value(complaints.parse_json(content)))
    except (ValueError, RecursionError):
        pass
    if is_binary:
        return Verdict("binary_body")
    if is_html_page(content):
        return Verdict("html_page")
    return Verdict("ok_text", complaints.of_text(content, content_type))


# --- decoding

_BYTE_ORDER_MARKS = (  # the longer first: UTF-32's begins as UTF-16's
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Control characters that no text has: the WHATWG MIME Sniffing standard's binary data bytes. NUL is looked at alone.
_CONTROLS = re.compile(r"[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f]")
# White space, and what is as invisible: Unicode's White_Space and Default_Ignorable_Code_Point, ASCII's separators, the
# blank Braille pattern and the marks of annotations.
_BLANK_RANGES = (
    "\t\r \x1c\x1f \x85\x85 \xa0\xa0 \xad\xad \u034f\u034f \u061c\u061c "
    "\u115f\u1160 \u1680\u1680 \u17b4\u17b5 \u180b\u180f \u2000\u200f \u2028\u202f \u205f\u206f "
    "\u2800\u2800 \u3000\u3000 \u3164\u3164 \ufe00\ufe0f \ufeff\ufeff \uffa0\uffa0 \ufff0\ufffb "
    "\U0001bca0\U0001bca3 \U0001d173\U0001d17a \U000e0000\U000e01ef"
)
_BLANKS = " " + "".join(
    chr(code) for ends in _BLANK_RANGES.split(" ") for code in range(ord(ends[0]), ord(ends[1]) + 1)
)


def decode(body: bytes) -> str:
    """The body as text: by its byte order mark, else as UTF-8; what cannot be decoded is replaced."""
    return _read_text(body)[0]


def _read_text(body: bytes) -> tuple[str, str]:
    """The text, undecodable parts replaced, and its encoding."""
    mark, encoding = next((each for each in _BYTE_ORDER_MARKS if body.startswith(each[0])), (b"", "utf-8"))
    return body[len(mark) :].decode(encoding, errors="replace"), encoding


def _decode(body: bytes) -> tuple[str, bool]:
    """The text, and whether it is binary rather than text."""
    text, encoding = _read_text(body)
    if "\0" in text or "\ufffd" not in text:
        return text, "\0" in text
    undecodable = text.count("\ufffd") - body.count("\ufffd".encode(encoding))
    # Half of a short Latin-1 text may be undecodable ("ação"), but it has no control characters besides.
    controls = sum(1 for _ in _CONTROLS.finditer(text))
    suspects = undecodable + controls
    return text, undecodable * 2 > len(text) or (controls > 0 and suspects * 10 > len(text) * 3)


# --- HTML

# https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type, all ends of a tag's name, and the
# doctype without a space that minifiers write and browsers take.
_HTML_START = re.compile(
    r"<(?:!doctype\s*+html|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)(?:[\s/>]|\Z)",
    re.ASCII | re.IGNORECASE,
)
_PAGE_TAG = re.compile(r"<(/?)(html|head|body)[\s/>]", re.ASCII | re.IGNORECASE)
_COMMENT_END = re.compile(r"--!?>")  # the second is an error that browsers forgive
_XML_PROLOG = re.compile(r"<\?xml[\s-]", re.ASCII | re.IGNORECASE)
_PROLOG_END = re.compile(r"\?>")
_BLANK_RUN = re.compile(f"[{re.escape(_BLANKS)}]*+")


def is_html_page(text: str) -> bool:
    """Whether a text begins as a page does, or holds one."""
    return _HTML_START.match(text, _skip_prolog(text)) is not None or _has_page_element(text)


def _skip_prolog(text: str) -> int:
    """Where the text begins after blanks, comments, XML declaration and style sheet instructions."""
    position = 0
    while True:
        run = _BLANK_RUN.match(text, position)
        position = run.end() if run else position
        if text.startswith("<!--", position):
            end = _COMMENT_END.search(text, position + 2)  # "<!-->" is a whole comment
        elif _XML_PROLOG.match(text, position):
            end = _PROLOG_END.search(text, position)
        else:
            return position
        if end is None:
            return len(text)
        position = end.end()


def _has_page_element(text: str) -> bool:
    """Whether a whole html, head or body element stands anywhere in the text."""
    opened = set()
    for tag in _PAGE_TAG.finditer(text):
        name = tag[2].lower()
        if not tag[1]:
            opened.add(name)
        elif name in opened:
            return True
    return False
