"""What comes back from a receiver: an answer, or the reason why there is none."""

import zlib
from collections.abc import Sequence
from typing import Literal, NamedTuple

from requests import RequestException

Cut = Literal["too_large", "incomplete", "malformed_body", "timeout", "undecodable"]

# The codings that change a body's bytes: IANA's, and two of old servers. Other words in their place tell nothing of it:
# `none`, by which PHP scripts answer before they begin to work, or `UTF-8`.
CODINGS = frozenset(
    {"gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz", "exi", "aes128gcm"}
    | {"pack200-gzip", "bzip2", "xz"}
)

# A gzip body may be several, one after the other (RFC 1952, section 2.2), each copying what is left.
MAX_GZIP_MEMBERS = 100

Headers = list[tuple[str, str]]


class Answer(NamedTuple):
    """An answer whose status is known and whose headers came whole."""

    status_code: int
    headers: Headers  # in their order; long values are cut, and what exceeds 16 KiB is left out
    body: bytes  # at most the body cap, decoded when it came compressed
    body_size: int  # bytes seen on the wire, before decoding
    cut: Cut | None  # why the body is not all of what the receiver meant to say; None when it is
    address: str  # the IP address that answered
    elapsed_seconds: float


class EgressError(RequestException):
    """The exchange gave no answer to judge.

    `reason` is a contract code (`timeout`, `tls_failure`, ...), `detail` a short technical text, `address` the IP
    address tried last (None before any), `request_sent` whether the receiver may have got the request.
    """

    def __init__(self, reason: str, detail: str, *, address: str | None = None, request_sent: bool = False) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.address = address
        self.request_sent = request_sent


class UndecodableError(ValueError):
    """The body is not what its Content-Encoding says, or is encoded in a way that nobody asked for."""


def decode_body(body: bytes, encodings: Sequence[str], *, cap: int) -> tuple[bytes, bool]:
    """Undo one layer of gzip or deflate, to its last byte, never making more than `cap` bytes.

    `encodings` are the values of the Content-Encoding headers. Returns the body and whether more of it was left.
    Words that name no coding count for nothing, as browsers have it.
    Raises UndecodableError for another coding, several layers (each could multiply a thousandfold), or garbage.
    """
    layers = [layer.strip().lower() for value in encodings for layer in value.split(",")]
    layers = [layer for layer in layers if layer in CODINGS]
    if not body or not layers:
        return body, False
    if len(layers) > 1 or layers[0] not in ("gzip", "x-gzip", "deflate"):
        raise UndecodableError(", ".join(layers)[:100])
    decoded, rest = b"", body
    for _ in range(1 if layers[0] == "deflate" else MAX_GZIP_MEMBERS):
        decoder = zlib.decompressobj(_window_bits(body, layers[0]))
        try:
            decoded += decoder.decompress(rest, cap + 1 - len(decoded))
        except zlib.error as error:
            raise UndecodableError(str(error)) from None
        if len(decoded) > cap:
            return decoded[:cap], True
        if not decoder.eof:
            raise UndecodableError("the compressed data end too early")
        rest = decoder.unused_data.lstrip(b"\0")  # gzip's files may be padded
        if not rest:
            return decoded, False
    raise UndecodableError("something else follows the compressed data")


def _window_bits(body: bytes, layer: str) -> int:
    if layer != "deflate":
        return zlib.MAX_WBITS | 16
    # Some servers send the bare stream that RFC 9110 (8.4.1.2) tells recipients to expect as well.
    has_zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return zlib.MAX_WBITS if has_zlib_header else -zlib.MAX_WBITS
