"""What comes back in: a body that came compressed, by one layer and to its last byte, and the answers about a name."""

import gzip
import zlib

import pytest

from portal.egress.address import AddressError, AddressPolicy, check_answers, parse_address
from portal.egress.answer import MAX_GZIP_MEMBERS, UndecodableError, decode_body
from portal.egress.networks import IPv4Network

TEXT = b"a" * 100


def zipped(text: bytes, times: int = 1) -> bytes:
    return gzip.compress(text, mtime=0) * times


ZIPPED = zipped(TEXT)


@pytest.mark.parametrize(
    ("body", "encodings", "expected"),
    [
        (TEXT, [], (TEXT, False)),
        (TEXT, ["identity", ""], (TEXT, False)),
        (TEXT, ["none"], (TEXT, False)),
        (TEXT, ["UTF-8", "8bit, binary"], (TEXT, False)),
        (ZIPPED, ["gzip, utf-8"], (TEXT, False)),
        (b"", ["br"], (b"", False)),
        (ZIPPED, [" GZIP "], (TEXT, False)),
        (ZIPPED, ["x-gzip"], (TEXT, False)),
        (ZIPPED + b"\0\0", ["identity, gzip"], (TEXT, False)),
        (zipped(TEXT[:50], 2), ["gzip"], (TEXT, False)),
        (zipped(b"a", MAX_GZIP_MEMBERS), ["gzip"], (TEXT, False)),
        (zipped(TEXT + b"a"), ["gzip"], (TEXT, True)),
        (zlib.compress(TEXT), ["deflate"], (TEXT, False)),
        (zipped(b"", MAX_GZIP_MEMBERS + 1), ["gzip"], None),
        (ZIPPED[:-1], ["gzip"], None),
        (ZIPPED + b"a", ["gzip"], None),
        (ZIPPED, ["br"], None),
        (ZIPPED, ["gzip, gzip"], None),
        (ZIPPED, ["gzip", "br"], None),
        (zlib.compress(TEXT) * 2, ["deflate"], None),
    ],
    ids=[
        *(
            "plain",
            "of no encoding",
            "none",
            "a charset",
            "gzip and a charset",
            "empty",
            "gzip",
            "x-gzip",
            "padded",
            "two members",
            "many members",
            "too long",
        ),
        *("deflate", "too many members", "cut", "more behind it", "unknown", "twice", "two headers", "more deflate"),
    ],
)
def test_one_layer_is_undone_to_its_last_byte(
    body: bytes, encodings: list[str], expected: tuple[bytes, bool] | None
) -> None:
    if expected is None:
        with pytest.raises(UndecodableError):
            decode_body(body, encodings, cap=100)
    else:
        assert decode_body(body, encodings, cap=100) == expected


@pytest.mark.parametrize(
    "coding",
    [
        "x-gzip",
        "deflate",
        "br",
        "zstd",
        "compress",
        "x-compress",
        "dcb",
        "dcz",
        "exi",
        "aes128gcm",
        "pack200-gzip",
        "bzip2",
        "xz",
    ],
)
def test_a_body_in_a_coding_that_nobody_asked_for_is_none(coding: str) -> None:
    for said in (coding, coding.upper()):
        with pytest.raises(UndecodableError):
            decode_body(b"OK", [said], cap=100)


def test_a_bare_stream_is_told_from_one_with_a_header_whatever_it_begins_with() -> None:
    for number in range(300):
        text = f"{number} {number * number}".encode() * 3
        bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
        assert decode_body(bare.compress(text) + bare.flush(), ["deflate"], cap=100) == (text, False)


@pytest.mark.parametrize(
    ("host", "answers", "kept"),
    [
        ("localhost", ["127.0.0.1", "::1", "127.0.0.1"], ("127.0.0.1",)),
        ("localhost", ["::1"], None),
        ("localhost", [], ()),
        ("x.test", ["127.0.0.1", "::1"], None),
        ("x.test", ["127.0.0.1"], ("127.0.0.1",)),
    ],
)
def test_only_a_local_name_may_have_answers_that_are_left_out(
    host: str, answers: list[str], kept: tuple[str, ...] | None
) -> None:
    policy = AddressPolicy((IPv4Network("127.0.0.0/8"),))
    address = parse_address(f"http://{host}:8080/", policy)
    if kept is None:
        with pytest.raises(AddressError, match="not public"):
            check_answers(address, answers, policy)
    else:
        assert check_answers(address, answers, policy) == kept
