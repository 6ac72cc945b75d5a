"""The company's people, as an admin sees and changes them."""

import re

import pytest
import time_machine

from portal import clock
from portal.database.db import db
from portal.models import AuditEntry, User
from portal.people import links, tokens, users
from portal.views import team
from tests.factories import NOON, PASSWORD, make_company, make_contact, make_user
from tests.views.conftest import Person

BIA = {"name": "Bia", "email": "Bia@example.com", "role": "member"}


def link_on(page) -> str:
    found = re.search(r'id="link-valor">http://localhost(/[^<]+)<', page.text)
    assert found, "the page shows no link"
    return found[1]


def reload(user: User) -> User:
    return db.session.get_one(User, user.id, populate_existing=True)


def last_act() -> tuple[str, str, str | None, str | None]:
    entry = db.session.query(AuditEntry).order_by(AuditEntry.id.desc()).first()
    return entry.action, entry.actor, entry.subject, entry.ip


def test_the_list_shows_who_may_log_in(admin, company):
    make_user(company, name="Bia", role="member")
    page = admin.get("/team").text
    assert "Bia" in page
    assert "(você)" in page


def test_people_without_log_in_and_disabled_ones_have_lists_of_their_own(admin, company):
    make_user(company, name="Dona", role=None)
    admin.post("/team/new", {"name": "Elza", "email": "eva@example.com", "role": "member"})
    gone = make_user(company, name="Gil", role="member")
    admin.post(f"/team/{gone.id}/disable")
    assert "Dona" in admin.get("/team?state=without_login").text
    assert "Gil" in admin.get("/team?state=disabled").text
    invited = admin.get("/team?state=invited").text
    assert re.findall(r"(?:Com acesso|Convidadas|Sem acesso|Desativadas) .*?(\d+)", invited) == ["1", "1", "1", "1"]
    assert "Elza" in invited
    unknown = admin.get("/team?state=desligada").text
    assert "O filtro pede algo que não existe" in unknown
    assert "desligada" in unknown
    assert not {"Dona", "Elza", "Gil"} & set(re.findall(r"\w+", unknown))
    assert not {"Dona", "Elza", "Gil"} & set(re.findall(r"\w+", admin.get("/team").text))


def test_no_more_people_are_shown_than_a_page_holds_and_a_search_finds_the_others(admin, company, monkeypatch):
    monkeypatch.setattr(team, "MAX_SHOWN", 2)
    for number in range(2):
        make_user(company, name=f"Bia {number}")
    shown = [
        f"Bia {number}" in admin.get(f"/team{search}").text for number in range(2) for search in ("", "?search=bia")
    ]
    assert shown == [True, True, False, True]


def test_people_are_found_whatever_the_accents(admin, company):
    make_user(company, name="João Conceição", role="member")
    assert "João Conceição" in admin.get("/team?search=CONCEICAO").text
    assert "Ninguém encontrado" in admin.get("/team?search=zzz").text


def test_an_invitation_is_a_link_that_is_shown_once(admin, person):
    shown = admin.post("/team/new", BIA)
    newcomer = person()
    assert newcomer.post(link_on(shown), {"password": PASSWORD}).location == "/"
    assert newcomer.get("/contacts").status_code == 200
    assert last_act()[0] == "invitation.accepted"
    user = db.session.query(User).filter_by(email="bia@example.com").one()
    assert "link-valor" not in admin.get(f"/team/{user.id}").text


def test_a_link_for_somebody_else_says_who_one_is_now(admin, member):
    link = link_on(admin.post("/team/new", BIA))
    assert "Quem salvar esta senha passa a entrar como Bia" in member.get(link).text
    user = db.session.query(User).filter_by(email=member.email).one()
    own = link_on(admin.post(f"/team/{user.id}/link"))
    assert "passa a entrar como" in admin.get(own).text
    assert "passa a entrar como" not in member.get(own).text


def test_a_new_invitation_ends_the_old_one(admin, person):
    old = link_on(admin.post("/team/new", BIA))
    user = db.session.query(User).filter_by(email="bia@example.com").one()
    new = link_on(admin.post(f"/team/{user.id}/link"))
    assert (person().get(old).status_code, person().get(new).status_code) == (410, 200)


def test_only_who_opens_an_invitation_learns_that_the_address_has_a_log_in_elsewhere(admin, company, person):
    elsewhere = make_user(make_company("Outra"), email="bia@example.com")
    free = {**BIA, "email": "livre@example.com"}
    known, unknown = admin.post("/team/new", BIA), admin.post("/team/new", free)
    assert (known.status_code, unknown.status_code) == (200, 200)
    parts = [re.findall(r"<\w+", page.text) for page in (known, unknown)]
    assert parts[0] == parts[1], "the pages tell the two apart"
    answer = person().post(link_on(known), {"password": "uma frase comprida"})
    assert answer.status_code == 422
    assert "Alguém já entra no portal com este e-mail." in answer.text
    invited = db.session.query(User).filter_by(email="bia@example.com", company_id=company.id).one()
    assert invited.password_hash is None
    entered = person().post("/login", {"email": elsewhere.email, "password": PASSWORD})
    assert entered.status_code == 303, "the invitation takes no log-in away"


def test_who_logs_in_to_the_same_company_is_not_invited_again(admin, company):
    make_user(company, email="bia@example.com")
    answer = admin.post("/team/new", BIA)
    assert (answer.status_code, 'id="email-error"' in answer.text) == (422, True)


def test_an_owner_of_contacts_is_given_a_log_in_and_keeps_them(admin, company, person):
    owner = make_user(company, name="Dona", role=None)
    contact = make_contact(company, name="Zé")
    contact.owner = owner
    db.session.commit()
    link = link_on(admin.post(f"/team/{owner.id}/role", {"role": "member"}))
    assert person().post(link, {"password": PASSWORD}).location == "/"
    assert (reload(owner).role, contact.owner_id) == ("member", owner.id)


def test_a_new_role_ends_the_sessions(admin, member):
    assert member.get("/").status_code == 200
    admin.post(f"/team/{member.id}/role", {"role": "admin"})
    assert member.get("/").status_code == 302
    assert last_act() == ("user.role_changed", admin.email, f"{member.email}: member -> admin", "127.0.0.1")


def test_a_disabled_person_is_out_at_once_and_comes_back(admin, member, person):
    link = link_on(admin.post(f"/team/{member.id}/link"))
    admin.post(f"/team/{member.id}/disable")
    assert member.get("/").status_code == 302
    assert person().get(link).status_code == 410
    assert log_in(person(), member).status_code == 422
    admin.post(f"/team/{member.id}/enable")
    assert log_in(person(), member).location == "/"
    assert member.get("/").status_code == 302


def log_in(browser, user, password=PASSWORD):
    return browser.post("/login", {"email": user.email, "password": password})


def test_a_disabled_persons_api_token_stops(admin, company, member, person):
    user = db.session.get(User, member.id)
    token = tokens.create_token(db.session, user, label="CRM")
    admin.post(f"/team/{user.id}/disable")
    assert person().get("/api/v1/webhook", headers={"Authorization": f"Bearer {token}"}).status_code == 401


@pytest.mark.parametrize(("change", "disabled"), [({"role": None}, 400), ({"disabled_at": NOON}, 303)])
def test_who_may_not_log_in_is_given_no_link(admin, member, change, disabled):
    for name, value in change.items():
        setattr(db.session.get(User, member.id), name, value)
    db.session.commit()
    assert admin.post(f"/team/{member.id}/link").status_code == 400
    assert admin.post(f"/team/{member.id}/disable").status_code == disabled
    assert db.session.query(AuditEntry).count() == 0


@pytest.mark.parametrize("act", ["disable", "role"])
def test_the_last_admin_stays(admin, company, act):
    users.add_user(db.session, company, name="Ivo", email="ivo@example.com", role="admin", password=None)
    answer = admin.post(f"/team/{admin.id}/{act}", {"role": "member"}, follow_redirects=True)
    assert "única pessoa que administra" in answer.text
    assert users.state_of(reload(admin)) == "active"
    assert reload(admin).role == "admin"


def test_one_of_two_admins_may_become_a_member(admin, company):
    other = make_user(company, role="admin")
    admin.post(f"/team/{other.id}/role", {"role": "member"})
    assert reload(other).role == "member"


def test_a_refusal_leads_to_the_person_from_where_the_invitation_was_shown(admin, company):
    """The person's page stands under the address of the invitation then: going back there would show an empty form."""
    bia = make_user(company, name="Bia", role="member")
    same = {"email": bia.email}
    answer = admin.post(f"/team/{bia.id}/email", same, headers={"Referer": "http://localhost/team/new"})
    assert (answer.status_code, answer.location) == (303, f"/team/{bia.id}")
    assert "Este já é o e-mail da conta." in admin.get(answer.location).text


def test_a_role_that_does_not_exist_is_refused(admin, member):
    assert admin.post(f"/team/{member.id}/role", {"role": "owner"}).status_code == 400
    assert reload(member).role == "member"


def test_an_admins_link_sets_another_password_and_ends_the_sessions(admin, member, person):
    link = link_on(admin.post(f"/team/{member.id}/link"))
    assert link.startswith("/reset/")
    assert member.get("/").status_code == 200
    browser = person()
    assert browser.post(link, {"password": "uma frase bem outra"}).location == "/"
    assert (browser.get("/").status_code, member.get("/").status_code) == (200, 302)
    assert person().get(link).status_code == 410
    assert log_in(person(), member, "uma frase bem outra").location == "/"


def test_a_reset_link_lasts_a_day(admin, member, person):
    link = link_on(admin.post(f"/team/{member.id}/link"))
    with time_machine.travel(clock.utcnow() + links.LINK_LIFETIMES["reset"]):
        assert person().get(link).status_code == 410


def test_links_name_the_portals_own_address(make_app, company):
    app = make_app(base_url="http://portal.example.com")
    page = Person(app.test_client(), make_user(company)).post("/team/new", BIA).text
    assert re.search(r'id="link-valor">http://portal\.example\.com/invitation/[\w-]{43}<', page)
