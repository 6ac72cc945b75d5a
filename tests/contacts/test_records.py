"""What a batch reads, however many contacts the company has."""

from typing import Any

import pytest
from flask import Flask

from portal.contacts.records import BY_FIELD, BY_ID, BY_NAME, MERGED, MESSAGES
from portal.database.db import db
from portal.database.driver import Statement


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (BY_ID[1], "INTEGER PRIMARY KEY"),
        (BY_FIELD["linkedin_public_id"][1], "ix_contact_campaign_linkedin"),
        (BY_FIELD["email"][1], "ix_contact_campaign_email"),
        (BY_NAME[1], "ix_contact_company_name"),
        (MESSAGES, "ix_message_contact_id"),
        (MERGED, "ix_former_key_value"),
    ],
    ids=["ids", "linkedin", "email", "names", "messages", "merged"],
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
