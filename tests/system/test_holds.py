"""Whoever changes what others may change at the same moment holds it first, and several contacts in one order."""

import re
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import ClauseElement, Connection, event
from sqlalchemy.dialects import postgresql, sqlite

from portal import outbox
from portal.clock import utcnow
from portal.company import asking, endpoint, inspector, knowledge
from portal.contacts import assigning, campaigns, doubts, merging, notes, syncing, triage, undoing
from portal.contacts.classifying import classify
from portal.database.db import db
from portal.database.driver import Hold, Statement
from portal.importing.undoing import _undo_part
from portal.outbox import Rules
from portal.outbox.outages import begin_outage, end_outage
from portal.people import links, logging_in, second_factor, users
from portal.privacy import closing
from portal.privacy.erasing import erase_contact
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.tasks import store
from portal.webhook import Outcome
from tests.conftest import URL
from tests.factories import actor_of, make_company, make_contact, make_delivery, make_import, make_user, save_many
from tests.outbox.test_claims import claim_in
from tests.outbox.test_outbox import answered, claim_due

HELD = re.compile(
    r"\bFROM (?!ROWS\b)(\w+).*\bFOR (?:(NO KEY UPDATE|KEY SHARE)|UPDATE)(?: OF (\w+))?( SKIP LOCKED)?", re.DOTALL
)
ORDERED = re.compile(r"ORDER BY (?:(?!FROM|ORDER|DESC).)* FOR ", re.DOTALL)
WORDS: Any = postgresql.psycopg.dialect()


def holds_of(act: Callable[[], object]) -> list[str]:
    """The tables of which rows are held, in that order, as PostgreSQL would be asked on any database.

    `*` stands behind those whose rows are held in one order, `-` where others may refer to them meanwhile, `?` where
    rows that others hold are passed over. A number says how many rows are held, where a session is asked for others
    than one.
    """
    asked: list[tuple[str, int]] = []
    is_counting = False

    def note(element: Any, rows: int = 1) -> None:
        if not isinstance(element, sqlite.Insert):  # which PostgreSQL has no words for
            asked.append((str(element.compile(dialect=WORDS)), rows))

    def noting(run: Callable[..., Any]) -> Callable[..., Any]:
        return lambda self, *given, **values: (note(self._element), run(self, *given, **values))[1]

    def listen(connection: Connection, element: Any, _many: Any, values: Any, _how: Any) -> None:
        nonlocal is_counting
        if is_counting or not isinstance(element, ClauseElement):
            return
        is_held = getattr(element, "_for_update_arg", None) is not None
        is_counting = True
        note(element, len(connection.execute(element, values).all()) if is_held else 1)
        is_counting = False

    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ((Statement, "all"), (Statement, "run"), (Statement, "run_many"), (Hold, "run")):
            patch.setattr(kind, name, noting(kind.__dict__[name]))
        event.listen(db.engine, "before_execute", listen)
        try:
            act()
        finally:
            event.remove(db.engine, "before_execute", listen)
            db.session.rollback()
    found = [(match, statement, rows) for statement, rows in asked if (match := HELD.search(statement))]
    return [
        (match[3] or match[1])
        + "*" * bool(ORDERED.search(statement))
        + "-" * (match[2] is not None)
        + "?" * (match[4] is not None)
        + f" {rows}" * (rows != 1)
        for match, statement, rows in found
    ]


def test_whoever_changes_what_others_may_change_holds_it(app: Flask) -> None:
    for name in ("Outra", "Terceira"):
        make_delivery(make_contact(make_company(name, url=URL)), 2)
    company = make_company(url=URL)
    actor, session, vault = actor_of(company), db.session, runtime().vault
    boss, other = make_user(company), make_user(company)
    ana, bia = make_contact(company), make_contact(company)
    delivery, seen_at = make_delivery(ana, 2).id, ana.classified_at
    given: Any = SimpleNamespace(company_id=company.id, actor=actor, arguments={"owner_id": other.id})
    file: Any = SimpleNamespace(company_id=company.id, arguments={"import": 1})
    one_campaign = {"name": "Outra", "description": None}
    acts: dict[str, Callable[[], object]] = {
        "save": lambda: save_many(company, [{"contact": {"name": "Novo"}}]),
        "level": lambda: classify(session, actor, ana.id, 3),
        "level in turn": lambda: triage.choose(session, actor, ana.id, 3, seen_at=seen_at),
        "undo": lambda: undoing.undo(session, actor, [ana.id], set_at=utcnow()),
        "take back": lambda: outbox.take_back(session, delivery, now=utcnow()),
        "settle": lambda: doubts.settle(session, actor, contact_id=ana.id),
        "send": lambda: syncing.send_current(session, actor, ana.id),
        "merge": lambda: merging.merge(session, actor, ana.id, bia.id),
        "campaign": lambda: campaigns.change_campaign(session, actor, ana.campaign, **one_campaign),
        "note": lambda: notes.write_note(session, actor, "timeout", "x"),
        "undo import": lambda: _undo_part(session, file, [ana.id, bia.id]),
        "assign": lambda: assigning._assign_part(session, given, [ana.id]),
        "erase": lambda: erase_contact(session, ana, actor, vault=vault),
        "name": lambda: users.change_profile(session, ana.owner, name="Outra", language="en", timezone=None),
        "role": lambda: users.change_role(session, boss, "member", actor=actor),
        "log-in": lambda: users.add_user(session, company, name="Z", email="z@x.test", role="admin", password=None),
        "code": lambda: second_factor.use_recovery_code(session, other, "0" * 20),
        "link": lambda: links.find_link(session, "x", purpose="reset"),
        "guess": lambda: logging_in.count_guess(session, "ana", ip="192.0.2.1"),
        "pause": lambda: endpoint.pause(session, actor),
        "look": lambda: asking.take_turn(session, actor, URL),
        "other CRM": lambda: knowledge.begin_anew(session, actor),
        "inspector": lambda: inspector.open_inspector(session, company, actor),
        "no inspector": lambda: inspector.close_inspector(session, company, actor),
        "close": lambda: closing.close(session, company, actor, vault=vault),
    }
    assert {name: holds_of(act) for name, act in acts.items()} == {
        "save": ["company-", "contact*"],
        "level": ["contact*"],
        "level in turn": ["contact", "contact*"],
        "undo": ["contact*"],
        "take back": ["delivery* 0"],
        "settle": ["contact* 0"],
        "send": ["contact*"],
        "merge": ["company-", "contact* 2", "contact*"],
        "campaign": ["company-", "company-", "contact* 2"],
        "note": ["company-"],
        "undo import": ["contact* 2"],
        "assign": ["company-", "company-", "contact*"],
        "erase": ["contact"],
        "name": ["company-", "contact* 2"],
        "role": ["company"],
        "log-in": ["company-"],
        "code": ["user_account"],
        "link": ["access_link 0"],
        "guess": ["login_failure? 0"],
        "pause": ["endpoint"],
        "look": ["endpoint"],
        "other CRM": ["company-", "contact* 2"],
        "inspector": ["company"],
        "no inspector": ["company"],
        "close": ["company", "endpoint"],
    }


def test_workers_pass_over_what_others_hold_and_hold_what_they_settle(app: Flask) -> None:
    company = make_company(url=URL)
    delivery, file = make_delivery(make_contact(company)), make_import(company)
    assert store.start(db.session, file)
    db.session.commit()
    (claim,), now = claim_due(), utcnow() + timedelta(hours=1)
    make_delivery(make_contact(company))
    rules = Rules(parse_schedule("0s"), now=now, jitter=lambda: 0.0)
    outcomes = {name: answered(name) for name in ("ok_text", "server_error")}
    down = Outcome.interrupted(url=URL, started_at=now)
    acts: dict[str, Callable[[Connection], object]] = {
        "claim": lambda connection: claim_in(connection, now),
        "settle": lambda connection: outbox.settle(connection, [(claim, outcomes["ok_text"])], rules),
        "settle, failed": lambda connection: outbox.settle(connection, [(claim, outcomes["server_error"])], rules),
        "recover": lambda connection: outbox.recover(connection, rules, lease=timedelta(seconds=15)),
        "end an outage": lambda connection: (
            begin_outage(connection, delivery.company_id, down, began_at=now),
            end_outage(connection, delivery.company_id, now=now),
        ),
        "do a task": lambda connection: store.claim(connection, now=now, lease=timedelta(minutes=1)),
    }

    def in_worker(act: Callable[[Connection], object]) -> None:
        db.session.rollback()
        with db.engine.connect() as connection:
            transaction = connection.begin()
            act(connection)
            transaction.rollback()

    assert {name: holds_of(lambda act=act: in_worker(act)) for name, act in acts.items()} == {
        "claim": ["delivery*-?"],
        "settle": ["contact*-", "endpoint*"],
        "settle, failed": ["delivery*-", "endpoint*"],
        "recover": ["delivery-?", "delivery*-"],
        "end an outage": ["delivery-"],
        "do a task": ["task*?"],
    }
