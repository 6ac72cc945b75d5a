"""What counts as delivered: the table of answers, the rule behind it, and answers made to hurt."""

import base64
import gc
import json
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.rules.verdict import DELIVERED_REASONS, WARNINGS, Verdict, judge

DATA = Path(__file__).parents[1] / "data"
ROWS = [json.loads(line) for line in (DATA / "responses.jsonl").read_text().splitlines()]
MEBIBYTE = 1024 * 1024


def reason_of(body: str | bytes, **given: Any) -> str:
    return judge(200, body.encode() if isinstance(body, str) else body, **given).reason


def warning_of(body: str, **given: Any) -> str | None:
    verdict = judge(200, body.encode(), **given)
    assert verdict.delivered
    return verdict.warning


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['why']}")
def test_corpus_answer_is_judged_as_the_table_says(row: dict[str, Any]) -> None:
    verdict = judge(row["status"], base64.b64decode(row["body_base64"]), content_type=row["content_type"])
    assert verdict.delivered == (row["expected"] == "delivered")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        *[(status, "status_2xx") for status in (201, 202, 204, 206, 299)],
        *[(status, "redirect") for status in (300, 301, 302, 304, 308)],
        *[(status, "client_error") for status in (400, 401, 404, 408, 418, 499)],
        (410, "gone"),
        (429, "rate_limited"),
        *[(status, "server_error") for status in (500, 503, 599)],
        *[(status, "protocol_error") for status in (0, 99, 100, 199, 600, 999, -1)],
    ],
)
@pytest.mark.parametrize("cut", [None, "timeout"])
def test_status_other_than_200_decides_alone(status: int, reason: str, cut: str | None) -> None:
    assert judge(status, b'{"ok":true}', cut=cut) == Verdict(reason)


@pytest.mark.parametrize("cut", ["too_large", "incomplete", "malformed_body", "timeout", "undecodable"])
def test_cut_body_is_no_delivery_even_with_200(cut: str) -> None:
    assert judge(200, b"OK", cut=cut) == Verdict(cut)


@pytest.mark.parametrize("body", ["", " ", "\n\t", "\ufeff", "\u200b\u2060", "\xa0", b"\xff\xfe", b"\x00\x00\xfe\xff"])
def test_blank_body_is_empty(body: str | bytes) -> None:
    assert reason_of(body, content_type="application/json") == "ok_empty"


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        " [1, 2]\n",
        '"<html></html>"',
        "0",
        "-1.5e3",
        "true",
        '{"a":"<body></body>"}',
        "\u200b{}\u200b",
        "[" * 90 + "]" * 90,
        "9" * 5000,
        '{"id":' + "9" * 5000 + "}",
        '"\\ud800"',
        "1e999",
    ],
)
@pytest.mark.parametrize("label", [None, "text/html"])
def test_whole_json_value_is_json_whatever_its_label(body: str, label: str | None) -> None:
    assert reason_of(body, content_type=label) == "ok_json"


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize(("text", "reason"), [("<p>ação", "html_page"), ('{"ok":1}', "ok_json"), ("ação", "ok_text")])
def test_body_with_byte_order_mark_is_decoded_by_it(codec: str, text: str, reason: str) -> None:
    assert reason_of(text.encode(codec)) == reason


@pytest.mark.parametrize("codec", ["utf-16-be", "utf-32-be"])
def test_big_endian_marks_are_known(codec: str) -> None:
    assert reason_of("\ufeff<html>".encode(codec)) == "html_page"


@pytest.mark.parametrize(
    "name",
    [
        "!doctype html",
        "!DOCTYPE\nHTML",
        "!doctypehtml",
        "html",
        "HEAD",
        "script",
        "iframe",
        "h1",
        "div",
        "font",
        "table",
        "a",
        "style",
        "title",
        "b",
        "body",
        "br",
        "P",
    ],
)
@pytest.mark.parametrize("end", [">", " class=x>", "\n>", "/>", "\t", "\f", ""])
def test_body_that_starts_with_a_sniffed_tag_is_a_page(name: str, end: str) -> None:
    assert reason_of(f"<{name}{end}") == "html_page"


@pytest.mark.parametrize(
    "before",
    [
        "\ufeff",
        " \r\n\t\x0c\x0b",
        "\xa0\u200b\u200d\u2060",
        "<!-- x -->",
        "<!---->",
        "<!-->",
        "<!--->",
        "<!-- x --!>",
        "<!-- x --!><!-- -- > -->",
        "<!-- a --><!-- > -->\n",
        '<?xml version="1.0"?>',
        '<?xml version="1.0"?>\n<?xml-stylesheet href="x"?> <!-- y -->',
    ],
)
def test_page_is_recognised_behind_blanks_comments_and_prolog(before: str) -> None:
    assert reason_of(f"{before}<html lang=pt>") == "html_page"


INVISIBLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b\u180e\u180f\u200b\u200c\u200d\u200e\u200f\u2028\u2029\u202a\u202e\u2060"
    "\u2061\u2064\u2065\u2066\u2069\u206a\u206f\u2800\u3164\ufe00\ufe0f\ufeff\uffa0\ufff0\ufff9\ufffb\U0001bca0\U0001d173\U000e0001"
    "\U000e0020\U000e007f\U000e0100\U000e01ef"
)


@pytest.mark.parametrize("character", INVISIBLE, ids=lambda character: f"U+{ord(character):04X}")
def test_nothing_invisible_hides_a_page(character: str) -> None:
    assert reason_of(f"{character} {character}<html>") == "html_page"
    assert reason_of(character * 3) == "ok_empty"


def test_every_white_space_is_blank() -> None:
    spaces = [character for character in map(chr, range(sys.maxunicode + 1)) if character.isspace()]
    assert [character for character in spaces if reason_of(f"{character}<p>") != "html_page"] == []


@pytest.mark.parametrize(
    "body",
    [
        "ok <html><p>x</html>",
        "Notice: x\n<BODY class='a'>oi</BODY >",
        "x<head><title>y</title></head>",
        "<!-- open <html></html>",
        "<result><html></html></result>",
        "<?php ?><html>\n</html>",
        '{"ok":true}<html></html>',
        "<br />\n<b>Warning</b>: Undefined index",
        "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0//EN'>",
    ],
)
def test_whole_page_element_or_php_error_is_a_page(body: str) -> None:
    assert reason_of(body, content_type="text/plain") == "html_page"


@pytest.mark.parametrize(
    "body",
    [
        "OK",
        "Accepted",
        "if a <body mass index> b",
        "see <html> for details",
        "</html> before <html>",
        "<header></header> <htmlx></htmlx>",
        "<soap:Envelope><soap:Body>x</soap:Body></soap:Envelope>",
        '<?xml version="1.0"?><result>ok</result>',
        "<?xml never closed <html>",
        "<!DOCTYPE note><note/>",
        "<!-- only a comment -->",
        "<!-- never closed <html>",
        "<?php echo 'x'; ?>",
        "<p:x/>",
        "<!doctype-html>",
        "<pre>",
        "<b-ok>",
        "< p>",
        "<",
        "a < b > c",
        "done <b>well</b><br>",
        "&lt;html&gt;",
        "NaN",
        "Infinity",
        "{'ok': True}",
        "success\x1b[31m\x07",
    ],
)
@pytest.mark.parametrize("label", [None, "text/html; charset=utf-8"])
def test_any_other_text_is_delivered(body: str, label: str | None) -> None:
    assert reason_of(body, content_type=label) == "ok_text"


@pytest.mark.parametrize(
    "body",
    [
        b"a\0b",
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
        b"\x1f\x8b\x08\0\0\0\0\0",
        "sem BOM".encode("utf-16-le"),
        bytes(range(128, 256)),
        b"\xff" * 100,
        bytes(range(1, 256)) * 4,
        b"<html>\0</html>",
    ],
)
def test_binary_body_is_no_text(body: bytes) -> None:
    assert reason_of(body, content_type="text/plain") == "binary_body"


@pytest.mark.parametrize("body", ["ação", "Recebido: João, não há mais", "Ok, já está"])
def test_latin1_text_is_text(body: str) -> None:
    assert reason_of(body.encode("latin-1")) == "ok_text"


def test_replacement_characters_the_receiver_sent_are_text() -> None:
    assert reason_of("\ufffd" * 10) == "ok_text"


@pytest.mark.parametrize(
    "body",
    [
        '{"error":"invalid"}',
        '{"error":{"code":"x"},"time":{}}',
        '{"errors":[{"message":"x"}],"data":null}',
        '{"erro":true}',
        '{"error_code":1}',
        '{"errorMessage":"x"}',
        '{"hasErrors":true}',
        '{"err":"x"}',
        '{"success":false}',
        '{"ok":0}',
        '{"sucesso":"false"}',
        '{"status":false}',
        '{"status":"error"}',
        '{"status":"FAILED"}',
        '{"statusCode":404}',
        '{"code":"500"}',
        '{"result":"falha"}',
        '[{"errorCode":"X","message":"y"}]',
        '{"data":{"error":"inner"}}',
        '{"Response":{"success":false}}',
        '{"data":[{"code":"INVALID_DATA","message":"x","status":"error"}]}',
        '{"results":[{"id":1},{"status":"error"}]}',
        '{"data":{"createLead":{"lead":null,"userErrors":[{"message":"is invalid"}]}}}',
        '{"statusCode":200,"body":"{\\"success\\":false}"}',
        '"{\\"success\\":false}"',
        '{"accepted":false}',
        '{"error_count":2}',
        '{"numErrors":3}',
        '{"object":"error"}',
        '{"type":"ValidationError"}',
        '{"resultado":"erro"}',
        '{"outcome":"failure"}',
        *[
            f'{{"status":"{word}"}}'
            for word in ("NOT_OK", "rejected", "invalid", "denied", "failed_validation", "Recusado")
        ],
        '{"error":{"code":0,"message":"could not save"}}',
        '{"errors":{"email":["is invalid"]}}',
    ],
)
def test_error_object_in_a_200_is_a_warning(body: str) -> None:
    assert warning_of(body) == "error_in_json"


@pytest.mark.parametrize(
    "body",
    [
        '{"message":"Workflow was started"}',
        '{"success":true,"message":"Success"}',
        '{"error":null,"errors":[],"erro":"","error_code":0,"hasError":false,"fault":{}}',
        '{"error":"none","status":0,"code":200}',
        '{"success":true,"message":"errors are logged elsewhere"}',
        '{"message":"0 errors"}',
        '{"contact":{"error":"inner"}}',
        '{"status":"ok","success":null}',
        '{"status":200,"type":"contact"}',
        '{"error":{"code":0,"message":"OK"},"errors":[null],"erro":{"mensagem":null}}',
        *[f'{{"error":"{word}"}}' for word in ("N/A", "No error", "sem erro", "00", "undefined", "Success", "-")],
        '{"erro":"Nenhum erro."}',
        '{"errcode":0,"errmsg":"ok"}',
        '{"error_count":0,"numErrors":0,"failed":0}',
        '{"data":{"createLead":{"lead":{"id":1},"userErrors":[]}}}',
        '{"data":{"lead":{"status":"rejected"}}}',
        '{"code":"NO_ERROR"}',
        '{"type":"error_report"}',
        '{"statusCode":200,"body":"{\\"ok\\":true}"}',
        "[]",
        "false",
        '["x"]',
        "404",
        '"ok"',
    ],
)
def test_harmless_json_has_no_warning(body: str) -> None:
    assert warning_of(body) is None


@pytest.mark.parametrize("body", ["<?php\necho 'OK';", "<?= 1 ?>", "<%@ page %>ok", "#!/bin/sh\necho"])
def test_a_script_that_is_shown_in_place_of_being_run_is_a_warning(body: str) -> None:
    assert warning_of(body) == "source_code"


@pytest.mark.parametrize(
    "body",
    [
        "Error: x",
        "ERRO ao salvar",
        "EVENT_ERROR",
        "uncaught TypeError",
        "java.lang.NullPointerException at",
        "Fatal",
        "failed",
        "falha no envio",
        "Falhou",
        "Warning: x",
        "Traceback (most",
        "<error>1</error>",
        '"Erro 5"',
        '{"message":"Access denied"}',
        '{"status":"0","statusMessage":"Erro ao salvar"}',
        "error_code=12",
        "exceção",
        "Invalid token",
        "Token inválido",
        "Não autorizado",
        "Sessão expirada",
        "404 Not Found",
        "Login required",
        "SQLSTATE[23000]: Integrity constraint violation",
        "<soap:Fault><faultstring>x</faultstring></soap:Fault>",
        "Sistema em manutenção",
        "Nao autorizado",
        "Contato não foi salvo.",
        "Contact was not saved",
        "Não foi possível salvar o contato",
        "Nada foi gravado",
        "Unable to process",
        "could not save lead",
        "Ocorreu um problema",
        "Bad Request",
        "Service Unavailable",
        "Too many requests",
        "maintenance mode",
        "Faça login para continuar",
        "limit exceeded",
        "Request timed out",
        "success=false",
        "ok: 0",
        "NOK",
        "KO",
        "not ok",
        "timeout",
        "<resposta><erro>Contato duplicado</erro></resposta>",
        "{'success': False}",
        '{"ok":false,"error":"x",}',
    ],
)
def test_words_of_an_error_are_a_warning(body: str) -> None:
    assert warning_of(body) == "error_words"


def test_words_of_an_error_in_latin1_are_a_warning() -> None:
    assert judge(200, "Não autorizado".encode("latin-1")).warning == "error_words"


def test_words_of_an_error_weigh_more_than_json_that_does_not_parse() -> None:
    assert warning_of("Error: contact not saved", content_type="application/json") == "error_words"


def test_a_line_of_a_log_is_no_json() -> None:
    assert warning_of("[2026-01-01 10:00] contato recebido") is None
    assert warning_of("[INFO] contato recebido") is None


@pytest.mark.parametrize(
    "body",
    [
        "OK",
        "terror",
        "default",
        "validado",
        "found",
        "not expired",
        "mirrors",
        "failsafe",
        "no errors",
        "sem erros",
        "0 errors",
        "errors: 0",
        "error = none",
        "nenhum erro",
        "without any errors",
        "Error-free",
        "This is not an error",
        "success=true&error=",
        "success=1&error_code=0",
        '<r><error xsi:nil="true"/></r>',
        "errors found: 0",
        "created 1, failed 0",
        "errors: []",
        'error="0"',
        "<erro>0</erro>",
        "<r><erro>false</erro></r>",
        "<r><errors/></r>",
        "<r><errors></errors></r>",
        "success: true",
        "Konica",
        "Contato salvo. Lead já existe",
    ],
)
def test_other_words_are_no_warning(body: str) -> None:
    assert warning_of(body) is None


@pytest.mark.parametrize(
    ("body", "label"),
    [
        ("oops", "application/json"),
        ("oops", "Application/Problem+JSON; x"),
        ('{"ok":true', None),
        ("[1,]", "text/plain"),
        ("NaN", "application/json"),
        ("{'ok': True}", None),
        ('[{"a":1}', None),
        ('{"a":NaN}', None),
    ],
)
def test_json_that_does_not_parse_is_a_warning(body: str, label: str | None) -> None:
    assert warning_of(body, content_type=label) == "invalid_json"


@pytest.mark.parametrize(
    "unit",
    [
        "<!--",
        "<!---->",
        "<?xml ",
        "<?xml ?>",
        "<!doctype ",
        "<body",
        "<body ",
        "<html>",
        "</html ",
        " ",
        "\u200b",
        "[",
        '{"a":',
        "[],",
        "9",
        "1,",
        '"',
        "\\",
        "error",
        "no error ",
        "error : ",
        "não foi cri",
        "success : ",
        "errors found ",
        '{"data":',
        "[2026",
        "no ",
        "-",
        "é",
        "�",
        "\x01",
    ],
)
@pytest.mark.parametrize(("before", "after"), [("", ""), ("[", "]"), ("<!doctype", ">"), ('"', '"')])
def test_a_body_made_to_hurt_takes_eight_times_as_long_when_it_is_eight_times_as_long(
    unit: str, before: str, after: str
) -> None:
    """A ratio, since machines differ: what grows with the square of the length takes 64 times as long.

    Without the garbage collector, which would look through everything that the other tests have left.
    """

    def seconds_of(size: int) -> float:
        body = (before + unit * (size // len(unit.encode())) + after).encode()
        gc.disable()
        try:
            started = time.process_time()
            judge(200, body)
            return time.process_time() - started
        finally:
            gc.enable()

    assert seconds_of(MEBIBYTE) < 30 * max(seconds_of(MEBIBYTE // 8), 0.01)


@given(
    status=st.just(200) | st.integers(),
    body=st.binary() | st.text().map(str.encode) | st.text("<!-->htmlbody/ [{\"':,}]\ufeff\0").map(str.encode),
    label=st.none() | st.text(),
)
def test_judging_never_raises(status: int, body: bytes, label: str | None) -> None:
    verdict = judge(status, body, content_type=label)
    assert verdict.warning is None or (verdict.reason in DELIVERED_REASONS and verdict.warning in WARNINGS)
    assert status == 200 or not verdict.delivered


@pytest.mark.slow
@given(
    value=st.recursive(
        st.none() | st.booleans() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_every_json_value_is_json(value: Any) -> None:
    assert reason_of(json.dumps(value)) == "ok_json"


@pytest.mark.parametrize(
    ("status", "warning"), [(399, None), (400, "error_in_json"), (599, "error_in_json"), (600, None)]
)
def test_a_status_inside_json_is_an_error_from_400_to_599(status: int, warning: str | None) -> None:
    assert judge(200, b'{"status": %d}' % status).warning == warning


@pytest.mark.parametrize(("position", "warning"), [(1, "error_in_json"), (99, "error_in_json"), (100, None)])
def test_an_error_is_looked_for_in_the_first_hundred_items_of_a_list(position: int, warning: str | None) -> None:
    items = ['{"id": 1}'] * position + ['{"error": "boom"}']
    assert judge(200, f"[{','.join(items)}]".encode()).warning == warning


@pytest.mark.parametrize("words", ["exception", "Notice: a in /hook.php on line 3"])
@pytest.mark.parametrize(("beyond", "warning"), [(0, "error_words"), (1, None)])
def test_words_of_an_error_are_searched_in_the_first_64_kib_only(words: str, beyond: int, warning: str | None) -> None:
    text = " " * (64 * 1024 - len(words) - 1 + beyond)
    assert judge(200, f"a{text}{words}".encode()).warning == warning


@pytest.mark.parametrize(("beyond", "warning"), [(0, "error_words"), (1, None)])
def test_the_texts_of_one_answer_are_searched_as_far_as_one_text_is(beyond: int, warning: str | None) -> None:
    first = "a" * (64 * 1024 - len("exception") + beyond)
    assert judge(200, json.dumps([{"message": first}, {"message": "exception"}]).encode()).warning == warning


@pytest.mark.parametrize(("beyond", "warning"), [(0, None), (1, "error_in_json")])
def test_what_denies_errors_is_believed_as_far_as_an_answer_is_searched(beyond: int, warning: str | None) -> None:
    denials = [f"{'a' * 104} sem nenhum erro"] * 546 + ["b" * (16 - len(" sem falha") + beyond) + " sem falha"]
    assert judge(200, json.dumps({"errors": denials}).encode()).warning == warning


@pytest.mark.parametrize(("controls", "reason"), [(2, "ok_text"), (3, "binary_body")])
def test_text_has_up_to_three_of_ten_characters_that_no_text_has(controls: int, reason: str) -> None:
    assert reason_of(b"\xff" + b"\x01" * controls + b"a" * (9 - controls)) == reason
