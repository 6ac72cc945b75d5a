"""Whoever changes what others may change at the same moment holds it first, and several contacts in one order."""

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from portal import outbox
from portal.clock import utcnow
from portal.company import asking, endpoint, inspector, knowledge
from portal.contacts import assigning, campaigns, doubts, merging, notes, syncing, triage, undoing
from portal.contacts.classifying import classify
from portal.database import driver
from portal.database.db import db
from portal.importing.undoing import _undo_part
from portal.people import links, logging_in, recovery_codes, users
from portal.privacy import closing
from portal.privacy.erasing import erase_contact
from portal.runtime import runtime
from tests.applications import statements_of
from tests.conftest import URL
from tests.factories import actor_of, make_company, make_contact, make_delivery, make_user, save_many

HELD = re.compile(r"\bFROM (\w+).*\bFOR (?:NO KEY )?UPDATE(?: OF (\w+))?", re.DOTALL)


def holds_of(act: Callable[[], object]) -> list[str]:
    """The tables of which rows are held, in that order; `*` behind those whose rows are held in one order."""
    run = driver._run
    with statements_of(db.engine) as asked, pytest.MonkeyPatch.context() as patch:
        patch.setattr(driver, "_run", lambda *given, **how: (asked.append(given[1].sql), run(*given, **how))[1])
        act()
    db.session.rollback()
    found = [(match, statement) for statement in asked if (match := HELD.search(statement))]
    return [(match[2] or match[1]) + "*" * ("ORDER BY" in statement) for match, statement in found]


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_whoever_changes_what_others_may_change_holds_it(app: Flask) -> None:
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
        "assign": lambda: assigning._assign_part(given, [ana.id], session),
        "erase": lambda: erase_contact(session, ana, actor, vault=vault),
        "name": lambda: users.change_profile(session, ana.owner, name="Outra", language="en", timezone=None),
        "role": lambda: users.change_role(session, boss, "member", actor=actor),
        "log-in": lambda: users.add_user(session, company, name="Z", email="z@x.test", role="admin", password=None),
        "code": lambda: recovery_codes.use_code(session, other, "0" * 20),
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
        "save": ["company", "contact*"],
        "level": ["contact*"],
        "level in turn": ["contact", "contact*"],
        "undo": ["contact*"],
        "take back": ["delivery*"],
        "settle": ["contact*"],
        "send": ["contact*"],
        "merge": ["company", "contact*", "contact*"],
        "campaign": ["company", "company", "contact*"],
        "note": ["company"],
        "undo import": ["contact*"],
        "assign": ["company", "company", "contact*"],
        "erase": ["contact"],
        "name": ["company", "contact*"],
        "role": ["company"],
        "log-in": ["company"],
        "code": ["user_account"],
        "link": ["access_link"],
        "guess": ["login_failure"],
        "pause": ["endpoint"],
        "look": ["endpoint"],
        "other CRM": ["company", "contact*"],
        "inspector": ["company"],
        "no inspector": ["company"],
        "close": ["company", "endpoint"],
    }
