"""Idempotency-Key: a call that is repeated does its work once, whatever happened to the first one."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from portal import clock
from portal.api import contacts
from portal.api.protocol import idempotency
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Contact, Delivery
from portal.privacy.retention import CALLS_KEPT
from portal.worker.housekeeping import keep_house
from portal.working_models import IdempotencyKey
from tests.api.conftest import Caller, check_problem, field_errors
from tests.api.test_contacts import person
from tests.conftest import BOTH
from tests.factories import make_company

OpenDatabase = Callable[[], Any]
KEY = "8e03978e-40d5-43e8-bc93-6894a57f9324"


def post(api: Caller, value: Any, *, key: str = KEY) -> TestResponse:
    return api.post("/contacts", value, headers={"Idempotency-Key": key})


def count(open_database: OpenDatabase, *models: Any) -> list[int]:
    with open_database():
        return [db.session.scalar(select(func.count()).select_from(model)) or 0 for model in models]


@BOTH
def test_the_same_call_gets_the_same_answer_and_does_nothing_twice(
    api: Caller, hook: Receiver, open_database: OpenDatabase
) -> None:
    items = [person(interest_level=3), {"contact": {"name": "Sem identificação", "interest_level": 1}}]
    first, second = post(api, items), post(api, items)
    assert first.status_code == second.status_code == 200
    assert first.data == second.data
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert count(open_database, Contact, Delivery) == [2, 2]


def test_without_a_key_a_contact_of_whom_only_the_name_is_known_is_found_again(api: Caller) -> None:
    nobody = {"contact": {"name": "Sem identificação"}}
    assert [api.post("/contacts", nobody).json["results"][0]["id"] for _ in range(2)] == [1, 1]


def test_the_same_request_is_the_same_however_its_json_is_written(api: Caller) -> None:
    post(api, person(phone="1"))
    other = json.dumps({"contact": {"phone": "1", "linkedin_public_id": "ana", "name": "Ana"}}, indent=3)
    again = api.post("/contacts", data=other, content_type="application/json", headers={"Idempotency-Key": KEY})
    assert again.headers["Idempotent-Replayed"] == "true"


@BOTH
def test_the_key_of_another_company_says_nothing(open_database: OpenDatabase) -> None:
    with open_database():
        companies = [make_company(name).id for name in ("Primeira", "Segunda")]
        for company_id in companies:
            assert idempotency.begin(db.session, company_id, KEY, request_hash="the same") is None
            idempotency.finish(db.session, company_id, KEY, answer=f"of {company_id}")
            db.session.commit()
        for company_id in companies:
            assert idempotency.begin(db.session, company_id, KEY, request_hash="the same") == f"of {company_id}"


def test_a_key_is_honoured_for_less_than_a_day(open_database: OpenDatabase) -> None:
    begun = clock.utcnow()

    def begin(after: timedelta) -> str | None:
        with time_machine.travel(begun + after, tick=False):
            return idempotency.begin(db.session, company_id, KEY, request_hash="the same")

    with open_database():
        company_id = make_company().id
        assert begin(timedelta(0)) is None
        idempotency.finish(db.session, company_id, KEY, answer="first")
        assert begin(CALLS_KEPT - timedelta(microseconds=1)) == "first"
        assert begin(CALLS_KEPT) is None


def test_another_request_with_the_key_is_refused(api: Caller, open_database: OpenDatabase) -> None:
    post(api, person())
    check_problem(post(api, person(name="Bia")), 422, "idempotency_key_reused")
    assert count(open_database, Contact) == [1]


def test_somebody_elses_request_with_the_key_is_another_one(api: Caller, member: Caller) -> None:
    post(api, person())
    check_problem(post(member, person()), 422, "idempotency_key_reused")


def test_another_company_has_its_own_keys(api: Caller, stranger: Caller) -> None:
    assert post(api, person()).json == {"results": [{"id": 1, "created": True, "delivery_id": None}]}
    assert post(stranger, person()).json == {"results": [{"id": 2, "created": True, "delivery_id": None}]}


def test_a_refused_call_leaves_its_key_free(api: Caller) -> None:
    check_problem(post(api, {"contact": {"id": 77, "name": "Ana"}}), 422, "invalid_fields")
    assert post(api, person()).status_code == 200


@BOTH
def test_a_call_that_died_leaves_its_key_free(
    api: Caller, monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(contacts.idempotency, "finish", lambda *_given, **_more: 1 / 0)
        api.app.config["PROPAGATE_EXCEPTIONS"] = False
        check_problem(post(api, person()), 500, "internal_error")
    assert count(open_database, Contact, IdempotencyKey) == [0, 0]
    assert post(api, person()).json["results"][0]["created"]


@BOTH
def test_of_two_at_once_one_runs_and_both_get_its_answer(api: Caller, open_database: OpenDatabase) -> None:
    answers: list[TestResponse] = []
    nobody = {"contact": {"name": "Sem identificação"}}
    threads = [threading.Thread(target=lambda: answers.append(post(api, nobody))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 6
    assert len({answer.data for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    assert count(open_database, Contact) == [1]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_call_whose_first_one_takes_long_is_told_to_come_back(
    app: Flask, api: Caller, monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase
) -> None:
    monkeypatch.setattr(idempotency, "WAIT_SECONDS", 0.2)
    request_hash = idempotency.fingerprint("/api/v1/contacts", api.user_id, person())
    with open_database():
        assert idempotency.begin(db.session, api.company_id, KEY, request_hash=request_hash) is None
        answers: list[TestResponse] = []
        waiting = threading.Thread(target=lambda: answers.append(post(api, person())))
        waiting.start()
        waiting.join(60)
        check_problem(answers[0], 409, "request_under_way")
        assert answers[0].headers["Retry-After"] == "1"
        idempotency.finish(db.session, api.company_id, KEY, answer='{"results":[]}')
        db.session.commit()
    assert post(api, person()).json == {"results": []}


def test_a_key_is_honoured_for_24_hours(api: Caller, open_database: OpenDatabase) -> None:
    now = clock.utcnow()
    post(api, person())
    with time_machine.travel(now + timedelta(hours=23, minutes=59)):
        assert post(api, person()).headers["Idempotent-Replayed"] == "true"
    with time_machine.travel(now + timedelta(hours=24, minutes=1)):
        assert post(api, person(name="Bia")).json["results"][0]["created"] is False
        with open_database():
            assert db.session.query(IdempotencyKey).count() == 1


def test_the_house_keeping_removes_what_is_honoured_no_more(
    api: Caller, open_database: OpenDatabase, instance: Path
) -> None:
    post(api, person())
    with open_database():
        keep_house(db.engine, instance)
        assert db.session.query(IdempotencyKey).count() == 1
        db.session.commit()
        with time_machine.travel(clock.utcnow() + timedelta(hours=25)):
            keep_house(db.engine, instance)
        assert db.session.query(IdempotencyKey).count() == 0


@pytest.mark.parametrize(
    ("key", "code"), [("a b", "not_a_key"), ("é", "not_a_key"), ("x" * 256, "too_long"), ("", "not_a_key")]
)
def test_a_key_has_a_form(api: Caller, key: str, code: str) -> None:
    problem = check_problem(post(api, person(), key=key), 422, "invalid_fields")
    assert field_errors(problem) == {"Idempotency-Key": code}


def test_what_is_kept_is_short_and_names_nobody(api: Caller, open_database: OpenDatabase) -> None:
    post(api, person(email="ana@example.com"))
    with open_database():
        row = db.session.scalars(select(IdempotencyKey)).one()
    assert row.answer == '{"results":[{"id":1,"created":true,"delivery_id":null}]}'
