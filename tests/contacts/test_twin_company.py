"""Saving the same people in two companies: each has its own, and the other's rows stay as they are."""

from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.contacts import merging
from portal.database.db import db
from portal.database.tables import Base
from portal.models import Contact
from tests.conftest import BOTH, URL
from tests.factories import actor_of, make_company, save_many

CAMPAIGN, OWNER = {"name": "Feira", "description": "De todos"}, {"name": "Eva", "email": "eva@x.example"}
PEOPLE = [
    {
        "contact": facts | {"interest_level": 2},
        "campaign": CAMPAIGN,
        "contact_owner": OWNER,
        "messages": [{"message": "a"}],
    }
    for facts in (
        {"name": "Lia", "linkedin_public_id": "lia"},
        {"name": "Rui", "email": "rui@x.example"},
        {"name": "Só o nome", "current_company": "Xis"},
    )
]


def rows_of_companies(but: int = 0) -> dict[str, list[Any]]:
    """All rows that belong to a company, `but` for one."""
    tables = [table for table in Base.metadata.sorted_tables if "company_id" in table.c]
    return {
        table.name: db.session.execute(
            select(table).where(table.c.company_id != but).order_by(*table.primary_key)
        ).all()
        for table in tables
    }


@BOTH
def test_saving_finds_nobody_of_another_company(app: Flask) -> None:
    twin = make_company("Gêmea", url=URL)
    twin.timezone = "Asia/Tokyo"
    before = save_many(twin, PEOPLE)
    merging.merge(db.session, actor_of(twin), before[0].contact_id or 0, before[1].contact_id or 0)
    db.session.commit()
    kept, company = rows_of_companies(), make_company("Minha")
    for number, is_new in enumerate((True, False)):
        items = [
            each | {"contact": each["contact"] | {"role": f"{number}", "reply_date": "2026-03-10T12:00"}}
            for each in PEOPLE
        ]
        saved = save_many(company, items)
        db.session.commit()
        assert [(each.created, each.delivery_id) for each in saved] == [(is_new, None)] * len(PEOPLE)
    assert rows_of_companies(but=company.id) == kept
    contacts = db.session.query(Contact).filter_by(company_id=company.id).all()
    assert {each.reply_date.isoformat() for each in contacts if each.reply_date} == {"2026-03-10T15:00:00+00:00"}
    for each in contacts:
        assert {each.campaign.company_id, each.owner.company_id} == {company.id}
        assert (each.campaign.name, each.owner.email, len(each.messages)) == ("Feira", "eva@x.example", 1)
