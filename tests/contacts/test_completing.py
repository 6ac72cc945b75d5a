"""Sending the current data of all that match a filter: counted before, and only what needs it goes."""

import pytest

from portal.company import endpoint
from portal.company.refusals import NoAddress
from portal.contacts import completing
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.models import AuditEntry, Company, Contact, Delivery, Task
from portal.tasks import store
from tests.conftest import BOTH
from tests.factories import (
    actor_of,
    classify_contact,
    do_tasks,
    make_company,
    make_contact,
    make_delivery,
    mark_delivered,
    save,
)

pytestmark = BOTH
OLD = ContactFilter(data_changed="true")


def told(company: Company, level: int = 2) -> Contact:
    contact = make_contact(company)
    mark_delivered(make_delivery(contact, level))
    return contact


def change(*contacts: Contact) -> None:
    for contact in contacts:
        save(contact.company, {"contact": {"id": contact.id, "role": "Sócia"}})


@pytest.fixture
def contacts(company: Company) -> list[Contact]:
    """Of levels 1, 3 and 3 with old data, one of them without a level now, one in the queue, and one in sync."""
    found = [told(company, level) for level in (1, 3, 3, 2, 2, 2)]
    change(*found[:5])
    classify_contact(found[3], None)
    completing.start(db.session, actor_of(company), ContactFilter(search=found[4].name))
    db.session.commit()
    do_tasks()
    return found


def test_all_that_match_are_counted_by_what_becomes_of_them(company: Company, contacts: list[Contact]) -> None:
    matching = completing.look(db.session, company.id, OLD)
    assert matching.by_level == {3: 2, 1: 1}
    assert list(matching.by_level) == [3, 1]
    assert (matching.without_level, matching.needless, matching.total) == (1, 1, 5)
    assert completing.look(db.session, make_company("Outra").id, OLD).total == 0


def test_what_was_counted_goes_once_the_highest_level_first(
    company: Company, contacts: list[Contact], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(completing.work.keywords, "size", 1)
    newest_id = completing.look(db.session, company.id, OLD).newest_id
    later = told(company)
    change(later)
    before = db.session.query(Delivery).count()
    ids = []
    for _ in range(2):
        ids.append(completing.start(db.session, actor_of(company), OLD, newest_id=newest_id).id)
        db.session.commit()
    do_tasks()
    sent = db.session.query(Delivery).order_by(Delivery.id).offset(before).all()
    assert [(row.contact_id, row.interest_level, row.trigger) for row in sent] == [
        (contacts[1].id, 3, "sync"),
        (contacts[2].id, 3, "sync"),
        (contacts[0].id, 1, "sync"),
    ]
    assert all(b"S\\u00f3cia" in row.body for row in sent)
    counts = [row.counts for row in db.session.query(Task).filter(Task.id.in_(ids)).order_by(Task.id)]
    assert counts == [{"sent": 3}, {"unchanged": 3}]
    audited = db.session.query(AuditEntry).filter_by(action="contacts.synced").order_by(AuditEntry.id)
    assert [entry.subject for entry in audited] == ["1", "3", "3"]


def test_without_an_address_nothing_begins(company: Company, contacts: list[Contact]) -> None:
    endpoint.remove_address(db.session, actor_of(company))
    db.session.commit()
    with pytest.raises(NoAddress):
        completing.start(db.session, actor_of(company), OLD)


def test_an_address_that_is_removed_on_the_way_ends_it_with_its_reason(
    company: Company, contacts: list[Contact]
) -> None:
    task = completing.start(db.session, actor_of(company), OLD)
    db.session.commit()
    endpoint.remove_address(db.session, actor_of(company))
    db.session.commit()
    do_tasks()
    found = store.get_task(db.session, company.id, [completing.KIND], task.id)
    assert found is not None
    assert (found.status, found.reason) == ("failed", "webhook_unset")
