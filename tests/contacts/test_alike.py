"""Who is who: LinkedIn ids, e-mails, and people of whom only a name and a company are known."""

import pytest

from portal.database.db import db
from portal.models import Company, Contact
from tests.conftest import BOTH
from tests.factories import make_company, save_many


@pytest.fixture
def company(app) -> Company:
    return make_company()


def save(company: Company, *people: dict[str, object]) -> list[bool]:
    """Whether each was made new, saved as one list."""
    results = save_many(company, [{"contact": person} for person in people])
    db.session.commit()
    return [result.created for result in results]


ANA = {"name": "Ana", "current_company": "Xis"}


@BOTH
def test_two_linkedin_ids_are_two_people_whatever_e_mail_they_share(app):
    company = make_company()
    people = [{"name": name, "email": "contato@x.test", "linkedin_public_id": name} for name in ("ana", "bia")]
    assert save(company, *people) == [True, True]
    assert save(company, *people) == [False, False]
    assert save(company, {"name": "Caio", "email": "CONTATO@x.test"}) == [True], "several have it already"
    assert save(company, {"name": "Bia Sá", "email": "CONTATO@x.test"}) == [False], "the nearest name"


def test_an_e_mail_finds_whom_no_linkedin_id_is_known_of(company):
    assert save(company, {"name": "Ana", "email": "ana@x.test"}) == [True]
    assert save(company, {"name": "Ana", "email": "Ana@X.test", "linkedin_public_id": "/in/ANA"}) == [False]
    assert save(company, {"name": "Ana", "linkedin_public_id": "https://linkedin.com/in/ana"}) == [False]
    assert db.session.query(Contact).one().linkedin_public_id == "ana"


SHARED = {"email": "c@x.test"}


def names(company: Company) -> list[str]:
    return [row.name for row in db.session.query(Contact.name).filter_by(company_id=company.id).order_by(Contact.id)]


def test_only_a_single_holder_of_an_e_mail_gets_another_name(company):
    assert save(company, {"name": "Ana", **SHARED}) == [True]
    assert save(company, {"name": "Beatriz", **SHARED}) == [False]
    assert names(company) == ["Beatriz"]


@BOTH
def test_names_that_a_list_has_under_one_e_mail_are_as_many_people_however_near(app):
    company = make_company()
    save(company, {"name": "Ana Lima", **SHARED})
    near = [
        {"name": "Ana Maria Lima", "linkedin_public_id": "ana-m", **SHARED},
        {"name": "Ana Lima", "linkedin_public_id": "ana-l", **SHARED},
        {"name": "ANA", **SHARED},
    ]
    assert save(company, *near) == [True, False, True]
    assert names(company) == ["Ana Lima", "Ana Maria Lima", "ANA"]
    results = save_many(company, [{"contact": each} for each in near])
    assert not any(result.created or result.changed for result in results)


@pytest.mark.parametrize("first", [0, 1, 2])
def test_of_several_near_names_the_nearest_counts_whichever_came_first(company, first):
    held = ["Ana", "Ana Lima", "Ana Lima Souza Prado Rê"]
    for name in (*held[first:], *held[:first]):
        ids = {"linkedin_public_id": name.replace(" ", "-")}
        assert save(company, {"name": name, **SHARED, **ids}) == [True]
    assert save(company, {"name": "Ana Souza Lima", **SHARED, "phone": "5555"}) == [False]
    assert [row.linkedin_public_id for row in db.session.query(Contact).filter_by(phone="5555")] == ["ana-lima"]


def test_a_name_without_words_is_near_to_none(company):
    assert save(company, {"name": "Ana", **SHARED}, {"name": "Bia", **SHARED}) == [True, True]
    assert save(company, {"name": "\U0001f680", **SHARED}) == [True]
    assert save(company, {"name": "Caio", **SHARED}) == [True]
    assert names(company) == ["Ana", "Bia", "\U0001f680", "Caio"]


@BOTH
def test_a_name_and_a_company_tell_whom_nothing_surer_is_known_of(app):
    company = make_company()
    assert save(company, ANA) == [True]
    assert save(company, ANA | {"role": "CTO"}) == [False]
    assert save(company, {"name": "Ana"}) == [True], "an absent company equals only an absent one"
    assert save(company, {"name": "Ana"}) == [False]
    assert save(company, ANA | {"email": "ana@x.test"}) == [True], "who has an e-mail is told by it alone"
    assert save(company, ANA) == [False]


def test_of_a_list_equal_entries_are_one_person_and_others_as_many(company):
    people = [ANA, ANA | {"role": "CTO"}, ANA, ANA | {"role": "CEO"}]
    assert save(company, *people) == [True, True, False, True]
    assert save(company, *people) == [False] * 4
    assert [contact.role for contact in db.session.query(Contact).order_by(Contact.id)] == [None, "CTO", "CEO"]


def test_what_names_nobody_is_not_stored_and_removes_nothing(company):
    given = {"name": "Ana", "linkedin_public_id": "não tem", "email": "arroba"}
    (saved,) = save_many(company, [{"contact": given}])
    assert [(note.field, note.problem) for note in saved.notes] == [("contact.email", "not_an_email")]
    contact = db.session.get_one(Contact, saved.contact_id)
    assert (contact.linkedin_public_id, contact.email) == (None, None)
    save_many(company, [{"contact": {"id": contact.id, "email": "ana@x.test"}}])
    save_many(company, [{"contact": {"id": contact.id, "email": "-"}}])
    assert contact.email == "ana@x.test"
    save_many(company, [{"contact": {"id": contact.id, "email": ""}}])
    assert contact.email is None


@pytest.mark.parametrize("name", ["\u200b", "\u3164 ", "\u2800"])
def test_a_name_that_cannot_be_seen_is_refused(company, name):
    with pytest.raises(ValueError, match="required"):
        save_many(company, [{"contact": {"name": name}}])
