"""What each form holds when its page is opened: what is so now, or what is meant most often; and after it was sent."""

import re

import pytest

from portal.database.db import db
from portal.models import User
from tests.factories import make_company, make_user, save
from tests.views.test_contacts import form_of


def held(page) -> dict[str, str]:
    return {name: value for name, value in form_of(page.text).items() if name not in ("csrf_token", "opened")}


@pytest.fixture
def contact(company):
    item = {"contact": {"name": "Zoé", "role": "Sócia"}, "campaign": {"name": "Feira", "description": "De março"}}
    return save(company, item)


def test_a_new_contact_is_its_maker_s_in_the_only_campaign(member, admin, contact):
    for person in (member, admin):
        values = held(person.get("/contacts/new"))
        filled = {name: value for name, value in values.items() if value}
        assert filled == {"campaign": "Feira", "owner": person.email}


def test_of_several_campaigns_the_list_s_is_meant_or_that_of_the_newest_contact(company, member, contact):
    save(company, {"contact": {"name": "Ana"}, "campaign": {"name": "Abril"}})
    save(company, {"contact": {"name": "Rui"}, "campaign": {"name": "Outra"}})
    foreign = save(make_company("Alheia"), {"contact": {"name": "Eva"}, "campaign": {"name": "Alheia"}})
    assert held(member.get("/contacts/new"))["campaign"] == "Outra"
    assert (
        f'href="/contacts/new?campaign={contact.campaign_id}"'
        in member.get(f"/contacts?campaign={contact.campaign_id}").text
    )
    assert held(member.get(f"/contacts/new?campaign={contact.campaign_id}"))["campaign"] == "Feira"
    assert held(member.get(f"/contacts/new?campaign={foreign.campaign_id}"))["campaign"] == "Outra"


def test_a_campaign_without_contacts_is_the_first_s(company, member, contact):
    db.session.delete(contact)
    db.session.commit()
    assert held(member.get("/contacts/new"))["campaign"] == "Feira"


def test_a_token_is_first_the_reader_s_and_then_of_whom_it_was_made(admin, member):
    first = {"label": "", "user": str(admin.id), "scope": "", "last_day": ""}
    page = admin.get("/tokens")
    assert held(page) == first
    assert re.findall(r'value="(read|classify|manage)"', page.text) == ["read", "classify", "manage"]
    made = admin.post("/tokens", {"label": "CRM", "user": str(member.id), "scope": "read"})
    assert held(made) == first | {"user": str(member.id)}
    wrong = {"label": "", "user": str(member.id), "scope": "classify", "last_day": "2020-01-01"}
    assert held(admin.post("/tokens", wrong)) == wrong


def test_who_is_invited_becomes_a_member_and_a_person_stays_what_they_are(company, admin, member):
    assert held(admin.get("/team/new")) == {"name": "", "email": "", "role": "member"}
    owner = make_user(company, role=None)
    for number, role in ((admin.id, "admin"), (member.id, "member"), (owner.id, "member")):
        assert held(admin.get(f"/team/{number}"))["role"] == role


def test_what_is_so_stands_in_its_form(company, admin, contact):
    user, campaign_id = db.session.get(User, admin.id), contact.campaign_id
    user.name, user.locale, user.timezone = "Ana Rê", "en", "Europe/Lisbon"
    company.timezone, company.keep_log_days = "America/Manaus", 801
    name, days = company.name, [str(company.keep_bodies_days), "801", str(company.keep_audit_days)]
    assert held(admin.get(f"/campaigns/{campaign_id}")) == {"name": "Feira", "description": "De março"}
    assert list(held(admin.get("/privacy")).values()) == days
    assert held(admin.get("/company")) == {"name": name, "timezone": "Manaus (America/Manaus)"}
    page = admin.get("/account").text
    assert all(f'value="{value}"' in page for value in ("Ana Rê", "Lisbon (Europe/Lisbon)"))
    assert '<option selected value="en">' in page
