"""The company's name and time zone, and the zone that a reader chose instead."""

import json
import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from portal.database.db import db
from portal.models import AuditEntry, Company, Delivery, User
from tests.factories import classify_contact, make_company, make_contact, make_delivery, set_url


def test_an_admin_sets_the_zone_of_the_dates_that_go_to_the_crm(admin, company, receiver):
    set_url(company, receiver.url)
    contact = make_contact(company, invite_date="2026-03-10 12:00:00")
    admin.post("/company", {"name": "Vendas do Norte", "timezone": "America/Manaus"})
    assert (db.session.get_one(Company, company.id).name, company.timezone) == ("Vendas do Norte", "America/Manaus")
    assert db.session.query(AuditEntry).filter_by(action="company.changed").one().subject == "America/Manaus"
    classify_contact(contact, 3)
    body = json.loads(db.session.query(Delivery).one().body)
    assert body["contact"]["invite_date"] == "2026-03-10 11:00:00"  # an hour behind São Paulo, where it was typed


@pytest.mark.parametrize(
    "values",
    [{"name": "", "timezone": "UTC"}, {"name": "A", "timezone": "America/Atlantis"}, {"name": "A", "timezone": " "}],
)
def test_a_company_without_a_name_or_in_no_zone_is_refused(admin, company, values):
    assert admin.post("/company", values).status_code == 422
    assert company.timezone == "America/Sao_Paulo"


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("manaus", "America/Manaus"),
        ("São Paulo (America/Sao Paulo)", "America/Sao_Paulo"),
        ("nova york", "America/New_York"),
        ("europe/lisbon", "Europe/Lisbon"),
        ("rio branco", "America/Rio_Branco"),
    ],
)
def test_a_zone_is_found_by_its_city(admin, company, typed, name):
    assert admin.post("/company", {"name": "Vendas", "timezone": typed}).status_code == 303
    assert db.session.get_one(Company, company.id).timezone == name


def test_a_city_that_is_none_is_said_and_stays_typed(admin, company):
    page = admin.post("/company", {"name": "Vendas", "timezone": "Atlântida"}).text
    assert "Não conhecemos esta cidade. Escolha uma da lista." in page
    assert 'value="Atlântida"' in page
    assert '<option value="São Paulo (America/Sao Paulo)">' in page


def test_two_companies_do_not_share_a_name(admin, company):
    make_company("Outra")
    answer = admin.post("/company", {"name": "Outra", "timezone": "UTC"})
    assert answer.status_code == 422
    assert "Já existe uma empresa com este nome." in answer.text


def test_a_reader_sees_times_in_the_zone_of_the_own_account(admin, company, receiver):
    set_url(company, receiver.url)
    delivery = make_delivery(make_contact(company))
    delivery.created_at = datetime(2026, 3, 10, 2, 30, tzinfo=UTC)  # the evening of the 9th in São Paulo
    db.session.commit()
    on_the_tenth = "/deliveries?since=2026-03-10&until=2026-03-10"
    assert delivery.webhook_id not in admin.get(on_the_tenth).text
    admin.post("/account", {"name": "Ana", "language": "pt_BR", "timezone": "Europe/Lisbon"})
    assert delivery.webhook_id in admin.get(on_the_tenth).text
    assert "10 de mar. de 2026 02:30" in admin.get(f"/deliveries/{delivery.webhook_id}").text


def test_a_reader_without_a_zone_of_their_own_has_the_companys(admin):
    admin.post("/account", {"name": "Ana", "language": "pt_BR", "timezone": "UTC"})
    admin.post("/account", {"name": "Ana", "language": "pt_BR", "timezone": ""})
    assert db.session.get_one(User, admin.id).timezone is None


def test_the_last_backup_is_told(admin, app):
    assert "cópia de segurança" not in admin.get("/company").text
    folder = Path(app.instance_path) / "backups"
    folder.mkdir()
    file = folder / "nightly-2026-01-01.db"
    file.touch()
    os.utime(file, (1767258000, 1767258000))
    assert "Última cópia de segurança: 1 de jan. de 2026 06:00" in admin.get("/company").text
    shutil.rmtree(folder)


def test_a_backup_that_is_missing_for_days_is_told(admin, app, company, monkeypatch):
    held = app.extensions["portal"]
    settings = replace(held.settings, backup_at=time(3))
    monkeypatch.setitem(app.extensions, "portal", replace(held, settings=settings))
    assert "Não há cópia de segurança" not in admin.get("/company").text, "there is a portal for two days at most"
    company.created_at = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
    db.session.commit()
    assert "Não há cópia de segurança desde 10 de mar. de 2026 09:30" in admin.get("/company").text


def test_time_zones_are_named_by_their_cities_in_the_reader_s_language(admin):
    page = admin.get("/company").text
    assert 'value="São Paulo (America/Sao Paulo)"' in page
    page = page.partition("<datalist")[2]
    assert page.index("Nova York (") < page.index("São Paulo (") < page.index("Tóquio (")
    db.session.get(User, admin.id).locale = "en"
    db.session.commit()
    assert "New York (America/New York)" in admin.get("/company").text
