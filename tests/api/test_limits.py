"""How often a token may call, and answers that the caller has already."""

import json
import threading
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, Request
from werkzeug.test import EnvironBuilder

from portal import clock
from portal.api.protocol import access, parsing
from portal.api.protocol.access import RateLimit
from portal.api.protocol.parsing import read_json
from portal.database.db import db
from portal.models import User
from portal.people import tokens
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


def test_who_may_call_again_within_the_second_is_told_of_one(
    app: Flask, api: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "monotonic", lambda: 100.0)
    app.extensions[access.LIMIT] = RateLimit(per_second=4, burst=1)
    assert [api.get("/webhook").status_code for _ in range(2)] == [200, 429]
    assert api.get("/webhook").headers["Retry-After"] == "1"


def test_every_token_has_its_own_count(app: Flask, api: Caller) -> None:
    while api.get("/webhook").status_code == 200:
        pass
    assert make_caller(app, "Vendas Exemplo", role="member").get("/webhook").status_code == 200
    with app.app_context():
        another = tokens.create_token(db.session, db.session.get_one(User, api.user_id), label="another")
        db.session.commit()
    assert replace(api, token=another).get("/webhook").status_code == 200


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


def test_large_bodies_are_read_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, met = threading.Barrier(2), []
    loads = json.loads

    def read(text: str, **options: Any) -> Any:
        with suppress(threading.BrokenBarrierError):
            meeting.wait(0.5)
            met.append(True)
        return loads(text, **options)

    def read_both(body: bytes) -> int:
        met.clear()
        meeting.reset()
        requests = [Request(EnvironBuilder(data=body, content_type="application/json").get_environ()) for _ in "12"]
        threads = [threading.Thread(target=read_json, args=(request,)) for request in requests]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return len(met)

    monkeypatch.setattr(parsing.json, "loads", read)
    assert read_both(b'"' + b"a" * parsing.LARGE + b'"') == 0
    assert read_both(b'"a"') == 2  # others wait for nobody
