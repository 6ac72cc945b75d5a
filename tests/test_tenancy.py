"""Each function that reads by a company's number finds what is that company's, and nothing of another's.

A function that no row names fails the test: so a question without its company cannot be written unseen.
"""

import ast
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy.orm import Session

from portal import clock
from portal.company import chat, endpoint, inspector, knowledge, outages
from portal.company.refusals import NoAddress
from portal.contacts import (
    campaigns,
    classifying,
    completing,
    doubts,
    filtering,
    listing,
    merging,
    notes,
    syncing,
    triage,
)
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.deliveries import filtering as log_filtering
from portal.deliveries import first_steps, health, log, resending
from portal.deliveries.filtering import DeliveryFilter
from portal.importing.order import KIND as IMPORT
from portal.notices import letters
from portal.people import tokens, users
from portal.privacy import closing, retention
from portal.report import Report, ReportFilter, make_report
from portal.runtime import runtime
from portal.tasks import store
from portal.working_models import HeldDelivery, Outage
from tests.conftest import URL
from tests.factories import (
    actor_of,
    attempt_of,
    make_company,
    make_contact,
    make_delivery,
    make_import,
    make_user,
    mark_delivered,
)

PORTAL = Path(__file__).parent.parent / "portal"
ROOMS = ("company", "contacts", "deliveries", "notices", "people", "privacy", "report", "tasks")
HOUR = timedelta(hours=1)
ELSEWHERE = {
    **{
        f"company/endpoint {name}": "its own line is asked for by its key" for name in ("lock_endpoint", "get_endpoint")
    },
    "company/endpoint say_when_it_leaves": "words of what `get_endpoint` returns",
    "company/header seal_header": "asks nothing",
    "company/inspector clear": "tests/company/test_near_misses",
    "company/inspector take": "tests/views/test_inspector",
    "company/knowledge forget_records": "tests/company/test_knowledge",
    "contacts/assigning read_target": "asks `filtering`",
    "contacts/candidates load_known": "tests/contacts/test_twin_company",
    **{f"contacts/reaching {name}": "conditions of the report" for name in ("are_levels_between", "arrival_of")},
    "contacts/reaching read_reached": "reads words",
    "contacts/doubts is_open_answer": "a condition of the log",
    "contacts/filtering select_contacts": "asked by `page_contacts`",
    **{f"{room} read_filter": "asks the functions of its fields" for room in ("contacts/filtering", "report/__init__")},
    "deliveries/filtering select_deliveries": "asked by `page_deliveries`",
    "deliveries/opening crm_addresses_of": "of the contacts that it is given",
    "deliveries/filtering read_filter": "asks the functions of its fields",
    "report/__init__ read_filter": "asks the functions of its fields",
    "notices/due latest_failed": "tests/notices",
    "privacy/closing erase": "tests/privacy/test_closing",
    "privacy/retention cut_into_chunks": "tests/privacy/test_retention",
}
"""Functions that read nothing by themselves, and the tests of those that change something."""


class Full:
    """A company that has one or two of everything, and what names it."""

    def __init__(self) -> None:
        self.company = make_company("Cheia", url=URL)
        self.user = make_user(self.company, email="rita@x.example")
        self.contact, self.unset = (make_contact(self.company, name="Ana") for _ in range(2))
        self.double = make_contact(self.company, name="Ana", linkedin_public_id=None)
        self.sent = mark_delivered(make_delivery(self.contact, 2), warning="error_words")
        self.failed = make_delivery(self.double, 3)
        self.failed.status, self.failed.reason = "failed", "timeout"
        make_delivery(make_contact(self.company))
        self._add_rows()
        db.session.commit()

    def _add_rows(self) -> None:
        now, actor = clock.utcnow(), actor_of(self.company)
        chat.set_chat(db.session, runtime(), actor, URL)
        notes.write_note(db.session, actor, "timeout", "Falei")
        tokens.create_token(db.session, self.user, label="t")
        self.outage = Outage(company_id=self.company.id, began_at=now - HOUR, reason="timeout")
        db.session.add(self.outage)
        db.session.flush()
        db.session.add(HeldDelivery(outage_id=self.outage.id, delivery_id=self.failed.id))
        inspector.open_inspector(db.session, self.company, actor)
        inspector.take(db.session, self.company.id, headers=[], body=b"{}", vault=runtime().vault, now=now)
        self.task = make_import(self.company)
        for kind, status in ((retention.KIND, "done"), (syncing.KIND, "waiting")):
            store.create(db.session, actor, kind).status = status
        db.session.add(
            attempt_of(
                self.sent, number=1, trigger="sync", started_at=now - HOUR, duration_ms=5, reason="ok_json", url=URL
            )
        )


Call = Callable[[Any, int, Full], Any]
ALL, EVERY = ContactFilter(), DeliveryFilter()


def starts() -> list[datetime]:
    return [clock.utcnow() - 2 * HOUR, clock.utcnow() + HOUR]


def span() -> ReportFilter:
    since, until = starts()
    return ReportFilter(since=since, until=until)


def reported(report: Report) -> list[Any]:
    return [sum(each.contacts for each in report.whole.levels), report.outages, report.timed]


def number_or_none(ask: Callable[..., int], *given: Any) -> int | None:
    try:
        return ask(*given)
    except ValueError:
        return None


def is_sent_to(session: Session, company_id: int, ask: Callable[..., Any] = endpoint.require_address) -> bool:
    try:
        ask(session, company_id)
    except NoAddress:
        return False
    return True


def asked(full: Full) -> list[DeliveryFilter]:
    """All, and what is found by an index that is of no company."""
    some: list[dict[str, Any]] = [{"contact_id": full.double.id}, {"contact_ids": (full.double.id,)}]
    some += [{"outage_id": full.outage.id}, {"outstanding": "warning"}, {"outstanding": "yes"}]
    return [EVERY, *(DeliveryFilter(**each) for each in some)]


CALLS: dict[str, Call] = {
    "contacts/campaigns campaigns_of": lambda s, c, _: campaigns.campaigns_of(s, c),
    "contacts/campaigns newest_campaign": lambda s, c, _: campaigns.newest_campaign(s, c),
    "contacts/campaigns count_campaigns": lambda s, c, _: campaigns.count_campaigns(s, c),
    "contacts/classifying look": lambda s, c, _: vars(classifying.look(s, c, ALL)),
    "contacts/classifying choose": lambda s, c, f: classifying.choose(s, c, ALL, newest_id=f.unset.id),
    "contacts/completing look": lambda s, c, _: completing.look(s, c, ALL).total,
    "contacts/doubts doubts_of": lambda s, c, _: doubts.doubts_of(s, c),
    "contacts/filtering find_campaign": lambda s, c, f: filtering.find_campaign(s, c, f.contact.campaign.name),
    "contacts/filtering campaign_id_of": lambda s, c, f: [
        found
        for asked in (f.contact.campaign.name, f.contact.campaign_id)
        if (found := number_or_none(filtering.campaign_id_of, s, c, asked))
    ],
    "contacts/filtering owner_id_of": lambda s, c, f: [
        found for asked in (f.user.email, f.user.id) if (found := number_or_none(filtering.owner_id_of, s, c, asked))
    ],
    "contacts/listing page_contacts": lambda s, c, _: listing.page_contacts(s, c, ALL).items,
    "contacts/listing read_contacts": lambda s, c, _: listing.read_contacts(s, c, ALL, after=None, limit=9),
    "contacts/listing count_contacts": lambda s, c, _: listing.count_contacts(s, c, ALL),
    "contacts/listing hold_contacts": lambda s, c, f: listing.hold_contacts(s, c, [f.contact.id]),
    "contacts/listing contacts_of": lambda s, c, f: listing.contacts_of(s, c, [f.contact.id]),
    "contacts/listing has_contacts": lambda s, c, _: listing.has_contacts(s, c),
    "contacts/listing get_contact": lambda s, c, f: listing.get_contact(s, c, f.contact.id),
    "contacts/merging find_doubles": lambda s, c, _: merging.find_doubles(s, c),
    "contacts/notes notes_of": lambda s, c, _: notes.notes_of(s, c),
    "contacts/syncing find_out_of_sync": lambda s, c, _: syncing.find_out_of_sync(s, c),
    "contacts/syncing count_out_of_sync": lambda s, c, _: syncing.count_out_of_sync(s, c),
    "contacts/syncing backlog_of": lambda s, c, _: syncing.backlog_of(s, c).contacts,
    "contacts/syncing causes_of": lambda s, c, _: syncing.causes_of(s, c),
    "contacts/triage find_next": lambda s, c, _: triage.find_next(s, c, ALL),
    "people/tokens tokens_of": lambda s, c, _: tokens.tokens_of(s, c),
    "people/users people_of": lambda s, c, _: users.people_of(s, c),
    "people/users find_person": lambda s, c, f: users.find_person(s, c, f.user.email),
    "privacy/closing holdings_of": lambda s, c, _: closing.holdings_of(s, c),
    "privacy/retention last_report": lambda s, c, _: retention.last_report(s, c),
    "deliveries/filtering last_before_latest": lambda s, c, _: log_filtering.last_before_latest(s, c, 1),
    "deliveries/first_steps first_steps": lambda s, c, _: [
        len(done := first_steps.first_steps(s, c)) < 4,
        *done.values(),
    ],
    "deliveries/health health_by_day": lambda s, c, _: [
        each.tries for each in health.health_by_day(s, c, starts=starts())
    ],
    "deliveries/log get_delivery": lambda s, c, f: log.get_delivery(s, c, f.failed.webhook_id),
    "deliveries/log page_deliveries": lambda s, c, f: [log.page_deliveries(s, c, each).items for each in asked(f)],
    "deliveries/log deliveries_of": lambda s, c, f: log.deliveries_of(s, c, [f.failed.webhook_id]),
    "deliveries/log count_newer": lambda s, c, _: log.count_newer(s, c, EVERY, than_id=0),
    "deliveries/log count_by_status": lambda s, c, _: log.count_by_status(s, c),
    "deliveries/log count_matching_by_status": lambda s, c, _: log.count_matching_by_status(s, c, EVERY),
    "deliveries/log count_by_day": lambda s, c, _: [
        number for each in log.count_by_day(s, c, EVERY, starts=starts()) for number in (each.delivered, each.failed)
    ],
    "deliveries/resending look": lambda s, c, _: resending.look(s, c, EVERY).groups,
    "deliveries/resending choose": lambda s, c, _: resending.choose(s, c, EVERY, risks=()),
    "company/chat get_chat": lambda s, c, _: chat.get_chat(s, c),
    "company/endpoint is_configured": lambda s, c, _: endpoint.is_configured(s, c),
    "company/inspector is_too_busy": lambda s, c, _: inspector.is_too_busy(s, c, now=clock.utcnow()),
    "company/inspector requests_of": lambda s, c, _: inspector.requests_of(s, c, now=clock.utcnow()),
    "company/knowledge was_told": lambda s, c, _: knowledge.was_told(s, c),
    "company/endpoint require_address": lambda s, c, _: is_sent_to(s, c),
    "company/endpoint lock_configured": lambda s, c, _: is_sent_to(s, c, endpoint.lock_configured),
    "company/endpoint describe": lambda s, c, _: endpoint.describe(s, c).waiting,
    "company/outages page_outages": lambda s, c, _: outages.page_outages(s, c).items,
    "company/outages last_outage": lambda s, c, _: outages.last_outage(s, c),
    "company/outages outages_between": lambda s, c, _: outages.outages_between(s, c, *starts()),
    "notices/letters recipients_of": lambda s, c, _: letters.recipients_of(s, c),
    "report/__init__ make_report": lambda s, c, _: reported(make_report(s, c, span(), zone=ZoneInfo("UTC"))),
    "tasks/store get_task": lambda s, c, f: store.get_task(s, c, (IMPORT,), f.task.id),
    "tasks/store find_open": lambda s, c, _: store.find_open(s, c, syncing.KIND),
    "tasks/store count_unfinished": lambda s, c, _: store.count_unfinished(s, c, (IMPORT,)),
    "tasks/store recent_tasks": lambda s, c, _: store.recent_tasks(s, c, (IMPORT,), limit=5),
}


def is_nothing(found: Any) -> bool:
    if isinstance(found, Mapping):
        found = [*found.values()]
    return not any(found) if isinstance(found, list) else not found


def functions_by_company() -> set[str]:
    """The public functions of the rooms that are given a company's number."""
    found = set()
    for path in (each for room in ROOMS for each in (PORTAL / room).rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                given = [each.arg for each in (*node.args.args, *node.args.kwonlyargs)]
                if "company_id" in given:
                    found.add(f"{path.relative_to(PORTAL).with_suffix('')} {node.name}")
    return found


@pytest.fixture
def full(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Full:
    monkeypatch.setattr(inspector, "MAX_A_MINUTE", 1)
    return Full()


def test_every_function_that_is_given_a_company_is_tried_or_named() -> None:
    named = CALLS.keys() | ELSEWHERE.keys()
    assert named == functions_by_company()
    assert not CALLS.keys() & ELSEWHERE.keys()


def test_what_is_asked_for_one_company_finds_nothing_of_another(full: Full) -> None:
    empty = make_company("Vazia")
    leaks = [name for name, ask in CALLS.items() if not is_nothing(ask(db.session, empty.id, full))]
    blind = [name for name, ask in CALLS.items() if is_nothing(ask(db.session, full.company.id, full))]
    assert (leaks, blind) == ([], [])
