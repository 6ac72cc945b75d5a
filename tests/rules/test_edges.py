"""What the rules decide one step on either side of an edge."""

from typing import Any
from urllib.parse import urlsplit

import pytest

from portal.egress.address import AddressError, AddressPolicy, origin_of, parse_address
from portal.rules import complaints, crm_link, identity
from portal.rules.clues import _name_difference
from portal.rules.masking import Masker
from portal.rules.verdict import decode, judge, shape_of


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("http://x.test/a", "https://x.test/a", "redirect_https"),
        ("http://x.test/a", "https://www.x.test/a/", "redirect_https"),
        ("https://x.test/a", "http://x.test/a", "redirect_moved"),
        ("https://x.test/a", "https://www.x.test/a", "redirect_www"),
        ("https://www.x.test/a", "https://x.test/a", "redirect_www"),
        ("https://x.test/a", "https://x.test/a/", "redirect_slash"),
        ("https://x.test/a/", "https://x.test/a", "redirect_slash"),
        ("https://x.test/a", "http://x.test/a/", "redirect_moved"),
        ("https://x.test/a", "https://x.test/a/?b=1", "redirect_moved"),
        ("https://x.test/a", "https://y.test/a", "redirect_moved"),
        ("https://x.test/a", "https://x.test/b", "redirect_moved"),
        ("https://x.test/a", "https://x.test", "redirect_home"),
        ("https://x.test/a", "https://x.test/", "redirect_home"),
        ("https://x.test/a", "https://y.test/", "redirect_home"),
        ("https://x.test/a", "https://x.test/?b=1", "redirect_moved"),
    ],
)
def test_a_redirect_is_named_by_what_differs(old: str, new: str, code: str) -> None:
    assert _name_difference(urlsplit(old), urlsplit(new)) == code


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"\x01\x01\x01", "ok_text"),  # whatever else it holds: all of it can be decoded
        (b"\x01\xff\xff", "binary_body"),
        (b"a\xff\xff", "binary_body"),
        (b"aa\xff\xff", "ok_text"),
        (b"a\0", "binary_body"),
    ],
)
def test_a_text_is_binary_where_more_than_half_of_it_cannot_be_decoded(body: bytes, reason: str) -> None:
    assert judge(200, body).reason == reason


def test_an_echo_is_known_in_the_midst_of_a_text_as_it_is_and_in_escapes() -> None:
    sent = '{"contact": {"name": "João Erro"}}'.encode()
    for form in ("João Erro", r"Jo\u00e3o Erro"):
        assert complaints.without_echo(f"a {form} b".encode(), sent) == b"a x b"


@pytest.mark.parametrize("inner", ["[" * 100_000, '{"a":' * 100_000, "[1", "{"])
def test_what_only_begins_as_json_within_json_is_a_text(inner: str) -> None:
    assert complaints.of_value({"result": inner}) is None


@pytest.mark.parametrize(
    ("text", "says"), [("-".ljust(4000), True), ("não tem".ljust(4000), True), ("não tem".ljust(4001), False)]
)
def test_a_text_that_names_nobody_is_looked_at_up_to_its_limit(text: str, says: bool) -> None:
    assert identity.says_nothing(text) is says


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://x.test/a?b#c", "https://x.test:443"),
        ("http://x.test/a", "http://x.test:80"),
        ("https://x.test:8443/", "https://x.test:8443"),
        ("http://x.test:443/", "http://x.test:443"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_scheme_host_and_port(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    ("host", "found"),
    [
        ("bücher.test", "xn--bcher-kva.test"),
        ("BÜCHER.test", "xn--bcher-kva.test"),
        ("xn--bcher-kva.test", "xn--bcher-kva.test"),
        ("a_b--c.test", "a_b--c.test"),
        ("xn--a.test", "unparsable"),
        ("☃.test", "unparsable"),
        ("-a.test", "bad_host"),
        ("a b.test", "character"),
        ("a\u2003b.test", "character"),
        (f"x.test/{'a' * 2048}", "too_long"),
    ],
)
def test_a_host_is_written_as_dns_has_it_or_refused_with_its_reason(host: str, found: str) -> None:
    assert host_of(f"https://{host}/") == found


def test_spaces_of_any_alphabet_around_an_address_are_left_out() -> None:
    assert host_of(" \u00a0\u2003https://x.test/\u3000") == "x.test"


def host_of(url: str) -> str:
    """The host as it is asked for, or what is wrong with the address."""
    try:
        return parse_address(url, AddressPolicy()).host
    except AddressError as error:
        return error.problem


@pytest.mark.parametrize(
    ("template", "is_taken"),
    [
        ("https://x.test/{id}".ljust(1000, "a"), True),
        ("https://x.test/{id}".ljust(1001, "a"), False),
        ("https://x.test/{id}/{id}", True),
        ("{id}", True),
        ("https://x.test/", False),
        ("https://{id}.test/", False),
        ("https://x.test/{id}{", False),
        ("http://x.test/{id}", False),
    ],
)
def test_a_template_holds_the_id_behind_its_host(template: str, is_taken: bool) -> None:
    try:
        assert crm_link.check_template(f" {template} ") == template
    except crm_link.InvalidTemplate:
        assert not is_taken
    else:
        assert is_taken


def test_places_are_found_up_to_a_length_of_name_and_value() -> None:
    answer: Any = {"a" * 299: 1, "b" * 300: 2, "c": "x" * 500, "d": "x" * 501, "e": True, "f": " ", "g": 0}
    assert list(crm_link.places_of(answer)) == ["/" + "a" * 299, "/c", "/g"]
    assert crm_link.find({"a": list(range(100_001))}, "/a/99999") == "99999"
    assert crm_link.find({"a": list(range(100_001))}, "/a/100000") is None


@pytest.mark.parametrize("codec", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_each_byte_order_mark_tells_its_encoding(codec: str) -> None:
    text = "não, 名"
    assert decode(("\ufeff" + text).encode(codec)) == text


@pytest.mark.parametrize(
    ("said", "is_complaint"),
    [
        ({"email": ["This field is required."]}, True),
        ({"email": ["required"]}, False),
        ({"email": ["Ana Lima"]}, False),
        ({"email": ["This field is required.", 1]}, False),
        ({"email": "x", "phone": ["This field is required."]}, False),
        ({"other": ["This field is required."]}, False),
    ],
)
def test_a_form_complains_of_a_field_in_a_sentence(said: dict[str, Any], is_complaint: bool) -> None:
    assert (complaints.of_value(said) == "error_in_json") == is_complaint, complaints.of_value(said)


@pytest.mark.parametrize(
    ("value", "is_safe"),
    [
        ("https://x.test/1", True),
        ("https://x.test/1\u200b", False),
        ("https://x.test/1 2", False),
        ("http://x.test/1", False),
        ("https:///1", False),
        ("https://a@x.test/1", False),
        ("https://x.test:0/1", False),
        ("https://x.test:x/1", False),
        ("https://x.test:8443/1", True),
        ('https://x.test/"', False),
    ],
)
def test_an_address_that_an_answer_gives_is_opened_only_where_it_is_safe(value: str, is_safe: bool) -> None:
    assert crm_link.build_address("{id}", value) == (value if is_safe else None)


@pytest.mark.parametrize("said", ["vilhena.example", "http://vilhena.example/", "VILHENA.example/x"])
def test_an_address_that_was_sent_is_masked_without_its_beginning_too(said: str) -> None:
    masked = Masker(b'{"link": "http://vilhena.example/"}').mask(f"em {said} agora")
    assert "ilhena" not in masked.lower()
    assert masked.startswith("em ")
    assert masked.endswith(" agora")


@pytest.mark.parametrize(("body", "shape"), [(b'"x"', "string"), (b"[]", "list"), (b"1", "value"), (b"null", "value")])
def test_a_shape_of_no_object_is_one_word(body: bytes, shape: str) -> None:
    assert shape_of("ok_json", body) == shape
