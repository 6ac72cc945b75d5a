"""Every list has one order, whatever order its rows were made in; of what is equal the first made goes first."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from portal.contacts import campaigns, classifying, listing, merging
from portal.contacts.filtering import ContactFilter
from portal.database.db import db
from portal.models import Campaign, Classification, Company, Contact
from portal.people.users import people_of
from tests.factories import (
    NOON,
    classify_contact,
    commit_contact,
    make_company,
    make_contact,
    make_user,
    save,
    save_many,
)

NAMES = ("carla", "Bruno", "Ána", "bruno", "Ana")
BY_NAME = [2, 4, 1, 3, 0]
"""Their places in that order: without case and accents, and of two that are equal the first made."""


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company()


def people(company: Company, *names: str, **facts: Any) -> list[Contact]:
    """Contacts of these names, no two of them alike but for that."""
    make_contact(make_company("Outra"), name=names[0], **facts)
    items = [{"contact": {"name": name, "linkedin_public_id": f"p{n}", **facts}} for n, name in enumerate(names)]
    return [commit_contact(company.id, saved.contact_id) for saved in save_many(company, items)]


def ids(contacts: Sequence[Contact]) -> list[int]:
    return [contact.id for contact in contacts]


def test_contacts_are_listed_by_name(company: Company) -> None:
    made = people(company, *NAMES)
    expected = [made[place].id for place in BY_NAME]
    assert ids(listing.contacts_of(db.session, company.id, range(1, 99))) == expected
    assert classifying.choose(db.session, company.id, ContactFilter(), newest_id=None) == expected
    seen = [number for number in expected if number <= made[3].id]
    assert classifying.choose(db.session, company.id, ContactFilter(), newest_id=made[3].id) == seen
    for limit in (1, 2, 5):
        found, cursor = [], None
        for _ in range(9):
            page = listing.page_contacts(db.session, company.id, ContactFilter(), limit=limit, cursor=cursor)
            found += ids(list(page.items))
            if (cursor := page.next_cursor) is None:
                break
        assert found == expected
    for at, number in enumerate(expected):
        contact = db.session.get_one(Contact, number)
        place = contact.search_name, contact.id
        left = listing.count_contacts(db.session, company.id, ContactFilter(), after=place)
        after = listing.read_contacts(db.session, company.id, ContactFilter(), after=place, limit=9)
        before = listing.read_contacts(db.session, company.id, ContactFilter(), after=place, limit=9, is_back=True)
        assert (left, ids(after), ids(before)) == (4 - at, expected[at + 1 :], expected[:at][::-1])


def test_campaigns_and_people_are_listed_by_name_within_their_company(company: Company) -> None:
    other = make_company("Outra")
    for where in (other, company):
        for name in ("c", "a", "b"):
            db.session.add(Campaign(company_id=where.id, name=name))
        for name in ("Caio", "Ana", "Ana"):
            make_user(where, name=name)
    first, *_ = (campaign for campaign in campaigns.campaigns_of(db.session, company.id) if campaign.name == "b")
    for level in (None, 2):
        contact = save(company, {"contact": {"name": f"Nível {level}"}, "campaign": {"name": "b"}})
        classify_contact(contact, level)
    assert [campaign.name for campaign in campaigns.campaigns_of(db.session, company.id)] == ["a", "b", "c"]
    found = people_of(db.session, company.id)
    assert [user.name for user in found] == ["Ana", "Ana", "Caio"]
    assert found[0].id < found[1].id
    counted = campaigns.count_campaigns(db.session, company.id)
    assert [(each.campaign.name, each.contacts, each.classified) for each in counted] == [
        ("a", 0, 0),
        ("b", 2, 1),
        ("c", 0, 0),
    ]
    assert counted[1].campaign is first
    assert {campaign.company_id for campaign in campaigns.campaigns_of(db.session, company.id)} == {company.id}
    assert campaigns.get_campaign(db.session, other.id, first.id) is None


def test_levels_are_listed_newest_first_and_counted_highest_first(company: Company) -> None:
    first, second, third, *_ = people(company, *NAMES)
    for level in (1, 3, 2):
        classify_contact(first, level)
    db.session.query(Classification).update({"created_at": NOON})
    classify_contact(second, 3)
    classify_contact(third, 1)
    assert [row.new_level for row in listing.history_of(db.session, first)] == [2, 3, 1]
    found = classifying.look(db.session, company.id, ContactFilter())
    assert list(found.by_level.items()) == [(3, 1), (2, 1), (1, 1), (None, 2)]
    assert (found.count, found.newest_id) == (5, max(ids(db.session.query(Contact).filter_by(company_id=company.id))))


def test_those_who_were_classified_last_are_listed_first_and_those_without_a_level_last(company: Company) -> None:
    made = people(company, *NAMES)
    for at, minutes in ((0, 1), (1, 3), (2, 3)):
        made[at].classified_at = NOON + timedelta(minutes=minutes)
    db.session.commit()
    expected = [made[at].id for at in (2, 1, 0, 4, 3)]
    for limit in (1, 2, 5):
        found, cursor = [], None
        for _ in range(9):
            page = listing.page_contacts(
                db.session, company.id, ContactFilter(), limit=limit, sort="classified", cursor=cursor
            )
            found += ids(list(page.items))
            if (cursor := page.next_cursor) is None:
                break
        assert found == expected, limit


def test_doubles_are_shown_in_fifty_groups_by_name_each_of_the_first_ten(company: Company) -> None:
    people = [{"name": f"Pessoa {number:02}", "email": f"{99 - number}@x.test"} for number in range(51, -1, -1)]
    save_many(company, [{"contact": each | {"linkedin_public_id": each["name"]}} for each in people])
    columns = [column.name for column in Contact.__table__.c if column.name not in ("id", "linkedin_public_id")]
    for row in db.session.query(Contact).all():
        facts = {name: getattr(row, name) for name in columns}
        db.session.add_all(Contact(**facts) for _ in range(11 if row.name == "Pessoa 30" else 1))
    db.session.commit()
    groups = merging.find_doubles(db.session, company.id)
    assert len(groups) == 50
    shown = [group[0].name for group in groups]
    assert shown == sorted(shown)
    alike = db.session.query(Contact).filter_by(name="Pessoa 30").order_by(Contact.id).all()
    assert ids(next(group for group in groups if group[0].name == "Pessoa 30")) == ids(alike)[:10]
    assert ids(merging.find_doubles_of(db.session, alike[0])) == ids(alike)[1:6]
