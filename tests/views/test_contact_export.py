"""The contacts as CSV: what the list shows, in a form that an import takes back through its pages."""

import csv
import io

import pytest

from portal.database.db import db
from portal.models import AuditEntry, Contact, Delivery, Task
from portal.web import files
from tests.factories import do_tasks, make_company, make_contact, make_delivery, mark_delivered, save, set_url
from tests.views.test_imports import begin


@pytest.fixture
def people(company):
    set_url(company, "https://crm.example.com/hook")
    mark_delivered(make_delivery(save(company, {"contact": {"name": "=Ana", "role": " x "}}), 3))
    save(company, {"contact": {"name": "Élio"}, "campaign": {"name": "Feira", "description": "De março"}})
    make_contact(make_company("Outra"), name="Vera")


def rows_of(answer):
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_the_file_has_what_the_filter_shows_and_the_act_is_noted(member, people):
    answer = member.get("/contacts.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="contatos-20')
    rows = rows_of(answer)
    assert [row["Nome completo"] for row in rows] == ["'=Ana", "Élio"]
    assert (rows[0]["Nível de interesse"], rows[0]["Cargo"]) == ("3", " x ")
    assert (rows[1]["Campanha"], rows[1]["Descrição da campanha"]) == ("Feira", "De março")
    assert [row["Nome completo"] for row in rows_of(member.get("/contacts.csv?level=3"))] == ["'=Ana"]
    assert {row.actor for row in db.session.query(AuditEntry).filter_by(action="contacts.exported")} == {member.email}


def test_a_long_list_is_written_in_batches(member, company, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 2)
    for number in range(5):
        make_contact(company, name=f"Pessoa {number}")
    assert len(rows_of(member.get("/contacts.csv"))) == 5


def test_the_list_links_to_the_file_of_its_filter(member, people):
    assert 'href="/contacts.csv?level=3"' in member.get("/contacts?level=3").text


def test_the_file_comes_back_in_through_the_pages_and_changes_nothing(member, people):
    content = member.get("/contacts.csv").data
    before = [(row.id, row.updated_at, row.data_changed_at) for row in db.session.query(Contact).order_by(Contact.id)]
    answer = member.post("/imports", {"file": (io.BytesIO(content), "contatos.csv")})
    do_tasks()
    draft = db.session.query(Task).filter_by(kind="import").one()
    assert answer.status_code == 303
    page = member.get(f"/imports/{draft.id}").text
    assert "Contatos deste portal" in page
    assert 'name="column-0"' not in page
    begin(member, f"/imports/{draft.id}", {"is_sending": "yes"})
    assert do_tasks().status == "done"
    after = [(row.id, row.updated_at, row.data_changed_at) for row in db.session.query(Contact).order_by(Contact.id)]
    assert after == before
    assert db.session.query(Delivery).count() == 1
