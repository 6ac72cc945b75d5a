"""Two contacts are merged on a page: found, compared, confirmed."""

import pytest

from portal.database.db import db
from portal.models import AuditEntry, Contact, Delivery
from tests.factories import make_company, make_contact, make_delivery, mark_delivered, save, set_url


@pytest.fixture
def two(company):
    set_url(company, "https://crm.example.com/hook")
    kept = make_contact(company, name="Maria", email="maria@example.com", role=None)
    other = make_contact(company, name="Maria S.", email="maria@example.com", role="Sócia")
    mark_delivered(make_delivery(other, 3))
    return kept.id, other.id


def test_a_contact_that_looks_like_another_says_so_to_admins(admin, member, two):
    kept, other = two
    link = f'href="/contacts/{kept}/merge?other={other}"'
    assert link in admin.get(f"/contacts/{kept}").text
    assert link not in member.get(f"/contacts/{kept}").text
    assert link in admin.get("/contacts/doubles").text
    assert link in admin.get(f"/contacts/{kept}/merge").text


def test_the_page_asks_first_and_says_what_comes_along_and_what_the_crm_knows(admin, two):
    kept, other = two
    page = admin.get(f"/contacts/{kept}/merge?other={other}").text
    assert "vem do outro" in page
    assert f"está lá com o número {other}" in page
    assert f'href="/contacts/{other}/merge?other={kept}"' in page
    assert db.session.query(Contact).count() == 2
    assert "O nível não vem do outro" in page
    assert "O nível não vem do outro" not in admin.get(f"/contacts/{other}/merge?other={kept}").text


def test_the_crm_is_not_said_to_know_what_only_waits(admin, company):
    set_url(company, "https://crm.example.com/hook")
    kept, other = make_contact(company, name="Maria"), make_contact(company, name="Maria S.")
    make_delivery(other, 3)
    db.session.commit()
    page = admin.post(f"/contacts/{kept.id}/merge", {"other": other.id}, follow_redirects=True).text
    assert "O CRM pode conhecer esta pessoa também por outro número." in page
    assert "O CRM conhece" not in page


def test_merging_fires_nothing_and_the_contact_says_what_else_the_crm_knows(admin, two):
    kept, other = two
    answer = admin.post(f"/contacts/{kept}/merge", {"other": str(other)})
    assert (answer.status_code, answer.location) == (303, f"/contacts/{kept}")
    assert (db.session.query(Contact).count(), db.session.query(Delivery).count()) == (1, 1)
    page = admin.get(f"/contacts/{kept}").text
    assert f"Maria S. (número {other})" in page
    assert admin.get(f"/contacts/{other}").status_code == 404
    assert [row.actor for row in db.session.query(AuditEntry).filter_by(action="contact.merged")] == [admin.email]


def test_a_page_says_before_and_after_how_many_messages_find_no_room(admin, company, monkeypatch):
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 2)
    kept, other = (
        save(
            company, {"contact": {"name": name}, "messages": [{"message": f"{name} {number}"} for number in (1, 2)]}
        ).id
        for name in ("Maria", "Mari")
    )
    db.session.commit()
    said = "A conversa dos dois passa de 2.000 mensagens ou 500.000 caracteres: as 2 mais antigas não "
    assert f"{said}cabem." in admin.get(f"/contacts/{kept}/merge?other={other}").text
    admin.post(f"/contacts/{kept}/merge", {"other": str(other)})
    assert f"{said}couberam." in admin.get(f"/contacts/{kept}").text


@pytest.mark.parametrize("other", ["", "0", "x", "999"])
def test_somebody_who_is_not_there_is_merged_with_nobody(admin, two, other):
    assert admin.post(f"/contacts/{two[0]}/merge", {"other": other}).status_code == 404
    assert db.session.query(Contact).count() == 2


def test_a_contact_is_not_merged_with_itself_or_with_another_companys(admin, two):
    assert admin.post(f"/contacts/{two[0]}/merge", {"other": str(two[0])}).status_code == 303
    theirs = save(make_company("Outra Empresa"), {"contact": {"name": "Maria"}}).id
    assert admin.get(f"/contacts/{two[0]}/merge?other={theirs}").status_code == 404
    assert admin.post(f"/contacts/{two[0]}/merge", {"other": str(theirs)}).status_code == 404
    assert db.session.query(Contact).count() == 3


def test_others_of_the_same_name_are_offered_at_once(admin, company, two):
    make_contact(company, name="Maria", current_company="Outra")
    assert "Outra" in admin.get(f"/contacts/{two[0]}/merge").text
    assert "Outra" not in admin.get(f"/contacts/{two[0]}/merge?search=").text


def test_another_is_found_by_name(admin, company, two):
    make_contact(company, name="Zuleica")
    page = admin.get(f"/contacts/{two[0]}/merge?search=zule").text
    assert "Zuleica" in page
    assert "Nenhum outro contato" in admin.get(f"/contacts/{two[0]}/merge?search=nobody").text
