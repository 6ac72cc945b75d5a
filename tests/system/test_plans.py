"""On a long log no page, call or turn of a worker reads a large table as a whole, or sorts much of one.

Every address that can be looked at is asked for, and every list with each of its filters; what that asks of the
database is run once more and measured: by SQLite's steps, and by the rows that PostgreSQL went through.
"""

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Connection, bindparam, event, insert, text
from sqlalchemy.orm import Session

from portal import outbox
from portal.clock import utcnow
from portal.contacts.filtering import ContactFilter
from portal.contacts.filtering import read_filter as read_contacts
from portal.contacts.listing import SORTS, count_contacts, page_contacts
from portal.database import driver
from portal.database.db import db, reading
from portal.database.filters import choices_of, names_of
from portal.database.tables import UTCDateTime
from portal.deliveries.filtering import DeliveryFilter
from portal.deliveries.filtering import read_filter as read_deliveries
from portal.deliveries.log import count_by_day, count_matching_by_status, page_deliveries
from portal.models import Campaign, Company, User
from portal.outbox import Rules
from portal.people import tokens
from portal.rules.retry import parse_schedule
from portal.webhook import Outcome
from tests.conftest import BOTH, URL
from tests.factories import make_company, make_user

CONTACTS, DELIVERIES = 5_000, 30_000
KINDS = 11
"""Campaigns, and people who own contacts; the last of each has none."""
LARGE = ("contact", "message", "classification", "delivery", "delivery_body", "attempt", "exchange", "audit_entry")
"""The tables that grow with what a company does."""
FILLING = (
    ("contact", CONTACTS, """
        (company_id, campaign_id, owner_id, name, search_name, search_text, email, linkedin_public_id, interest_level,
         classified_at, is_level_imported, delivered_level, delivered_frozen_at, skills, experiences, created_at,
         updated_at)
        SELECT :company, {kinds} + 1 + i % 10, {kinds} + 1 + i % 10, 'Pessoa ' || i, 'pessoa ' || i, 'pessoa ' || i,
         'p' || i || '@x.test', 'p-' || i, 1 + i % 3, :now, false,
         CASE WHEN i % 100 <> 0 THEN 1 + i % 3 END, :now, '[]', '[]', :old, :old
    """),
    ("message", CONTACTS, "(contact_id, sender_name, message, pending) SELECT {contacts} + i, 'Ana', 'oi', false"),
    ("classification", DELIVERIES, f"""
        (company_id, contact_id, campaign_id, owner_id, new_level, actor, created_at)
        SELECT :company, {{contacts}} + 1 + i % {CONTACTS}, {{kinds}} + 1 + (1 + i) % 10, {{kinds}} + 1 + (1 + i) % 10,
         1 + i % 3, 'ana@example.com', {{moment}}
    """),
    ("delivery", DELIVERIES, f"""
        (webhook_id, company_id, contact_id, campaign_id, owner_id, "trigger", actor, interest_level, status, reason,
         attempt_count, tries, next_trigger, next_attempt_at, created_at, delivered_at, has_body)
        SELECT 'msg_' || ({{deliveries}} + i), :company, {{contacts}} + 1 + i % {CONTACTS}, {{kinds}} + 1 + i % 10,
         {{kinds}} + 1 + i % 10, 'classification', 'ana@example.com', 1 + i % 3,
         CASE i % 1000 WHEN 0 THEN 'failed' WHEN 1 THEN 'pending' ELSE 'delivered' END,
         CASE WHEN i % 1000 < 2 THEN 'server_error' ELSE 'ok_json' END, 1, 1, 'retry',
         CASE WHEN i % 1000 = 1 THEN CAST(:later AS {{time}}) END, {{moment}},
         CASE WHEN i % 1000 >= 2 THEN {{moment}} END, true
    """),
    ("attempt", DELIVERIES, """
        (delivery_id, number, "trigger", late, started_at, duration_ms, url, status_code, reason, request_sent)
        SELECT {deliveries} + i, 1, 'classification', false, {moment}, 80, 'https://crm.example.com/',
         CASE WHEN i % 1000 < 2 THEN 500 ELSE 200 END, 'ok_json', true
    """),
    ("audit_entry", DELIVERIES, """
        (company_id, actor, action, subject, created_at)
        SELECT :company, 'ana@example.com', 'contacts.synced', '1', {moment}
    """),
)  # fmt: skip
"""A year of a company: its contacts, each classified some times, nearly all of it taken by its CRM."""
COUNTING = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {count})"
DIALECTS = {
    "sqlite": {
        "moment": f":old + i * 525600 / {DELIVERIES} * 60000000",
        "time": "INTEGER",
    },
    "postgresql": {
        "moment": f"CAST(:old AS timestamptz) + i * interval '365 days' / {DELIVERIES}",
        "time": "timestamptz",
    },
}

pytestmark = BOTH

Asked = tuple[str, str, Any]
"""By whom, a statement, and its parameters."""


@pytest.fixture
def company(app: Flask) -> Company:
    """One with a long log, beside another whose log is as long, and newer."""
    company, other = make_company(url=URL), make_company("Outra Empresa", url=URL)
    fill(company, {"kinds": 0, "contacts": 0, "deliveries": 0})
    fill(other, {"kinds": KINDS, "contacts": CONTACTS, "deliveries": DELIVERIES})
    if db.engine.dialect.name == "postgresql":  # as its own house-keeping does; SQLite's portal keeps no statistics
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))
    return company


def fill(company: Company, there: Mapping[str, int]) -> None:
    """Give the company all of that, behind so many rows that are there."""
    now, dialect = utcnow(), db.engine.dialect.name
    with db.engine.begin() as connection:
        connection.execute(
            insert(Campaign), [{"company_id": company.id, "name": f"Campanha {n}"} for n in range(KINDS)]
        )
        people = [
            {"company_id": company.id, "name": f"Dono {n}", "email": f"dono{n}@x.test", "created_at": now}
            for n in range(KINDS)
        ]
        connection.execute(insert(User), people)
        times = {"now": now, "old": now - timedelta(days=365), "later": now + timedelta(days=1)}
        for table, count, rows in FILLING:
            words = f"{COUNTING.format(count=count)} INSERT INTO {table} {rows} FROM n".format(
                **DIALECTS[dialect], **there
            )
            given = {"company": company.id} | times
            asked = set(re.findall(r"(?<!:):(\w+)", words))
            typed = [bindparam(name, type_=UTCDateTime()) for name in asked & times.keys()]
            connection.execute(text(words).bindparams(*typed), {name: given[name] for name in asked})


class Listener:
    """Keeps what the database is asked, also by what goes past SQLAlchemy."""

    def __init__(self) -> None:
        self.asker = ""
        self.asked: dict[tuple[str, str], Asked] = {}

    def note(self, statement: str, parameters: Any) -> None:
        if re.match("SELECT|UPDATE|DELETE|WITH", statement):
            self.asked.setdefault((statement, repr(parameters)), (self.asker, statement, parameters))


@pytest.fixture
def listener(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    listener, run = Listener(), driver._run

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, many: bool) -> None:
        listener.note(statement, parameters[0] if many else parameters)

    def noting(connection: Any, compiled: Any, parameters: Any, *, many: bool = False, **asked: Any) -> Any:
        if parameters or not many:
            listener.note(compiled.sql, parameters[0] if many else parameters)
        return run(connection, compiled, parameters, many=many, **asked)

    monkeypatch.setattr(driver, "_run", noting)
    event.listen(db.engine, "before_cursor_execute", note)
    yield listener
    event.remove(db.engine, "before_cursor_execute", note)


FEW = KINDS
"""The number of a campaign and of a person who have no delivery and no contact."""
SEARCHES = ("nobody", "pessoa 4211")
MOST_STEPS = 120_000
"""Of SQLite for one question, a list's or a capped count's: to read all of this log takes twice as many."""
MOST_ROWS = 12_000
"""Of PostgreSQL likewise."""
EXEMPT = {
    "/contacts/doubles": "it compares all contacts of a company, when somebody asks for it",
    "/sync/contacts": "it counts all that would be sent, before somebody sends it",
    "/company/close": "it counts all that would go, before somebody closes the company",
    "/report": "it counts all of its span of time",
    "/causes": "PostgreSQL does not know how few contacts are behind, and reads them all to find them",
    "reached=": "it looks at everybody who was classified within its span of time",
    "chart": "it is bounded by its own cap of deliveries",
    "search=": "words within names are in no index; it reads the contacts, and no log",
    "status=": "a page's tabs are counted up to a cap",
}


def values_of(kind: type) -> dict[str, list[Any]]:
    """Values of each field of a filter, by its name: some that much matches, and some that hardly anything does."""
    day = utcnow() - timedelta(days=300)
    since, until = (each.strftime("%Y-%m-%dT00:00:00Z") for each in (day, day + timedelta(days=1)))
    return {name: list(values) for name, values in choices_of(kind).items() if values} | {
        "campaign": [3, FEW],
        "owner": [3, FEW],
        "contact": [7],
        "search": list(SEARCHES),
        "since": [day],
        "until": [day],
        "reached": [f"3,{since},{until},missing"],
    }


def filters_of(kind: type) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "all", {}
    for name in names_of(kind):
        for value in values_of(kind).get(name, []):
            yield f"{name}={value}", {name: value}


def ask_lists(company_id: int, listener: Listener) -> None:
    """Each list, from its beginning, from its middle and back, with each of its filters; and what is counted beside."""
    starts = [utcnow() - timedelta(days=days) for days in range(14, -1, -1)]
    for name, asked in filters_of(DeliveryFilter):
        listener.asker = f"log {name}"
        with reading(), Session(db.engine) as session:
            deliveries = read_deliveries(session, company_id, asked)
            for place in ({}, {"cursor": str(DELIVERIES // 2)}, {"before": str(DELIVERIES // 2)}):
                page_deliveries(session, company_id, deliveries, **place)
            count_matching_by_status(session, company_id, deliveries)
            listener.asker = f"chart {name}"
            count_by_day(session, company_id, deliveries, starts=starts)
    for name, asked in filters_of(ContactFilter):
        listener.asker = f"contacts {name}"
        with reading(), Session(db.engine) as session:
            contacts = read_contacts(session, company_id, asked)
            for sort in SORTS:
                for place in ({}, {"cursor": str(CONTACTS // 2)}, {"before": str(CONTACTS // 2)}):
                    page_contacts(session, company_id, contacts, sort=sort, **place)
            count_contacts(session, company_id, contacts)


def addresses(app: Flask) -> list[str]:
    words = {
        "contact_id": 7,
        "webhook_id": "msg_7",
        "delivery_id": "msg_7",
        "group": "created",
        "name": "x",
        "token": "x",
    }
    rules = [rule for rule in app.url_map.iter_rules() if "GET" in (rule.methods or ()) and rule.endpoint != "static"]
    with app.test_request_context():
        found = [
            rule.build({each: words.get(each, 1) for each in rule.arguments}, append_unknown=False) for rule in rules
        ]
    return sorted(address for _, address in filter(None, found))


def ask_pages(app: Flask, company: Company, listener: Listener) -> None:
    admin = make_user(company)
    token = tokens.create_token(db.session, admin, label="plans")
    db.session.commit()
    db.session.remove()
    browser, caller = app.test_client(), app.test_client()
    with browser.session_transaction() as session:
        session["_user_id"], session["_fresh"], session["since"] = f"{admin.id}.1", True, int(utcnow().timestamp())
    assert browser.get("/webhook").status_code == 200, "nobody is logged in, and no page is asked"
    for address in addresses(app):
        listener.asker = address
        if "resend" in address or address.endswith((".csv", "/export")):
            continue  # exact, whatever there is
        client, headers = (caller, {"Authorization": f"Bearer {token}"}) if "/api/" in address else (browser, {})
        with app.app_context():
            assert client.get(address, headers=headers).status_code != 500


def ask_as_worker(app: Flask, listener: Listener) -> None:
    listener.asker = "worker"
    rules, lease = Rules(parse_schedule("0s,24h"), now=utcnow(), jitter=lambda: 0.0), timedelta(seconds=15)
    failed = Outcome(started_at=rules.now, duration_ms=1, url=URL, reason="server_error", status_code=500)
    db.session.execute(text("UPDATE delivery SET next_attempt_at = created_at WHERE status = 'pending'"))
    db.session.commit()
    with db.engine.begin() as connection:
        outbox.pull_forward(connection, now=rules.now, longest=rules.schedule.longest, lease=lease)
        outbox.recover(connection, rules, lease=lease)
        outbox.cancel_strays(connection)
        claims = outbox.claim_due(connection, now=rules.now, lease=lease, limit=16, room_for=lambda *_: 16)
        outbox.settle(connection, [(claim, failed) for claim in claims], rules)
    assert claims


def cost_of(statement: str, parameters: Any) -> tuple[int, str]:
    """What it takes to run it once more, and its plan."""
    parameters = tuple(parameters) if isinstance(parameters, list) else parameters
    with db.engine.connect() as connection:
        if db.engine.dialect.name == "sqlite":
            rows = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
            plan, cost = "\n".join(row[-1] for row in rows), steps_of(connection, statement, parameters)
        else:
            rows = connection.exec_driver_sql(f"EXPLAIN (ANALYZE, TIMING OFF) {statement}", parameters).all()
            plan = "\n".join(row[0] for row in rows)
            cost = max(map(rows_of, plan.split("\n")))
        connection.rollback()
    return cost, plan


def steps_of(connection: Connection, statement: str, parameters: Any) -> int:
    driver: Any = connection.connection.driver_connection
    hundreds = itertools.count()
    driver.set_progress_handler(lambda: next(hundreds) < 0, 100)
    try:
        driver.execute(statement, parameters).fetchall()
    finally:
        driver.set_progress_handler(None, 0)
    return next(hundreds) * 100


def rows_of(line: str) -> int:
    """What a line of a plan went through: the rows that it gave or left out, each time that it ran."""
    gave = re.search(r"actual rows=(\d+) loops=(\d+)", line)
    left_out = re.search(r"Rows Removed by .*: (\d+)", line)
    return int(gave[1]) * int(gave[2]) if gave else int(left_out[1]) if left_out else 0


def is_exempt(asker: str) -> bool:
    return any(words in asker for words in EXEMPT)


@pytest.mark.slow
def test_no_question_reads_all_of_a_long_log(app: Flask, company: Company, listener: Listener) -> None:
    company_id = company.id
    ask_lists(company_id, listener)
    ask_pages(app, company, listener)
    ask_as_worker(app, listener)
    listener.asker = "this test"
    most = MOST_STEPS if db.engine.dialect.name == "sqlite" else MOST_ROWS
    costly = []
    asked = [each for each in listener.asked.values() if not is_exempt(each[0])]
    assert len(asked) > 300
    for asker, statement, parameters in asked:
        cost, plan = cost_of(statement, parameters)
        if cost > most or re.search(f"SCAN ({'|'.join(LARGE)})( |$)(?!USING)", plan):
            costly.append(f"{asker}: {cost}\n{statement}\n{parameters}\n{plan}")
    assert not costly, "\n\n".join([f"{len(costly)} of {len(asked)}", *costly])


FEW_STEPS, SHOWN = 25_000, 21
"""Of SQLite for a page that its index finds; and the rows of a page, with the one that tells of others."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("asked", "counted"),
    [
        ({"since": utcnow() - timedelta(days=7)}, "on (delivery|contact) "),
        ({"search": "pessoa 42"}, "on contact "),
    ],
    ids=["of a time", "of some contacts"],
)
def test_a_page_reads_what_it_shows_and_joins_nothing_to_others(
    app: Flask, company: Company, listener: Listener, asked: dict[str, Any], counted: str
) -> None:
    with reading(), Session(db.engine) as session:
        wanted = read_deliveries(session, company.id, asked)
        listener.asked.clear()
        assert len(page_deliveries(session, company.id, wanted).items) == SHOWN - 1
    (page,) = [each for each in listener.asked.values() if "campaign_1" in each[1]]
    cost, plan = cost_of(*page[1:])
    if db.engine.dialect.name == "sqlite":
        assert cost < FEW_STEPS, plan
    else:
        assert {rows_of(line) for line in plan.split("\n") if re.search(counted, line)} == {SHOWN}, plan
