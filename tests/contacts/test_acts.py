"""Each act on contacts is written down once, with who did it, from where, and to what; what changes nothing is not."""

from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from sqlalchemy import delete

from portal.audit import Actor
from portal.contacts import assigning, campaigns, classifying, doubts, merging, notes, syncing
from portal.contacts.assigning import Target
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.models import AuditEntry, Company, Contact
from tests.conftest import URL
from tests.factories import NOON, make_company, make_delivery, make_user, mark_delivered, save_many, set_url

IP = "192.0.2.7"
PEOPLE = [
    {"contact": {"name": name, "email": f"{name}@x.example"}, "campaign": {"name": campaign}}
    for name, campaign in (("ana", "Feira"), ("bia", "Feira"), ("caio", "Outra"))
]
ALL = ContactFilter(search="x.example")


@pytest.fixture
def company(app: Flask) -> Company:
    company = make_company()
    set_url(company, URL)
    return company


@pytest.fixture
def actor(company: Company) -> Actor:
    return Actor(company.id, "dora@x.example", IP)


@pytest.fixture
def ids(company: Company) -> list[int]:
    """Contacts of level 2 that the CRM took with a warning."""
    numbers = [saved.contact_id or 0 for saved in save_many(company, PEOPLE)]
    db.session.commit()
    for number in numbers:
        mark_delivered(make_delivery(db.session.get_one(Contact, number), 2), warning="error_words")
    db.session.execute(delete(AuditEntry))
    db.session.commit()
    return numbers


def written(actor: Actor) -> list[tuple[str, str | None]]:
    """The acts since the last look, all of them the actor's."""
    db.session.commit()
    rows = db.session.query(AuditEntry).order_by(AuditEntry.id).all()
    assert {Actor(row.company_id or 0, row.actor, row.ip) for row in rows} <= {actor}
    db.session.execute(delete(AuditEntry))
    db.session.commit()
    return [(row.action, row.subject) for row in rows]


def let_data_change(ids: list[int]) -> None:
    """The CRM has their old data."""
    for contact in (db.session.get_one(Contact, number) for number in ids):
        assert contact.delivered_frozen_at is not None
        contact.data_changed_at = contact.delivered_frozen_at + timedelta(microseconds=1)
    db.session.commit()


def test_campaigns_and_notes(company: Company, actor: Actor, ids: list[int]) -> None:
    campaign_id = db.session.get_one(Contact, ids[2]).campaign_id
    for _ in range(2):
        campaign = campaigns.get_campaign(db.session, company.id, campaign_id)
        assert campaign is not None
        campaigns.change_campaign(db.session, actor, campaign, name="Nova", description="Sobre")
        notes.write_note(db.session, actor, "timeout", " Falei\r\ncom eles ")
    for _ in range(2):
        notes.write_note(db.session, actor, "timeout", " ")
    assert written(actor) == [
        ("campaign.changed", "Nova"),
        ("cause.noted", "timeout: Falei\ncom eles"),
        ("cause.noted", "timeout: "),
    ]


def test_a_note_is_whose_words_it_has(company: Company, actor: Actor) -> None:
    for days, email in enumerate(("bia@x.example", actor.email)):
        with time_machine.travel(NOON + timedelta(days=days), tick=False):
            notes.write_note(db.session, Actor(company.id, email), "timeout", email)
            db.session.commit()
    (kept,) = notes.notes_of(db.session, company.id).values()
    assert (kept.text, kept.actor, kept.written_at) == (actor.email, actor.email, NOON + timedelta(days=1))


def test_levels_and_owners(company: Company, actor: Actor, ids: list[int]) -> None:
    heir, campaign_id = make_user(company, email="eva@x.example"), db.session.get_one(Contact, ids[2]).campaign_id
    nobody, owner_id = ContactFilter(search="nobody"), heir.id
    for wanted in (ALL, nobody):
        classifying.start(db.session, actor, wanted, 3, newest_id=ids[1])
        db.session.commit()
        for target in (Target(owner_id), Target(None, campaign_id), Target(owner_id, campaign_id)):
            assigning.start(db.session, actor, wanted, target)
            db.session.commit()
    assert written(actor) == [
        ("contacts.classified", "2"),
        ("contacts.assigned", "3 -> eva@x.example"),
        ("contacts.assigned", "3 -> Outra"),
        ("contacts.assigned", "3 -> eva@x.example Outra"),
    ]


def test_what_the_crm_is_told_and_has_answered(company: Company, actor: Actor, ids: list[int]) -> None:
    let_data_change(ids)
    for _ in range(2):  # the second time it is on its way
        syncing.send_current(db.session, actor, ids[0])
        syncing.send_current_of(db.session, actor, ids)
        doubts.settle(db.session, actor, contact_id=ids[0])
        doubts.settle(db.session, actor, warning="error_words")
        db.session.commit()
    assert written(actor) == [
        ("contact.sent", str(ids[0])),
        ("contacts.synced", "2"),
        ("warning.settled", str(ids[0])),
        ("warnings.settled", "2 error_words"),
    ]


def test_a_sync_of_many_and_two_that_are_one(company: Company, actor: Actor, ids: list[int]) -> None:
    for number in ids[:2]:
        db.session.get_one(Contact, number).interest_level = 3
    db.session.commit()
    for _ in range(2):  # the second time there is one under way
        syncing.start(db.session, actor)
    merging.merge(db.session, actor, ids[0], ids[1])
    assert written(actor) == [("contacts.synced", "2"), ("contact.merged", f"{ids[1]} -> {ids[0]}")]


@pytest.mark.parametrize("gone", [0, 2])
def test_whether_the_crm_was_told_of_who_is_merged_is_remembered(
    company: Company, actor: Actor, ids: list[int], gone: int
) -> None:
    (untold,) = (saved.contact_id or 0 for saved in save_many(company, [{"contact": {"name": "Davi"}}]))
    other = [*ids[:2], untold][gone]
    merging.merge(db.session, actor, ids[1], other)
    (memory,) = db.session.get_one(Contact, ids[1]).merged or []
    assert memory["is_told"] == (gone == 0)
