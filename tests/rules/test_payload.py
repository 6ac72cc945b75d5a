"""The fixed body, byte for byte, judged by the real PHP."""

import json
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from portal.rules.payload import (
    EncodingError,
    UnencodableText,
    build_payload,
    check_text,
    encode_body,
    sample_payload,
)

DATA = Path(__file__).parents[1] / "data"
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
ROWS = [json.loads(line) for line in (DATA / "php_json.jsonl").read_text().splitlines()]
PHP_ENCODER = """
while (($line = fgets(STDIN)) !== false) {
    echo json_encode(json_decode($line, false, 2000, JSON_THROW_ON_ERROR), JSON_THROW_ON_ERROR), "\n";
}
"""


@pytest.fixture(scope="module")
def php_encode() -> Iterator[Callable[[Any], bytes]]:
    """Encode a value by a real `php` that stays open for the whole module."""
    with subprocess.Popen(["php", "-r", PHP_ENCODER], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as php:

        def encode(value: Any) -> bytes:
            php.stdin.write(json.dumps(value).encode() + b"\n")
            php.stdin.flush()
            return php.stdout.readline().removesuffix(b"\n")

        yield encode
        php.stdin.close()


def payload_of(**changes: Any) -> dict[str, Any]:
    values = {
        "contact": {"id": 7},
        "contact_owner": {"id": 1, "name": "Ana", "email": "ana@example.com"},
        "campaign": {"id": 2, "name": "Outono"},
        "messages": [],
        "timezone": SAO_PAULO,
    }
    return build_payload(**values | changes)


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels - 1):
        value = [value]
    return value


texts = st.text(st.characters(codec="utf-8"))
keys = st.text(st.characters(codec="utf-8", exclude_characters="\0"))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(keys, inner))


@pytest.mark.parametrize("row", [row for row in ROWS if "input" in row], ids=lambda row: row["name"])
def test_corpus_row_gives_the_bytes_php_gave(row: dict[str, Any]) -> None:
    assert encode_body(row["input"]) == row["php_output"].encode()


@pytest.mark.parametrize("row", [row for row in ROWS if row.get("input_bytes_hex")], ids=lambda row: row["name"])
def test_corpus_bytes_are_refused_raw_and_as_surrogates(row: dict[str, Any]) -> None:
    raw = bytes.fromhex(row["input_bytes_hex"])
    with pytest.raises(UnencodableText, match=r"contact\.name: bytes"):
        encode_body({"contact": {"name": raw}})
    with pytest.raises(UnencodableText, match=r"contact\.name: surrogate"):
        encode_body({"contact": {"name": raw.decode(errors="surrogateescape")}})


@pytest.mark.slow
@given(value=values)
@example(value=[1.0, -0.0, 0.0, 1e16, 1e17, 123456789012345678.0, 1e25, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308])
@example(value=["\x7f", '\x7f\\u007f/"\x7f', "\0", "</script>", "\u2028", "\ud7ff\ue000\U0010ffff"])
def test_any_value_has_the_bytes_of_php(php_encode: Callable[[Any], bytes], value: Any) -> None:
    assert encode_body(value) == php_encode(value)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1e16, b"10000000000000000"),
        (99999999999999984.0, b"99999999999999980"),
        (1e17, b"1.0e+17"),
        (-1e17, b"-1.0e+17"),
    ],
)
def test_an_exponent_is_written_from_ten_to_the_seventeen(value: float, written: bytes) -> None:
    assert encode_body([value]) == b"[" + written + b"]"


def test_deepest_nesting_of_php_is_accepted(php_encode: Callable[[Any], bytes]) -> None:
    assert encode_body(nested(512)) == php_encode(nested(512))


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (nested(513), "depth"),
        (float("nan"), "not_finite"),
        (float("-inf"), "not_finite"),
        (2**63, "int_range"),
        (-(2**63) - 1, "int_range"),
        ({1: "a"}, "type"),
        (datetime(2021, 1, 22, tzinfo=UTC), "type"),
        (b"a", "bytes"),
        (bytearray(b"a"), "bytes"),
        ("\ud800", "surrogate"),
        ({"\udfff": 1}, "surrogate"),
    ],
)
def test_unencodable_value_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(EncodingError) as caught:
        encode_body(value)
    assert caught.value.problem == problem


def test_refusal_names_the_path_of_the_field() -> None:
    payload = payload_of(contact={"id": 7, "skills": [{"skill": "ok"}, {"skill": "a\ud83d"}]})
    with pytest.raises(UnencodableText) as caught:
        encode_body(payload)
    assert caught.value.field == "contact.skills[1].skill"


def test_sample_is_the_documents_sample_in_key_order() -> None:
    document = json.loads((DATA / "sample_body.json").read_text())
    assert json.dumps(sample_payload()) == json.dumps(document)


def test_sample_bytes_are_those_of_php(php_encode: Callable[[Any], bytes]) -> None:
    assert encode_body(sample_payload()) == php_encode(json.loads((DATA / "sample_body.json").read_text()))


def test_sample_is_a_fresh_copy() -> None:
    sample_payload()["contact"]["name"] = "changed"
    assert sample_payload()["contact"]["name"] == "Contato Teste"


def test_empty_contact_keeps_every_key_of_the_document() -> None:
    empty, sample = payload_of(contact_owner={}, campaign={}), sample_payload()
    for part in ("contact", "contact_owner", "campaign"):
        assert list(empty[part]) == list(sample[part])
    assert empty["contact_owner"] == {"id": None, "name": None, "email": None}
    assert empty["messages"] == empty["contact"]["skills"] == empty["contact"]["experiences"] == []


def test_dates_are_written_in_the_companys_zone() -> None:
    moment = datetime(2026, 1, 1, 1, 30, 5, 999_999, tzinfo=UTC)
    payload = payload_of(contact={"id": 7, "reply_date": moment})
    assert payload["contact"]["reply_date"] == "2025-12-31 22:30:05"


def test_years_have_four_digits() -> None:
    moment = datetime(987, 6, 5, 12, 0, tzinfo=UTC)
    assert payload_of(timezone=UTC, contact={"id": 7, "invite_date": moment})["contact"]["invite_date"] == (
        "0987-06-05 12:00:00"
    )


def test_date_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        payload_of(contact={"id": 7, "invite_date": datetime(2026, 1, 1)})


@pytest.mark.parametrize(("pending", "flag"), [(True, b"1"), (False, b"0")])
def test_pending_message_is_a_number(pending: bool, flag: bytes) -> None:
    message = {"sender_name": "Ana", "message": "Oi", "date": datetime(2026, 1, 1, tzinfo=UTC), "pending": pending}
    assert b'"pending_message":%s}]' % flag in encode_body(payload_of(messages=[message]))


def test_experiences_have_the_documents_keys() -> None:
    payload = payload_of(contact={"id": 7, "experiences": [{"experience": "Gerente"}]})
    assert payload["contact"]["experiences"] == [{"experience": "Gerente", "company_link": None}]


@pytest.mark.parametrize("text", ["", "São Paulo", "😀", "\x7f", "\u200b"])
def test_ordinary_text_may_be_stored(text: str) -> None:
    assert check_text(text, "name") is text


@pytest.mark.parametrize(("text", "problem"), [("a\0", "nul"), ("a\ud800", "surrogate"), ("\udc00\ud800", "surrogate")])
def test_unstorable_text_is_refused_with_its_field(text: str, problem: str) -> None:
    with pytest.raises(UnencodableText) as caught:
        check_text(text, "name")
    assert (caught.value.field, caught.value.problem) == ("name", problem)


@given(text=st.text())
def test_checked_text_can_always_be_encoded(text: str) -> None:
    try:
        checked = check_text(text, "name")
    except UnencodableText:
        return
    assert json.loads(encode_body(checked)) == text
