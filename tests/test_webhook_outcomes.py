"""All that is kept of an attempt, fact by fact: of an answer, of none, of a fault of ours, and of the hop after it."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from portal import clock, webhook
from portal.egress import Answer, EgressError
from portal.rules.signing import sign
from portal.version import __version__
from portal.webhook import Outcome, WebhookRequest, begin

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
URL = "https://crm.example/hook"
SCRIPT = "https://script.google.com/macros/s/x/exec"
HOP = "https://script.googleusercontent.com/macros/echo?k=1"
KEY = "whsec_" + "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE="
CREDENTIAL = "s3cret-and-long-enough"
REQUEST = WebhookRequest(url=URL, webhook_id="msg_1", body=b'{"a": 1}', secrets=(KEY,), header=("X-Key", CREDENTIAL))


class Way:
    """In place of the egress: notes what goes out, and answers with this, each answer after its seconds."""

    deadline = 10.0

    def __init__(self, *answers: tuple[float, Answer | Exception]) -> None:
        self._answers = list(answers)
        self.now = 50.0
        self.sent: list[tuple[Any, ...]] = []

    def begin(
        self, url: str, fields: Any, body: bytes | None, done: Callable[[Any], None], *, deadline: float | None = None
    ) -> None:
        self.sent.append((url, list(fields), body, deadline))
        seconds, answer = self._answers.pop(0)
        self.now += seconds
        done(answer)


def answer_of(status: int, body: bytes = b"", *headers: tuple[str, str], cut: Any = None) -> Answer:
    return Answer(status, list(headers), body, len(body), cut, "192.0.2.7", 0.1)


def attempt(
    monkeypatch: pytest.MonkeyPatch, *answers: tuple[float, Answer | Exception], request: WebhookRequest = REQUEST
) -> tuple[Way, Outcome]:
    way: Any = Way(*answers)
    monkeypatch.setattr(clock, "utcnow", lambda: NOW)
    monkeypatch.setattr(clock, "monotonic", lambda: way.now)
    ends: list[Outcome] = []
    begin(request, way, ends.append)
    (outcome,) = ends
    return way, outcome


def shown(request: WebhookRequest) -> tuple[tuple[str, str], ...]:
    signed = sign(request.webhook_id, request.body, request.secrets, at=NOW)
    agent = f"Catacliente-Portal/{__version__}"
    common = ("Content-Type", "application/json"), ("Content-Length", "8"), ("User-Agent", agent)
    return *common, *signed.items(), *([("X-Key", webhook.mask_value(CREDENTIAL))] if request.header else [])


def test_an_answer_is_kept_with_all_that_was_said_but_the_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    said = answer_of(200, b'{"id": 7, "k": "%s"}' % CREDENTIAL.encode(), ("X-Echo", f"key {CREDENTIAL}"))
    way, outcome = attempt(monkeypatch, (0.25, said))
    ((url, fields, body, deadline),) = way.sent
    assert (url, body, deadline) == (URL, REQUEST.body, None)
    signed = sign("msg_1", REQUEST.body, (KEY,), at=NOW)
    assert fields[-len(signed) :] == [f"{name}: {value}" for name, value in signed.items()]
    common = ["Content-Type: application/json", f"User-Agent: Catacliente-Portal/{__version__}"]
    assert {*common, f"X-Key: {CREDENTIAL}", "Accept-Encoding: identity", "Expect:"} == set(fields[: -len(signed)])
    assert outcome._replace(response_body=None, response_headers=()) == Outcome(
        started_at=NOW,
        duration_ms=250,
        url=URL,
        reason="ok_json",
        address="192.0.2.7",
        status_code=200,
        shape=outcome.shape,
        request_sent=True,
        request_headers=shown(REQUEST),
        response_size=said.body_size,
    )
    assert outcome.shape is not None
    assert CREDENTIAL not in repr(outcome)
    assert (outcome.response_body or b"").startswith(b'{"id": 7, "k": "')
    assert [name for name, _ in outcome.response_headers] == ["X-Echo"]
    assert CREDENTIAL not in repr(REQUEST)


@pytest.mark.parametrize(
    ("status", "seconds"), [(429, 120), (503, 120), (500, None), (200, None), (301, None), (404, None)]
)
def test_only_a_receiver_that_asks_to_wait_is_waited_for(
    monkeypatch: pytest.MonkeyPatch, status: int, seconds: int | None
) -> None:
    _, outcome = attempt(monkeypatch, (0.0, answer_of(status, b"no", ("Retry-After", "120"))))
    assert outcome.retry_after == (timedelta(seconds=seconds) if seconds else None)
    assert (outcome.status_code, outcome.response_body) == (status, b"no")


@pytest.mark.parametrize("is_sent", [False, True])
def test_of_no_answer_its_reason_its_detail_and_whether_it_was_sent_are_kept(
    monkeypatch: pytest.MonkeyPatch, is_sent: bool
) -> None:
    fault = EgressError("timeout", f"after {CREDENTIAL}", address="192.0.2.7", request_sent=is_sent)
    _, outcome = attempt(monkeypatch, (3.0, fault))
    assert outcome._replace(detail=None) == Outcome(
        started_at=NOW,
        duration_ms=3000,
        url=URL,
        reason="timeout",
        address="192.0.2.7",
        request_sent=is_sent,
        request_headers=shown(REQUEST),
    )
    assert (outcome.detail or "").startswith("after ")
    assert CREDENTIAL not in (outcome.detail or "")


def test_a_fault_of_ours_is_told_ends_it_and_is_cut(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    _, outcome = attempt(monkeypatch, (1.0, ZeroDivisionError("x" * 600)))
    detail = f"ZeroDivisionError: {'x' * 600}"[:500]
    assert outcome == Outcome(started_at=NOW, duration_ms=0, url=URL, reason="internal_error", detail=detail)
    assert [(each.levelname, getattr(each, "action", ""), each.getMessage()) for each in caplog.records] == [
        ("ERROR", "send_failed", "An answer could not be judged.")
    ]


def test_an_apps_scripts_answer_is_fetched_in_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    request = WebhookRequest(url=SCRIPT, webhook_id="msg_1", body=b'{"a": 1}', secrets=(KEY,))
    moved, taken = answer_of(302, b"", ("Location", HOP)), answer_of(200, b"OK")
    way, outcome = attempt(monkeypatch, (4.0, moved), (1.0, taken), request=request)
    assert way.sent[1] == (HOP, webhook.make_fields({}), None, 6.0)
    assert (outcome.reason, outcome.duration_ms, outcome.url) == ("ok_text", 5000, SCRIPT)
    assert outcome.request_headers == shown(request)
    fault = EgressError("timeout", "too late", address="192.0.2.8", request_sent=False)
    _, outcome = attempt(monkeypatch, (4.0, moved), (6.0, fault), request=request)
    assert (outcome.reason, outcome.request_sent, outcome.address) == ("timeout", True, "192.0.2.8")


@pytest.mark.parametrize("size", [webhook.SMALL_BYTES, webhook.SMALL_BYTES + 1])
def test_only_short_answers_are_remembered_with_what_they_mean(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    webhook._judge_again.cache_clear()
    for _ in range(2):
        attempt(monkeypatch, (0.0, answer_of(200, b"x" * size)))
    assert webhook._judge_again.cache_info().hits == (1 if size == webhook.SMALL_BYTES else 0)


def test_what_is_sent_is_waited_for() -> None:
    way: Any = SimpleNamespace(begin=lambda *given, **_: given[3](answer_of(202)))
    assert webhook.post(REQUEST, way).status_code == 202
