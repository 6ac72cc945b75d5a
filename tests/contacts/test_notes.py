"""One note a cause and company: what somebody found out about a kind of failure."""

from flask import Flask

from portal.contacts import notes
from portal.database.db import db
from portal.models import AuditEntry, Company
from tests.conftest import BOTH
from tests.factories import actor_of, make_company

pytestmark = BOTH


def said(company: Company) -> dict[str, str]:
    return {cause: note.text for cause, note in notes.notes_of(db.session, company.id).items()}


def test_each_company_has_its_own_note_about_a_cause(app: Flask) -> None:
    first, second = make_company("Primeira"), make_company("Segunda")
    for company, text in ((first, "um"), (second, "dois"), (second, "três"), (first, "quatro\r\ncinco ")):
        notes.write_note(db.session, actor_of(company), "timeout", text)
        db.session.commit()
    assert (said(first), said(second)) == ({"timeout": "quatro\ncinco"}, {"timeout": "três"})
    notes.write_note(db.session, actor_of(second), "timeout", " ")
    db.session.commit()
    assert (said(first), said(second)) == ({"timeout": "quatro\ncinco"}, {})
    noted = db.session.query(AuditEntry.company_id).filter_by(action="cause.noted").order_by(AuditEntry.id)
    assert [number for (number,) in noted] == [first.id, second.id, second.id, first.id, second.id]
