"""How often a token may call, and answers that the caller has already."""

import pytest
from flask import Flask

from portal import clock
from portal.api.protocol import access
from portal.api.protocol.rate_limit import RateLimit
from tests.api.conftest import Caller, check_problem, make_caller
from tests.conftest import MakeApp


@pytest.fixture
def app(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Flask:
    monkeypatch.setattr(access, "CALLS_A_SECOND", 0.5)
    monkeypatch.setattr(access, "CALLS_AT_ONCE", 3)
    return make_app()


def test_who_calls_too_often_is_told_when_to_come_back(api: Caller) -> None:
    assert [api.get("/webhook").status_code for _ in range(3)] == [200] * 3
    refused = api.get("/webhook")
    check_problem(refused, 429, "too_many_calls")
    assert 1 <= int(refused.headers["Retry-After"]) <= 2


def test_every_token_has_its_own_count(app: Flask, api: Caller) -> None:
    while api.get("/webhook").status_code == 200:
        pass
    assert make_caller(app, "Vendas Exemplo", role="member").get("/webhook").status_code == 200


def test_a_wrong_token_uses_up_nobodys_count(api: Caller) -> None:
    for _ in range(5):
        check_problem(api.get("/webhook", headers={"Authorization": "Bearer x"}), 401, "invalid_token")
    assert api.get("/webhook").status_code == 200


def test_calls_come_back_at_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr(clock, "monotonic", lambda: now)
    limit = RateLimit(per_second=2, burst=4)
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
    assert limit.take("b") == 0
    now += 0.4
    assert limit.take("a") == pytest.approx(0.1)
    now += 0.2
    assert [limit.take("a"), limit.take("a")] == [0, pytest.approx(0.4)]
    now += 1000
    assert [limit.take("a") for _ in range(5)] == [0, 0, 0, 0, 0.5]
