import base64
import json
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import svix.webhooks
from werkzeug.datastructures import Headers

from portal.demo.server import Receiver
from portal.egress import AddressPolicy, Answer, Egress
from portal.rules.payload import encode_body, sample_payload
from portal.rules.reasons import WORDS
from portal.rules.signing import SIGNATURE_HEADERS, check_signature, make_verifier
from portal.webhook import Outcome, WebhookRequest, apps_script_hop, post, sign

DATA = Path(__file__).parent / "data"
SECRET = "whsec_" + base64.b64encode(b"a" * 32).decode()
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
OLD_SECRET = "whsec_" + base64.b64encode(b"b" * 32).decode()
RESPONSES = [json.loads(line) for line in (DATA / "responses.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def egress() -> Iterator[Egress]:
    opened = Egress(AddressPolicy(allowed_networks=(ip_network("127.0.0.0/8"),)), connect_timeout=1, deadline=2)
    yield opened
    opened.close()


def request_to(url: str, *, secrets: tuple[str, ...] = (SECRET,)) -> WebhookRequest:
    return WebhookRequest(url=url, webhook_id="msg_1", body=encode_body(sample_payload()), secrets=secrets)


class OneAnswer:
    """A server that gives these exact bytes to one request and closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}/"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        connection, _ = self._socket.accept()
        with connection, connection.makefile("rb") as lines:
            length = 0
            while line := lines.readline().strip():
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            lines.read(length)
            connection.sendall(self._answer)

    def close(self) -> None:
        self._thread.join()
        self._socket.close()


def answer_of(row: dict[str, Any]) -> bytes:
    body = base64.b64decode(row["body_base64"])
    lines = [f"HTTP/1.1 {row['status']} Reason", "Connection: close"]
    if row["content_type"] is not None:
        lines.append(f"Content-Type: {row['content_type']}")
    if row["status"] not in (204, 304):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize("row", RESPONSES, ids=lambda row: row["id"])
def test_an_answer_of_a_real_receiver_is_judged_by_the_rule(egress: Egress, row: dict[str, Any]) -> None:
    server = OneAnswer(answer_of(row))
    try:
        outcome = post(request_to(server.url), egress)
    finally:
        server.close()
    assert outcome.delivered is (row["expected"] == "delivered"), row["why"]
    assert outcome.status_code == row["status"]


def test_what_is_sent_verifies_with_two_other_libraries(egress: Egress) -> None:
    with Receiver() as receiver:
        outcome = post(request_to(receiver.url), egress)
    (received,) = receiver.received
    assert outcome.reason == "ok_text"
    headers = dict(received.headers.items())
    standardwebhooks.Webhook(SECRET).verify(received.body, headers)
    svix.webhooks.Webhook(SECRET).verify(received.body, headers)
    assert received.headers["Content-Type"] == "application/json"
    assert received.headers["User-Agent"].startswith("Catacliente-Portal/")


@pytest.mark.parametrize("key", [SECRET, OLD_SECRET])
def test_after_a_rotation_both_keys_verify(egress: Egress, key: str) -> None:
    with Receiver() as receiver:
        post(request_to(receiver.url, secrets=(SECRET, OLD_SECRET)), egress)
    (received,) = receiver.received
    svix.webhooks.Webhook(key).verify(received.body, dict(received.headers.items()))


def test_the_outcome_shows_what_was_sent_and_what_came_back(egress: Egress) -> None:
    with Receiver(body=b'{"ok":true}', content_type="application/json") as receiver:
        outcome = post(request_to(receiver.url), egress)
    assert (outcome.status_code, outcome.reason, outcome.address) == (200, "ok_json", "127.0.0.1")
    assert outcome.response_body == b'{"ok":true}'
    sent = dict(outcome.request_headers)
    assert sent["webhook-id"] == "msg_1"
    assert sent == {name: receiver.received[0].headers[name] for name in sent}
    assert outcome.duration_ms is not None


@pytest.mark.parametrize(("said", "warning"), [("Recebido: Ana Falha", None), ("Erro: Ana Falha", "error_words")])
def test_a_name_that_the_receiver_repeats_is_no_complaint(egress: Egress, said: str, warning: str | None) -> None:
    body = encode_body({"contact": {"name": "Ana Falha"}})
    with Receiver(body=said.encode()) as receiver:
        request = WebhookRequest(url=receiver.url, webhook_id="msg_1", body=body, secrets=(SECRET,))
        outcome = post(request, egress)
    assert (outcome.reason, outcome.warning, outcome.response_body) == ("ok_text", warning, said.encode())


def test_only_the_first_16_kib_of_an_answer_are_kept(egress: Egress) -> None:
    with Receiver(body=b"x" * 100_000) as receiver:
        outcome = post(request_to(receiver.url), egress)
    assert (len(outcome.response_body or b""), outcome.response_size) == (16 * 1024, 100_000)


def test_a_refused_address_is_an_outcome_and_reaches_nobody() -> None:
    guarded = Egress(AddressPolicy())
    with Receiver() as receiver:
        outcome = post(request_to(receiver.url), guarded)
        assert receiver.received == []
    guarded.close()
    assert (outcome.reason, outcome.request_sent) == ("blocked_address", False)


def test_a_silent_receiver_ends_at_the_deadline_and_may_have_got_it(egress: Egress) -> None:
    with Receiver(delay=5) as receiver:
        outcome = post(request_to(receiver.url), egress)
    assert (outcome.reason, outcome.request_sent) == ("timeout", True)
    assert 1900 < (outcome.duration_ms or 0) < 2500


def test_retry_after_is_kept_where_it_counts(egress: Egress) -> None:
    def outcome_of(status: int) -> Outcome:
        with Receiver(answers=iter([(status, b"", "text/plain", (("Retry-After", "120"),))])) as receiver:
            return post(request_to(receiver.url), egress)

    assert [outcome_of(status).retry_after is not None for status in (429, 503, 500)] == [True, True, False]


def test_the_signature_covers_id_time_and_body() -> None:
    at = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    headers = sign("msg_1", b"{}", (SECRET,), at=at)
    assert headers["webhook-timestamp"] == "1773144000"
    for name, body, moment in (("msg_2", b"{}", at), ("msg_1", b"[]", at), ("msg_1", b"{}", at + timedelta(seconds=1))):
        assert sign(name, body, (SECRET,), at=moment)["webhook-signature"] != headers["webhook-signature"]


@pytest.mark.parametrize(
    ("url", "status", "location", "hop"),
    [
        (
            "https://script.google.com/macros/s/x/exec",
            302,
            "https://script.googleusercontent.com/macros/echo?k=1",
            "https://script.googleusercontent.com/macros/echo?k=1",
        ),
        ("https://script.google.com/macros/s/x/exec", 302, "https://accounts.google.com/login", None),
        ("https://script.google.com/macros/s/x/exec", 302, "http://script.googleusercontent.com/x", None),
        ("https://script.google.com/macros/s/x/exec", 302, "https://[bad", None),
        ("https://script.google.com/macros/s/x/exec", 302, None, None),
        ("https://script.google.com/macros/s/x/exec", 301, "https://script.googleusercontent.com/x", None),
        ("https://hook.test/", 302, "https://script.googleusercontent.com/x", None),
    ],
)
def test_only_the_answer_of_an_apps_script_is_fetched(
    url: str, status: int, location: str | None, hop: str | None
) -> None:
    headers = [("location", location)] if location else []
    answer = Answer(
        status_code=status, headers=headers, body=b"", body_size=0, cut=None, address="x", elapsed_seconds=0.1
    )
    assert apps_script_hop(url, answer) == hop


def outcome_of(egress: Egress, *lines: str, body: str = "", header: tuple[str, str] | None = None) -> Outcome:
    """What comes of an answer of these lines."""
    server = OneAnswer("\r\n".join((*lines, f"Content-Length: {len(body)}", "", body)).encode())
    try:
        return post(request_to(server.url)._replace(header=header), egress)
    finally:
        server.close()


def test_of_a_header_that_was_repeated_the_last_counts(egress: Egress) -> None:
    busy = outcome_of(egress, "HTTP/1.1 503 Busy", "Retry-After: 5", "retry-after: 60")
    assert busy.retry_after == timedelta(seconds=60)
    labels = "Content-Type: text/plain", "Content-Type: application/json"
    assert outcome_of(egress, "HTTP/1.1 200 OK", *labels, body="x").warning == "invalid_json"
    assert outcome_of(egress, "HTTP/1.1 200 OK", *reversed(labels), body="x").warning is None


def test_a_credential_is_in_nothing_that_is_kept_of_an_answer(egress: Egress) -> None:
    key = "chave-secreta-123"
    for lines in (["HTTP/1.1 401 No", f"X-Given: {key}"], [f"HTTP/1.1 2000 {key}"], [f"{key} says no"]):
        outcome = outcome_of(egress, *lines, body=f"wrong {key}", header=("X-Key", key))
        assert key not in repr(outcome)
        assert "*" * len(key) in f"{outcome.detail} {outcome.response_headers}"


@pytest.mark.parametrize("reason", WORDS)
def test_only_where_nothing_can_come_of_it_there_is_no_further_try(reason: str) -> None:
    outcome = Outcome(NOW, 1, "https://hook.test/", reason)
    assert outcome.final == (reason in ("gone", "internal_error"))
    assert outcome.delivered == (reason in ("ok_empty", "ok_json", "ok_text"))


def test_what_a_death_interrupted_may_have_arrived() -> None:
    outcome = Outcome.interrupted(url="https://hook.test/", started_at=NOW)
    assert outcome == Outcome(NOW, None, "https://hook.test/", "interrupted", request_sent=True)


@pytest.mark.parametrize(
    ("signature", "body", "found"),
    [
        (None, b"{}", "valid"),
        ("v1,AAAA", b"{}", "invalid"),
        ("no pair", b"{}", "invalid"),
        ("v1,a", b"{}", "invalid"),
        ("v2,AAAA", b"{}", "invalid"),
        ("", b"{}", "invalid"),
        (None, b"\xff", "invalid"),
        (None, b"{ }", "invalid"),
    ],
)
def test_whatever_arrives_is_checked_and_nothing_of_it_raises(signature: str | None, body: bytes, found: str) -> None:
    headers = Headers(sign("msg_1", b"{}", (SECRET,), at=datetime.now(UTC)))
    if signature is not None:
        headers["webhook-signature"] = signature
    assert check_signature(make_verifier(SECRET), headers, body) == found
    assert check_signature(None, headers, body) == "unchecked"


@pytest.mark.parametrize("left", SIGNATURE_HEADERS)
def test_a_request_with_a_part_of_a_signature_is_no_unsigned_one(left: str) -> None:
    verifier, signed = make_verifier(SECRET), sign("msg_1", b"{}", (SECRET,), at=datetime.now(UTC))
    assert check_signature(verifier, Headers({left: signed[left]}), b"{}") == "invalid"
    assert check_signature(verifier, Headers({"other": "x"}), b"{}") == "unsigned"
    without = {name: value for name, value in signed.items() if name != left}
    assert check_signature(verifier, Headers(without), b"{}") == "invalid"


def test_a_signature_counts_whole_seconds_that_have_passed() -> None:
    moment = datetime(2026, 11, 22, 12, 0, 7, 900_000, tzinfo=UTC)
    assert sign("msg_1", b"{}", (SECRET,), at=moment)["webhook-timestamp"] == str(int(moment.timestamp()))
