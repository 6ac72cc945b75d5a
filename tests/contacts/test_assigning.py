"""Owners and campaigns of many: a task that moves nobody to where they are already, tells no CRM, and is audited."""

import pytest

from portal.contacts import assigning, classifying
from portal.contacts.assigning import Target
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.models import AuditEntry, Campaign, Company, Contact, Delivery, Task
from portal.tasks.slices import read_numbers
from tests.conftest import BOTH
from tests.factories import actor_of, classify_contact, do_tasks, make_company, make_user, mark_delivered, save


def make(company: Company, name: str, campaign: str = "Verão", **facts: str) -> Contact:
    return save(company, {"contact": {"name": name} | facts, "campaign": {"name": campaign}})


def campaign_id(name: str) -> int:
    found = db.session.query(Campaign).filter_by(name=name).one().id
    db.session.commit()
    return found


def give(company: Company, target: Target, wanted: ContactFilter | None = None) -> Task:
    wanted = wanted or ContactFilter()
    newest_id = classifying.look(db.session, company.id, wanted).newest_id
    assigning.start(db.session, actor_of(company), wanted, target, newest_id=newest_id)
    return do_tasks()


def campaigns() -> list[tuple[str, str]]:
    found = [(contact.name, contact.campaign.name) for contact in db.session.query(Contact).order_by(Contact.id)]
    db.session.commit()
    return found


@BOTH
def test_who_is_in_the_campaign_already_is_listed_and_not_moved(app, company):
    make(company, "Íris", "Inverno", linkedin_public_id="iris")
    make(company, "Lia", "Inverno", email="lia@x.test")
    make(company, "Noé", "Inverno")
    here = [
        make(company, "Íris S.", linkedin_public_id="iris"),
        make(company, "Lia", email="lia@x.test", linkedin_public_id="lia"),
        make(company, "Noé"),
        make(company, "Otto", "Verão", linkedin_public_id="otto"),
        make(company, "Otto", "Outono", linkedin_public_id="otto"),
        make(company, "Pia"),
    ]
    task = give(company, Target(campaign_id=campaign_id("Inverno")))
    assert task.counts == {"assigned": 2, "unchanged": 3, "present": 4}
    assert list(read_numbers(db.engine, task.id, assigning.PRESENT)) == [here[0].id, here[1].id, here[2].id, here[4].id]
    assert campaigns()[3:] == [
        ("Íris S.", "Verão"),
        ("Lia", "Verão"),
        ("Noé", "Verão"),
        ("Otto", "Inverno"),
        ("Otto", "Outono"),
        ("Pia", "Inverno"),
    ]


def test_a_new_owner_is_no_webhook_but_the_crm_has_the_data_of_before(app, company):
    contact, other = make(company, "Íris"), make(company, "Lia", "Inverno")
    heir = make_user(company, role="member", email="heir@example.com")
    classify_contact(contact, 3)
    mark_delivered(db.session.query(Delivery).one())
    task = give(company, Target(owner_id=heir.id), ContactFilter(level="3"))
    assert task.counts == {"assigned": 1}
    assert db.session.query(Delivery).count() == 1
    assert db.session.get(Contact, contact.id).owner_id == heir.id
    assert db.session.get(Contact, contact.id).data_changed_at is not None
    assert db.session.get(Contact, other.id).owner_id != heir.id
    entry = db.session.query(AuditEntry).filter_by(action="contacts.assigned").one()
    assert entry.subject == "1 -> heir@example.com"


def test_what_comes_after_the_count_is_left_alone(app, company):
    first, heir = make(company, "Íris"), make_user(company, role="member")
    db.session.commit()
    newest_id = classifying.look(db.session, company.id, ContactFilter()).newest_id
    later = make(company, "Lia")
    assigning.start(db.session, actor_of(company), ContactFilter(), Target(owner_id=heir.id), newest_id=newest_id)
    assert do_tasks().counts == {"assigned": 1}
    assert db.session.get(Contact, first.id).owner_id == heir.id
    assert db.session.get(Contact, later.id).owner_id != heir.id


def test_nothing_goes_to_another_company(app, company):
    make(company, "Íris")
    stranger = make_user(make_company("Outra"))
    foreign = save(make_company("Outra"), {"contact": {"name": "Eva"}, "campaign": {"name": "Delas"}})
    for target in (Target(owner_id=stranger.id), Target(campaign_id=foreign.campaign_id)):
        with pytest.raises(LookupError):
            give(company, target)
        db.session.rollback()
    assigning.prepare(db.session, actor_of(company), [foreign.id], Target(campaign_id=campaign_id("Verão")))
    assert do_tasks().counts == {}
    assert campaigns() == [("Íris", "Verão"), ("Eva", "Delas")]


@BOTH
def test_a_part_whose_contacts_are_gone_ends_no_task(app, company, monkeypatch):
    monkeypatch.setitem(assigning.work.keywords, "size", 1)
    make(company, "Noé", "Inverno")
    gone, left = make(company, "Ana"), make(company, "Bia")
    target = Target(campaign_id=campaign_id("Inverno"))
    newest_id = classifying.look(db.session, company.id, ContactFilter()).newest_id
    assigning.start(db.session, actor_of(company), ContactFilter(), target, newest_id=newest_id)
    db.session.delete(gone)
    db.session.commit()
    task = do_tasks()
    assert (task.status, task.counts["assigned"]) == ("done", 1)
    assert ("Bia", "Inverno") in campaigns()
    assert left.id
