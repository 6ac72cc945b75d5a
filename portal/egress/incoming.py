"""An answer while it arrives: status, headers and body from libcurl's callbacks, each within its bound."""

import re
from collections.abc import Callable
from functools import lru_cache

from portal.egress.answer import Answer, Cut, UndecodableError, decode_body

KEPT_HEADER_BYTES = 16 * 1024
KEPT_HEADER_LINE_BYTES = 4 * 1024

_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?:[ \r\n]|$)")

# libcurl reads on as if there were none, and takes any end for the end of the body.
_ENDLESS_LENGTH = re.compile(rb"content-length:[ \t]*0*[1-9][0-9]{18}", re.IGNORECASE)

# How SSH, SMTP and FTP, IMAP, POP3, VNC, AMQP, Redis and MySQL begin to speak.
_BANNERS = re.compile(rb"SSH-|220[ -]|\* OK|\+OK|RFB |AMQP|-ERR|.\x00\x00\x00\x0a", re.DOTALL)
_STATUS_START = b"HTTP/1."
_TLS_ALERT = b"\x15\x03"

_STOP = 0  # what a callback returns to end the transfer: fewer bytes taken than given (None takes them all)


class Incoming:
    """Reused from answer to answer: `start` before each."""

    def __init__(self, *, body_cap: int, refuse: Callable[[str, str], None]) -> None:
        """`refuse` is told the reason and the detail when the answer is no HTTP answer."""
        self._body_cap = body_cap
        self._refuse = refuse
        self.start()

    def start(self) -> None:
        """Forget the answer before."""
        self.status = 0  # 0 until a status line came, and again after an informational answer
        self.header_bytes = 0
        self.headers_done = False
        self.body_size = 0
        self._body = bytearray()
        self._lines: list[bytes] = []
        self._kept_bytes = 0

    @property
    def too_large(self) -> bool:
        """Whether the body went beyond the cap."""
        return self.body_size > self._body_cap

    def on_header(self, line: bytes) -> int | None:
        """CURLOPT_HEADERFUNCTION: a status line, a header, the empty line after them, or a trailer."""
        if self.headers_done:
            return None
        self.header_bytes += len(line)
        if not self.status:
            return self._read_status(line)
        if _ENDLESS_LENGTH.match(line):
            self._refuse("protocol_error", "a Content-Length of more than 18 digits")
            return _STOP
        if line in (b"\r\n", b"\n"):
            self._end_headers()
        elif self._kept_bytes + len(line := line[:KEPT_HEADER_LINE_BYTES]) <= KEPT_HEADER_BYTES:
            self._lines.append(line)
            self._kept_bytes += len(line)
        return None

    def on_body(self, data: bytes) -> int | None:
        """CURLOPT_WRITEFUNCTION."""
        if not self.headers_done:
            self._refuse(*_name_service(data))
            return _STOP
        self.body_size += len(data)
        self._body += data[: self._body_cap - len(self._body)]
        return _STOP if self.too_large else None

    def build_answer(self, cut: Cut | None, *, address: str, elapsed_seconds: float) -> Answer:
        """What came so far, as an answer; a compressed body that is not cut is decoded."""
        headers = [_split_header(line) for line in self._lines]
        body = bytes(self._body)
        encodings = [value for name, value in headers if name.lower() == "content-encoding"]
        if encodings and cut is None:
            try:
                body, more = decode_body(body, encodings, cap=self._body_cap)
                cut = "too_large" if more else None
            except UndecodableError:
                cut = "undecodable"
        return Answer(self.status, headers, body, self.body_size, cut, address, elapsed_seconds)

    def _read_status(self, line: bytes) -> int | None:
        match = _STATUS_LINE.match(line)
        # libcurl takes 2000 and 200abc for 200. Nobody asked for 101, and what follows it is not HTTP.
        if match is None or match[1] == b"101":
            self._refuse("protocol_error", f"unexpected status line {line[:80]!r}")
            return _STOP
        self.status = int(match[1])
        return None

    def _end_headers(self) -> None:
        if self.status >= 200:
            self.headers_done = True
            return
        self.status = self._kept_bytes = 0
        self._lines.clear()


@lru_cache(maxsize=256)  # most of what a receiver says it says each time
def _split_header(line: bytes) -> tuple[str, str]:
    name, _, value = line.decode("latin-1").partition(":")
    return name.strip(), value.strip()


def _name_service(data: bytes) -> tuple[str, str]:
    """The reason and the detail of what answers without a status line."""
    if data.startswith(_TLS_ALERT):
        return "tls_expected", "the answer is a TLS alert"
    shown = data[:80].split(b"\n")[0].decode("ascii", errors="backslashreplace").strip()
    if _BANNERS.match(data):
        reason = "not_http"
    else:  # of a status line that was cut nobody knows more than that the connection ended
        reason = "connection_failed" if _STATUS_START.startswith(data[: len(_STATUS_START)]) else "protocol_error"
    return reason, f"the answer has no status line: {shown!r}"
