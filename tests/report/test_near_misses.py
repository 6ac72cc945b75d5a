"""Who is mailed the report: of the others each misses by one fact."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask

from portal.database.db import db
from portal.models import User
from portal.report import Part, Report, ReportFilter, Tally
from portal.report.mailing import claim, find_due, give_back
from portal.report.words import say_time
from tests.factories import make_company, make_user

MONDAY = datetime(2026, 3, 2, 10, tzinfo=UTC)  # 7:00 in São Paulo
IT = {"report_every": "week", "report_told": date(2026, 2, 23)}
OTHERS: Mapping[str, Mapping[str, Any]] = {
    "asks for none": {"report_every": None},
    "has it": {"report_told": date(2026, 3, 2)},
    "will have had it": {"report_told": date(2026, 3, 9)},
    "was shut out": {"disabled_at": MONDAY},
    "does not log in": {"role": None},
    "reads further west": {"timezone": "America/Manaus"},
}
MORE: Mapping[str, Mapping[str, Any]] = {
    "has never had one": {"report_told": None},
    "missed one": {"report_told": date(2026, 2, 16)},
    "is a member": {"role": "member"},
    "reads further east": {"timezone": "Europe/Lisbon"},
    "reads English": {"locale": "en"},
    "asks for months": {"report_every": "month", "report_told": date(2026, 2, 1)},
}


@pytest.fixture
def people(app: Flask) -> dict[str, User]:
    company = make_company()
    found = {name: make_user(company, name=name) for name in ("it", *OTHERS, *MORE)}
    for name, user in found.items():
        for fact, value in (IT | OTHERS.get(name, {}) | MORE.get(name, {})).items():
            setattr(user, fact, value)
    db.session.commit()
    return found


def test_who_asked_and_has_it_not_yet_is_mailed_it(people: dict[str, User]) -> None:
    issues = {issue.email: issue for issue in find_due(db.session, now=MONDAY)}
    assert list(issues) == [people[name].email for name in ("it", *MORE)]
    facts = {name: issues[people[name].email] for name in ("it", *MORE)}
    assert {name: (issue.language, issue.timezone) for name, issue in facts.items()} == {
        **dict.fromkeys(("it", *MORE), ("pt_BR", "America/Sao_Paulo")),
        "reads further east": ("pt_BR", "Europe/Lisbon"),
        "reads English": ("en", "America/Sao_Paulo"),
    }
    spans = {name: (issue.wanted.since, issue.wanted.until, issue.day) for name, issue in facts.items()}
    week = datetime(2026, 2, 23, 3, tzinfo=UTC), datetime(2026, 3, 2, 3, tzinfo=UTC), date(2026, 3, 2)
    assert spans == dict.fromkeys(("it", *MORE), week) | {
        "reads further east": (*(moment - timedelta(hours=3) for moment in week[:2]), week[2]),
        "asks for months": (datetime(2026, 2, 1, 3, tzinfo=UTC), datetime(2026, 3, 1, 3, tzinfo=UTC), date(2026, 3, 1)),
    }


@pytest.mark.parametrize(
    ("seconds", "time"),
    [(0.9, "menos de um segundo"), (1, "1 segundo"), (89, "89 segundos"), (90, "2 minutos"), (3600 * 35, "35 horas")],
)
def test_the_time_to_the_crm_is_said_in_the_largest_unit_that_it_has_more_than_one_of(
    app: Flask, seconds: float, time: str
) -> None:
    whole = Part(ReportFilter(since=MONDAY, until=MONDAY), None, [Tally(3)])
    parts = {"campaigns": (), "owners": (), "weeks": (), "outages": ()}
    report = Report(whole=whole, median_seconds=seconds, timed=1, **parts)
    with app.test_request_context():
        assert say_time(report) == f"Da classificação ao CRM: {time} (mediana)."
        assert say_time(replace(report, median_seconds=None)) == ""


def test_one_worker_alone_takes_it_and_may_give_it_back(people: dict[str, User]) -> None:
    told = {name: user.report_told for name, user in people.items()}
    issues = {issue.email: issue for issue in find_due(db.session, now=MONDAY)}
    for name in ("it", "has never had one"):
        issue = issues[people[name].email]
        assert [claim(db.session, issue), claim(db.session, issue)] == [True, False]
        db.session.expire_all()
        now = {each: user.report_told for each, user in people.items()}
        assert now == told | {name: date(2026, 3, 2)}
        give_back(db.session, issue)
        db.session.expire_all()
        assert {each: user.report_told for each, user in people.items()} == told
