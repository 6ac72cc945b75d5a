"""Contacts that went out as a file come back in and change nothing, whatever their texts hold."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from portal.contacts.filtering import ContactFilter
from portal.contacts.listing import read_contacts
from portal.contacts.table import TITLES, row_of, titles_of
from portal.database.db import db
from portal.importing.findings import read_findings
from portal.importing.layout import examine
from portal.models import Campaign, Contact, Delivery, Message, User
from portal.rules.formulas import FORMULA_STARTS, guard, unguard
from portal.rules.payload import sample_payload
from portal.tasks import store
from portal.web.files import csv_text
from tests.conftest import BOTH
from tests.factories import do_tasks, make_import, save, save_many

PEOPLE: list[dict[str, Any]] = [
    {
        "contact": {
            "name": '=SOMA("A1"); João, o "Zé"',
            "linkedin_public_id": "joao",
            "role": "  'Sócio\n e\r\ndiretor ",
            "location": "n/a",
            "current_company": "@ACME ::: Filial",
            "current_company_link": "-x",
            "phone": "+55 11 5555-0000; ramal 2",
            "email": "joao@example.com",
            "interest_level": 2,
            "invite_date": "2018-02-17 23:30:00-03:00",
            "accept_date": "2026-01-22 12:28:47.123456",
            "reply_date": "1999-12-31 00:00:00",
            "skills": [{"skill": "C; C++\n", "endorsements": None}, {"skill": None, "endorsements": 3}],
            "experiences": [{"experience": '"Gerente", SP', "company_link": "https://x.example/;"}],
        },
        "campaign": {"name": "'=Feira", "description": "Linha um\nlinha dois; três"},
        "contact_owner": {"email": "bia@example.com", "name": "Bia"},
        "messages": [
            {"sender_name": "Bia", "message": 'Olá;\n"tudo"?', "date": "2026-01-22 12:30:00.5", "pending_message": 1},
            {"sender_name": "", "message": "", "date": None, "pending_message": 0},
        ],
    },
    {"contact": {"name": "Ana", "phone": "sem número", "role": "#N/A"}},
    {"contact": {"name": "Ana", "phone": "sem número", "role": "outra"}},
    {"contact": {"name": "Total", "role": "Total"}},
    {"contact": {"name": "Rui", "email": "um@example.com"}},
]


def stored() -> list[Any]:
    """All that an import could change."""
    db.session.expire_all()
    rows: list[Any] = []
    for model in (Contact, Campaign, User, Message, Delivery):
        names = [column.name for column in model.__table__.columns if column.name != "body"]
        rows += [[getattr(row, name) for name in names] for row in db.session.query(model).order_by(model.id)]
    db.session.commit()
    return rows


def test_every_field_of_the_body_has_its_column() -> None:
    body = sample_payload()
    paths = [name if part == "contact" else f"{part}.{name}" for part in list(body)[:3] for name in body[part]]
    assert {*paths, "messages"} == {*TITLES, "contact_owner.id", "campaign.id"}


@pytest.fixture
def twins(company):
    """A company with the people above, and two contacts that share an e-mail, as older versions let them."""
    save_many(company, PEOPLE)
    db.session.commit()
    twin = save(company, {"contact": {"name": "Rute", "email": "dois@example.com"}})
    db.session.query(Contact).filter_by(id=twin.id).update({"email": "um@example.com"})
    db.session.commit()
    return company


def back(company, content: bytes) -> Any:
    task = make_import(company, content)
    store.start(db.session, task)
    db.session.commit()
    return do_tasks()


def written(company, language: str = "pt", wanted: ContactFilter | None = None) -> bytes:
    """The file, as the page writes it."""
    rows = read_contacts(db.session, company.id, wanted or ContactFilter(), after=None, limit=99, with_messages=True)
    text = csv_text([titles_of(language), *(row_of(row, ZoneInfo(company.timezone)) for row in rows)])
    db.session.commit()
    return b"\xef\xbb\xbf" + text.encode()


@BOTH
@pytest.mark.parametrize("language", ["pt", "en"])
def test_what_went_out_comes_back_in_and_changes_and_sends_nothing(twins, language):
    content = written(twins, language)
    before = stored()
    task = back(twins, content)
    assert stored() == before
    assert (task.counts, list(read_findings(db.engine, task.id))) == ({"unchanged": 6}, [])


def test_a_part_that_went_out_comes_back_to_the_same_people(twins):
    before = stored()
    back(twins, written(twins, wanted=ContactFilter(search="Rute")))
    (second,) = db.session.query(Contact.id).filter_by(role="outra").one()
    content = written(twins).split(b"\r\n")
    rows = [line for line in content if line.startswith(f"{second};".encode())]
    back(twins, b"\r\n".join([content[0], *rows]))
    assert len(rows) == 1
    assert stored() == before


def test_what_is_changed_in_the_file_is_changed_here_and_nothing_else(twins):
    content = written(twins).decode().replace(";outra;", ";nova;", 1)
    task = back(twins, content.encode())
    assert task.counts == {"changed": 1, "unchanged": 5}
    assert db.session.query(Contact).filter_by(role="nova").count() == 1


def test_a_number_counts_only_where_the_same_person_is(twins):
    """A file of another portal has its own numbers."""
    first = db.session.query(Contact.id).filter_by(name="Total").scalar()
    cells = dict.fromkeys(TITLES, "") | {"id": str(first), "name": "Somebody Else", "campaign.name": "Geral"}
    back(twins, csv_text([titles_of("en"), list(cells.values())]).encode())
    assert db.session.get_one(Contact, first).name == "Total"
    assert db.session.query(Contact).filter_by(name="Somebody Else").count() == 1


def test_a_cell_that_a_spreadsheet_spoilt_is_said_and_loses_nothing(twins):
    cells = dict.fromkeys(TITLES, "") | {"name": "Ana Clara", "skills": "[cut", "interest_level": "x", "id": "no"}
    cells |= {"messages": "[cut"}
    cells |= {"accept_date": "31/12/2025 10:00", "reply_date": "ontem"}
    task = back(twins, csv_text([titles_of("en"), list(cells.values())]).encode())
    problems = {finding.field: finding.problem for finding in read_findings(db.engine, task.id)}
    assert problems == {
        "contact.skills": "not_a_list",
        "messages": "not_a_list",
        "contact.interest_level": "unknown_level",
        "contact.id": "unknown",
        "contact.reply_date": "not_a_date",
    }
    ana = db.session.query(Contact).filter_by(name="Ana Clara").one()
    assert ana.accept_date.astimezone(ZoneInfo(twins.timezone)).isoformat()[:16] == "2025-12-31T10:00"


def test_a_file_with_one_column_more_is_read_like_any_other(twins):
    content = b"\r\n".join(line + b";x" for line in written(twins).split(b"\r\n")[:1])
    assert examine(lambda: iter([content + b"\r\n1;Ana;" + b";" * 19])).layout.kind == "generic"


texts = st.text(st.sampled_from(["'", *FORMULA_STARTS, "a", ";", '"']), max_size=6)


@given(text=texts)
def test_the_guard_of_formulas_is_taken_off_again(text):
    assert unguard(guard(text)) == text
    assert not guard(text).startswith(FORMULA_STARTS)
