"""The filter of the contact list: every edge has the same fields, and what does not exist matches nothing."""

from datetime import timedelta
from typing import Any

import pytest

from portal.api.contact_schemas import ContactQuerySchema
from portal.api.protocol.fields import ListQuerySchema
from portal.contacts import classifying, filtering, listing
from portal.contacts.campaigns import count_campaigns
from portal.contacts.filtering import ContactFilter, read_filter
from portal.contacts.listing import page_contacts
from portal.contacts.standing import SHOWN_STATES, SYNC_STATES, standings_of
from portal.database.db import db
from portal.models import Company, Contact
from tests.conftest import BOTH
from tests.factories import (
    classify_contact,
    make_company,
    make_contact,
    make_delivery,
    mark_delivered,
    save_many,
)


@pytest.fixture
def contact(company: Company) -> Contact:
    contact = make_contact(company, name="Élio Souza")
    classify_contact(contact, 2)
    return contact


def found(company: Company, wanted: ContactFilter) -> int:
    items = page_contacts(db.session, company.id, wanted).items
    assert classifying.look(db.session, company.id, wanted).count == len(items)
    return len(items)


def test_every_edge_has_the_same_fields() -> None:
    query = {each.data_key or name for name, each in ContactQuerySchema().fields.items()}
    query -= set(ListQuerySchema().fields)
    assert query == set(filtering.NAMES)


def test_a_field_counts_in_all_that_is_read_of_the_list(company: Company, contact: Contact) -> None:
    make_contact(company, name="Bia")
    contact.phone = "+55 (11) 91234-5678"
    db.session.commit()
    one: list[dict[str, Any]] = [
        *({"search": text} for text in (" elio ", "11 9123", "5678", "souza Élio")),
        *({"level": "2"}, {"level": "none"}, {"sync": "waiting"}),
    ]
    for asked in one:
        assert found(company, read_filter(db.session, company.id, asked)) == 1, asked
    assert found(company, ContactFilter(search="567")) == 0
    assert found(company, ContactFilter(search="elio " * 12 + "outro")) == 1, "a dozen words say enough"
    both: list[dict[str, Any]] = [
        {},
        {"campaign": "Geral"},
        {"campaign_id": contact.campaign_id, "owner": contact.owner.email.upper()},
        {"owner": str(contact.owner_id), "search": "", "level": None},
    ]
    for asked in both:
        assert found(company, read_filter(db.session, company.id, asked)) == 2, asked


def test_campaigns_are_counted_by_name_with_those_that_have_a_level(company: Company, contact: Contact) -> None:
    make_contact(company)
    save_many(company, [{"contact": {"name": "Bia"}, "campaign": {"name": "Feira"}}])
    found = [(each.campaign.name, each.contacts, each.classified) for each in count_campaigns(db.session, company.id)]
    assert found == [("Feira", 1, 0), ("Geral", 2, 1)]


def test_counting_stops_one_beyond_its_cap(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "COUNT_CAP", 2)
    counts = []
    for _ in range(4):
        make_contact(company)
        counts.append(listing.count_contacts(db.session, company.id, ContactFilter()))
    assert counts == [1, 2, 3, 3]


@pytest.mark.parametrize("name", sorted(set(filtering.NAMES) - {"search"}))
def test_what_does_not_exist_matches_nothing(company: Company, contact: Contact, name: str) -> None:
    wanted = read_filter(db.session, company.id, {name: "nonsense"})
    assert wanted.unknown == (name,)
    assert found(company, wanted) == 0
    assert classifying.choose(db.session, company.id, wanted, newest_id=contact.id) == []


def test_a_row_of_another_company_does_not_exist(company: Company, contact: Contact) -> None:
    other = make_company("Outra")
    for asked in ({"campaign": contact.campaign_id}, {"owner": contact.owner_id}, {"campaign": "Geral"}):
        assert read_filter(db.session, other.id, asked).unknown == tuple(asked)


@BOTH
def test_a_state_finds_whom_it_shows_however_many_may_be_in_it(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_contact(company)
    unsent, removed, withdrawn, renewed, changed = (make_contact(company) for _ in range(5))
    unsent.interest_level = 2
    make_delivery(withdrawn)
    classify_contact(withdrawn, None)
    for contact in (removed, renewed, changed):
        mark_delivered(make_delivery(contact))
        if contact is not removed:
            contact.data_changed_at = contact.delivered_frozen_at + timedelta(microseconds=1)
    make_delivery(renewed, 3)
    renewed.interest_level = 2
    mark_delivered(make_delivery(make_contact(company)), warning="error_in_json")
    mark_delivered(make_delivery(make_contact(company)))
    make_delivery(make_contact(company))
    make_delivery(make_contact(company)).status = "failed"
    db.session.commit()
    classify_contact(removed, None)
    standings = standings_of(db.session, db.session.query(Contact).all())
    assert {each.shown for each in standings.values()} == set(SHOWN_STATES)
    for cap in (listing.COUNT_CAP, 0):
        monkeypatch.setattr(listing, "COUNT_CAP", cap)
        for name, states in (("state", SHOWN_STATES), ("sync", SYNC_STATES)):
            for state in states:
                wanted = ContactFilter(**{name: state})
                numbers = listing.find_matching(db.session, company.id, wanted, most=50)
                facts = {row_id: each.shown if name == "state" else each.sync for row_id, each in standings.items()}
                assert set(numbers) == {row_id for row_id, fact in facts.items() if fact == state}, (cap, wanted)


@pytest.mark.parametrize("search", ["souza maria ana2", "maria ana2 souza", "ana2 souza maria"])
def test_the_word_that_the_fewest_have_is_looked_for_first(search: str) -> None:
    asked = str(filtering.is_found_by(search).compile(compile_kwargs={"literal_binds": True}))
    assert asked.index("ana2") < min(asked.index("maria"), asked.index("souza"))


def test_of_names_the_longer_one_is_looked_for_first() -> None:
    asked = str(filtering.is_found_by("ana de souza").compile(compile_kwargs={"literal_binds": True}))
    assert asked.index("'souza'") < asked.index("'ana'") < asked.index("'de'")
