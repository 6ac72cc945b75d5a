"""Every letter about a company of which everything is known: to whom it goes, and what it says, word by word.

tests/data/written holds it; tests/views/written.py says how it is written anew.
"""

from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from portal.i18n import speaking
from portal.models import Company, Delivery, Endpoint, User
from portal.notices import letters
from portal.notices.due import Notice
from portal.notices.letters import Letter
from portal.rules.reasons import Limits
from portal.web import link_mail
from tests.factories import NOON, make_user
from tests.views.written import check, furnish, varied

BASE = "https://p.example"
ENDED = datetime(2026, 3, 10, 11, tzinfo=UTC)
STATES: dict[str, tuple[str, str | None, dict[str, Any]]] = {
    "failing": ("failing", "d_pending", {"failing_since": ENDED}),
    "failing for long": ("failing", "d_failed", {"failing_since": datetime(2026, 3, 1, tzinfo=UTC)}),
    "paused by somebody": ("paused", None, {"paused_reason": "manual"}),
    "paused, gone": ("paused", "d_failed", {"paused_reason": "gone"}),
    "paused after three days": ("paused", "d_pending", {"paused_reason": "outage"}),
    "paused by a restore": ("paused", "d_failed", {"paused_reason": "restored"}),
    "failed": ("failed", "d_failed", {}),
    "active": ("active", None, {}),
}
"""What is told, the delivery that shows the cause, and how the endpoint is."""


def lines(letter: Letter | None) -> list[str]:
    return [] if letter is None else [", ".join(letter.recipients), letter.subject, *varied(letter.text).splitlines()]


@pytest.fixture
def known(app: Flask) -> dict[str, str]:
    found = furnish()
    company = db.session.get_one(Company, int(found["company"]))
    for email in ("zelia@x.test", "alba@x.test"):
        make_user(company, email=email)
    make_user(company, email="longe@x.test").disabled_at = NOON
    db.session.commit()
    return found


def notice_of(known: dict[str, str], state: str, delivery: str | None, **facts: Any) -> Notice:
    place = db.session.query(Endpoint).filter_by(company_id=int(known["company"])).one()
    place.failing_since, place.paused_reason = facts.get("failing_since"), facts.get("paused_reason")
    found = db.session.query(Delivery).filter_by(webhook_id=known[delivery]).one() if delivery else None
    given = {"state": state, "language": "pt_BR", "timezone": "America/Sao_Paulo", "told": "active", "told_at": None}
    rows = {"way": place, "endpoint_id": place.id, "company_id": place.company_id}
    notice = Notice(**rows, **given, delivery_id=found.id if found else None)
    db.session.commit()
    return notice


@time_machine.travel(NOON, tick=False)
def test_every_notice_is_written_down(app: Flask, known: dict[str, str]) -> None:
    found = {}
    for name, (state, delivery, facts) in STATES.items():
        for base_url in (None, BASE):
            given = notice_of(known, state, delivery, **facts)
            with speaking(app, "pt_BR", "America/Sao_Paulo"):
                letter = letters.write_letter(db.session, given, base_url=base_url, limits=Limits())
            found[f"{name}, {base_url}"] = lines(letter)
    check("notices", found)


@time_machine.travel(NOON, tick=False)
def test_every_letter_with_a_link_is_written_down(app: Flask, known: dict[str, str]) -> None:
    facts, user = {"name": "Ana", "company": "Ágil"}, db.session.get_one(User, int(known["admin"]))
    with speaking(app, "pt_BR", "America/Sao_Paulo"):
        found = {
            purpose: link_mail.write_letter(facts, f"{BASE}/x", recipient="bia@x.test", purpose=purpose)
            for purpose in ("invitation", "reset", "email")
        }
        found["farewell"] = link_mail.write_farewell(facts, "nova@x.test", recipient="bia@x.test")
        found["trial"] = letters.write_trial(user.company, "bia@x.test")
    check("links", {name: lines(letter) for name, letter in found.items()})
