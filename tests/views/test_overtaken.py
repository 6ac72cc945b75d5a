"""Two people with the same form: what one saved is not undone by the other, who opened the page before."""

import pytest

from portal.database.db import db
from portal.models import Contact
from tests.factories import make_user, save, set_url
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


def test_of_a_campaign_and_of_the_settings_what_somebody_else_saved_stays(admin, person, company, contact):
    other = person(make_user(company, role="admin"))
    for url, theirs, mine in (
        (f"/campaigns/{contact.campaign_id}", {"description": "De março"}, {"name": "Feira"}),
        ("/company", {"timezone": "Manaus"}, {"name": "Acme Vendas"}),
        ("/privacy", {"keep_bodies_days": "20"}, {"keep_log_days": "50"}),
    ):
        before = opened(admin, url)
        assert other.post(url, opened(other, url) | theirs).status_code == 303
        assert admin.post(url, before | mine).status_code == 303
        now = opened(admin, url)
        for name, value in (theirs | mine).items():
            assert now[name].startswith(value)


def test_a_header_that_is_saved_leaves_the_address_that_somebody_else_saved(admin, person, company):
    set_url(company, "http://127.0.0.1:8765/old")
    other = person(make_user(company, role="admin"))
    before = opened(admin, "/webhook")
    assert other.post("/webhook", opened(other, "/webhook") | {"url": "http://127.0.0.1:8765/new"}).status_code == 303
    header = {"header_kind": "bearer", "header_value": "abc"}
    assert admin.post("/webhook", before | header).status_code == 303
    assert opened(admin, "/webhook")["url"] == "http://127.0.0.1:8765/new"
    late = admin.post("/webhook", opened(other, "/webhook") | before | header)
    assert (late.status_code, "alguém mudou o cabeçalho fixo" in late.text) == (422, True)
    both = admin.post("/webhook", before | {"url": "http://127.0.0.1:8765/mine"})
    assert (both.status_code, "alguém salvou aqui “http://127.0.0.1:8765/new”" in both.text) == (422, True)


def test_terms_that_two_people_shortened_and_lengthened_stay_in_order(admin, person, company):
    other = person(make_user(company, role="admin"))
    before = opened(admin, "/privacy")
    assert other.post("/privacy", opened(other, "/privacy") | {"keep_bodies_days": "90"}).status_code == 303
    answer = admin.post("/privacy", before | {"keep_log_days": "60"})
    assert (answer.status_code, "não pode durar menos" in answer.text) == (422, True)
