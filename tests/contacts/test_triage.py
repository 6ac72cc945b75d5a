"""Triage: whose turn it is, how many are to come, and that nobody overwrites what somebody else chose meanwhile."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask

from portal import clock
from portal.contacts import triage
from portal.contacts.classifying import ContactGone
from portal.contacts.filtering import ContactFilter, read_filter
from portal.contacts.triage import Overtaken
from portal.database.db import db
from portal.models import Classification, Company, Contact
from tests.conftest import BOTH
from tests.factories import actor_of, classify_contact, make_company, make_contact, make_user, session_of

NAMES = ("Ana", "Élio", "Zoé")


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company()


@pytest.fixture
def three(company: Company) -> list[Contact]:
    return [make_contact(company, name=name) for name in reversed(NAMES)][::-1]


def walk(company: Company, wanted: ContactFilter) -> list[tuple[str, int, int | None]]:
    """The turns, each after the one before: whose it is, how many are left, and who came before."""
    turns, last = [], None
    while turn := triage.find_next(db.session, company.id, wanted, after_ids=[last] if last else []):
        turns.append((turn.contact.name, turn.left, turn.previous_id))
        last = turn.contact.id
    return turns


def test_contacts_without_a_level_have_their_turn_by_name(company, three):
    make_contact(make_company("Outra"), name="Bia")
    classify_contact(make_contact(company, name="Davi"), 2)
    wanted = triage.meant(ContactFilter())
    assert walk(company, wanted) == [("Ana", 3, None), ("Élio", 2, three[0].id), ("Zoé", 1, three[1].id)]


def test_the_turn_goes_on_from_a_contact_that_has_a_level_by_now_and_back_to_it(company, three):
    wanted = triage.meant(ContactFilter())
    classify_contact(three[0], 3)
    turn = triage.find_next(db.session, company.id, wanted, after_ids=[three[0].id])
    assert (turn.contact.id, turn.left, turn.previous_id) == (three[1].id, 2, three[0].id)
    assert triage.turn_of(db.session, three[2], wanted).previous_id == three[1].id
    db.session.delete(db.session.get(Contact, three[2].id))
    db.session.commit()
    assert triage.find_next(db.session, company.id, wanted, after_ids=[999]).contact.id == three[1].id
    assert triage.find_next(db.session, company.id, wanted, after_ids=[999, three[1].id]) is None


REACHED = "3,2026-11-01T03:00:00Z,2026-12-01T03:00:00Z"
SAYING = {
    **{"level": "2", "replied": "since", "state": "never_sent", "sync": "in_sync", "warning": "error_words"},
    **{"data_changed": "true", "reached": REACHED},
}
"""What says by itself whose turn it is."""
NARROWING: dict[str, object] = {"search": "ana", "campaign_id": 1, "owner_id": 1, "import_id": 1}
"""What only narrows those of whom nobody has said a level."""


@pytest.mark.parametrize("name", ContactFilter.__dataclass_fields__.keys() - {"unknown"})
def test_a_filter_says_whose_turn_it_is_or_narrows_those_without_a_level(company, name):
    if name in SAYING:
        wanted = read_filter(db.session, company.id, {name: SAYING[name]})
        assert triage.meant(wanted) == wanted
    else:
        wanted = ContactFilter(**{name: NARROWING[name]})
        assert triage.meant(wanted) == replace(wanted, level="none")


def test_who_replied_since_the_level_was_set_has_a_turn_again(company, three):
    before, after = (clock.utcnow() + timedelta(days=days) for days in (-1, 1))
    for contact, replied_at in zip(three, (before, after, None), strict=True):
        classify_contact(contact, 1)
        db.session.get(Contact, contact.id).reply_date = replied_at
    unclassified, at_once = make_contact(company, name="Bia"), make_contact(company, name="Davi")
    db.session.get(Contact, unclassified.id).reply_date = before
    classify_contact(at_once, 1)
    told = db.session.get(Contact, at_once.id)
    told.reply_date = told.classified_at
    db.session.commit()
    assert [name for name, _, _ in walk(company, ContactFilter(replied="since"))] == ["Bia", "Élio"]
    assert [name for name, _, _ in walk(company, ContactFilter(replied="yes"))] == ["Ana", "Bia", "Davi", "Élio"]


def test_another_companys_contact_is_gone_whatever_was_seen_of_it(company, three):
    classify_contact(three[0], 3)
    with pytest.raises(ContactGone):
        triage.choose(db.session, actor_of(make_company("Outra")), three[0].id, 1, seen_at=None)


def test_one_s_own_contacts_are_those_of_whoever_asks(company, three):
    person = make_user(company)
    db.session.get(Contact, three[1].id).owner_id = person.id
    db.session.commit()
    wanted = read_filter(db.session, company.id, {"owner": "me"}, reader_id=person.id)
    assert [name for name, _, _ in walk(company, wanted)] == ["Élio"]
    assert read_filter(db.session, company.id, {"owner": "me"}).unknown == ("owner",)


def choose(company: Company, contact: Contact, level: int | None, **seen) -> None:
    triage.choose(db.session, actor_of(company, "bia@example.com"), contact.id, level, **seen)
    db.session.commit()


def test_what_somebody_else_chose_meanwhile_is_told_and_kept(company, three):
    contact = three[0]
    classify_contact(contact, 3)
    choose(company, three[1], 1, seen_at=None)  # of another contact, and later
    with pytest.raises(Overtaken) as refused:
        choose(company, contact, 1, seen_at=None)
    db.session.rollback()
    assert "ana@example.com escolheu o nível 3." in refused.value.sentence
    assert db.session.get(Contact, contact.id).interest_level == 3
    choose(company, contact, 3, seen_at=None)  # the same: nothing is overwritten
    choose(company, contact, 1, seen_at=db.session.get(Contact, contact.id).classified_at)
    assert db.session.get(Contact, contact.id).interest_level == 1
    classify_contact(contact, None)
    with pytest.raises(Overtaken) as refused:
        choose(company, contact, 2, seen_at=None)
    assert "ana@example.com tirou o nível." in refused.value.sentence


@BOTH
def test_of_two_at_once_one_is_told(app, company, three):
    start, ends = threading.Barrier(2), []

    def press(level: int) -> None:
        with session_of(app) as session:
            start.wait()
            try:
                triage.choose(session, actor_of(company, f"{level}@example.com"), three[0].id, level, seen_at=None)
                session.commit()
                ends.append("saved")
            except Overtaken:
                session.rollback()
                ends.append("told")

    db.session.commit()
    presses = [threading.Thread(target=press, args=(level,)) for level in (1, 3)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()
    assert sorted(ends) == ["saved", "told"]
    assert db.session.query(Classification).count() == 1


def test_who_reached_a_level_has_a_turn_though_the_level_is_there(company, three):
    classify_contact(three[1], 3)
    moments = [(clock.utcnow() + timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%SZ") for days in (-1, 1)]
    asked = read_filter(db.session, company.id, {"reached": ",".join(("3", *moments))})
    assert asked.reached
    assert [name for name, *_ in walk(company, triage.meant(asked))] == [three[1].name]
