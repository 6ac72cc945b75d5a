"""Taking an import back: what it created and nobody touched since."""

import pytest

from portal.audit import Actor
from portal.contacts import assigning, merging
from portal.contacts.assigning import Target
from portal.database.db import db
from portal.importing import undoing
from portal.models import AuditEntry, Company, Contact, Delivery, Task
from portal.privacy.erasing import erase_contact
from portal.runtime import runtime
from tests.conftest import BOTH
from tests.factories import classify_contact, do_tasks, make_company, make_import, make_user, save_many
from tests.importing.test_rehearsal import run, table


@pytest.fixture
def company(app, receiver) -> Company:
    company = make_company(url=receiver.url)
    make_user(company, email="dona@example.com")
    db.session.commit()
    return company


def person(number: int, **more: str) -> tuple[str, ...]:
    facts = {"role": "", "campaign": "", "level": ""} | more
    return (f"Pessoa {number}", f"pessoa-{number}", "", facts["role"], facts["campaign"], facts["level"], "")


def undo(file: Task) -> Task:
    undoing.start(db.session, Actor(file.company_id, "ana@example.com"), file)
    return do_tasks()


def names() -> list[str]:
    found = [contact.name for contact in db.session.query(Contact).order_by(Contact.name)]
    db.session.commit()
    return found


def find(number: int) -> Contact:
    return db.session.query(Contact).filter_by(linkedin_public_id=f"pessoa-{number}").one()


@BOTH
def test_what_nobody_touched_goes_and_what_was_touched_or_was_there_stays(company):
    save_many(company, [{"contact": {"name": "Antes", "linkedin_public_id": "pessoa-0"}}])
    db.session.commit()
    rows = [person(0, role="Gerente"), *(person(number) for number in range(1, 7)), person(6, role="Diretora")]
    file = run(make_import(company, table(*rows)))
    classify_contact(find(1), 2)
    save_many(company, [{"contact": {"id": find(2).id, "phone": "+55 11 5555"}}])
    db.session.commit()
    run(make_import(company, table(person(3))))
    found = undoing.look(db.session, company.id, file.id)
    assert (len(found.contact_ids), found.touched) == (3, 3)
    done = undo(file)
    assert (done.status, done.counts) == ("done", {"removed": 3})
    assert undoing.find_undone(db.session, company.id, [file.id, done.id]) == {file.id}
    assert undoing.find_undone(db.session, company.id, [done.id]) == set()
    assert undoing.find_undone(db.session, company.id + 1, [file.id]) == set()
    assert names() == ["Pessoa 0", "Pessoa 1", "Pessoa 2", "Pessoa 3"]
    assert undoing.look(db.session, company.id, file.id).contact_ids == []
    assert db.session.query(AuditEntry).filter_by(action="contacts.import_undone").one().subject == "contatos.csv"


@BOTH
def test_what_waits_is_cancelled_and_what_was_sent_is_said(company):
    file = run(make_import(company, table(person(1, level="3"), person(2, level="2"), person(3))))
    first = db.session.query(Delivery).order_by(Delivery.id).first()
    first.status, first.attempt_count, first.next_attempt_at = "delivered", 1, None
    db.session.commit()
    found = undoing.look(db.session, company.id, file.id)
    assert (len(found.contact_ids), found.told, found.waiting) == (3, 1, 1)
    assert undo(file).counts == {"removed": 3, "cancelled": 1}
    assert [row.status for row in db.session.query(Delivery).order_by(Delivery.id)] == ["delivered", "cancelled"]


def test_what_is_touched_meanwhile_stays(company):
    file = run(make_import(company, table(person(1), person(2))))
    undoing.start(db.session, Actor(company.id, "ana@example.com"), file)
    classify_contact(find(1), 3)
    assert do_tasks().counts == {"removed": 1, "touched": 1}
    assert names() == ["Pessoa 1"]


def test_who_took_another_contact_in_stays(company):
    file = run(make_import(company, table(person(1), person(2))))
    merging.merge(db.session, Actor(company.id, "ana@example.com"), find(1).id, find(2).id)
    db.session.commit()
    assert undoing.look(db.session, company.id, file.id).contact_ids == []


def test_the_same_file_can_come_again_after_it_was_taken_back(company):
    file = run(make_import(company, table(person(1), person(2))))
    undo(file)
    assert run(make_import(company, table(person(1), person(2)))).counts == {"created": 2}


def erase(number: int) -> None:
    erase_contact(db.session, find(number), Actor(find(number).company_id, "ana@example.com"), vault=runtime().vault)
    db.session.commit()


def merge(kept: Contact, other: Contact) -> None:
    merging.merge(db.session, Actor(kept.company_id, "ana@example.com"), kept.id, other.id)
    db.session.commit()


@BOTH
def test_after_other_acts_only_what_is_still_the_files_own_goes(company):
    """Of eight one is erased, one merged into somebody who was there, one into another of the file, one is given away,
    and one classified and back again: two are left as they came, and three that were created stay, with the one merged.
    """
    save_many(company, [{"contact": {"name": "Antes", "linkedin_public_id": "pessoa-0"}}])
    db.session.commit()
    file = run(make_import(company, table(*(person(number) for number in range(1, 9)))))
    other = run(make_import(company, table(person(20))))
    erase(1)
    merge(find(0), find(2))
    merge(find(3), find(4))
    heir = make_user(company, email="bia@example.com")
    assigning.prepare(db.session, Actor(company.id, "ana@example.com"), [find(5).id], Target(owner_id=heir.id))
    do_tasks()
    for level in (2, None):
        classify_contact(find(6), level)
    found = undoing.look(db.session, company.id, file.id)
    assert (len(found.contact_ids), found.touched) == (2, 4), "the one who was there holds one of the file"
    assert undo(file).counts == {"removed": 2}
    assert names() == ["Antes", "Pessoa 20", "Pessoa 3", "Pessoa 5", "Pessoa 6"]
    assert undo(other).counts == {"removed": 1}


@BOTH
def test_the_same_file_imported_again_leaves_everybody_to_neither(company):
    content = table(person(1), person(2, level="3"))
    first, second = run(make_import(company, content)), run(make_import(company, content))
    for file, touched in ((second, 0), (first, 2)):
        found = undoing.look(db.session, company.id, file.id)
        assert (found.contact_ids, found.touched, found.waiting) == ([], touched, 0)
    assert names() == ["Pessoa 1", "Pessoa 2"]


def test_who_is_erased_meanwhile_is_not_counted_as_staying(company):
    file = run(make_import(company, table(person(1), person(2))))
    undoing.start(db.session, Actor(company.id, "ana@example.com"), file)
    db.session.commit()
    erase(1)
    assert do_tasks().counts == {"removed": 1}
    assert names() == []
