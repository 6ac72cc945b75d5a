"""Calls that save one contact each and come at once: saved together, and answered as if one came after the other."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event, func, select
from werkzeug.test import TestResponse

from portal.api.protocol.access import LIMIT, RateLimit
from portal.audit import Actor
from portal.contacts import saving
from portal.contacts.checking import check_item
from portal.database.db import db, patience
from portal.demo.server import Receiver
from portal.models import Classification, Contact, Delivery
from portal.people.tokens import revoke_token, tokens_of
from tests.api.conftest import Caller, check_problem, field_errors
from tests.conftest import BOTH

pytestmark = BOTH
OpenDatabase = Callable[[], Any]


def person(name: str, **facts: Any) -> dict[str, Any]:
    return {"contact": {"name": name, "linkedin_public_id": name.lower()} | facts}


class Crowd:
    """Calls that come while somebody else writes to the companies."""

    def __init__(self, app: Flask, threads: ThreadPoolExecutor) -> None:
        self._app, self._threads = app, threads
        self.commits = 0

    def post_all(self, calls: Sequence[tuple[Caller, Any]], *, leaders: int = 1) -> list[TestResponse]:
        """The answers of the calls, which begin in this order and wait; `leaders` of them for the database itself."""
        begun: list[Future[TestResponse]] = []
        with self._app.app_context():
            engine = db.engine
            with engine.begin() as connection:
                for company_id in sorted({caller.company_id for caller, _ in calls}):
                    saving.HOLD_COMPANY.all(connection, key=company_id)
                for caller, value in calls:
                    begun.append(self._threads.submit(caller.post, "/contacts", value))
                    self._wait_until(min(len(begun), leaders), max(0, len(begun) - leaders))
            event.listen(engine, "commit", self._count)
            try:
                return [each.result(60) for each in begun]
            finally:
                event.remove(engine, "commit", self._count)

    def _wait_until(self, leaders: int, others: int) -> None:
        end, waiting = time.monotonic() + 60, self._app.extensions["portal"].calls._waiting
        while (len(waiting), sum(map(len, waiting.values()))) != (leaders, others):
            assert time.monotonic() < end, waiting
            time.sleep(0.001)

    def _count(self, _connection: object) -> None:
        self.commits += 1


@pytest.fixture
def crowd(app: Flask) -> Iterator[Crowd]:
    with ThreadPoolExecutor(8) as threads:
        yield Crowd(app, threads)


@pytest.fixture(autouse=True)
def used(api: Caller, stranger: Caller, member: Caller) -> None:
    """Each token was used a moment ago: that is not noted again."""
    for caller in (api, stranger, member):
        assert caller.get("/contacts").status_code == 200


def results(answers: Sequence[TestResponse]) -> list[dict[str, Any]]:
    assert [answer.status_code for answer in answers] == [200] * len(answers), [each.text for each in answers]
    return [answer.json["results"][0] for answer in answers]  # type: ignore[index]


def test_they_are_one_transaction_and_each_is_answered_with_its_own(
    api: Caller, hook: Receiver, crowd: Crowd, open_database: OpenDatabase
) -> None:
    names = ["Ana", "Bia", "Caio", "Davi"]
    found = results(crowd.post_all([(api, person(name, interest_level=2)) for name in names]))
    assert crowd.commits == 1
    with open_database():
        for name, result in zip(names, found, strict=True):
            contact = db.session.get_one(Contact, result["id"])
            assert (contact.name, result["created"]) == (name, True)
            sent = db.session.query(Delivery).filter_by(webhook_id=result["delivery_id"]).one()
            assert sent.contact_id == contact.id


def test_one_contact_that_comes_twice_is_made_once(
    api: Caller, hook: Receiver, crowd: Crowd, open_database: OpenDatabase
) -> None:
    both = [(api, person("Ana", interest_level=level)) for level in (1, 1, 3)]
    first, same, other = results(crowd.post_all(both))
    assert first["id"] == same["id"] == other["id"]
    assert [each["created"] for each in (first, same, other)] == [True, False, False]
    assert first["delivery_id"] is not None
    assert same["delivery_id"] is None
    assert other["delivery_id"] not in (None, first["delivery_id"])
    with open_database():
        levels = db.session.scalars(select(Classification.new_level).order_by(Classification.id)).all()
        assert levels == [1, 3]


def test_who_is_only_a_name_is_one_person_in_several_calls(api: Caller, crowd: Crowd) -> None:
    """Of a list, entries that differ are as many people."""
    first, second = results(crowd.post_all([(api, {"contact": {"name": "Ana", "role": role}}) for role in "xy"]))
    assert first["id"] == second["id"]


def test_who_is_meant_by_number_takes_no_identifier_away_from_the_others(api: Caller, crowd: Crowd) -> None:
    mail = {"contact": {"name": "Bia", "email": "bia@example.com"}}
    ana, bia = (result["id"] for result in results([api.post("/contacts", each) for each in (person("Ana"), mail)]))
    moved = {"contact": {"id": ana, "linkedin_public_id": "ana-lima"}}
    meant = {"contact": {"name": "Bia", "linkedin_public_id": "ana", "email": "bia@example.com"}}
    found = results(crowd.post_all([(api, moved), (api, meant)]))
    assert [each["created"] for each in found] == [False, False]
    assert found[1]["id"] in (ana, bia)


def test_one_that_is_not_accepted_is_told_why_and_the_others_are_saved(api: Caller, crowd: Crowd) -> None:
    nobody = {"contact": {"linkedin_public_id": "bia"}}
    calls = [person("Ana"), nobody, {"contact": {"id": 99, "name": "Caio"}}, person("Davi")]
    first, nameless, unknown, last = crowd.post_all([(api, each) for each in calls])
    assert [each["created"] for each in results([first, last])] == [True, True]
    assert field_errors(check_problem(nameless, 422, "invalid_fields")) == {"contact.name": "required"}
    assert field_errors(check_problem(unknown, 422, "invalid_fields")) == {"contact.id": "unknown"}


def test_one_that_fails_harms_no_other(
    api: Caller, hook: Receiver, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase
) -> None:
    api.app.config["PROPAGATE_EXCEPTIONS"] = False

    def check(item: Any, zone: Any) -> Any:
        if item["contact"]["name"] == "Bia":
            raise RuntimeError("a fault of ours")
        return check_item(item, zone)

    monkeypatch.setattr(saving, "check_item", check)
    calls = [(api, person(name, interest_level=1)) for name in ("Ana", "Bia", "Caio")]
    first, broken, last = crowd.post_all(calls)
    check_problem(broken, 500, "internal_error")
    assert [each["created"] for each in results([first, last])] == [True, True]
    with open_database():
        assert db.session.scalars(select(Contact.name).order_by(Contact.name)).all() == ["Ana", "Caio"]
        assert db.session.scalar(select(func.count()).select_from(Delivery)) == 2


def test_each_acts_in_its_own_name_and_company(
    api: Caller, member: Caller, stranger: Caller, crowd: Crowd, open_database: OpenDatabase
) -> None:
    callers = [api, member, stranger, api, member, stranger]
    calls = [(caller, person(f"Ana {n}", interest_level=1)) for n, caller in enumerate(callers)]
    found = results(crowd.post_all(calls, leaders=3))
    assert crowd.commits == 3
    with open_database():
        for caller, result in zip(callers, found, strict=True):
            contact = db.session.get_one(Contact, result["id"])
            assert (contact.company_id, contact.owner_id) == (caller.company_id, caller.user_id)
            (actor,) = db.session.scalars(select(Classification.actor).where(Classification.contact_id == contact.id))
            assert actor == caller.email


def test_what_cannot_be_committed_is_told_to_each(
    api: Caller, crowd: Crowd, monkeypatch: pytest.MonkeyPatch, open_database: OpenDatabase
) -> None:
    api.app.config["PROPAGATE_EXCEPTIONS"] = False
    with open_database():
        dialect = db.engine.dialect
    commit, commits = dialect.do_commit, []

    def fail(connection: Any) -> None:
        commits.append(connection)
        if len(commits) == 2:  # after that of who was in the way
            raise RuntimeError("the disk is gone")
        commit(connection)

    monkeypatch.setattr(dialect, "do_commit", fail)
    for answer in crowd.post_all([(api, person("Ana")), (api, person("Bia"))]):
        check_problem(answer, 500, "internal_error")
    with open_database():
        assert db.session.scalar(select(func.count()).select_from(Contact)) == 0


def test_who_waited_too_long_is_told_to_come_again(api: Caller, app: Flask, open_database: OpenDatabase) -> None:
    with app.app_context(), db.engine.begin() as connection, ThreadPoolExecutor(1) as threads:
        saving.HOLD_COMPANY.all(connection, key=api.company_id)
        first = threads.submit(api.post, "/contacts", person("Ana"))
        while not app.extensions["portal"].calls._waiting:
            time.sleep(0.001)
        with patience(0):
            late = api.post("/contacts", person("Bia"))
        connection.rollback()
        assert first.result(60).status_code == 200
    check_problem(late, 503, "database_busy")
    with open_database():
        assert db.session.scalars(select(Contact.name)).all() == ["Ana"]


def test_limits_and_revoked_tokens_hold_for_each(
    api: Caller, app: Flask, crowd: Crowd, open_database: OpenDatabase
) -> None:
    app.extensions[LIMIT] = RateLimit(per_second=0.001, burst=2)
    assert len(results(crowd.post_all([(api, person("Ana")), (api, person("Bia"))]))) == 2
    check_problem(api.post("/contacts", person("Caio")), 429, "too_many_calls")
    app.extensions[LIMIT] = RateLimit(per_second=50, burst=100)
    with open_database():
        for token in tokens_of(db.session, api.company_id):
            revoke_token(db.session, token, actor=Actor(api.company_id, api.email))
        db.session.commit()
    check_problem(api.post("/contacts", person("Caio")), 401, "invalid_token")
