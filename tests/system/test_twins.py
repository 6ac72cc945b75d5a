"""No act of one company changes a row of another that has the same people, campaigns, keys, notes and tokens."""

from datetime import timedelta

import pytest
from flask import Flask

from portal import clock, outbox
from portal.company import endpoint
from portal.contacts import assigning, doubts, merging, notes, syncing
from portal.contacts.assigning import Target
from portal.contacts.classifying import classify_many
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.deliveries import resending
from portal.deliveries.filtering import DeliveryFilter
from portal.models import Company, Contact, User
from portal.people import emails, links, tokens, users
from portal.privacy import closing, retention
from portal.privacy.erasing import erase_contact
from portal.runtime import runtime
from portal.working_models import CrmRecord, InspectedRequest
from tests.conftest import BOTH, URL
from tests.factories import (
    NOON,
    actor_of,
    classify_contact,
    do_tasks,
    make_company,
    make_delivery,
    make_import,
    make_user,
    mark_delivered,
    save_many,
    set_crm_link,
)
from tests.privacy.test_closing import rows

PEOPLE = [
    {
        "contact": {"name": "Ana Lima", "email": "ana@x.test", "linkedin_public_id": "ana"},
        "campaign": {"name": "Feira"},
    },
    {"contact": {"name": "Ana Lima", "email": "lima@x.test"}, "campaign": {"name": "Outra"}},
    {"contact": {"name": "Bia", "email": "bia@x.test"}, "campaign": {"name": "Feira"}},
    {"contact": {"name": "Caio", "phone": "+55 11 91234-5678"}, "campaign": {"name": "Feira"}},
]


def make_twin(name: str) -> Company:
    company = make_company(name, url=URL)
    set_crm_link(company)
    user = make_user(company, name="Dona")
    tokens.create_token(db.session, user, label="CRM")
    links.create_link(db.session, purpose="reset", user=user)
    ids = [saved.contact_id for saved in save_many(company, PEOPLE)]
    db.session.commit()
    contacts = [db.session.get_one(Contact, number) for number in ids]
    for contact in contacts[:3]:
        mark_delivered(make_delivery(contact, 2), warning="source_code")
        db.session.add(CrmRecord(contact_id=contact.id, pointer="/id", value="7"))
    classify_contact(contacts[3], 1)
    merging.merge(db.session, actor_of(company), ids[0], ids[1])
    notes.write_note(db.session, actor_of(company), "timeout", "o mesmo")
    make_import(company)
    body = b'{"name": "Ana Lima"}'
    facts = {"signature": "valid", "headers": [], "body": body, "size": len(body), "received_at": NOON}
    db.session.add(InspectedRequest(company_id=company.id, **facts))
    db.session.commit()
    return company


def act(company: Company, do: str) -> None:
    actor = actor_of(company)
    first, third, fourth = db.session.query(Contact).filter_by(company_id=company.id).order_by(Contact.id)
    user = db.session.query(User).filter_by(company_id=company.id, name="Dona").one()
    match do:
        case "save":
            save_many(company, [{**person, "contact": person["contact"] | {"role": "Outro"}} for person in PEOPLE])
        case "classify":
            classify_many(db.session, actor, range(1, fourth.id + 9), 3)
        case "merge":
            merging.merge(db.session, actor, first.id, third.id)
        case "note":
            notes.write_note(db.session, actor, "timeout", "outro")
        case "assign":
            assigning.start(db.session, actor, ContactFilter(), Target(user.id, third.campaign_id))
        case "settle":
            doubts.settle(db.session, actor, warning="source_code")
        case "sync":
            syncing.start(db.session, actor)
        case "resend":
            resending.start(db.session, actor, DeliveryFilter(), risks=resending.RISKS)
        case "cancel":
            outbox.cancel_waiting(db.session, company.id)
        case "release":
            outbox.release_waiting(db.session.connection(), company.id, now=clock.utcnow())
        case "address":
            endpoint.remove_address(db.session, actor)
        case "person":
            make_user(company)  # an admin stays
            users.change_role(db.session, make_user(company), "member", actor=actor)
            emails.change(db.session, user, "novo@x.test", actor=actor)
            users.disable(db.session, user, actor=actor)
        case "purge":
            retention.keep_for(db.session, actor, company, dict.fromkeys(retention.PERIODS, 0))
            db.session.commit()
            limits = retention.limits_of(company, now=clock.utcnow() + timedelta(days=1))
            for chunk in retention.cut_into_chunks(company.id, limits):
                chunk(db.session)
        case "erase":
            erase_contact(db.session, first, actor, vault=runtime().vault)
        case "close":
            closing.close(db.session, company, actor, vault=runtime().vault)


ACTS = (
    *("save", "classify", "merge", "note", "assign", "settle", "sync", "resend", "cancel", "address", "person"),
    *("release", "purge", "erase", "close"),
)


def stored() -> dict[str, set[str]]:
    db.session.commit()
    with db.engine.connect() as connection:
        return rows(connection)


@BOTH
@pytest.mark.parametrize("is_first", [True, False], ids=["made first", "made last"])
@pytest.mark.parametrize("do", ACTS)
def test_what_one_does_leaves_every_row_of_its_twin(app: Flask, do: str, is_first: bool) -> None:
    acting = make_twin("Age") if is_first else None
    before = stored()
    make_twin("Igual")
    twin = {name: found - before[name] for name, found in stored().items()}
    acting = acting or make_twin("Age")
    held = stored()
    act(acting, do)
    do_tasks()
    left = stored()
    assert left != held
    assert {name: found - left[name] for name, found in twin.items() if found - left[name]} == {}
    assert sum(map(len, twin.values())) > 20
