"""Whose data changed is written down of those that are meant, of their company, and both are held until the commit."""

import re
from datetime import timedelta

import time_machine
from flask import Flask
from sqlalchemy import event
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.elements import ClauseElement

from portal.database.db import db
from portal.models import Contact
from portal.outbox import mark_changed
from tests.factories import NOON, make_company, make_contact

LATER = NOON + timedelta(hours=1)


def test_a_change_is_noted_of_those_that_are_meant_of_the_company(app: Flask) -> None:
    company, other = make_company(), make_company("Outra")
    with time_machine.travel(NOON, tick=False):
        names = {"Ana": company, "Bia": company, "Eva": other}
        contacts = {name: make_contact(owner, name=name) for name, owner in names.items()}
    with time_machine.travel(LATER, tick=False):
        mark_changed(db.session, company.id, Contact.name.in_(["Ana", "Eva"]))
    db.session.commit()
    db.session.expire_all()
    assert {name: each.data_changed_at for name, each in contacts.items()} == {"Ana": LATER, "Bia": NOON, "Eva": NOON}


def test_the_company_and_then_its_contacts_in_their_order_are_held(app: Flask) -> None:
    company = make_company()
    said: list[str] = []

    def note(_connection: object, statement: ClauseElement, *_: object) -> None:
        said.append(
            " ".join(
                re.sub(r"::[A-Z]+( WITH TIME ZONE)?", "", str(statement.compile(dialect=postgresql.dialect()))).split()
            )
        )

    event.listen(db.engine, "before_execute", note)
    try:
        mark_changed(db.session, company.id, Contact.name == "Ana")
    finally:
        event.remove(db.engine, "before_execute", note)
    of_company = "WHERE contact.company_id = %(company_id_1)s AND contact.name = %(name_1)s"
    assert said == [
        "SELECT company.id FROM company WHERE company.id = %(id_1)s FOR NO KEY UPDATE",
        f"SELECT contact.id FROM contact {of_company} ORDER BY contact.id FOR UPDATE",
        f"UPDATE contact SET data_changed_at=%(data_changed_at)s {of_company}",
    ]
