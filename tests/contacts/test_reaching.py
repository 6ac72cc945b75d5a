"""Who reached a level, and whether the CRM knows: each here misses the others' answer by one fact."""

import itertools
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.reaching import ARRIVALS, Reached, note_new, note_repeats, read_reached
from portal.database.db import db
from portal.models import PLACE, Classification, Contact, Delivery
from portal.outbox import note_arrivals
from tests.conftest import URL
from tests.factories import NOON, insert_deliveries, make_company, make_contact
from tests.outbox.stock import WAITING

MOMENT, HOUR = timedelta(microseconds=1), timedelta(hours=1)
SINCE, UNTIL = NOON, NOON + HOUR


def add_levels(contact: Contact, *levels: tuple[int | None, datetime]) -> None:
    for level, at in levels:
        facts = {"company_id": contact.company_id, "old_level": 1, "actor": "ana", "created_at": at}
        place = {column: getattr(contact, its) for column, its in PLACE.items()}
        db.session.add(Classification(new_level=level, **place, **facts))
    db.session.flush()


def classify(contact: Contact, *levels: tuple[int | None, datetime]) -> Contact:
    add_levels(contact, *levels)
    note_repeats(db.session.connection(), [contact.id])
    db.session.commit()
    return contact


def deliver(contact: Contact, **facts: Any) -> None:
    told = {"webhook_id": "told", "status": "delivered", "delivered_at": NOON, "company_id": contact.company_id}
    blank = {column.name: None for column in Delivery.__table__.c if column.name != "id"}
    row = blank | WAITING | told | {"contact_id": contact.id} | facts
    insert_deliveries(db.session.connection(), [row])
    db.session.commit()


def arrivals_of(contact: Contact) -> set[str | None]:
    """Those of `ARRIVALS` that the contact is found by; None where it reached the level at all."""
    return {
        arrival
        for arrival in (None, *ARRIVALS)
        if contact
        in db.session.scalars(
            select_contacts(
                contact.company_id, ContactFilter(reached=Reached(contact.company_id, 2, SINCE, UNTIL, arrival))
            )
        )
    }


@pytest.mark.parametrize(
    ("levels", "has_reached"),
    [
        ([(2, SINCE)], True),
        ([(2, UNTIL - MOMENT)], True),
        ([(2, SINCE - MOMENT)], False),
        ([(2, UNTIL)], False),
        ([(3, SINCE)], False),
        ([(None, SINCE)], False),
        ([(2, SINCE), (3, SINCE + MOMENT)], True),
    ],
)
def test_a_level_is_reached_from_the_first_moment_to_before_the_last(
    app: Flask, levels: list[tuple[int | None, datetime]], has_reached: bool
) -> None:
    company = make_company(url=URL)
    classify(make_contact(make_company("Outra")), (2, SINCE))
    contact = classify(make_contact(company), *levels)
    assert arrivals_of(contact) == ({None, "missing"} if has_reached else set())


@pytest.mark.parametrize(
    ("facts", "delivery", "arrival"),
    [
        ({}, None, "missing"),
        ({"delivered_warning": "error_in_json"}, None, "missing"),
        ({"delivered_warning": "shape_changed"}, {"created_at": SINCE}, "in_crm"),
        ({}, {"created_at": SINCE}, "in_crm"),
        ({}, {"created_at": SINCE + MOMENT}, "in_crm"),
        ({}, {"created_at": SINCE - MOMENT}, "missing"),
        ({}, {"created_at": SINCE, "delivered_at": None}, "missing"),
        ({}, {"created_at": SINCE, "former_contact_id": 9}, "in_crm"),
        ({}, {"created_at": SINCE + MOMENT, "former_contact_id": 9}, "missing"),
        ({}, {"created_at": SINCE, "of": "another"}, "missing"),
        ({"delivered_warning": "error_in_json"}, {"created_at": SINCE}, "with_warning"),
    ],
)
def test_it_is_in_the_crm_when_what_told_of_it_or_anything_later_arrived(
    app: Flask, facts: dict[str, Any], delivery: dict[str, Any] | None, arrival: str
) -> None:
    company = make_company(url=URL)
    contact, another = make_contact(company), make_contact(company)
    for name, value in facts.items():
        setattr(contact, name, value)
    classify(contact, (2, SINCE))
    if delivery is not None:
        deliver(another if delivery.pop("of", None) else contact, **delivery)
        note_arrivals(db.session.connection(), [contact.id, another.id])
        db.session.commit()
    assert arrivals_of(contact) == {None, arrival}


def test_the_last_time_counts_at_which_a_level_was_reached(app: Flask) -> None:
    contact = make_contact(make_company(url=URL))
    classify(contact, (2, SINCE))
    deliver(contact, created_at=SINCE)
    note_arrivals(db.session.connection(), [contact.id])
    assert arrivals_of(contact) == {None, "in_crm"}
    assert arrivals_of(classify(contact, (2, SINCE + MOMENT))) == {None, "missing"}


@pytest.mark.parametrize(
    ("asked", "is_known"),
    [
        ("2,2026-03-10T12:00:00Z,2026-03-10T13:00:00Z", True),
        ("2,2026-03-10T12:00:00Z,2026-03-10T13:00:00Z,in_crm", True),
        ("4,2026-03-10T12:00:00Z,2026-03-10T13:00:00Z", False),
        ("2,2026-03-10T12:00:00,2026-03-10T13:00:00Z", False),
        ("2,2026-03-10T12:00:00Z,2026-03-10T13:00:00Z,lost", False),
        ("2,2026-03-10T12:00:00Z,2026-03-10T13:00:00Z,in_crm,in_crm", False),
        ("2,0002-01-01T00:00:00Z,9998-12-31T00:00:00Z", True),
        ("2,0001-12-31T00:00:00Z,9998-12-31T00:00:00Z", False),
        ("2,0002-01-01T00:00:00Z,9999-01-01T00:00:00Z", False),
        ("2,2026-03-10T12:00:00Z", False),
    ],
)
def test_what_is_asked_for_is_read_as_it_is_written(app: Flask, asked: str, is_known: bool) -> None:
    if not is_known:
        with pytest.raises(ValueError, match=r"."):
            read_reached(db.session, 7, asked)
        return
    reached = read_reached(db.session, 7, asked)
    assert (reached.company_id, reached.level) == (7, 2)
    assert str(reached) == asked or reached.since.year < 1000


def test_a_level_set_again_by_a_clock_that_was_set_back_is_noted_in_its_place(app: Flask) -> None:
    contact = classify(make_contact(make_company()), (2, NOON), (3, NOON + HOUR), (2, NOON + 2 * HOUR))
    add_levels(contact, (2, NOON + HOUR))
    note_new(db.session.connection(), [contact.id], now=NOON + HOUR)
    noted = select(Classification.created_at, Classification.repeated_at).where(Classification.new_level == 2)
    assert db.session.execute(noted.order_by(Classification.created_at)).all() == [
        (NOON, NOON + HOUR),
        (NOON + HOUR, NOON + 2 * HOUR),
        (NOON + 2 * HOUR, None),
    ]


def test_what_a_new_level_costs_grows_no_faster_than_its_contacts_history(app: Flask) -> None:
    def steps_with(history: int) -> int:
        levels = [(level, NOON + place * MOMENT) for place in range(history) for level in (2, None)]
        contact = classify(make_contact(make_company()), *levels)
        now = NOON + HOUR
        add_levels(contact, (2, now))
        connection, steps = db.session.connection(), itertools.count()
        driver: Any = connection.connection.driver_connection
        driver.set_progress_handler(lambda: next(steps) < 0, 1)
        note_new(connection, [contact.id], now=now)
        driver.set_progress_handler(None, 0)
        return next(steps)

    assert steps_with(160) < 8 * steps_with(40)
