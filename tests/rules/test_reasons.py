"""Every code of the contract has its words."""

import inspect
import re
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract
from flask import Flask

from portal.i18n import speaking
from portal.rules import reasons
from portal.rules.reasons import (
    Limits,
    explain_address,
    explain_address_warning,
    explain_warning,
    title_of,
)
from portal.rules.reasons.connections import CONNECTIONS
from portal.rules.reasons.statuses import ADVICE_BY_STATUS
from portal.rules.verdict import DELIVERED_REASONS, WARNINGS
from tests.factories import explain

REASONS = [
    *(
        "ok_empty",
        "ok_json",
        "ok_text",
        "status_2xx",
        "redirect",
        "client_error",
        "gone",
        "rate_limited",
        "server_error",
    ),
    *("html_page", "binary_body", "too_large", "undecodable", "incomplete", "malformed_body"),
    *("invalid_url", "blocked_address"),
    *("dns_failure", "connection_refused", "connection_failed", "tls_failure", "timeout", "protocol_error"),
    *("interrupted", "internal_error"),
    *(
        "dns_unavailable",
        "dns_timeout",
        "not_connected",
        "unreachable",
        "connection_reset",
        "not_http",
        "tls_timeout",
        "tls_missing",
        "tls_expected",
    ),
    *("tls_version", "tls_refused", "tls_client_certificate", "tls_expired", "tls_not_yet_valid", "tls_wrong_name"),
    *("tls_self_signed", "tls_untrusted", "tls_incomplete_chain"),
]
PROBLEMS = [
    *(
        "scheme",
        "no_host",
        "bad_host",
        "userinfo",
        "character",
        "port",
        "numeric_host",
        "percent_host",
        "unparsable",
        "too_long",
    ),
    *("local_name", "not_public", "https_required"),
]
MAY_HAVE_ARRIVED = "o CRM pode ter recebido os dados: um novo envio leva a mesma identificação"


def is_sentences(text: str) -> bool:
    return re.fullmatch(r"[A-ZÀ-Ú][^%\n]{20,400}\.", text) is not None


@pytest.mark.parametrize("status", [None, 200, 418, 599])
@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_says_what_was_seen_which_rule_decided_and_what_to_do(reason: str, status: int | None) -> None:
    explanation = explain(reason, status_code=status)
    assert all(is_sentences(part) for part in (explanation.seen, explanation.rule, explanation.advice))
    assert explanation.message == f"{explanation.seen} {explanation.rule} {explanation.advice}"


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_has_a_short_title(reason: str) -> None:
    assert explain(reason).title == title_of(reason)
    assert 1 <= len(title_of(reason).split()) <= 4


def test_no_reason_is_explained_that_the_contract_does_not_have() -> None:
    assert sorted(reasons.WORDS) == sorted(REASONS)
    with pytest.raises(KeyError):
        explain("nonsense")


@pytest.mark.parametrize(
    ("reason", "status", "words"),
    [
        ("status_2xx", 202, "Power Automate"),
        ("status_2xx", 204, "Respond to Webhook"),
        ("status_2xx", 201, "criou um registro"),
        ("redirect", 301, "O endereço mudou"),
        ("redirect", 302, "tela de login"),
        ("redirect", 307, "tela de login"),
        ("redirect", 308, "O endereço mudou"),
        ("client_error", 400, "formato"),
        ("client_error", 401, "login ou permissão"),
        ("client_error", 403, "Qualquer pessoa"),
        ("client_error", 404, "URL de produção"),
        ("client_error", 405, "POST"),
        ("client_error", 413, "grandes demais"),
        ("client_error", 415, "application/json"),
        ("client_error", 422, "campo obrigatório"),
        ("server_error", 500, "avise o responsável"),
        ("server_error", 502, "Costuma passar sozinho"),
        ("server_error", 503, "fora do ar"),
        ("server_error", 504, "sistema por trás dele"),
        ("server_error", 501, "POST"),
        ("redirect", 303, "tela de login"),
        ("redirect", 304, "não mudou"),
        ("client_error", 408, "desistiu de esperar"),
        ("client_error", 419, "Laravel"),
        *(("server_error", status, "O Cloudflare não conseguiu falar") for status in (520, 521, 522, 523, 524, 530)),
        *(("server_error", status, "O Cloudflare não aceitou a conexão segura") for status in (525, 526)),
    ],
)
def test_status_has_its_own_advice(reason: str, status: int, words: str) -> None:
    assert words in explain(reason, status_code=status).advice


def test_status_is_named_in_what_was_seen() -> None:
    assert "código 418" in explain("client_error", status_code=418).seen
    assert "código desconhecido" in explain("client_error").seen


@pytest.mark.parametrize(("deadline", "words"), [(10.0, "em 10 segundos"), (2.5, "em 2.5 segundos")])
def test_timeout_names_the_deadline(deadline: float, words: str) -> None:
    assert words in explain("timeout", limits=Limits(whole=deadline)).message


@pytest.mark.parametrize("reason", ["dns_timeout", "not_connected", "tls_timeout"])
def test_what_ran_out_before_a_connection_names_its_own_limit(reason: str) -> None:
    message = explain(reason, limits=Limits(connect=2.5, whole=7)).message
    assert "em 2.5 segundos" in message
    assert "7" not in message


@pytest.mark.parametrize("reason", CONNECTIONS)
def test_what_never_went_out_is_never_said_to_have_arrived(reason: str) -> None:
    assert MAY_HAVE_ARRIVED not in explain(reason, request_sent=False).message
    leaves_doubt = MAY_HAVE_ARRIVED in explain(reason, request_sent=True).message
    assert leaves_doubt == (reason == "connection_failed")


@pytest.mark.parametrize("reason", ["timeout", "connection_failed", "incomplete", "protocol_error", "too_large"])
def test_failure_after_sending_says_that_the_crm_may_have_it(reason: str) -> None:
    assert MAY_HAVE_ARRIVED in explain(reason, request_sent=True).advice
    assert MAY_HAVE_ARRIVED not in explain(reason).advice


@pytest.mark.parametrize("reason", sorted(DELIVERED_REASONS | {"client_error", "server_error", "html_page"}))
def test_answered_delivery_leaves_no_doubt(reason: str) -> None:
    assert MAY_HAVE_ARRIVED not in explain(reason, status_code=200, request_sent=True).message


def test_interrupted_says_that_nobody_knows() -> None:
    assert "não se sabe se o destino recebeu" in explain("interrupted").seen


def test_technical_detail_comes_last_and_is_taken_as_it_is() -> None:
    message = explain("tls_failure", detail="100% <b>expired</b> %(status)s.").message
    assert message.endswith("Detalhe técnico: 100% <b>expired</b> %(status)s.")


@pytest.mark.parametrize("warning", WARNINGS)
def test_every_warning_has_its_sentence(warning: str) -> None:
    assert is_sentences(explain_warning(warning))


@pytest.mark.parametrize("warning", WARNINGS)
@pytest.mark.parametrize("reason", sorted(DELIVERED_REASONS))
def test_a_warning_stands_where_there_would_be_nothing_to_do(reason: str, warning: str) -> None:
    explanation = explain(reason, status_code=200, warning=warning)
    assert explanation.advice == explain_warning(warning)
    assert "Não é preciso fazer nada" not in explanation.message
    assert explanation.message.endswith(explain_warning(warning))
    assert explanation.title.startswith("Respondeu 200, com um aviso: ")


@pytest.mark.parametrize("problem", PROBLEMS)
def test_every_problem_of_an_address_has_its_sentence(problem: str) -> None:
    assert is_sentences(explain_address(problem))


@pytest.mark.parametrize("warning", ["plain_http", "unresolved"])
def test_every_warning_about_an_address_has_its_sentence(warning: str) -> None:
    assert is_sentences(explain_address_warning(warning))


def sentences() -> dict[str, str]:
    """Every sentence there is, by what it is about."""
    explained = {reason: explain(reason, request_sent=True) for reason in REASONS}
    said = {f"{reason}.{part}": getattr(words, part) for reason, words in explained.items()
            for part in ("title", "seen", "rule", "advice")}  # fmt: skip
    said |= {f"{reason}.{status}": explain(reason, status_code=status).advice for reason, status in ADVICE_BY_STATUS}
    said |= {warning: explain_warning(warning) for warning in WARNINGS}
    said |= {problem: explain_address(problem) for problem in PROBLEMS}
    return said | {warning: explain_address_warning(warning) for warning in ("plain_http", "unresolved")}


def test_every_sentence_is_there_in_both_languages(app: Flask) -> None:
    portuguese = sentences()
    with speaking(app, "en", "UTC"):
        english = sentences()
    assert english.keys() == portuguese.keys()
    assert [name for name, text in english.items() if text == portuguese[name] or not text] == []


def test_every_text_is_found_by_the_extraction_of_messages() -> None:
    folder = Path(inspect.getfile(reasons)).parent
    found = {
        message for path in folder.glob("*.py") for _, message, _, _ in extract("python", BytesIO(path.read_bytes()))
    }
    shown = {title_of(reason) for reason in REASONS} | {explain_address(problem) for problem in PROBLEMS}
    shown |= {explain_warning(warning) for warning in WARNINGS} | {str(words.rule) for words in reasons.WORDS.values()}
    assert shown <= found


def test_no_two_reasons_have_seen_the_same() -> None:
    seen = [str(words.seen) for words in reasons.WORDS.values()]
    assert [text for text in set(seen) if seen.count(text) > 1] == []
    titles = [str(words.title) for words in reasons.WORDS.values()]
    assert len(set(titles)) == len(titles)
