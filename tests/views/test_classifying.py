"""Classifying many contacts: the ticked ones, and all that match the list's filter."""

import re

import pytest

from portal.contacts import classifying
from portal.database.db import db
from portal.models import Classification, Contact, Delivery, Task
from portal.worker.task_runner import TaskRunner
from tests.factories import classify_contact, do_tasks, make_company, make_contact, set_url


@pytest.fixture
def three(company, receiver) -> list[Contact]:
    set_url(company, receiver.url)
    return [make_contact(company, name=name) for name in ("Ana", "Élio", "Zoé")]


def levels() -> list[int | None]:
    db.session.expire_all()
    return [contact.interest_level for contact in db.session.query(Contact).order_by(Contact.id)]


def test_ticked_contacts_are_classified_and_the_crm_is_told_of_each_that_changed(member, three):
    classify_contact(three[0], 3)
    answer = member.post("/contacts/classify", {"level": "3", "contact": [three[0].id, three[2].id]})
    assert (answer.status_code, answer.location) == (303, "/contacts")
    assert "1 contato classificado." in member.get("/contacts").text
    assert levels() == [3, None, 3]
    assert [(row.contact_id, row.actor) for row in db.session.query(Delivery).order_by(Delivery.id)] == [
        (three[0].id, "ana@example.com"),
        (three[2].id, member.email),
    ]


def test_a_level_is_removed_from_many_and_nobody_is_told(member, three):
    classify_contact(three[0], 1)
    member.post("/contacts/classify", {"level": "none", "contact": [contact.id for contact in three]})
    assert levels() == [None] * 3
    assert db.session.query(Delivery).count() == 1
    assert db.session.query(Classification).count() == 2


def test_ticking_nothing_changes_nothing_and_says_so(member, three):
    member.post("/contacts/classify", {"level": "3"})
    assert "Nenhum contato foi marcado." in member.get("/contacts").text
    assert levels() == [None] * 3


@pytest.mark.parametrize("path", ["/contacts/classify", "/contacts/classify/all"])
def test_there_is_no_other_level(member, three, path):
    assert member.post(path, {"level": "4", "contact": three[0].id}).status_code == 400


def test_another_companys_contact_is_left_alone(member, three):
    foreign = make_contact(make_company("Outra"), name="Eva")
    member.post("/contacts/classify", {"level": "2", "contact": [foreign.id, three[1].id]})
    assert levels() == [None, 2, None, None]


def counted(page: str) -> str:
    found = re.search(r'name="newest_id" value="(\d+)"', page)
    assert found, "there is nothing to classify"
    return found[1]


def test_what_matches_the_filter_is_counted_first_and_then_classified_by_a_task(member, three):
    classify_contact(three[0], 1)
    query = "search=e&level=none"
    page = member.get(f"/contacts/classify/all?{query}").text
    assert "2 contatos correspondem ao filtro" in page
    make_contact(three[0].company, name="Eva depois")
    answer = member.post(f"/contacts/classify/all?{query}", {"level": "2", "newest_id": counted(page)})
    assert answer.status_code == 303
    assert "Na fila" in member.get(answer.location).text
    task = do_tasks()
    assert (task.status, task.counts) == ("done", {"classified": 2, "sent": 2})
    assert levels() == [1, 2, 2, None]
    page = member.get(answer.location).text
    assert "2 contatos classificados." in page
    assert 'href="/deliveries"' in page.partition('id="trabalho"')[2]  # what became of the webhooks


def test_a_single_contact_is_counted_and_its_page_opens(member, three):
    answer = member.post("/contacts/classify/all?search=zo", {"level": "2", "newest_id": "99"})
    do_tasks()
    page = member.get(answer.location)
    assert (page.status_code, "1 contato classificado." in page.text) == (200, True)


def test_of_all_only_those_that_change_are_told(member, three):
    classify_contact(three[1], 3)
    page = member.get("/contacts/classify/all").text
    member.post("/contacts/classify/all", {"level": "3", "newest_id": counted(page)})
    assert do_tasks().counts == {"classified": 2, "unchanged": 1, "sent": 2}
    newest = [row.contact_id for row in db.session.query(Delivery).order_by(Delivery.id)]
    assert newest == [three[1].id, three[0].id, three[2].id]


def test_a_filter_that_matches_nothing_offers_nothing(member, three):
    page = member.get("/contacts/classify/all?search=ninguem").text
    assert "newest_id" not in page
    assert member.post("/contacts/classify/all?search=ninguem", {"level": "1", "newest_id": "99"}).status_code == 303
    assert db.session.query(Task).count() == 0


def test_a_task_goes_on_where_a_worker_stopped_and_passes_by_who_was_erased(member, three, monkeypatch):
    monkeypatch.setitem(classifying.work.keywords, "size", 1)
    member.post("/contacts/classify/all", {"level": "2", "newest_id": "99"})
    stopped = TaskRunner(db.engine, on_due=lambda: None)
    do_chunk = TaskRunner._do_chunk

    def do_one(self, held, chunk):
        self.stop()
        return do_chunk(self, held, chunk)

    with monkeypatch.context() as patched:
        patched.setattr(TaskRunner, "_do_chunk", do_one)
        stopped.run_one()
    assert levels() == [2, None, None]
    db.session.delete(three[1])
    db.session.commit()
    task = do_tasks()
    assert (task.status, task.counts) == ("done", {"classified": 2, "sent": 2})
    assert db.session.query(Delivery).count() == 2


def test_the_list_offers_both(member, three):
    page = member.get("/contacts?search=zo").text
    assert page.count('name="contact"') == 1
    assert 'href="/contacts/classify/all?search=zo"' in page
