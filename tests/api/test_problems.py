"""Every error is an RFC 9457 problem with a stable code, whatever made it."""

import importlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy.exc import IntegrityError

from portal.api import contacts
from portal.api.protocol.sentences import DETAILS, FIELD_SENTENCES, TITLES
from portal.vault import DamagedSecret, SecretError, WrongKey
from tests.api.conftest import Caller, check_problem, field_errors

BODIES = [
    ("POST", "/contacts"),
    ("PUT", "/contacts/1/interest-level"),
    ("PUT", "/webhook"),
    ("POST", "/webhook/test"),
    ("POST", "/sync"),
    ("POST", "/contacts/sync"),
]


def send(api: Caller, method: str, path: str, data: bytes, content_type: str = "application/json") -> Any:
    return api.call(method, path, data=data, content_type=content_type)


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "data",
    [b"{", b"{'a': 1}", b"nul", b'{"a": NaN}', b"[Infinity]", b"-Infinity", b'{"a": 1} x', b'"\x01"', b"1" * 5000],
)
def test_malformed_json_is_a_bad_request(api: Caller, method: str, path: str, data: bytes) -> None:
    check_problem(send(api, method, path, data), 400, "malformed_json")


@pytest.mark.parametrize(("method", "path"), BODIES[:3])
def test_no_body_at_all_is_malformed(api: Caller, method: str, path: str) -> None:
    check_problem(send(api, method, path, b""), 400, "malformed_json")


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("data", [b'{"url": "\xe3"}', b"\xff\xfe{\x00}\x00", b'"\xed\xa0\x80"'])
def test_what_is_not_utf8_is_a_bad_request(api: Caller, method: str, path: str, data: bytes) -> None:
    check_problem(send(api, method, path, data), 400, "not_utf8")


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b'{"contact": {"skills": ' + b"[" * 100_000])
def test_endless_nesting_is_a_bad_request(api: Caller, method: str, path: str, data: bytes) -> None:
    check_problem(send(api, method, path, data), 400, "too_deep")


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/vnd.api+json", "", "x"],
)
def test_only_json_is_taken(api: Caller, method: str, path: str, content_type: str) -> None:
    check_problem(send(api, method, path, b"{}", content_type), 415, "unsupported_media_type")


def test_a_charset_and_a_byte_order_mark_do_no_harm(api: Caller) -> None:
    data = '\ufeff{"contact": {"name": "Ana"}}'.encode()
    assert send(api, "POST", "/contacts", data, "application/json; charset=utf-8").status_code == 200


@pytest.mark.parametrize(("method", "path"), BODIES)
@pytest.mark.parametrize("data", [b"1", b'"a"', b"true", b"1.5", b"null"])
def test_a_body_of_another_type_is_refused(api: Caller, method: str, path: str, data: bytes) -> None:
    problem = check_problem(send(api, method, path, data, "application/json"), 422, "invalid_fields")
    assert field_errors(problem) == {"": "not_an_object"}


def test_one_of_a_list_that_is_no_contact_is_refused_by_its_place(api: Caller) -> None:
    problem = check_problem(
        api.call("POST", "/contacts", json=[{"contact": {"name": "Ana"}}, None, 1]), 422, "invalid_fields"
    )
    assert field_errors(problem) == {"1": "not_an_object", "2": "not_an_object"}


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/nothing",
        "/contacts/x",
        "/contacts/-1",
        f"/contacts/{2**63}",
        "/contacts/1/",
        "/contacts/%00",
        "//contacts",
    ],
)
def test_an_unknown_address_is_not_found(api: Caller, path: str) -> None:
    check_problem(api.get(path), 404, "not_found")


@pytest.mark.parametrize("delivery_id", ["msg_0", "%00", "%ED%A0%80", "a%0Ab", "%C3%A3", "x" * 5000])
def test_an_unknown_delivery_is_not_found(api: Caller, delivery_id: str) -> None:
    check_problem(api.get(f"/deliveries/{delivery_id}"), 404, "not_found")


def test_the_largest_number_is_not_found(api: Caller) -> None:
    check_problem(api.get(f"/contacts/{2**63 - 1}"), 404, "not_found")


def test_an_unknown_address_below_api_is_a_problem_without_a_token_too(app: Flask) -> None:
    check_problem(app.test_client().get("/api/v2/contacts"), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/webhook"), ("GET", "/sync"), ("PATCH", "/contacts/1")])
def test_another_method_is_told_the_right_ones(api: Caller, method: str, path: str) -> None:
    response = api.call(method, path)
    check_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"]


def test_sending_many_again_allows_what_its_own_address_does(api):
    response = api.call("DELETE", "/deliveries/resend")
    check_problem(response, 405, "method_not_allowed")
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_body_that_is_too_large_is_refused(api: Caller) -> None:
    data = b'{"contact": {"name": "' + b"x" * 8 * 1024 * 1024 + b'"}}'
    check_problem(send(api, "POST", "/contacts", data), 413, "request_too_large")


def test_a_foreign_host_name_is_refused(api: Caller) -> None:
    check_problem(api.get("/webhook", headers={"Host": "evil.example"}), 400, "bad_request")


def let_saving_fail(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """Alone, and together with other calls."""

    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise error

    for name in ("save_each", "save_items"):
        monkeypatch.setattr(contacts, name, fail)


@pytest.mark.parametrize("error", [WrongKey, DamagedSecret])
def test_a_secret_that_cannot_be_opened_is_told(
    api: Caller, monkeypatch: pytest.MonkeyPatch, error: type[SecretError]
) -> None:
    let_saving_fail(monkeypatch, error())
    check_problem(api.post("/contacts", {"contact": {"name": "Ana"}}), 409, "secret_unreadable")


def test_a_fault_of_ours_tells_nothing_but_its_number(api: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    api.app.config["PROPAGATE_EXCEPTIONS"] = False
    let_saving_fail(monkeypatch, ZeroDivisionError("SELECT secret FROM vault"))
    response = api.post("/contacts", {"contact": {"name": "Ana"}})
    assert check_problem(response, 500, "internal_error")["error_id"]
    assert "secret" not in response.get_data(as_text=True)


def test_two_requests_that_make_the_same_thing_at_once_do_not_fail_as_ours(
    api: Caller, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    let_saving_fail(monkeypatch, IntegrityError("INSERT", {}, sqlite3.IntegrityError("UNIQUE")))
    check_problem(api.post("/contacts", {"contact": {"name": "Ana"}}), 409, "conflict")
    assert [getattr(record, "action", "") for record in caplog.records] == ["request_conflict"]


def test_a_locked_database_asks_to_come_back(
    api: Caller, instance: Path, make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.import_module("portal.database.db"), "BUSY_TIMEOUT_SECONDS", 0.05)
    impatient = Caller(make_app(), api.token, api.company_id, api.user_id, api.email)
    other = sqlite3.connect(instance / "portal.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        response = impatient.post("/contacts", {"contact": {"name": "Ana"}})
        assert impatient.get("/webhook").status_code == 200, "reading waits for no writer"
    finally:
        other.close()
    check_problem(response, 503, "database_busy")
    assert int(response.headers["Retry-After"]) > 0


def test_a_name_that_is_too_long_is_told_by_its_beginning(api: Caller) -> None:
    response = api.post("/contacts", {"contact": {"name": "Ana", "x" * 5000: 1}})
    assert field_errors(response.json) == {("contact." + "x" * 5000)[:200]: "unknown_field"}


@pytest.mark.parametrize("language", ["pt-BR", "en"])
def test_every_code_has_a_sentence(app: Flask, language: str) -> None:
    with app.test_request_context(headers={"Accept-Language": language}):
        for table in (TITLES, DETAILS, FIELD_SENTENCES):
            assert all(str(sentence) for sentence in table.values())


def test_an_error_path_and_their_number_are_bounded(api: Caller) -> None:
    items = [{"contact": {"x" * 5000: 1}}] * 1000
    problem = check_problem(api.post("/contacts", items), 422, "invalid_fields")
    assert len(problem["errors"]) == 100
    assert all(len(error["path"]) <= 200 for error in problem["errors"])
