"""Whether the CRM has the old data: what counts as a change, whoever makes it, and telling the CRM of it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from portal import clock
from portal.company.refusals import NoAddress
from portal.contacts import campaigns, syncing
from portal.contacts.classifying import classify
from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.standing import SHOWN_STATES, Standing, standings_of
from portal.contacts.syncing import NoLevel
from portal.database.db import db
from portal.models import Campaign, Company, Contact, Delivery, Endpoint
from portal.people import users
from tests import factories
from tests.conftest import BOTH
from tests.factories import (
    actor_of,
    classify_contact,
    make_contact,
    make_delivery,
    mark_delivered,
    save,
    save_many,
)

pytestmark = BOTH


@pytest.fixture
def told(company: Company) -> Contact:
    """A contact of whom the CRM knows everything."""
    item = {
        "contact": {"name": "Maria", "linkedin_public_id": "maria", "role": "Diretora"},
        "contact_owner": {"email": "ana@example.com", "name": "Ana"},
        "campaign": {"name": "Feira", "description": "De março"},
    }
    contact = save(company, item)
    mark_delivered(make_delivery(contact, 2))
    assert standing(contact).shown == "in_sync"
    return contact


def standing(contact: Contact) -> Standing:
    db.session.expire_all()
    found = standings_of(db.session, [contact])[contact.id]
    for state in SHOWN_STATES:
        assert is_listed(contact, ContactFilter(state=state)) == (state == found.shown), state
    for word in ("true", "false"):
        assert is_listed(contact, ContactFilter(data_changed=word)) == (word == str(found.data_changed).lower())
    db.session.commit()
    return found


def is_listed(contact: Contact, wanted: ContactFilter) -> bool:
    query = select_contacts(contact.company_id, wanted).where(Contact.id == contact.id)
    return db.session.scalars(query).first() is not None


def change(contact: Contact, role: str = "Sócia") -> None:
    save(contact.company, {"contact": {"id": contact.id, "role": role}})


FACTS = [
    {"contact": {"role": "Sócia"}},
    {"contact": {"phone": "+55 11 5555-0000"}},
    {"contact": {"reply_date": "2026-03-01 10:00:00"}},
    {"contact": {"skills": [{"skill": "Vendas", "endorsements": 1}]}},
    {"contact": {"experiences": [{"experience": "Gerente", "company_link": None}]}},
    {"contact_owner": {"email": "bia@example.com"}},
    {"campaign": {"name": "Outra"}},
    {"campaign": {"name": "Feira", "description": "De abril"}},
]


def with_id(contact: Contact, item: dict[str, Any]) -> dict[str, Any]:
    return item | {"contact": {"id": contact.id} | item.get("contact", {})}


@pytest.mark.parametrize("item", FACTS)
def test_a_field_of_the_body_that_changes_is_data_of_before_and_fires_nothing(told: Contact, item: Any) -> None:
    save(told.company, with_id(told, item))
    found = standing(told)
    assert (found.sync, found.data_changed, found.shown) == ("in_sync", True, "data_changed")
    assert db.session.query(Delivery).count() == 1


@pytest.mark.parametrize(
    "item",
    [
        {"contact": {"collect_date": "2026-03-01 10:00:00"}},
        {"messages": [{"sender_name": "Ana", "message": "Oi", "date": None, "pending_message": 0}]},
        {"contact": {"role": "Diretora", "linkedin_public_id": "https://linkedin.com/in/Maria/"}},
        {"contact_owner": {"email": "ana@example.com"}, "campaign": {"name": "Feira", "description": "De março"}},
    ],
)
def test_what_is_no_news_or_no_change_leaves_the_contact_in_sync(told: Contact, item: Any) -> None:
    save(told.company, with_id(told, item))
    assert standing(told).shown == "in_sync"


def test_removing_the_level_changes_no_data(told: Contact) -> None:
    classify_contact(told, None)
    assert not standing(told).data_changed


def test_a_campaign_that_is_renamed_or_described_makes_data_of_before_of_its_contacts_only(told: Contact) -> None:
    other = save(told.company, {"contact": {"name": "Rui"}, "campaign": {"name": "Outra"}})
    mark_delivered(make_delivery(other, 1))
    actor, campaign = actor_of(told.company), told.campaign
    assert not campaigns.change_campaign(db.session, actor, campaign, name="Feira", description="De março")
    assert standing(told).shown == "in_sync"
    assert campaigns.change_campaign(db.session, actor, campaign, name="Feira 2", description="De março")
    db.session.commit()
    assert (standing(told).shown, standing(other).shown) == ("data_changed", "in_sync")


def test_a_description_that_a_file_brings_counts_for_every_contact_of_the_campaign(told: Contact) -> None:
    other = save(told.company, {"contact": {"name": "Eva"}, "campaign": {"name": "Outra"}})
    mark_delivered(make_delivery(other, 1))
    rui = {"contact": {"name": "Rui"}, "campaign": {"name": "Feira", "description": "De maio"}}
    save_many(told.company, [rui, {"contact": {"id": other.id}, "campaign": {"name": "Outra"}}])
    db.session.commit()
    assert (standing(told).shown, standing(other).shown) == ("data_changed", "in_sync")


def test_an_owner_who_gets_another_name_makes_data_of_before(told: Contact) -> None:
    def invite(name: str) -> None:
        users.add_user(db.session, told.company, name=name, email="ana@example.com", role="member", password=None)
        db.session.commit()

    told.owner.role = None
    db.session.commit()
    invite(told.owner.name)
    assert standing(told).shown == "in_sync"
    told.owner.role = None
    db.session.commit()
    invite("Ana Lima")
    assert standing(told).shown == "data_changed"


def test_the_data_of_now_are_sent_once_and_bring_the_contact_in_sync(told: Contact) -> None:
    change(told)
    sent = syncing.send_current(db.session, actor_of(told.company), told.id)
    again = syncing.send_current(db.session, actor_of(told.company), told.id)
    db.session.commit()
    delivery = db.session.query(Delivery).filter_by(webhook_id=sent).one()
    assert (delivery.trigger, again, b"S\\u00f3cia" in delivery.body) == ("sync", None, True)
    assert (standing(told).shown, standing(told).data_changed) == ("waiting", True)
    mark_delivered(delivery)
    assert (standing(told).shown, standing(told).data_changed) == ("in_sync", False)
    assert syncing.send_current(db.session, actor_of(told.company), told.id) is None


def test_a_change_after_the_data_were_sent_is_data_of_before_again(told: Contact) -> None:
    change(told)
    sent = syncing.send_current(db.session, actor_of(told.company), told.id)
    db.session.commit()
    change(told, "Conselheira")
    assert standing(told).shown == "data_changed"
    mark_delivered(db.session.query(Delivery).filter_by(webhook_id=sent).one())
    assert standing(told).shown == "data_changed"


def test_nobody_without_a_level_or_without_an_address_is_sent(told: Contact) -> None:
    actor = actor_of(told.company)
    change(told)
    db.session.query(Endpoint).update({"url": None})
    with pytest.raises(NoAddress):
        syncing.send_current(db.session, actor, told.id)
    db.session.query(Endpoint).update({"url": "http://127.0.0.1:9999/hook"})
    db.session.commit()
    classify_contact(told, None)
    with pytest.raises(NoLevel):
        syncing.send_current(db.session, actor, told.id)
    assert db.session.query(Delivery).count() == 1


def test_another_companys_contact_is_not_sent(told: Contact) -> None:
    other = factories.make_company("Outra", url="http://127.0.0.1:9999/hook")
    with pytest.raises(NoLevel):
        syncing.send_current(db.session, actor_of(other), told.id)


def test_a_contact_that_changes_and_is_classified_in_one_list_is_told_as_it_was_then(company: Company) -> None:
    contact = make_contact(company)
    steps = [{"role": "A"}, {"interest_level": 2}, {"role": "B"}]
    save_many(company, [{"contact": {"id": contact.id} | step} for step in steps])
    db.session.commit()
    mark_delivered(db.session.query(Delivery).one())
    assert standing(contact).shown == "data_changed"
    save_many(company, [{"contact": {"id": contact.id} | step} for step in [{"role": "C"}, {"interest_level": 3}]])
    db.session.commit()
    mark_delivered(db.session.query(Delivery).order_by(Delivery.id.desc()).first())
    assert standing(contact).shown == "in_sync"


@pytest.mark.parametrize("is_classified", [True, False])
def test_a_clock_that_goes_back_leaves_no_data_of_before_in_what_was_just_told(
    told: Contact, monkeypatch: pytest.MonkeyPatch, is_classified: bool
) -> None:
    change(told)
    earlier = clock.utcnow() - timedelta(seconds=1)
    told.delivered_frozen_at = earlier - timedelta(hours=1)
    db.session.commit()
    monkeypatch.setattr(clock, "utcnow", lambda: earlier)
    if is_classified:
        classify(db.session, actor_of(told.company), told.id, 3)
    else:
        syncing.send_current(db.session, actor_of(told.company), told.id)
    db.session.commit()
    mark_delivered(db.session.query(Delivery).order_by(Delivery.id.desc()).first())
    assert standing(told).shown == "in_sync"


def test_who_classifies_while_a_campaign_is_renamed_sends_the_old_name_before_or_the_new_one_after(
    app: Flask, told: Contact
) -> None:
    """The rename is held open just before its commit: the other transaction waits for it, or was before."""
    started = threading.Event()

    def rename() -> None:
        with app.app_context():
            campaign = db.session.query(Campaign).filter_by(name="Feira").one()

            @event.listens_for(db.session(), "before_commit")
            def wait(_session: Any) -> None:
                started.set()
                threading.Event().wait(0.4)

            campaigns.change_campaign(db.session, actor_of(told.company), campaign, name="Nova", description=None)
            db.session.commit()

    actor = actor_of(told.company)
    contact_id = told.id
    db.session.commit()
    thread = threading.Thread(target=rename)
    thread.start()
    assert started.wait(10)
    classify(db.session, actor, contact_id, 3)
    db.session.commit()
    thread.join(60)
    delivery = db.session.query(Delivery).order_by(Delivery.id.desc()).first()
    body = delivery.body.decode()
    mark_delivered(delivery)
    assert standing(told).data_changed == ('"Feira"' in body)
    assert '"Nova"' in body
