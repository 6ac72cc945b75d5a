import warnings

import pytest
from flask import Flask
from sqlalchemy import (
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    MetaData,
    Table,
    UniqueConstraint,
    create_engine,
    text,
)

from portal.database.db import db
from portal.database.structure import Flaw, find_flaws
from tests.conftest import BOTH
from tests.factories import make_company, make_contact, make_delivery

URL = "http://127.0.0.1:8999/"
DUE = "CREATE INDEX ix_delivery_due ON delivery (company_id, next_attempt_at, id) WHERE status = 'pending'"
INDEXES = {
    "DROP INDEX ix_delivery_due": "lacks the index ix_delivery_due, so it is slow",
    DUE.replace("next_attempt_at, ", ""): "has another index ix_delivery_due, so it is slow",
    DUE.replace("'pending'", "'sending'"): "has another index ix_delivery_due, so it is slow",
    DUE.partition(" WHERE")[0]: "has another index ix_delivery_due, so it is slow",
}
NOT_TRIED = "ADD CONSTRAINT own FOREIGN KEY (contact_id) REFERENCES contact (id) ON DELETE SET NULL NOT VALID"
CONSTRAINTS = {
    "DROP CONSTRAINT uq_delivery_webhook_id": "lacks the constraint uq_delivery_webhook_id",
    "DROP CONSTRAINT ck_delivery_status": "lacks the constraint ck_delivery_status",
    "DROP CONSTRAINT fk_delivery_contact_id_contact": "lacks the constraint fk_delivery_contact_id_contact",
    "DISABLE TRIGGER ALL": "has disabled triggers",
    f"DROP CONSTRAINT fk_delivery_contact_id_contact, {NOT_TRIED}": "has a constraint own",
}


def run(*statements: str) -> None:
    db.session.rollback()
    with db.engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))


def found() -> list[Flaw]:
    db.session.rollback()
    with db.engine.connect() as connection:
        return list(find_flaws(connection, db.metadata))


def mend(flaw: Flaw) -> None:
    """Do what the sentence says."""
    run(*flaw.message.partition(" run: " if " run: " in flaw.message else " Run: ")[2].split(";"))


@BOTH
def test_what_the_migrations_made_is_whole_and_what_an_operator_added_is_theirs(app: Flask) -> None:
    make_delivery(make_contact(make_company(url=URL)))
    db.session.commit()
    run("CREATE INDEX ix_own ON contact (name)", "CREATE INDEX ix_own_words ON contact (lower(name))")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert found() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("change", ["ENABLE ALWAYS", "DISABLE"])
def test_the_trigger_of_an_operator_is_theirs_however_it_stands(app: Flask, change: str) -> None:
    function = "EXECUTE FUNCTION suppress_redundant_updates_trigger()"
    run(
        f"CREATE TRIGGER own BEFORE UPDATE ON delivery FOR EACH ROW {function}",
        f"ALTER TABLE delivery {change} TRIGGER own",
    )
    assert found() == []


@BOTH
@pytest.mark.parametrize(("statement", "said"), INDEXES.items())
def test_an_index_that_is_gone_or_another_is_made_as_the_sentence_says(app: Flask, statement: str, said: str) -> None:
    if statement.startswith("CREATE"):
        run("DROP INDEX ix_delivery_due")
    run(statement)
    (flaw,) = found()
    assert flaw.is_slow
    assert flaw.message.startswith(f"delivery {said}. Run: ")
    mend(flaw)
    assert found() == []


@BOTH
def test_an_index_without_which_doubles_come_in_is_more_than_slow(app: Flask) -> None:
    run("DROP INDEX uq_user_account_login_email", "CREATE INDEX uq_user_account_login_email ON user_account (email)")
    (flaw,) = found()
    assert not flaw.is_slow
    assert "has another index uq_user_account_login_email, so it may take doubles" in flaw.message
    mend(flaw)
    assert found() == []


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize(("change", "said"), CONSTRAINTS.items())
def test_a_constraint_that_is_gone_or_not_used_is_put_back_as_the_sentence_says(
    app: Flask, change: str, said: str
) -> None:
    run(f"ALTER TABLE delivery {change}")
    (flaw,) = found()
    assert flaw.message.startswith(f"delivery {said}")
    assert not flaw.is_slow
    mend(flaw)
    assert found() == []


@BOTH
def test_rows_that_refer_to_nothing_are_counted_and_taken_out_as_the_sentence_says(app: Flask) -> None:
    for name in ("Vendas", "Outra"):
        make_delivery(make_contact(make_company(name, url=URL)))
    db.session.commit()
    sqlite = db.engine.dialect.name == "sqlite"
    off, on = ("foreign_keys = OFF", "foreign_keys = ON") if sqlite else ("= replica", "= origin")
    word = "PRAGMA" if sqlite else "SET session_replication_role"
    with db.engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        for statement in (f"{word} {off}", "DELETE FROM contact", f"{word} {on}"):
            driver.execute(statement)
        driver.commit()
    flaws = found()
    assert "delivery: 2 rows have a contact_id that is no contact's" in " ".join(flaw.message for flaw in flaws)
    for flaw in flaws:
        mend(flaw)
    assert found() == []
    assert db.session.execute(text("SELECT count(*) FROM delivery WHERE contact_id IS NULL")).scalar_one() == 2


SMALL = MetaData()
Table("parent", SMALL, Column("id", Integer, primary_key=True))
Table("other", SMALL, Column("id", Integer, primary_key=True))
Table(
    "child",
    SMALL,
    Column("id", Integer, primary_key=True),
    Column("a", ForeignKey("parent.id", name="fk_a", ondelete="CASCADE")),
    Column("b", ForeignKey("parent.id", name="fk_b", ondelete="CASCADE")),
    UniqueConstraint("a", "b", name="uq_a_b"),
    CheckConstraint("a < b", name="ck_order"),
)
CHILD = {
    "fk_a": "FOREIGN KEY (a) REFERENCES parent (id) ON DELETE CASCADE",
    "fk_b": "FOREIGN KEY (b) REFERENCES parent (id) ON DELETE CASCADE",
    "uq_a_b": "UNIQUE (a, b)",
    "ck_order": "CONSTRAINT ck_order CHECK (a < b)",
}


@pytest.mark.parametrize(
    ("name", "instead"),
    [
        (None, ""),
        *((name, "") for name in CHILD),
        ("fk_b", "FOREIGN KEY (b) REFERENCES parent (id)"),
        ("fk_b", "FOREIGN KEY (b) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE"),
        ("fk_b", "FOREIGN KEY (b) REFERENCES other (id) ON DELETE CASCADE"),
        ("uq_a_b", "UNIQUE (a)"),
        ("uq_a_b", "UNIQUE (b, a)"),
        ("ck_order", "CONSTRAINT ck_another CHECK (a < b)"),
    ],
)
def test_a_constraint_is_known_by_what_it_does_and_a_check_by_its_name(name: str | None, instead: str) -> None:
    parts = [*(CHILD | {name: instead} if name else CHILD).values()]
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        for table in ("parent (id INTEGER PRIMARY KEY)", "other (id INTEGER PRIMARY KEY)"):
            connection.execute(text(f"CREATE TABLE {table}"))
        columns = ["id INTEGER PRIMARY KEY", "a INTEGER", "b INTEGER", *filter(None, parts)]
        connection.execute(text(f"CREATE TABLE child ({', '.join(columns)})"))
        flaws = list(find_flaws(connection, SMALL))
    said = f"child lacks the constraint {name}, so it takes what it should refuse."
    assert flaws == ([Flaw(f"{said} Stop the portal and restore a backup.")] if name else [])
