"""A company takes its data along and is closed, by an admin who types its name and the password."""

import csv
import io
import zipfile

import pytest
from sqlalchemy import event

from portal.contacts import notes
from portal.database.db import db
from portal.models import Attempt, AuditEntry, Company, Delivery, Exchange
from portal.people import logging_in
from portal.runtime import runtime
from portal.web import files
from portal.web.files import DELIMITER, write_zip
from portal.working_models import CrmRecord
from tests.factories import (
    NOON,
    PASSWORD,
    actor_of,
    classify_contact,
    make_company,
    make_contact,
    make_delivery,
    set_crm_link,
)
from tests.views.test_account import log_in

FILES = [
    *("contatos.csv", "classificacoes.csv", "campanhas.csv", "pessoas.csv"),
    *("entregas.csv", "tentativas.csv", "notas.csv", "auditoria.csv"),
]


@pytest.fixture
def company(app):
    return make_company("Ágil", url="http://127.0.0.1:9999/hook")


@pytest.fixture
def holding(company):
    """What the company has: a contact, and its delivery, which waits."""
    contact = make_contact(company, name="Zuleica")
    made = make_delivery(contact, 2)
    return contact, made


def leave(browser, name="Ágil", password=PASSWORD, **more):
    return browser.post("/company/close", {"name": name, "current": password}, **more)


def files_in(answer) -> dict[str, list[list[str]]]:
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.testzip() is None
        return {
            name: list(csv.reader(io.StringIO(archive.read(name).decode("utf-8-sig")), delimiter=DELIMITER))
            for name in archive.namelist()
        }


def test_the_file_holds_what_the_company_has_and_nothing_of_others(admin, holding, stranger):
    other = make_delivery(make_contact(make_company("Rival", url="http://127.0.0.1:9999/hook"), name="Alheia"), 1)
    answer = admin.get("/company/data.zip")
    assert answer.mimetype == "application/zip"
    assert "dados-" in answer.headers["Content-Disposition"]
    files = files_in(answer)
    assert list(files) == FILES
    assert "Zuleica" in files["contatos.csv"][1]
    assert [row[0] for row in files["entregas.csv"][1:]] == [holding[1].webhook_id]
    assert files["tentativas.csv"][0][0] == "Código da entrega"
    assert "company.exported" in [row[3] for row in files["auditoria.csv"]]
    text = str(files)
    assert "Alheia" not in text
    assert other.webhook_id not in text


def test_histories_campaigns_people_and_notes_are_in_the_file(admin, company, holding):
    contact = holding[0]
    campaign, owner = contact.campaign, contact.owner
    campaign.description = "Feiras"
    classify_contact(contact, 3)
    notes.write_note(db.session, actor_of(company), "timeout", "Falei com o suporte")
    set_crm_link(company)
    db.session.add(CrmRecord(contact_id=contact.id, pointer="/id", value="41"))
    db.session.commit()
    number, names = str(contact.id), (campaign.name, owner.email)
    files = files_in(admin.get("/company/data.zip"))
    history = [(row[0], row[2], row[3]) for row in files["classificacoes.csv"][1:]]
    assert history == [
        (number, "", "2"),
        (number, "2", "3"),
    ]
    assert files["campanhas.csv"][1:] == [[names[0], "Feiras"]]
    people = {row[1]: row[2] for row in files["pessoas.csv"][1:]}
    assert people[admin.email] == "Administrador"
    assert names[1] in people
    assert [row[:2] for row in files["notas.csv"][1:]] == [["timeout", "Falei com o suporte"]]
    assert files["contatos.csv"][1][-1] == "https://crm.example/41"


def test_what_the_crm_answered_is_not_read_for_the_file(admin, company, holding):
    facts = {"number": 1, "trigger": "sync", "url": "http://x.test/", "reason": "timeout", "started_at": NOON}
    attempt = Attempt(delivery_id=holding[1].id, **facts)
    attempt.exchange = Exchange(response_body=b"x" * 100)
    db.session.add(attempt)
    db.session.commit()
    asked = []

    def note(_connection, _cursor, statement, *_):
        asked.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    assert len(files_in(admin.get("/company/data.zip"))["tentativas.csv"]) == 2
    event.remove(db.engine, "before_cursor_execute", note)
    assert any("FROM attempt" in statement for statement in asked)
    assert not [statement for statement in asked if "exchange" in statement]


def test_every_try_of_every_delivery_is_in_the_file(admin, company, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 2)
    deliveries = [make_delivery(make_contact(company), 2) for _ in range(5)]
    for number, delivery in enumerate(deliveries, 1):
        tries = [{"number": each, "reason": "timeout", "started_at": NOON} for each in range(1, number + 1)]
        db.session.add_all(
            Attempt(delivery_id=delivery.id, trigger="sync", url="http://x.test/", **each) for each in tries
        )
    db.session.commit()
    rows = files_in(admin.get("/company/data.zip"))["tentativas.csv"][1:]
    wanted = [[each.webhook_id, str(n)] for number, each in enumerate(deliveries, 1) for n in range(1, number + 1)]
    assert [row[:2] for row in rows] == wanted


def test_an_archive_is_made_piece_by_piece():
    drawn = []

    def pieces():
        for number in range(5):
            drawn.append(number)
            yield f"{number}" * 100_000

    archive = write_zip([("a.csv", pieces())])
    next(archive)
    assert drawn == [0], "the rest is made when somebody takes it"
    held = zipfile.ZipFile(io.BytesIO(b"".join([b"", *write_zip([("a.csv", ["á", "b"])])])))
    assert held.read("a.csv").decode() == "áb"
    assert sum(map(len, write_zip([("a.csv", ["a" * 100_000])]))) < 1000, "it is compressed"


def test_the_page_says_what_goes(admin, holding):
    page = admin.get("/company/close").text
    assert "Encerrar Ágil?" in page
    assert "Uma entrega ainda espera para ser enviada e será cancelada." in page
    assert 'href="/company/data.zip"' in page


def test_closing_takes_the_name_and_the_password(admin, holding):
    for other in ("Agil", "ágil", "Ágil S.A."):
        assert leave(admin, name=other).status_code == 422
    assert leave(admin, password="wrong wrong").status_code == 422
    assert leave(admin, name="").status_code == 422
    assert db.session.query(Company).one().closed_at is None
    assert db.session.query(Delivery).one().status == "pending"


def test_guesses_of_the_password_count(admin):
    statuses = [leave(admin, password="wrong wrong").status_code for _ in range(logging_in.FREE_FAILURES + 1)]
    assert statuses == [422] * logging_in.FREE_FAILURES + [429]


def test_a_closed_company_is_left_at_once(admin, member, holding, person):
    answer = leave(admin, follow_redirects=True)
    assert "A empresa foi encerrada." in answer.text
    assert (admin.get("/").status_code, member.get("/").status_code) == (302, 302)
    assert log_in(person(), admin.email).status_code == 422
    db.session.expire_all()
    assert db.session.query(Delivery).one().status == "cancelled"
    entry = db.session.query(AuditEntry).filter_by(action="company.closed").one()
    assert (entry.company_id, entry.actor, entry.subject, entry.ip) == (None, admin.email, "Ágil", "127.0.0.1")
    assert db.session.query(Company).one().closed_at is not None
    assert (runtime().settings.instance / "erasures").exists(), "a restore knows of it when the database is lost"
