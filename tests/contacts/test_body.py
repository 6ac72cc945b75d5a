"""Saving contacts, where two do it at the same time."""

import threading

from flask import Flask
from sqlalchemy import select

from portal.contacts.single import save_contact
from portal.database.db import db
from portal.models import Company, Contact
from tests import factories
from tests.conftest import BOTH

ANA = {"contact": {"name": "Ana", "linkedin_public_id": "ana"}}


@BOTH
def test_one_contact_saved_by_two_at_once_is_made_once(app: Flask) -> None:
    company = factories.make_company()
    factories.make_contact(company)  # the campaign exists: it makes nobody wait
    owner, company_id = factories.owner_of(company), company.id
    db.session.commit()

    def save() -> None:
        with factories.session_of(app) as session:
            mine = session.get_one(Company, company_id)
            save_contact(session, mine, ANA, default_owner=session.merge(owner))
            session.commit()

    second = threading.Thread(target=save)
    save_contact(db.session, company, ANA, default_owner=owner)
    second.start()
    second.join(0.3)
    db.session.commit()
    second.join()
    assert len(db.session.scalars(select(Contact).where(Contact.name == "Ana")).all()) == 1
