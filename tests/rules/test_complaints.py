"""What an accepted answer complains of: ordinary good answers have no warning, and real complaints have one."""

import time
from pathlib import Path
from typing import Any

import pytest

from portal.rules.complaints import of_value, without_echo
from portal.rules.payload import encode_body
from portal.rules.verdict import DOUBTS, WARNINGS, Verdict, judge

DATA = Path(__file__).parents[1] / "data"
GOOD = (DATA / "good_answers.txt").read_text().splitlines()
"""Of CRMs, of automations and of scripts: what they say when all is well, and echoes of what they were sent."""
COMPLAINTS = (DATA / "complaints.txt").read_text().splitlines()


def test_good_answers_are_no_complaints() -> None:
    assert [body for body in GOOD if judge(200, body.encode()).warning] == []


def test_complaints_are_found() -> None:
    assert [body for body in COMPLAINTS if judge(200, body.encode()).warning not in DOUBTS] == []


@pytest.mark.parametrize(
    ("lines", "warning"),
    [
        (['{"ok":true}', "", '{"status":"success"}'], None),
        (['{"ok":true}', '{"error":"boom"}'], "error_in_json"),
        (['{"ok":true}', '{"ok":'], "invalid_json"),
    ],
)
def test_json_on_each_line_is_read_line_by_line(lines: list[str], warning: str | None) -> None:
    assert judge(200, "\n".join(lines).encode()) == Verdict("ok_text", warning)


SENT = encode_body({"contact": {"name": "Ana Falha", "current_company": "Erro & Cia", "role": "Error analyst"}})


@pytest.mark.parametrize(
    "body",
    [
        "Recebido: Ana Falha, de Erro & Cia",
        r'{"message":"Ana Falha \u00e9 Error analyst"}',
    ],
)
def test_a_name_that_was_sent_and_is_repeated_is_no_complaint(body: str) -> None:
    assert judge(200, body.encode()).warning == "error_words"
    assert judge(200, without_echo(body.encode(), SENT)).warning is None


@pytest.mark.parametrize("body", ["Ana Falha: erro ao salvar", "Falha", "Erro ao salvar Ana"])
def test_a_complaint_beside_a_name_is_one(body: str) -> None:
    assert judge(200, without_echo(body.encode(), SENT)).warning == "error_words"


SENT_NAMES = {
    key: encode_body({"contact": {key: f"Erro {key}"}})
    for key in ("name", "sender_name", "current_company", "role", "experience")
}


@pytest.mark.parametrize("key", SENT_NAMES)
def test_each_name_that_was_sent_is_known_when_it_is_repeated(key: str) -> None:
    assert without_echo(SENT_NAMES[key], SENT_NAMES[key]) == SENT_NAMES[key].replace(f"Erro {key}".encode(), b"x")


def test_what_is_no_name_is_no_echo_and_a_longer_name_goes_before_one_within_it() -> None:
    sent = encode_body({"contact": {"location": "Erro Dois", "name": "Ana Erro", "role": "Ana Erro Lima"}})
    assert without_echo(b"Erro Dois, Ana Erro Lima, Ana Erro", sent) == b"Erro Dois, x, x"


def test_thousands_of_names_that_were_sent_hold_up_nobody() -> None:
    """An answer is judged on the thread that sends for all: each name is looked for in all of it."""
    experiences = [{"experience": f"Erro {number} a"} for number in range(2000)]
    messages = [{"sender_name": f"Falha {number} a"} for number in range(2000)]
    contact = {
        "experiences": experiences,
        "name": "Ana Falha",
        "current_company": "Erro & Cia",
        "role": "Error analyst",
    }
    sent = encode_body({"contact": contact, "messages": messages, "campaign": {"name": "Falha Zero"}})
    answer = b"Ana Falha, Erro & Cia, Error analyst, Falha Zero" + b" a" * 512 * 1024
    begun = time.process_time()
    assert without_echo(answer, sent).startswith(b"x, x, x, x a")
    assert time.process_time() - begun < 2


def test_nothing_is_an_echo_of_a_body_that_is_no_json() -> None:
    assert without_echo(b"Ana Falha", b"Ana Falha") == b"Ana Falha"


def within(depth: int, value: Any) -> Any:
    for _ in range(depth):
        value = {"data": value}
    return value


NESTED_NOTHING: Any = [[[[0]]]]


@pytest.mark.parametrize(
    ("answer", "warning"),
    [
        (within(4, {"error": "x"}), "error_in_json"),
        (within(5, {"error": "x"}), None),
        ({"error": NESTED_NOTHING}, None),
        ({"error": [NESTED_NOTHING]}, "error_in_json"),
        ({"error": "none".ljust(120)}, None),
        ({"error": "none".ljust(121)}, "error_in_json"),
        ({"_" * 35 + "fault": "x"}, "error_in_json"),
        ({"_" * 36 + "fault": "x"}, None),
        ({"error": 200}, None),
        ({"error": 201}, "error_in_json"),
        ({"error": "00 - Aprovado"}, None),
        ({"error": "01 - Aprovado"}, "error_in_json"),
        ({"success": False}, "error_in_json"),
        ({"success": "0"}, "error_in_json"),
        ({"success": 0}, "error_in_json"),
        ({"success": None}, None),
        ({"success": True}, None),
        ({"accepted": False}, "error_in_json"),
        ({"accepted": False, "id": 7}, None),
        ({"accepted": False, "id": 0}, "error_in_json"),
        ({"code": 400.0}, "error_in_json"),
        ({"code": 400.0, "id": 7}, None),
        ({"status": 400.0, "id": 7}, "error_in_json"),
        ({"rejected": 1}, "error_in_json"),
        ({"rejected": 0}, None),
        ({"rejected": 1, "id": 7}, None),
        ({"data": {"create": {"success": False}}}, "error_in_json"),
        ({"data": {"create": {"success": True, "userErrors": []}}}, None),
        ({"data": {"create": {"userErrors": [{"field": "x"}]}}}, "error_in_json"),
        ({"data": {"success": None, "create": {"errors": None}}}, None),
        ({"email": ["This field is required."]}, "error_in_json"),
        ({"email": ["Required"]}, None),
        ({"email": ["This field is required."], "x": 1}, None),
        ({"other": ["This field is required."]}, None),
    ],
    ids=str,
)
def test_a_complaint_is_told_from_its_nearest_neighbour(answer: Any, warning: str | None) -> None:
    assert of_value(answer) == warning


@pytest.mark.parametrize(
    ("beside", "is_complaint"),
    [
        ({}, True),
        ({"success": True}, False),
        ({"saved": True}, False),
        ({"active": True}, True),
        ({"error": False}, False),
        ({"active": False}, True),
        ({"status": "ok"}, False),
        ({"active": "ok"}, True),
        ({"success": "true"}, False),
        ({"active": "true"}, True),
    ],
    ids=str,
)
def test_words_of_an_error_within_a_sentence_are_none_beside_a_success(
    beside: dict[str, Any], is_complaint: bool
) -> None:
    assert (of_value({**beside, "message": "3 linhas, 1 com erro"}) == "error_words") == is_complaint


def test_every_warning_speaks_of_an_error_but_those_of_an_answers_form() -> None:
    assert set(DOUBTS) == set(WARNINGS) - {"invalid_json", "shape_changed"}
