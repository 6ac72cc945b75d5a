"""What a batch reads, however many contacts the company has."""

from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask

from portal.contacts.checking import check_item
from portal.contacts.records import Known
from portal.contacts.statements import BY_FIELD, BY_ID, BY_NAME, MERGED, MESSAGES, NAMESAKES
from portal.database.db import db
from portal.database.driver import Statement
from tests.factories import make_company, save_many


@pytest.mark.parametrize("everywhere", [False, True])
def test_whom_the_linkedin_id_finds_is_not_read_by_the_e_mail_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    company = make_company()
    facts = [{"name": f"P{n}", "linkedin_public_id": f"p-{n}", "email": f"p{n}@x.test"} for n in range(3)]
    save_many(company, [{"contact": each} for each in facts])
    asked: list[Any] = []
    read = Known._read
    monkeypatch.setattr(
        Known, "_read", lambda self, how, wanted, **more: asked.append(wanted) or read(self, how, wanted, **more)
    )
    others = [facts[0], facts[1] | {"linkedin_public_id": "outra"}, {"name": "P2", "email": "p2@x.test"}]
    items = [check_item({"contact": each}, ZoneInfo("UTC")) for each in others]
    known = Known(db.session.connection(), company.id, None)
    known.load(items, everywhere=everywhere)
    assert asked == [{"p-0", "outra"}, {"p1@x.test", "p2@x.test"}]
    campaign = known.campaigns["Geral"]
    found = [known.match(campaign, item) for item in items]
    assert [each and each.values["name"] for each in found] == ["P0", None, "P2"]


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (BY_ID[1], "INTEGER PRIMARY KEY"),
        (BY_FIELD["linkedin_public_id"][1], "ix_contact_campaign_linkedin"),
        (BY_FIELD["email"][1], "ix_contact_campaign_email"),
        (BY_NAME[1], "ix_contact_company_name"),
        (NAMESAKES, "ix_contact_company_name"),
        (MESSAGES, "ix_message_contact_id"),
        (MERGED, "ix_former_key_value"),
    ],
    ids=["ids", "linkedin", "email", "names", "namesakes", "messages", "merged"],
)
def test_sqlite_finds_contacts_by_their_index_knowing_nothing_of_the_tables(
    app: Flask, statement: Statement, index: str
) -> None:
    with db.engine.begin() as connection:
        compiled = statement.compiled_for(connection.dialect)
        values = {"of_company": 1, "wanted": [(1,)], "campaigns": [(1,)]}
        cursor: Any = connection.connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", compiled.bind(values))
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert index in plan, plan
