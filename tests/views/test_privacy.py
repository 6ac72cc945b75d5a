"""Personal data on pages: how long it is kept, what of one person there is, and erasing a person."""

import json
from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from sqlalchemy import select

from portal.audit import Actor
from portal.clock import utcnow
from portal.database.db import db
from portal.models import Attempt, AuditEntry, Classification, Company, Contact, Delivery, Message
from portal.privacy import export, retention
from portal.working_models import CrmRecord
from tests.conftest import running_worker
from tests.factories import classify_contact, forget_body, make_contact, make_delivery, set_url

DAYS = {"keep_bodies_days": "7", "keep_log_days": "90", "keep_audit_days": "400"}


def acts(action):
    db.session.rollback()
    return db.session.scalars(select(AuditEntry).where(AuditEntry.action == action)).all()


@pytest.fixture
def contact(company):
    set_url(company, "http://127.0.0.1:9099/")
    return make_contact(company, name="Zuleica Rara", email="zuleica@example.com")


def test_the_page_shows_the_deadlines_and_that_nothing_was_purged_yet(admin):
    page = admin.get("/privacy").text
    for days in ("30", "365", "730"):
        assert f'value="{days}"' in page
    assert "Ainda não houve nenhuma" in page


def test_deadlines_are_saved_and_stand_in_the_audit_log(admin, company):
    assert admin.post("/privacy", DAYS).status_code == 303
    saved = db.session.get(Company, company.id)
    assert (saved.keep_bodies_days, saved.keep_log_days, saved.keep_audit_days) == (7, 90, 400)
    assert acts("retention.changed")[0].subject == "7, 90, 400"


@pytest.mark.parametrize(
    "wrong", [{"keep_bodies_days": "0"}, {"keep_audit_days": "x"}, {"keep_log_days": "6"}, {"keep_log_days": "3651"}]
)
def test_deadlines_that_make_no_sense_are_refused(admin, company, wrong):
    answer = admin.post("/privacy", DAYS | wrong)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert db.session.get(Company, company.id).keep_bodies_days == 30


def test_the_page_shows_what_the_last_purge_took(admin, company):
    for bodies in (5678, 1234):
        counts = Counter(bodies=bodies, answers=5)
        retention.record_report(db.session, Actor(company.id, "portal"), counts, now=utcnow())
        db.session.commit()
    page = admin.get("/privacy").text
    assert "1.234" in page
    assert "5.678" not in page


def test_a_person_is_erased_after_being_asked(admin, contact):
    make_delivery(contact)
    contact_id = contact.id
    page = admin.get(f"/contacts/{contact_id}/erase").text
    assert "Zuleica Rara" in page
    assert "Uma entrega ainda espera" in page
    answer = admin.post(f"/contacts/{contact_id}/erase")
    assert (answer.status_code, answer.location) == (303, "/contacts")
    assert db.session.get(Contact, contact_id) is None
    kept = db.session.scalars(select(Delivery)).one()
    assert (kept.status, kept.body, kept.contact_id) == ("cancelled", None, None)
    [act] = acts("contact.erased")
    assert (act.actor, act.subject, act.ip) == (admin.email, str(contact_id), "127.0.0.1")
    assert admin.get(f"/deliveries/{kept.webhook_id}").status_code == 200


def test_one_person_is_exported_with_everything_that_is_kept(app, admin, company, contact, receiver):
    set_url(company, receiver.url)
    make_delivery(make_contact(company))
    db.session.add(Message(contact_id=contact.id, sender_name="Ana", message="Oi", pending=False))
    db.session.add(CrmRecord(contact_id=contact.id, pointer="/id", value="41"))
    db.session.commit()
    with running_worker(app):
        classify_contact(contact, 3)
        assert receiver.wait_for(2)
    make_delivery(make_contact(company))
    classify_contact(contact, None)
    db.session.commit()
    answer = admin.get(f"/contacts/{contact.id}/person.json")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="contato-{contact.id}.json"'
    told = json.loads(answer.text)
    assert told["contact"]["email"] == "zuleica@example.com"
    assert (told["campaign"], told["owner"], told["crm_record"], told["messages"]) == (
        "Geral",
        {"name": contact.owner.name, "email": contact.owner.email},
        "41",
        [{"id": 1, "sender_name": "Ana", "message": "Oi", "date": None, "pending": False}],
    )
    assert [row["new_level"] for row in told["classifications"]] == [3, None]
    [delivery] = told["deliveries"]
    own = {"company_id", "contact_id"}
    for said, table, left_out in (
        (told["contact"], Contact, {"company_id", "search_name", "search_text"}),
        (told["messages"][0], Message, own),
        (told["classifications"][0], Classification, own),
        (delivery, Delivery, own | {"id", "lease_token", "lease_expires_at", "has_body", "is_purged"}),
        (delivery["attempts"][0], Attempt, {"id", "delivery_id"}),
    ):
        assert {*table.__table__.c.keys()} - left_out <= said.keys(), "each fact, but the portal's own"
        assert not said.keys() & left_out
    assert json.loads(delivery["body"])["contact"]["name"] == "Zuleica Rara"
    assert [attempt["response_body"] for attempt in delivery["attempts"]] == ["OK"]
    assert "company_id" not in answer.text
    assert [act.subject for act in acts("contact.exported")] == [str(contact.id)]


@pytest.mark.parametrize("number", [0, 1, 2, 4, 5])
def test_a_persons_deliveries_are_read_in_parts_each_once_and_in_their_order(admin, contact, monkeypatch, number):
    monkeypatch.setattr(export, "BATCH", 2)
    made = [make_delivery(contact, 1 + at % 3).webhook_id for at in range(number)]
    answer = admin.get(f"/contacts/{contact.id}/person.json", buffered=False)
    pieces = [piece.decode() for piece in answer.response]
    assert [row["webhook_id"] for row in json.loads("".join(pieces))["deliveries"]] == made
    assert "".join(pieces) == json.dumps(json.loads("".join(pieces)), ensure_ascii=False, indent=2) + "\n"
    assert len(pieces) == number + 2, "the file begins before a delivery is read"


def test_opening_a_body_is_audited_once_a_day_for_each_person(admin, member, contact):
    webhook_id = make_delivery(contact).webhook_id
    for person in (admin, admin, member):
        assert person.get(f"/deliveries/{webhook_id}").status_code == 200
    assert sorted(act.actor for act in acts("delivery.viewed")) == sorted([admin.email, member.email])
    with time_machine.travel(utcnow() + timedelta(hours=5)):
        admin.get(f"/deliveries/{webhook_id}")
    assert len(acts("delivery.viewed")) == 2


def test_opening_a_delivery_without_a_body_is_nothing_to_note(admin, contact):
    delivery = make_delivery(contact)
    forget_body(delivery)
    delivery.status = "failed"
    db.session.commit()
    assert admin.get(f"/deliveries/{delivery.webhook_id}").status_code == 200
    assert acts("delivery.viewed") == []


def test_members_find_no_way_to_erase_or_export(member, contact):
    page = member.get(f"/contacts/{contact.id}").text
    assert "Apagar os dados" not in page
    assert "person.json" not in page


def test_another_company_erases_and_exports_nobody_of_ours(stranger, contact):
    contact_id = contact.id
    assert stranger.post(f"/contacts/{contact_id}/erase").status_code == 404
    assert stranger.get(f"/contacts/{contact_id}/person.json").status_code == 404
    assert db.session.get(Contact, contact_id) is not None
