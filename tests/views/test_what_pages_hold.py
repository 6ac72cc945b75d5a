"""Numbers under their names, people where they can be chosen, and the level that is pressed: nothing is alike."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from flask import Flask

from portal import clock
from portal.audit import Actor
from portal.contacts import campaigns
from portal.database.db import db
from portal.models import Company, Contact, User
from portal.people import tokens
from portal.privacy import retention
from tests.conftest import URL
from tests.factories import classify_contact, make_company, make_contact, make_delivery, make_user, mark_delivered, save
from tests.views.conftest import Person

FACT = re.compile(r"<dt>([^<]*)</dt><dd>(.*?)</dd>", re.DOTALL)
SELECT = re.compile(r'<select[^>]* name="([\w-]+)"[^>]*>(.*?)</select>', re.DOTALL)
OPTION = re.compile(r'<option[^>]* value="([^"]*)"')
PRESSED = re.compile(r'<button[^>]* name="level" value="(\w+)"[^>]* aria-pressed="(\w+)"')


def facts_on(page: str) -> dict[str, str]:
    """What stands under each name."""
    return {name: unescape(re.sub(r"<[^>]*>", "", value)).strip() for name, value in FACT.findall(page)}


def choices_on(page: str) -> dict[str, list[str]]:
    """What can be chosen in each field of a page's forms; "" is nothing."""
    return {name: OPTION.findall(options) for name, options in SELECT.findall(page)}


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company("Ágil", url=URL)


def test_who_leaves_is_told_how_much_of_each_would_go(company: Company, admin: Person) -> None:
    for number in range(4):
        save(company, {"contact": {"name": f"P{number}"}, "campaign": {"name": f"C{number % 2}"}})
    first, second = db.session.query(Contact).order_by(Contact.id).limit(2)
    for level in (1, 2, 3):
        mark_delivered(make_delivery(first, level))
    for level in (1, 2):
        mark_delivered(make_delivery(second, level))
    make_delivery(second, 3)
    user = db.session.get_one(User, admin.id)
    for number in range(5):
        tokens.create_token(db.session, user, label=str(number))
    db.session.commit()
    gone = db.session.query(tokens.ApiToken).first()
    assert gone is not None
    tokens.revoke_token(db.session, gone, actor=Actor(company.id, "ana@x.test"))
    for _ in range(6):
        make_user(company)
    page = admin.get("/company/close").text
    assert facts_on(page) == {
        "Contatos": "4",
        "Campanhas": "2",
        "Entregas": "6",
        "Pessoas": "7",
        "Tokens da API": "4",
    }
    assert "Uma entrega ainda espera para ser enviada e será cancelada." in page


def test_the_last_purge_is_told_in_its_numbers(company: Company, admin: Person) -> None:
    counts = retention.Counter(bodies=1, answers=2, deliveries=3, entries=4)
    retention.record_report(db.session, Actor(company.id, "ana@x.test"), counts, now=clock.utcnow())
    facts = facts_on(admin.get("/privacy").text)
    assert facts.pop("Quando")
    assert list(facts.items()) == [
        ("Conteúdos apagados", "1"),
        ("Respostas apagadas", "2"),
        ("Entregas que saíram do registro", "3"),
        ("Linhas que saíram da auditoria", "4"),
    ]


@pytest.fixture
def people(company: Company, admin: Person) -> dict[str, User]:
    """One of each kind: who may log in, who was invited, who only owns contacts, and who was shut out."""
    found = {"admin": db.session.get_one(User, admin.id), "member": make_user(company, role="member", name="Bia")}
    found["invited"], found["owner"] = make_user(company, name="Caio"), make_user(company, role=None, name="Dona")
    found["gone"] = make_user(company, name="Eva")
    found["invited"].password_hash, found["gone"].disabled_at = None, clock.utcnow()
    db.session.commit()
    make_contact(company, name="Zoé")
    contact = db.session.query(Contact).one()
    contact.owner_id = found["member"].id
    db.session.commit()
    return found


def numbers(user: User) -> str:
    return str(user.id)


def emails(user: User) -> str:
    return user.email


EVERYBODY = ["admin", "member", "invited", "owner", "gone"]
CHOSEN: dict[str, tuple[str, list[str], Callable[[User], str], list[str]]] = {
    "/contacts/new": ("owner", EVERYBODY, emails, []),
    "/contacts": ("owner", EVERYBODY[1:], numbers, ["", "me"]),
    "/triage": ("owner", EVERYBODY[1:], numbers, ["", "me"]),
    "/deliveries": ("owner", EVERYBODY, numbers, [""]),
    "/report": ("owner", EVERYBODY, numbers, [""]),
    "/tokens": ("user", ["admin", "member", "invited"], numbers, []),
    "/audit": ("actor", ["admin", "member", "invited", "gone"], emails, ["", "console"]),
    "/contacts/assign": ("owner", ["admin", "member", "invited", "owner"], numbers, [""]),
}
"""Pages where a person can be chosen: the field, whom it offers, by what, and what else."""


@pytest.mark.parametrize("path", CHOSEN)
def test_those_can_be_chosen_who_may_be_meant(admin: Person, people: dict[str, User], path: str) -> None:
    field, names, by, more = CHOSEN[path]
    wanted = {by(people[name]) for name in names}
    offered = choices_on(admin.get(path).text)[field]
    assert (len(offered), set(offered)) == (len(wanted) + len(more), wanted | set(more))


@pytest.mark.parametrize("path", CHOSEN)
def test_people_of_one_name_are_told_apart(admin: Person, people: dict[str, User], path: str) -> None:
    for user in people.values():
        user.name = "Bia"
    db.session.commit()
    options = [words for words in re.findall(r"<option[^>]*>([^<]*)</option>", admin.get(path).text) if "Bia" in words]
    assert len(options) == len(set(options)) == len(CHOSEN[path][1])


def test_contacts_are_left_to_whoever_is_there(admin: Person, people: dict[str, User]) -> None:
    for name in ("member", "invited"):
        wanted = {numbers(people[each]) for each in ("admin", "member", "invited", "owner") if each != name}
        page = admin.get(f"/team/{people[name].id}").text
        assert "heir" in choices_on(page) or name == "invited"
        assert set(choices_on(page).get("heir", ["", *wanted])) == {"", *wanted}


@pytest.mark.parametrize("level", [None, 1, 2, 3])
def test_the_level_of_a_contact_is_pressed_and_no_other(company: Company, member: Person, level: int | None) -> None:
    contact = make_contact(company, name="Zoé")
    classify_contact(contact, level)
    wanted = {str(each): "true" if each == level else "false" for each in (1, 2, 3)}
    for path in ("/contacts", f"/contacts/{contact.id}", f"/triage/{contact.id}"):
        pressed = dict(PRESSED.findall(member.get(path).text))
        nothing = {"none": "true" if level is None else "false"} if "none" in pressed else {}
        assert pressed == wanted | nothing, path


def test_campaigns_are_counted_each_for_itself(company: Company, member: Person) -> None:
    for number, name in enumerate(("Uma", "Outra", "Vazia")):
        for each in range(3 - number):
            contact = save(company, {"contact": {"name": f"{name} {each}"}, "campaign": {"name": name}})
            if not each:
                classify_contact(contact, 2)
    db.session.query(Contact).filter(Contact.name.like("Vazia%")).delete()
    db.session.commit()
    counted = campaigns.count_campaigns(db.session, company.id)
    assert [(each.campaign.name, each.contacts, each.classified) for each in counted] == [
        ("Outra", 2, 1),
        ("Uma", 3, 1),
        ("Vazia", 0, 0),
    ]
    page = member.get("/campaigns").text
    assert all(each.campaign.name in page for each in counted)
