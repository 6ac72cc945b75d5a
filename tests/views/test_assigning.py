"""Owners and campaigns of many, by page: ticked or by filter, and when somebody is shut out."""

import re

import pytest

from portal.database.db import db
from portal.models import Campaign, Contact, User
from tests.factories import do_tasks, make_contact, make_user, save


def owners() -> set[int]:
    found = {owner_id for (owner_id,) in db.session.query(Contact.owner_id)}
    db.session.commit()
    return found


def test_ticked_contacts_are_counted_and_given_to_somebody(member, company):
    contacts = [make_contact(company) for _ in range(3)]
    answer = member.post("/contacts/assign/ticked", {"contact": [contacts[0].id, contacts[2].id]})
    page = member.get(answer.location).text
    assert "Mudar 2 contatos" in page
    start = re.search(r'method="post" action="(/contacts/assign[^"]*)"', page)[1].replace("&amp;", "&")
    assert start == f"/contacts/assign?contact={contacts[0].id}&contact={contacts[2].id}"
    refused = member.post(start)
    assert refused.location == start  # and not the page of all contacts
    assert "Mudar 2 contatos" in member.get(refused.location).text
    heir = make_user(company, role=None)
    job = member.post(start, {"owner": heir.id}).location
    do_tasks()
    assert "2 contatos mudaram." in member.get(job).text
    given = [contact.owner_id == heir.id for contact in db.session.query(Contact).order_by(Contact.id)]
    assert given == [True, False, True]


def test_a_filter_s_contacts_change_campaign_and_who_is_there_is_listed(member, company):
    for name, campaign in (("Íris", "Verão"), ("Lia", "Verão"), ("Lia", "Inverno")):
        save(company, {"contact": {"name": name}, "campaign": {"name": campaign}})
    winter = db.session.query(Campaign).filter_by(name="Inverno").one().id
    page = member.get("/contacts/assign?campaign=Ver%C3%A3o").text
    assert "Mudar 2 contatos" in page
    newest_id = re.search(r'name="newest_id" value="(\d+)"', page)[1]
    job = member.post("/contacts/assign?campaign=Ver%C3%A3o", {"campaign": winter, "newest_id": newest_id}).location
    do_tasks()
    page = member.get(job).text
    assert "1 contato mudou." in page
    assert "Já estão na campanha, e ficaram onde estavam" in page
    assert ">Lia</a>" in page


@pytest.mark.parametrize("form", [{"owner": "999"}, {"campaign": "999"}])
def test_nobody_s_target_is_refused(member, company, form):
    contact = make_contact(company)
    assert member.post("/contacts/assign", {"contact": contact.id} | form).status_code == 400


def test_nothing_chosen_changes_nothing_and_says_so(member, company):
    contact = make_contact(company)
    answer = member.post("/contacts/assign", {"contact": contact.id}, follow_redirects=True)
    assert "Escolha um responsável ou uma campanha." in answer.text
    assert "Nenhum contato foi marcado." in member.post("/contacts/assign/ticked", follow_redirects=True).text


def test_who_is_shut_out_hands_their_contacts_over(admin, company):
    leaver, heir = make_user(company, role="member", name="Sai"), make_user(company, role="member", name="Fica")
    for contact in [make_contact(company) for _ in range(2)]:
        db.session.get(Contact, contact.id).owner_id = leaver.id
    db.session.commit()
    assert "Com quem ficam os 2 contatos dela?" in admin.get(f"/team/{leaver.id}").text
    job = admin.post(f"/team/{leaver.id}/disable", {"heir": heir.id}).location
    do_tasks()
    assert "2 contatos mudaram." in admin.get(job).text
    assert owners() == {heir.id}
    assert db.session.get(User, leaver.id).disabled_at is not None


def test_who_is_shut_out_may_keep_them_and_no_stranger_gets_them(admin, company, stranger):
    leaver = make_user(company, role="member")
    contact = make_contact(company)
    db.session.get(Contact, contact.id).owner_id = leaver.id
    db.session.commit()
    assert admin.post(f"/team/{leaver.id}/disable", {"heir": stranger.id}).status_code == 404
    assert db.session.get(User, leaver.id).disabled_at is None
    for nobody_else in (leaver.id, ""):
        assert admin.post(f"/team/{leaver.id}/disable", {"heir": nobody_else}).location == f"/team/{leaver.id}"
    assert owners() == {leaver.id}


def test_nobody_s_contacts_go_to_who_was_shut_out_meanwhile(admin, company):
    first, second = (make_user(company, role="member", name=name) for name in ("Sai", "Saiu"))
    contact = make_contact(company)
    db.session.get(Contact, contact.id).owner_id = first.id
    db.session.commit()
    admin.post(f"/team/{second.id}/disable")
    answer = admin.post(f"/team/{first.id}/disable", {"heir": second.id}, follow_redirects=True)
    assert "Saiu não entra mais no portal: escolha outra pessoa." in answer.text
    assert (owners(), db.session.get(User, first.id).disabled_at) == ({first.id}, None)
    choices = admin.get("/contacts/assign").text
    assert "Sai (" in choices
    assert "Saiu (" not in choices


def test_the_last_admin_stays_and_so_do_their_contacts(admin, company):
    contact = make_contact(company)
    db.session.get(Contact, contact.id).owner_id = admin.id
    heir = make_user(company, role="member")
    db.session.commit()
    admin.post(f"/team/{admin.id}/disable", {"heir": heir.id})
    do_tasks()
    assert owners() == {admin.id}
