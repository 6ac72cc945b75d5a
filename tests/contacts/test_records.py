"""What a batch reads, however many contacts the company has."""

from collections import Counter
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from sqlalchemy import String, cast, func, insert, select, text, true

from portal.contacts import candidates, matching
from portal.contacts.alike import Alike
from portal.contacts.candidates import load_known
from portal.contacts.checking import check_item
from portal.contacts.items import ContactItem
from portal.contacts.known import Known
from portal.contacts.records import CampaignRecord, ContactRecord, PersonRecord
from portal.contacts.saved import FileRules
from portal.contacts.saving import save_batch
from portal.contacts.statements import (
    BY_EMAIL,
    BY_ID,
    BY_LINKEDIN,
    BY_NAME,
    HOLDERS,
    MERGED,
    MESSAGES,
    MOST_HOLDERS,
    NAMESAKES,
    contact_table,
)
from portal.database.db import db
from portal.database.driver import Statement
from portal.models import Contact
from tests.conftest import BOTH
from tests.factories import actor_of, make_company, owner_of, save_many


@pytest.mark.parametrize("everywhere", [False, True])
def test_whom_the_linkedin_id_finds_is_not_read_by_the_e_mail_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch, everywhere: bool
) -> None:
    company = make_company()
    facts = [{"name": f"P{n}", "linkedin_public_id": f"p-{n}", "email": f"p{n}@x.test"} for n in range(3)]
    save_many(company, [{"contact": each} for each in facts])
    asked: list[Any] = []
    reading = candidates._Reading
    read = reading._read
    monkeypatch.setattr(
        reading, "_read", lambda self, how, wanted, **more: asked.append(wanted) or read(self, how, wanted, **more)
    )
    others = [facts[0], facts[1] | {"linkedin_public_id": "outra"}, {"name": "P2", "email": "p2@x.test"}]
    items = [check_item({"contact": each}, ZoneInfo("UTC")) for each in others]
    known = load_known(db.session.connection(), company.id, items, everywhere=everywhere)
    assert asked == [{"p-0", "outra"}, {"p1@x.test", "p2@x.test"}]
    campaign = known.campaigns["Geral"]
    found = [known.match(campaign, item) for item in items]
    assert [each and each.values["name"] for each in found] == ["P0", None, "P2"]


LISTS = {
    "e-mail": lambda place: {"name": f"Pessoa N{place}", "email": "naotem@x.test"},
    "name": lambda place: {"name": "Comercial", "email": f"p{place}@x.test"},
}


@BOTH
@pytest.mark.parametrize("kind", sorted(LISTS))
def test_those_of_a_list_who_share_an_e_mail_or_a_name_are_read_and_compared_a_bounded_number_of_times(
    app: Flask, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    company, done = make_company(), Counter[str]()
    owner, read, compare = owner_of(company), Statement.all, matching.words_apart

    def reading(self: Statement, connection: Any, **values: Any) -> list[Any]:
        found = read(self, connection, **values)
        done["rows"] += len(found)
        return found

    def comparing(name: str, other: str) -> int | None:
        done["comparisons"] += 1
        return compare(name, other)

    monkeypatch.setattr(Statement, "all", reading)
    monkeypatch.setattr(matching, "words_apart", comparing)
    alike, part = Alike(), 60
    for start in range(0, 6 * part, part):
        facts = [LISTS[kind](place) | {"current_company": f"Empresa {place}"} for place in range(start, start + part)]
        items = [alike.number(check_item({"contact": each}, ZoneInfo("UTC")), each) for each in facts]
        for is_new in (True, False):
            done.clear()
            results = save_batch(
                db.session, actor_of(company), items, default_owner=owner, rules=FileRules(), alike=alike
            )
            assert [result.created for result in results] == [is_new] * part
            assert done["rows"] <= 6 * part
            assert done["comparisons"] <= part * MOST_HOLDERS


def test_those_of_one_name_and_company_are_not_compared_with_each_other():
    """Of whom nothing surer is known the list's own order tells them apart; they may be thousands."""
    looked_at: Counter[str] = Counter()

    class Values(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            looked_at[name] += 1
            return super().__getitem__(name)

    known, campaign, person = Known(), CampaignRecord(None, "C"), PersonRecord(None, "P", "p@x.test")
    facts = {"name": "Ana Lima", "current_company": "Xis"}
    for number in range(1, 201):
        values = Values(dict.fromkeys(contact_table.columns.keys()) | facts | {"search_name": "ana lima", "id": number})
        record = ContactRecord(values, campaign, person)
        known.add(record)
        assert known.find_alike(record, check_item({"contact": facts}, ZoneInfo("UTC"))) is None
    assert max(looked_at.values()) < 10 * 200
    surer = ContactItem(None, facts=facts | {"linkedin_public_id": "ana"})
    assert known.find_alike(record, surer).values["id"] == 1


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        (BY_ID[1], "INTEGER PRIMARY KEY"),
        (BY_LINKEDIN[1], "ix_contact_linkedin_public_id"),
        (BY_EMAIL[1], "ix_contact_campaign_email"),
        (BY_NAME[1], "ix_contact_company_name"),
        (NAMESAKES["current_company"], "ix_contact_company_name"),
        (NAMESAKES["email"], "ix_contact_company_name"),
        (HOLDERS, "ix_contact_campaign_email"),
        (MESSAGES, "ix_message_contact_id"),
        (MERGED, "ix_former_key_value"),
    ],
    ids=["ids", "linkedin", "email", "names", "namesakes", "holders-named", "holders", "messages", "merged"],
)
def test_sqlite_finds_contacts_by_their_index_knowing_nothing_of_the_tables(
    app: Flask, statement: Statement, index: str
) -> None:
    with db.engine.begin() as connection:
        compiled = statement.compiled_for(connection.dialect)
        values = {"of_company": 1, "wanted": [(1,)], "campaigns": [(1,)], "names": [("a",)], "most": 1}
        cursor: Any = connection.connection.cursor()
        cursor.execute(f"EXPLAIN QUERY PLAN {compiled.sql}", compiled.bind(values))
        plan = "\n".join(str(row[-1]) for row in cursor.fetchall())
    assert index in plan, plan


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_postgresql_finds_a_part_of_the_contacts_by_what_it_asks_for(app: Flask) -> None:
    make_namesakes(5000)
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE contact")
    asked = [
        (BY_LINKEDIN[1], "linkedin_public_id", "p-7"),
        (BY_EMAIL[1], "email", "7@x.test"),
        (HOLDERS, "email", "7@x.test"),
        (NAMESAKES["email"], "search_name", "p7\n7@x.test"),
        (NAMESAKES["current_company"], "search_name", "p7\n"),
    ]
    for statement, column, value in asked:
        plan = plan_of(statement, value)
        assert "Seq Scan on contact" not in plan, plan
        assert any("Index Cond" in line and column in line for line in plan.splitlines()), plan


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("count", [300, 5000])
def test_postgresql_finds_one_by_a_linkedin_id_knowing_nothing_of_the_table(app: Flask, count: int) -> None:
    """As it does for a minute, while the first thousands come into a new campaign."""
    db.session.execute(text("TRUNCATE contact CASCADE"))  # without the room that the rows of another test took
    make_namesakes(count)
    lines = plan_of(BY_LINKEDIN[1], "p-7").splitlines()
    assert [line for line in lines if "Index Cond" in line and "linkedin_public_id" in line], lines
    assert not [line for line in lines if "Index Cond" in line and "campaign_id" in line], lines


def make_namesakes(count: int) -> None:
    company = make_company()
    save_many(company, [{"contact": {"name": "P", "email": "p@x.test", "linkedin_public_id": "p"}}])
    each = func.generate_series(1, count).table_valued("number", name="each").render_derived()
    number = cast(each.c.number, String)
    told = {"search_name": "p" + number, "email": number + "@x.test", "linkedin_public_id": "p-" + number}
    names = [column.name for column in contact_table.columns if column.name != "id"]
    more = select(*(told.get(name, contact_table.c[name]) for name in names)).join_from(contact_table, each, true())
    db.session.execute(insert(contact_table).from_select(names, more))
    db.session.commit()


def plan_of(statement: Statement, value: str) -> str:
    """What PostgreSQL would do to find one of them."""
    campaign, of_company = db.session.execute(select(Contact.campaign_id, Contact.company_id)).first()
    compiled = statement.compiled_for(db.engine.dialect)
    values = {"wanted": [(value,)], "campaigns": [(campaign,)], "names": [("p7",)], "most": 100}
    cursor: Any = db.session.connection().connection.cursor()
    cursor.execute(f"EXPLAIN {compiled.sql}", compiled.bind({"of_company": of_company, **values}), prepare=False)
    return "\n".join(row[0] for row in cursor.fetchall())
