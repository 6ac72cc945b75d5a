"""The delivery log as CSV: what the filter shows, in a form that Brazilian Excel opens and nothing runs in."""

import csv
import io

import pytest

from portal.database.db import db
from portal.models import User
from portal.web import files
from portal.web.files import csv_text
from tests.factories import NOON, classify_contact, make_contact, make_delivery, set_url


@pytest.fixture
def delivery(company, receiver):
    set_url(company, receiver.url)
    made = make_delivery(make_contact(company, name="=cmd|'/C calc'!A1", linkedin_public_id="ana"), level=3)
    made.created_at = NOON
    db.session.commit()
    return made


def rows_of(answer) -> list[dict[str, str]]:
    assert answer.data.startswith(b"\xef\xbb\xbf")
    return list(csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")), delimiter=";"))


def test_a_row_says_what_the_list_says_in_the_zone_of_the_company(member, delivery):
    answer = member.get("/deliveries.csv")
    assert answer.content_type == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith('attachment; filename="entregas-20')
    (row,) = rows_of(answer)
    assert row["Código da entrega"] == delivery.webhook_id
    assert (row["Quando"], row["Estado"], row["Nível"]) == ("2026-03-10 09:00:00", "Aguardando", "3")
    assert (row["Campanha"], row["LinkedIn"], row["Origem"]) == ("Geral", "ana", "Classificação")


def test_no_cell_is_a_formula(member, delivery):
    assert rows_of(member.get("/deliveries.csv"))[0]["Contato"] == "'=cmd|'/C calc'!A1"


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r"])
def test_every_start_of_a_formula_is_taken_for_text(first):
    assert csv_text([[first + "1"]]).strip('"').startswith("'" + first)


def test_the_file_holds_what_the_filter_shows_and_nothing_of_others(member, stranger, company, delivery):
    make_delivery(make_contact(company, name="Outra pessoa"), level=1)
    assert [row["Nível"] for row in rows_of(member.get("/deliveries.csv?level=1"))] == ["1"]
    assert len(rows_of(member.get("/deliveries.csv"))) == 2
    assert rows_of(stranger.get("/deliveries.csv")) == []
    assert "/deliveries.csv?level=1" in member.get("/deliveries?level=1").text


def test_a_long_log_is_written_in_batches_none_lost(member, company, delivery, monkeypatch):
    monkeypatch.setattr(files, "BATCH", 3)
    contact = make_contact(company)
    for number in range(10):
        classify_contact(contact, number % 3 + 1)
    ids = [row["Código da entrega"] for row in rows_of(member.get("/deliveries.csv"))]
    assert len(set(ids)) == len(ids) == 11
    assert ids[-1] == delivery.webhook_id


def test_the_file_speaks_the_language_of_the_reader(admin, delivery):
    db.session.get(User, admin.id).locale = "en"
    assert rows_of(admin.get("/deliveries.csv"))[0]["State"] == "Waiting"


def test_an_erased_contact_leaves_the_facts(member, delivery):
    delivery.contact_id = None
    db.session.commit()
    (row,) = rows_of(member.get("/deliveries.csv"))
    assert (row["Contato"], row["LinkedIn"], row["Nível"], row["Campanha"]) == ("Contato apagado", "", "3", "Geral")
