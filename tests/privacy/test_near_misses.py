"""What goes when its time is over or its company closes, and nothing else: of the rest each misses by one fact."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import create_engine, select

from portal import audit
from portal.audit import Actor
from portal.database.db import db
from portal.database.tables import Base
from portal.importing import missing
from portal.models import AccessLink, ApiToken, AuditEntry, Company, Contact, Task, User
from portal.privacy import closing, marks, retention
from portal.runtime import runtime
from portal.working_models import Erasure, IdempotencyKey, ImportedContact
from tests.conftest import URL
from tests.factories import NOON, actor_of, make_company, make_contact, make_delivery, make_user

MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)


@pytest.fixture(autouse=True)
def at_noon(app: Flask) -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


def stored(model: type[Base]) -> dict[int, dict[str, Any]]:
    db.session.expire_all()
    return {row["id"]: dict(row) for row in db.session.execute(select(model.__table__)).mappings()}


def make_task(company: Company, **facts: Any) -> Task:
    defaults = {"kind": "purge", "actor": "portal", "arguments": {}, "status": "done", "total": 0, "created_at": NOON}
    task = Task(company_id=company.id, **defaults | facts)
    db.session.add(task)
    db.session.flush()
    return task


def test_closing_lets_nobody_of_the_company_in_and_leaves_the_other_alone() -> None:
    companies = make_company("Fecha", url=URL), make_company("Fica", url=URL)
    for company in companies:
        make_delivery(make_contact(company))
        people = make_user(company), make_user(company)
        people[0].proxied_at, people[1].disabled_at = NOON - DAY, NOON - DAY
        for number, user in enumerate(people):
            facts = {"user_id": user.id, "created_at": NOON - DAY}
            for used_at in (None, NOON - DAY):
                link = {"purpose": "reset", "token_hash": f"{user.id}{used_at}", "expires_at": NOON + DAY}
                db.session.add(AccessLink(used_at=used_at, **link, **facts))
            token = {"label": "CRM", "lookup": f"{user.id}", "secret_hash": "x", "scope": "read"}
            db.session.add(ApiToken(company_id=company.id, revoked_at=NOON - DAY if number else None, **token, **facts))
        make_task(company, kind="sync", status="waiting")
        make_task(company, kind="sync", status="running", lease_expires_at=NOON + DAY, lease_token="x")
        make_task(company, kind="sync", status="draft")
    db.session.commit()
    models = (User, AccessLink, ApiToken, Task, Company)
    before = {model: stored(model) for model in models}
    mine, actor = companies[0].id, Actor(companies[0].id, "ana@x.test", "192.0.2.7")
    held = {"contacts": 1, "campaigns": 1, "deliveries": 1, "people": 3, "tokens": 1, "waiting": 1}
    assert closing.holdings_of(db.session, mine) == held
    erasing = closing.close(db.session, companies[0], actor, vault=runtime().vault)
    assert erasing is not None
    after = {model: stored(model) for model in models}
    changed = {
        model: {key: row for key, row in after[model].items() if row != before[model].get(key)} for model in models
    }
    gone = [
        {"disabled_at": row["disabled_at"] or NOON, "proxied_at": None, "session_version": row["session_version"] + 1}
        for row in before[User].values()
        if row["company_id"] == mine
    ]
    users = [row for row in before[User].values() if row["company_id"] == mine]
    assert changed[User] == {row["id"]: row | end for row, end in zip(users, gone, strict=True)}
    ids = {row["id"] for row in users}
    links = {key: row for key, row in before[AccessLink].items() if row["user_id"] in ids and row["used_at"] is None}
    assert changed[AccessLink] == {key: row | {"used_at": NOON} for key, row in links.items()}
    tokens = {key: row for key, row in before[ApiToken].items() if row["user_id"] in ids and row["revoked_at"] is None}
    assert changed[ApiToken] == {key: row | {"revoked_at": NOON} for key, row in tokens.items()}
    open_ = {key: row for key, row in before[Task].items() if row["company_id"] == mine and row["status"] != "draft"}
    ended = {"status": "failed", "reason": "closed", "finished_at": NOON, "lease_token": None, "lease_expires_at": None}
    new = {"company_id": mine, "kind": "closing", "status": "waiting", "actor": "ana@x.test", "created_at": NOON}
    assert changed[Task] == {key: row | ended for key, row in open_.items()} | {
        erasing.id: after[Task][erasing.id] | new
    }
    company = after[Company][mine]
    assert changed[Company] == {mine: before[Company][mine] | {"closed_at": NOON, "name": company["name"]}}
    assert company["name"].startswith(f"closed {mine} ")
    entry = db.session.query(AuditEntry).filter_by(action="company.closed").one()
    assert (entry.company_id, entry.actor, entry.subject, entry.ip) == (None, "ana@x.test", "Fecha", "192.0.2.7")
    assert marks.find_marked_companies(
        db.session, {row.mark for row in db.session.query(Erasure)}, runtime().vault
    ) == [mine]
    assert closing.close(db.session, companies[0], actor, vault=runtime().vault) is None


@pytest.mark.parametrize(
    ("facts", "begins"),
    [
        ({"status": "failed"}, True),
        ({"status": "waiting"}, False),
        ({"status": "running"}, False),
        ({"status": "waiting", "kind": "purge"}, True),
        (None, False),
    ],
)
def test_erasing_a_closed_company_begins_again_unless_it_goes_on(facts: dict[str, Any] | None, begins: bool) -> None:
    company = make_company()
    if facts is not None:
        company.closed_at = NOON
        make_task(company, **{"kind": closing.KIND} | facts)
    closing.plan(db.session)
    found = db.session.query(Task).filter_by(kind=closing.KIND, status="waiting", actor=audit.PORTAL).all()
    assert len(found) == begins or facts == {"status": "waiting"}


@pytest.mark.parametrize(
    ("facts", "is_sending"),
    [
        ({}, True),
        ({"lease_expires_at": NOON}, False),
        ({"status": "pending"}, False),
        ({"company": "Outra"}, False),
    ],
)
def test_a_company_is_erased_once_nobody_sends_for_it(facts: dict[str, Any], is_sending: bool) -> None:
    company = make_company(url=URL)
    other = make_company("Outra", url=URL)
    delivery = make_delivery(make_contact(other if facts.pop("company", None) else company))
    for name, value in ({"status": "sending", "lease_expires_at": NOON + MOMENT} | facts).items():
        setattr(delivery, name, value)
    db.session.commit()
    assert closing._is_sending(db.session, company.id) is is_sending


@pytest.mark.parametrize(
    ("facts", "begins"),
    [
        ({"created_at": NOON - DAY}, True),
        ({"created_at": NOON - DAY + MOMENT}, False),
        ({"created_at": NOON, "kind": "sync"}, True),
        ({"created_at": NOON, "status": "failed"}, False),
        (None, False),
    ],
    ids=["a day ago", "within a day", "another kind", "failed today", "closed"],
)
def test_a_company_is_purged_once_a_day(facts: dict[str, Any] | None, begins: bool) -> None:
    company, other = make_company(), make_company("Outra")
    make_task(other)
    if facts is None:
        company.closed_at = NOON
        db.session.commit()
    else:
        make_task(company, **facts)
    known = set(stored(Task))
    assert retention.plan(db.session, now=NOON) == begins
    made = [(row["company_id"], row["kind"], row["status"]) for key, row in stored(Task).items() if key not in known]
    assert made == [(company.id, "purge", "waiting")] * begins


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({"finished_at": NOON - 90 * DAY - MOMENT}, True),
        ({"finished_at": NOON - 90 * DAY}, False),
        ({"finished_at": NOON - 91 * DAY, "kind": "import"}, False),
        ({"finished_at": None}, False),
    ],
)
def test_reports_of_purges_stay_for_90_days(facts: dict[str, Any], goes: bool) -> None:
    task_id = make_task(make_company(), **facts).id
    retention.plan(db.session, now=NOON)
    assert (task_id not in stored(Task)) is goes


def test_acts_of_nobody_stay_for_two_years_and_keys_of_calls_for_a_day() -> None:
    company = make_company()
    for at in (NOON - 730 * DAY, NOON - 730 * DAY - MOMENT):
        for company_id in (None, company.id):
            db.session.add(AuditEntry(company_id=company_id, actor="x", action="login.failed", created_at=at))
    for at in (NOON - DAY, NOON - DAY + MOMENT):
        db.session.add(IdempotencyKey(company_id=company.id, key=str(at), request_hash="x", created_at=at))
    db.session.commit()
    retention.plan(db.session, now=NOON)
    retention.forget_repeated_calls(db.session, now=NOON)
    left = {(row["company_id"], row["created_at"]) for row in stored(AuditEntry).values()}
    assert left == {
        (None, NOON - 730 * DAY),
        (company.id, NOON - 730 * DAY),
        (company.id, NOON - 730 * DAY - MOMENT),
    }
    assert [row.created_at for row in db.session.query(IdempotencyKey)] == [NOON - DAY + MOMENT]


def test_each_period_is_kept_under_its_own_name() -> None:
    company = make_company()
    days = dict(zip(retention.PERIODS, (1, 2, 3), strict=True))
    retention.keep_for(db.session, actor_of(company), company, days)
    limits = retention.limits_of(company, now=NOON)
    assert (limits.bodies, limits.log, limits.audit) == (NOON - DAY, NOON - 2 * DAY, NOON - 3 * DAY)
    assert (company.keep_bodies_days, company.keep_log_days, company.keep_audit_days) == (1, 2, 3)
    assert db.session.query(AuditEntry).filter_by(action="retention.changed").one().subject == "1, 2, 3"


@pytest.mark.parametrize(
    ("facts", "is_it"),
    [({}, True), ({"status": "failed"}, False), ({"status": "running"}, False), ({"kind": "sync"}, False)],
)
def test_the_last_report_is_of_the_newest_purge_that_ended(facts: dict[str, Any], is_it: bool) -> None:
    company = make_company()
    older, newer = make_task(company), make_task(company, **facts)
    make_task(make_company("Outra"))
    assert retention.last_report(db.session, company.id) is (newer if is_it else older)


@pytest.mark.parametrize(
    ("facts", "goes"),
    [
        ({}, True),
        ({"finished_at": NOON}, False),
        ({"finished_at": None}, False),
        ({"kind": "sync"}, False),
        ({"company": "Outra"}, False),
    ],
)
@pytest.mark.parametrize("limit", [1, 2, 9])
def test_whom_an_old_import_named_is_forgotten_a_few_at_a_time(facts: dict[str, Any], goes: bool, limit: int) -> None:
    company, other = make_company(), make_company("Outra")
    said = {"kind": "import", "finished_at": NOON - MOMENT} | facts
    task = make_task(other if said.pop("company", None) else company, **said)
    ids = [make_contact(company).id for _ in range(2)]
    db.session.add_all(ImportedContact(task_id=task.id, contact_id=number, is_created=True) for number in ids)
    db.session.commit()
    forgotten = missing.forget(db.session, company.id, before=NOON, limit=limit)
    assert forgotten == (min(limit, 2) if goes else 0)
    assert db.session.query(ImportedContact).count() == 2 - forgotten


def test_who_was_erased_is_known_again_by_number_company_and_moment() -> None:
    vault, company = runtime().vault, make_company()
    ana, bia = make_contact(company), make_contact(company)
    ana.merged = [{"id": 900, "created_at": NOON.isoformat()}, {"id": 901}]
    marks.remember(db.session, ana, vault)
    marks.remember(db.session, ana, vault)
    db.session.commit()
    known = {row.mark for row in db.session.query(Erasure)}
    assert (len(known), db.session.query(Erasure).count()) == (2, 2)
    assert list(marks.find_marked(db.session, known, vault)) == [ana]
    assert list(marks.find_marked(db.session, set(), vault)) == []
    instance = runtime().settings.instance
    assert marks.read_known(db.engine, instance) == marks.Known(known, is_listed=True)
    assert marks.read_known(create_engine(f"sqlite:///{instance}/none.db"), instance) == marks.Known(
        set(), is_listed=False
    )
    was: datetime = ana.created_at
    ana.created_at = was + MOMENT
    db.session.commit()
    assert list(marks.find_marked(db.session, known, vault)) == []
    db.session.delete(ana)
    db.session.flush()
    again = Contact(**{column.name: getattr(bia, column.name) for column in Contact.__table__.c if column.name != "id"})
    again.id, again.created_at = 900, NOON
    db.session.add(again)
    db.session.commit()
    assert list(marks.find_marked(db.session, known, vault)) == [again]
