"""What an accepted answer complains of: ordinary good answers have no warning, and real complaints have one."""

from pathlib import Path

import pytest

from portal.rules.complaints import without_echo
from portal.rules.payload import encode_body
from portal.rules.verdict import DOUBTS, Verdict, judge

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


def test_nothing_is_an_echo_of_a_body_that_is_no_json() -> None:
    assert without_echo(b"Ana Falha", b"Ana Falha") == b"Ana Falha"
