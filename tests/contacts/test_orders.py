"""The list's orders are read from an index, however many contacts there are."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import insert, select, text

from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import page_contacts
from portal.database.db import db
from portal.models import Company, Contact
from tests.conftest import BOTH
from tests.deliveries.test_rare import plans
from tests.factories import NOON, make_company, make_contact

pytestmark = BOTH

MANY = 5_000
CLASSIFIED = 200


@pytest.fixture
def company(app: Flask) -> Company:
    """One with many contacts, the first of them classified, one each minute."""
    company = make_company()
    template = db.session.execute(select(Contact.__table__)).mappings().one() if make_contact(company) else {}
    facts = {name: value for name, value in template.items() if name != "id"}
    at = [NOON + timedelta(minutes=number) if number < CLASSIFIED else None for number in range(MANY)]
    rows = [facts | {"classified_at": moment, "interest_level": moment and 2} for moment in at]
    db.session.commit()
    with db.engine.begin() as connection:
        connection.execute(insert(Contact), rows)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    return company


def test_the_last_classified_are_read_from_their_index_on_both_sides_of_the_border(company: Company) -> None:
    def read(cursor: str | None = None, before: str | None = None) -> tuple[list[Contact], str | None, str | None]:
        page = page_contacts(
            db.session, company.id, ContactFilter(), limit=80, sort="classified", cursor=cursor, before=before
        )
        return list(page.items), page.next_cursor, page.previous_cursor

    with plans() as found:
        first, cursor, _ = read()
        second, cursor, _ = read(cursor)
        third, cursor, previous = read(cursor)  # 40 that were classified, and 40 that were not
        fourth, _, _ = read(cursor)
        back, _, _ = read(before=previous)
    walked = [*first, *second, *third]
    moments = [contact.classified_at for contact in walked[:CLASSIFIED]]
    assert None not in moments
    assert moments == sorted(moments, reverse=True)
    assert [contact.classified_at for contact in (*walked[CLASSIFIED:], *fourth)] == [None] * 120
    assert [contact.id for contact in back] == [contact.id for contact in second]
    reading = [plan for plan in found if "ix_contact_classified" in plan]
    assert len(reading) == 9  # the same moment, those before it, and those without one
    for plan in reading:
        assert "TEMP B-TREE" not in plan, plan
        assert "Sort" not in plan.partition("Index")[0], plan
