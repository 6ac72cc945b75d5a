"""Whatever is done to contacts, the report says what a plain look at their history says, and at what arrived.

Each act is done by the function that pages, API and commands call. After each the test looks for itself whose levels
have arrived: that is known from then on, whatever becomes of the log.
"""

import random
from collections import Counter
from datetime import datetime, timedelta
from statistics import median
from typing import Any

import pytest
import time_machine
from sqlalchemy import func, or_, select

from portal import outbox
from portal.clock import utcnow
from portal.company import knowledge
from portal.contacts import assigning, classifying, doubts, merging, syncing, undoing
from portal.contacts.filtering import read_filter
from portal.contacts.listing import count_contacts
from portal.contacts.reaching import ARRIVALS, Reached
from portal.database.db import db
from portal.deliveries import resending
from portal.models import LEVELS, Campaign, Classification, Company, Contact, Delivery, User
from portal.privacy import closing, retention
from portal.privacy.erasing import erase_contact
from portal.report import Part, ReportFilter, make_report
from portal.rules.retry import parse_schedule
from portal.runtime import runtime
from portal.webhook import Outcome
from tests import factories
from tests.conftest import BOTH, URL
from tests.outbox.test_outbox import claim_due, worker_transaction
from tests.report.test_report import SINCE, UNTIL, ZONE

pytestmark = BOTH

ACTS = (
    *("classify", "classify", "undo", "bulk", "file", "edit", "assign", "move", "merge", "erase"),
    *("deliver", "deliver", "deliver", "deliver", "settle", "resend", "purge", "another_crm", "sync"),
)
OUTCOMES = (
    *({"reason": "ok_text"}, {"reason": "ok_text"}, {"reason": "ok_text", "warning": "error_words"}),
    *({"reason": "timeout"}, {"reason": "client_error"}),
)


class Acts:
    """A company's contacts, and what is done to them at random."""

    def __init__(self, company: Company, seed: int) -> None:
        self.company, self.random = company, random.Random(seed)
        self.actor = factories.actor_of(company)
        self.arrivals: dict[int, datetime] = {}  # when it was first seen, by the number of a classification
        for name in ("keep_bodies_days", "keep_log_days"):
            setattr(company, name, 4)
        for name in "abcdefgh":
            self.save(name)

    def do(self, act: str) -> None:
        ids = list(db.session.scalars(select(Contact.id).order_by(Contact.id)))
        getattr(self, act)(db.session.get_one(Contact, self.random.choice(ids)))
        db.session.commit()
        db.session.expire_all()
        self.look()

    def look(self) -> None:
        """Sees whose levels have arrived: by what told of that very classification, or of the contact later."""
        is_later = (Delivery.created_at > Classification.created_at) & Delivery.former_contact_id.is_(None)
        seen = (
            select(Classification.id, func.min(Delivery.delivered_at))
            .join(Delivery, Delivery.contact_id == Classification.contact_id)
            .where(Delivery.delivered_at.is_not(None))
            .where(or_(Delivery.created_at == Classification.created_at, is_later))
            .group_by(Classification.id)
        )
        there = set(db.session.scalars(select(Classification.id)))  # SQLite gives a number again
        known = {number: arrived_at for number, arrived_at in self.arrivals.items() if number in there}
        self.arrivals = dict(db.session.execute(seen).all()) | known
        db.session.commit()

    def save(self, name: str, **more: Any) -> None:
        facts = {"contact": {"name": name, "linkedin_public_id": name} | more, "campaign": {"name": "Norte"}}
        owner = {"name": "Bia", "email": self.random.choice(("bia@example.com", "caio@example.com"))}
        factories.save(self.company, facts | {"contact_owner": owner})

    def level(self) -> int:
        return self.random.choice((2, 3))

    def classify(self, contact: Contact) -> None:
        factories.classify_contact(contact, self.random.choice((1, 2, 3, 3, None)))

    def undo(self, contact: Contact) -> None:
        """Undoes the last of some levels, which may have been set before; the CRM may have been told of it."""
        for level in self.random.choices((1, 2, 3), k=3):
            if contact.interest_level != level:
                factories.classify_contact(contact, level)
                db.session.expire_all()
        if self.random.random() < 0.5:
            self.deliver(contact)
        db.session.refresh(contact)
        undoing.undo(db.session, self.actor, [contact.id], set_at=contact.classified_at or utcnow())

    def bulk(self, _contact: Contact) -> None:
        ids = list(db.session.scalars(select(Contact.id)))
        classifying.prepare(db.session, self.actor, ids, self.level())
        factories.do_tasks()

    def file(self, contact: Contact) -> None:
        """Levels come with the contacts, some of which are new."""
        self.save(contact.name, interest_level=self.level())
        self.save(f"novo-{self.random.randrange(4)}", interest_level=self.level())

    def edit(self, contact: Contact) -> None:
        self.save(contact.name, role="Gerente")

    def assign(self, contact: Contact) -> None:
        people = db.session.scalars(select(User.id).order_by(User.id)).all()
        self._give([contact.id], assigning.Target(owner_id=self.random.choice(people)))

    def move(self, contact: Contact) -> None:
        factories.make_contact(self.company, campaign={"name": "Sul"})
        campaigns = db.session.scalars(select(Campaign.id).order_by(Campaign.id)).all()
        self._give([contact.id], assigning.Target(campaign_id=self.random.choice(campaigns)))

    def _give(self, ids: list[int], target: assigning.Target) -> None:
        assigning.prepare(db.session, self.actor, ids, target)
        factories.do_tasks()

    def merge(self, contact: Contact) -> None:
        others = db.session.scalars(select(Contact.id).where(Contact.id != contact.id).order_by(Contact.id)).all()
        merging.merge(db.session, self.actor, contact.id, self.random.choice(others))

    def erase(self, contact: Contact) -> None:
        erase_contact(db.session, contact, self.actor, vault=runtime().vault)
        db.session.commit()
        self.save(f"outro-{self.random.randrange(1000)}")

    def deliver(self, _contact: Contact) -> None:
        """Some of what is due arrives, with or without a warning, and some does not."""
        if factories.endpoint_of(self.company).state == "paused":
            factories.resume(self.company)
        rules = outbox.Rules(parse_schedule("0s,30s"), now=utcnow(), jitter=lambda: 0.0)
        facts: dict[str, Any] = {"started_at": utcnow(), "duration_ms": 1, "url": URL}
        results = [(claim, Outcome(**facts, **self.random.choice(OUTCOMES))) for claim in claim_due(utcnow(), limit=6)]
        with worker_transaction() as connection:
            outbox.settle(connection, results, rules)

    def settle(self, _contact: Contact) -> None:
        doubts.settle(db.session, self.actor, warning="error_words")

    def resend(self, _contact: Contact) -> None:
        ended = select(Delivery).where(Delivery.status.in_(("delivered", "failed")), Delivery.has_body)
        if rows := db.session.scalars(ended.order_by(Delivery.id)).all():
            resending.resend(db.session, self.actor, self.random.choice(rows), accepting=resending.RISKS)

    def purge(self, _contact: Contact) -> None:
        for chunk in retention.cut_into_chunks(self.company.id, retention.limits_of(self.company, now=utcnow())):
            chunk(db.session)
            db.session.commit()

    def another_crm(self, _contact: Contact) -> None:
        knowledge.begin_anew(db.session, self.actor)

    def sync(self, contact: Contact) -> None:
        syncing.bring_in_sync(db.session, self.actor, [contact.id])

    def reached(self, part: Part) -> dict[tuple[int, int], tuple[int, str]]:
        """By contact and level of the span: the last classification that set it, and what the CRM knows of it."""
        wanted = part.wanted
        meant = [Classification.new_level.is_not(None), Contact.company_id == self.company.id]
        meant += [Contact.campaign_id == wanted.campaign_id] if wanted.campaign_id else []
        meant += [Contact.owner_id == wanted.owner_id] if wanted.owner_id else []
        facts = (Classification.id, Classification.contact_id, Classification.new_level, Classification.created_at)
        history = select(*facts, Contact.delivered_warning, Contact.delivered_level).join(
            Contact, Contact.id == Classification.contact_id
        )
        found = {}
        for row in db.session.execute(history.where(*meant).order_by(Classification.created_at, Classification.id)):
            has_arrived = row.id in self.arrivals or row.delivered_level == row.new_level
            known = "missing" if not has_arrived else "with_warning" if row.delivered_warning else "in_crm"
            if wanted.since <= row.created_at < wanted.until:
                found[row.contact_id, row.new_level] = row.id, known
        return found

    def counted(self, part: Part) -> dict[tuple[int, str], int]:
        counts = Counter((level, known) for (_, level), (_, known) in self.reached(part).items())
        return {(level, arrival): counts[level, arrival] for level in LEVELS for arrival in ARRIVALS}

    def seconds(self, part: Part) -> list[float]:
        """How long each level took that arrived."""
        numbers = [number for number, _ in self.reached(part).values() if number in self.arrivals]
        set_at = select(Classification.id, Classification.created_at).where(Classification.id.in_(numbers))
        return [(self.arrivals[number] - at).total_seconds() for number, at in db.session.execute(set_at)]


def counted(part: Part) -> dict[tuple[int, str], int]:
    """By level and what the CRM knows of it, what the report says."""
    return {(tally.level, arrival): getattr(tally, arrival) for tally in part.levels for arrival in ARRIVALS}


def opened(company: Company, part: Part) -> dict[tuple[int, str], int]:
    """How many contacts each of its numbers opens."""
    wanted = part.wanted
    narrowed = {"campaign": wanted.campaign_id, "owner": wanted.owner_id}
    numbers = {}
    for level, arrival in counted(part):
        reached = str(Reached(company.id, level, wanted.since, wanted.until, arrival))
        asked = read_filter(db.session, company.id, narrowed | {"reached": reached})
        numbers[level, arrival] = count_contacts(db.session, company.id, asked)
    return numbers


@pytest.mark.parametrize("seed", range(4))
def test_the_report_says_what_the_history_says_whatever_was_done(company: Company, seed: int) -> None:
    acts = Acts(company, seed)
    order = acts.random.sample(ACTS, len(ACTS)) + acts.random.choices(ACTS, k=14)
    for place, act in enumerate(order):
        with time_machine.travel(SINCE + place * timedelta(days=31) / len(order)):
            acts.do(act)
        report = make_report(db.session, company.id, ReportFilter(since=SINCE, until=UNTIL), zone=ZONE)
        assert counted(report.whole) == acts.counted(report.whole), act
    assert min(sum(tally.contacts for tally in report.whole.levels), report.timed) > 3
    for part in (report.whole, *report.weeks, *report.campaigns, *report.owners):
        assert counted(part) == acts.counted(part) == opened(company, part)
    seconds = acts.seconds(report.whole)
    assert (report.timed, report.median_seconds) == (len(seconds), median(seconds))


def test_closing_a_company_changes_the_report_of_no_other(company: Company) -> None:
    other = factories.make_company("Outra", url=URL)
    with time_machine.travel(SINCE, tick=False):
        for each in (company, other):
            factories.mark_delivered(factories.make_delivery(factories.make_contact(each), 3))
    closing.close(db.session, other, factories.actor_of(other), vault=runtime().vault)
    factories.do_tasks()
    assert db.session.scalars(select(Classification.company_id)).all() == [company.id]
    report = make_report(db.session, company.id, ReportFilter(since=SINCE, until=UNTIL), zone=ZONE)
    assert report.whole.levels[0].in_crm == 1
