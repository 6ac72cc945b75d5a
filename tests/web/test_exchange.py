"""A request and its answer, as people read them."""

import subprocess

import pytest

from portal.web.exchange import curl_command, pretty_json, readable, shown_headers
from tests.factories import attempt_of


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"Ol\xc3\xa1\r\nfim\tx", "Olá\nfim\tx"),
        (b"\xef\xbb\xbfOK", "OK"),
        ("Olá".encode("utf-16"), "Olá"),
        (b"\xff\xfe\x00", "\ufffd"),
        (b"a\x00b\x1b[0m\x7f", "a\\u0000b\\u001b[0m\\u007f"),
        ("a\u202eb\u200bc\U000e0001".encode(), "a\\u202eb\\u200bc\\u{e0001}"),
    ],
)
def test_bytes_are_read_without_surprises(body, text):
    assert readable(body) == text


def test_a_json_body_is_indented_with_its_letters():
    assert pretty_json(rb'{"a":"\u00e3\/"}') == '{\n  "a": "ã/"\n}'


def test_a_body_that_is_no_json_is_shown_as_it_is():
    assert pretty_json(b"not json") == "not json"


def test_only_the_beginning_of_a_secret_header_is_shown():
    headers = [["Webhook-Signature", "v1,abcdefghijk"], ["Set-Cookie", "session=secret"], ["X", "plain"]]
    assert shown_headers(headers) == [("Webhook-Signature", "v1,abcde…"), ("Set-Cookie", "session=…"), ("X", "plain")]


def test_the_curl_command_survives_a_shell():
    attempt = attempt_of(
        url="https://x.example/?a=1&b='", request_headers=[["A", "it's"], ["webhook-signature", "v1,x"]]
    )
    command = curl_command(attempt, b'{"a":"it\'s $HOME `id`"}')
    shown = subprocess.run(["sh", "-c", f"printf '%s|' {command}"], capture_output=True, text=True, check=True).stdout
    body = '{"a":"it\'s $HOME `id`"}'
    assert shown == f"curl|-i|-X|POST|https://x.example/?a=1&b='|-H|A: it's|--data-binary|{body}|"
