"""What is looked for in the audit log: of the other entries each misses by one fact."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import insert

from portal import audit, clock
from portal.audit import Actor, AuditFilter, Stranger
from portal.database.db import db, reading
from portal.models import AuditEntry, Company
from tests.factories import NOON, make_company

MOMENT, DAY = timedelta(microseconds=1), timedelta(days=1)
IT = {"actor": "ana@x.test", "action": "contacts.imported", "subject": "7", "created_at": NOON}
OTHERS: dict[str, dict[str, Any]] = {
    "older": {"created_at": NOON - MOMENT},
    "newer": {"created_at": NOON + MOMENT},
    "another's": {"actor": "bia@x.test"},
    "another act": {"action": "contacts.synced"},
    "of something else": {"subject": "8"},
    "of nobody": {"company": None},
    "another company's": {"company": "Outra"},
}


@pytest.fixture(autouse=True)
def at_noon(app: Flask) -> Iterator[None]:
    with time_machine.travel(NOON + DAY, tick=False):
        yield


def make_entries(*wanted: str) -> dict[str | None, int]:
    """The companies by name; the entry that is meant stands first, unless others are named."""
    companies: dict[str | None, Any] = {None: None, "Age": make_company("Age").id, "Outra": make_company("Outra").id}
    for name in wanted or ("it", *OTHERS):
        facts = IT | {"company": "Age", "ip": name} | OTHERS.get(name, {})
        db.session.add(AuditEntry(company_id=companies[facts.pop("company")], **facts))
        db.session.flush()
    db.session.commit()
    return companies


def left() -> set[str | None]:
    return {entry.ip for entry in db.session.query(AuditEntry)}


def test_a_company_s_log_is_read_the_newest_first_by_all_that_it_is_narrowed_to() -> None:
    own = make_entries()["Age"]
    names = [name for name in ("it", *OTHERS) if name not in ("of nobody", "another company's")]
    for wanted, missing in (
        ({}, set()),
        ({"actor": "ana@x.test"}, {"another's"}),
        ({"action": "contacts.imported"}, {"another act"}),
        ({"since": NOON}, {"older"}),
        ({"until": NOON + MOMENT}, {"newer"}),
    ):
        page = audit.page_entries(db.session, own, AuditFilter(**wanted))
        assert [entry.ip for entry in page.items] == [name for name in reversed(names) if name not in missing]


def test_a_long_log_is_read_forwards_and_back() -> None:
    own = make_entries()["Age"]
    first = audit.page_entries(db.session, own, AuditFilter(), limit=2)
    second = audit.page_entries(db.session, own, AuditFilter(), limit=2, cursor=first.next_cursor)
    back = audit.page_entries(db.session, own, AuditFilter(), limit=2, before=second.previous_cursor)
    names = [[entry.ip for entry in page.items] for page in (first, second, back)]
    assert names == [["of something else", "another act"], ["another's", "newer"], names[0]]


@pytest.mark.parametrize("name", ["it", *OTHERS])
def test_what_was_done_within_a_day_is_noted_once_for_each_who_does_it(name: str) -> None:
    own = make_entries(name, "of nobody")["Age"]
    actor, is_it = Actor(own, "ana@x.test", "now"), name in ("it", "newer")
    assert audit.has_recent(db.session, actor, "contacts.imported") is (is_it or name == "of something else")
    audit.count(db.session, actor, "contacts.imported", subject="7")
    assert {entry.ip: entry.times for entry in db.session.query(AuditEntry)} == (
        {name: 2, "of nobody": 1} if is_it else {name: 1, "of nobody": 1, "now": 1}
    )
    audit.note_once_a_day(db.session, actor, "contacts.imported", subject="7")
    audit.note_once_a_day(db.session, actor, "contacts.imported", subject="9", of_any_subject=True)
    assert db.session.query(AuditEntry).count() == 3 - is_it
    audit.note_once_a_day(db.session, actor, "contacts.imported", subject="9")
    assert db.session.query(AuditEntry).filter_by(subject="9").count() == 1


@pytest.mark.parametrize(("since", "is_known"), [(499, True), (500, False)])
def test_what_was_done_is_known_among_the_last_five_hundred_entries(since: int, is_known: bool) -> None:
    own = make_entries("it")["Age"]
    rows = [IT | {"company_id": own, "action": "contacts.synced"}] * since
    db.session.execute(insert(AuditEntry), rows)
    assert audit.has_recent(db.session, Actor(own, "ana@x.test"), "contacts.imported") is is_known


def test_what_cannot_be_noted_while_another_writes_is_said_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    actor = Actor(make_company().id, "ana@x.test")
    db.session.commit()
    monkeypatch.setattr(audit, "NOTE_SECONDS", 0.01)
    logging.getLogger("portal").propagate = True
    with closing(sqlite3.connect(str(db.engine.url.database))) as other, reading():
        other.execute("BEGIN IMMEDIATE")
        audit.count(db.session, actor, "token.refused", subject="7")
        audit.note_once_a_day(db.session, actor, "contact.viewed", subject="7")
    said = [vars(record)["action"] for record in dict.fromkeys(caplog.records)]
    assert (said, left()) == (["act_unnoted", "look_unnoted"], set())


def test_what_the_portal_does_by_itself_is_a_part_of_what_it_does() -> None:
    number = make_company().id
    audit.record_by_portal(db.session.connection(), number, "webhook.paused", subject="gone", now=NOON)
    (entry,) = db.session.query(AuditEntry)
    facts = (entry.company_id, entry.actor, entry.action, entry.subject, entry.created_at)
    assert facts == (number, "portal", "webhook.paused", "gone", NOON)


def test_what_a_stranger_did_is_noted_once_a_day_whatever_companies_did() -> None:
    make_entries("it", "another company's")
    for number in range(2):
        stranger, again = Stranger("ana@x.test", "now"), str(number)
        audit.note_once_a_day(db.session, stranger, "contacts.imported", subject=again, of_any_subject=True)
    assert left() == {"it", "another company's", "now"}
    noted = [entry.subject for entry in audit.last_noted(db.session, "contacts.imported", since=NOON)]
    assert noted == ["0"]


def test_of_nobody_s_acts_the_newest_comes_first() -> None:
    make_entries()
    for at, subject in ((NOON, "first"), (NOON - MOMENT, "too old"), (NOON, "second")):
        facts = IT | {"created_at": at, "subject": subject}
        db.session.add(AuditEntry(company_id=None, **facts))
    db.session.flush()
    assert [entry.subject for entry in audit.last_noted(db.session, "contacts.imported", since=NOON)] == [
        "second",
        "first",
        "7",
    ]


def test_acts_are_counted_since_a_moment() -> None:
    companies = make_entries(*OTHERS, "it", "newer")
    assert audit.count_since(db.session, companies["Age"], "contacts.imported", since=NOON) == 1
    assert audit.count_since(db.session, companies["Age"], "contacts.imported", since=NOON - MOMENT) == 5
    assert audit.count_since(db.session, companies["Outra"], "contacts.imported", since=NOON - MOMENT) == 1


@pytest.mark.parametrize(
    ("company", "limit", "gone"),
    [("Age", 9, {"older"}), ("Age", 0, set()), (None, 9, set()), ("Outra", 9, set())],
)
def test_what_is_older_goes_and_no_more_than_was_asked_for(company: str | None, limit: int, gone: set[str]) -> None:
    number = make_entries()[company]
    assert audit.forget(db.session, number, before=NOON, limit=limit) == len(gone)
    assert left() == {"it", *OTHERS} - gone
    assert audit.forget(db.session, number, before=NOON + MOMENT, limit=1) == 1


def test_an_act_keeps_three_hundred_characters_of_what_it_was_done_to() -> None:
    actor = Actor(make_company().id, "ana@x.test")
    for subject in ("x" * 300, "x" * 301, "", None):
        audit.record(db.session, actor, "contacts.imported", subject=subject)
    db.session.flush()
    kept = [entry.subject for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)]
    assert kept == ["x" * 300, "x" * 300, None, None]


def test_what_is_done_to_the_whole_installation_stands_with_each_company_that_is_not_closed() -> None:
    made = [make_company(name) for name in ("Uma", "Duas", "Fechada")]
    db.session.get_one(Company, made[2].id).closed_at = clock.utcnow()
    audit.record_everywhere(db.session, audit.CONSOLE, "backup.made", subject="x")
    noted = [(entry.company_id, entry.actor) for entry in db.session.query(AuditEntry).order_by(AuditEntry.id)]
    assert noted == [(made[0].id, "console"), (made[1].id, "console")]
