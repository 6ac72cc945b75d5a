"""Two people with the same form: what one saved is not undone by the other, who opened the page before."""

import pytest

from portal.database.db import db
from portal.models import Contact
from tests.factories import make_user, save
from tests.views.test_contacts import form_of

SAID = {"sender_name": "Ana", "message": "Olá", "date": "2026-01-22 12:30:00", "pending_message": 0}


@pytest.fixture
def contact(company):
    facts = {"name": "Zoé", "role": "Sócia", "phone": "1", "invite_date": "2026-01-22 12:28:47"}
    return save(company, {"contact": facts, "messages": [SAID]})


def opened(person, url):
    return form_of(person.get(url).text)


def test_what_somebody_else_saved_stays_and_what_was_typed_is_saved(admin, member, contact):
    url = f"/contacts/{contact.id}/edit"
    before = opened(member, url)
    others = {"role": "Diretora", "invite_date": "2026-02-01T09:00:00", "thread-1-message": "Mais uma"}
    assert admin.post(url, opened(admin, url) | others).status_code == 303
    assert member.post(url, before | {"phone": "2"}).status_code == 303
    contact = db.session.get_one(Contact, contact.id)
    assert (contact.role, contact.phone, len(contact.messages)) == ("Diretora", "2", 2)
    assert opened(member, url)["invite_date"] == "2026-02-01T09:00:00"


@pytest.mark.parametrize(
    ("name", "words"), [("role", "alguém salvou aqui “Diretora”"), ("thread-0-message", "as mensagens mudaram")]
)
def test_what_both_changed_is_told_once_and_then_meant(admin, member, contact, name, words):
    url = f"/contacts/{contact.id}/edit"
    before = opened(member, url)
    assert admin.post(url, opened(admin, url) | {name: "Diretora"}).status_code == 303
    answer = member.post(url, before | {name: "CEO", "phone": "2"})
    assert (answer.status_code, words in answer.text) == (422, True)
    assert db.session.get_one(Contact, contact.id).phone == "1"
    assert member.post(url, form_of(answer.text)).status_code == 303
    now = opened(member, url)
    assert (now[name], now["phone"]) == ("CEO", "2")


def test_what_a_form_that_is_wrong_was_opened_with_stays_with_it(admin, member, contact):
    url = f"/contacts/{contact.id}/edit"
    before = opened(member, url)
    wrong = member.post(url, before | {"name": ""})
    assert admin.post(url, opened(admin, url) | {"role": "Diretora"}).status_code == 303
    assert member.post(url, form_of(wrong.text) | {"name": "Zoe"}).status_code == 303
    contact = db.session.get_one(Contact, contact.id)
    assert (contact.name, contact.role) == ("Zoe", "Diretora")


def test_of_a_campaign_and_of_the_company_what_somebody_else_saved_stays(admin, person, company, contact):
    other = person(make_user(company, role="admin"))
    for url, theirs, mine in (
        (f"/campaigns/{contact.campaign_id}", {"description": "De março"}, {"name": "Feira"}),
        ("/company", {"timezone": "Manaus"}, {"name": "Acme Vendas"}),
    ):
        before = opened(admin, url)
        assert other.post(url, opened(other, url) | theirs).status_code == 303
        assert admin.post(url, before | mine).status_code == 303
        now = opened(admin, url)
        for name, value in (theirs | mine).items():
            assert now[name].startswith(value)
