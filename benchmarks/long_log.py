"""An installation with a year of deliveries, written by the database itself: a million of them in less than a minute.

Every contact of a long log was classified many times. 500 contacts have a level that the CRM does not know: half of
them failed, half wait for a retry. A quarter wrote something since, a few lost their level, and some have a warning.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import Connection, Engine, bindparam, func, insert, select, text, update

from portal import create_app
from portal.clock import utcnow
from portal.config import Settings
from portal.database.db import db
from portal.database.tables import UTCDateTime
from portal.database.upgrading import upgrade_schema
from portal.models import Campaign, Contact, Delivery, Endpoint, User
from portal.people import tokens
from tests.factories import make_company, make_user

BEHIND = 500
KINDS = 11
"""Campaigns, and people who own contacts; the last of each has none."""
COUNTING = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < {count})"
STUCK = "(i % :contacts >= :contacts - :behind AND i >= :deliveries - :contacts)"
STATUS = (
    f"CASE WHEN {STUCK} THEN CASE i % 2 WHEN 1 THEN 'failed' ELSE 'pending' END"
    " WHEN i % 50 = 7 THEN 'superseded' ELSE 'delivered' END"
)
IS_DELIVERED = f"NOT {STUCK} AND i % 50 <> 7"
PLACE = ":contact + 1 + i % :contacts, 1 + i % :contacts % 10, 1 + i % :contacts % 10"
BODY = '{"contact":{"name":"Maria"}}' + " " * 600
FILLING = (
    ("contact", "contacts", """
        (company_id, campaign_id, owner_id, name, search_name, search_text, email, linkedin_public_id, interest_level,
         classified_at, is_level_imported, delivered_level, delivered_frozen_at, data_changed_at, delivered_warning,
         reply_date, skills, experiences, created_at, updated_at)
        SELECT :company, 1 + i % 10, 1 + i % 10, 'Pessoa ' || i, 'pessoa ' || i,
         'pessoa ' || i || ' pessoa' || i || '@example.com pessoa-' || i, 'pessoa' || i || '@example.com',
         'pessoa-' || i, CASE WHEN i % 1000 <> 7 THEN 1 + i % 3 END, {time_now}, false,
         CASE WHEN i < :contacts - :behind THEN 1 + i % 3 END, CASE WHEN i < :contacts - :behind THEN {time_now} END,
         CASE WHEN i % 1000 = 9 THEN {time_later} END, CASE WHEN i % 1000 = 11 THEN 'error_in_json' END,
         CASE WHEN i % 4 = 1 THEN {time_now} END, '[]', '[]', {time_old}, {time_old}
    """),
    ("message", "contacts", """
        (contact_id, sender_name, message, pending) SELECT :contact + 1 + i, 'Ana', 'oi', false
    """),
    ("classification", "deliveries", f"""
        (company_id, contact_id, campaign_id, owner_id, new_level, actor, created_at, repeated_at, arrived_at)
        SELECT :company, {PLACE}, 1 + i % :contacts % 3, 'ana@example.com', {{moment}},
         CASE WHEN i + :contacts < :deliveries THEN {{next_moment}} END, CASE WHEN {IS_DELIVERED} THEN {{moment}} END
    """),
    ("delivery", "deliveries", f"""
        (webhook_id, company_id, contact_id, campaign_id, owner_id, "trigger", actor, interest_level, status, reason,
         attempt_count, tries, next_trigger, next_attempt_at, created_at, delivered_at, has_body)
        SELECT {{random}}, :company, {PLACE}, 'classification', 'ana@example.com', 1 + i % :contacts % 3,
         {STATUS}, CASE WHEN {IS_DELIVERED} THEN 'ok_json' ELSE 'timeout' END, 1, 1, 'retry',
         CASE WHEN {STUCK} AND i % 2 = 0 THEN {{time_later}} END, {{moment}},
         CASE WHEN {IS_DELIVERED} THEN {{moment}} END, true
    """),
    ("attempt", "deliveries", f"""
        (delivery_id, number, "trigger", late, started_at, duration_ms, url, status_code, reason, request_sent)
        SELECT 1 + i, 1, 'classification', false, {{moment}}, 80, 'https://crm.example.com/hook',
         CASE WHEN {IS_DELIVERED} THEN 200 END, CASE WHEN {IS_DELIVERED} THEN 'ok_json' ELSE 'timeout' END, true
    """),
    ("delivery_body", "deliveries", "(delivery_id, content) SELECT 1 + i, {body}"),
    ("audit_entry", "deliveries", """
        (company_id, actor, action, subject, created_at)
        SELECT :company, 'ana@example.com', 'contacts.synced', '1', {moment}
    """),
)  # fmt: skip
MINUTES = 365 * 24 * 60
DIALECTS = {
    "sqlite": {
        "moment": f":old + i * {MINUTES} / :deliveries * 60000000",
        "next_moment": f":old + (i + :contacts) * {MINUTES} / :deliveries * 60000000",
        "random": "randomblob(16)",
        "body": "CAST(:body AS BLOB)",
    },
    "postgresql": {
        "moment": "CAST(:old AS timestamptz) + i * interval '365 days' / :deliveries",
        "next_moment": "CAST(:old AS timestamptz) + (i + :contacts) * interval '365 days' / :deliveries",
        "random": "'msg_' || md5(i::text || 'x')",
        "body": "convert_to(:body, 'UTF8')",
    },
}
INDEXES = {
    "sqlite": "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'",
    "postgresql": "SELECT indexname, indexdef FROM pg_indexes WHERE indexdef LIKE 'CREATE INDEX%'"
    " AND schemaname = 'public'",
}


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A portal with its log, who asks it, and what its addresses' placeholders mean."""

    app: Flask
    admin: str
    token: str
    words: dict[str, Any]
    is_on_postgresql: bool


def install(instance: Path, database_url: str, *, contacts: int, deliveries: int) -> Installation:
    """A portal on this database, which is filled when it is empty."""
    instance.mkdir(parents=True, exist_ok=True)
    app = create_app(Settings(instance=instance, database_url=database_url, secret_key="k" * 48))
    with app.app_context():
        upgrade_schema(db.engine, backups=None, now=utcnow())
        if not db.session.scalar(select(Contact.id).limit(1)):
            make_database(contacts=contacts, deliveries=deliveries)
        admin = db.session.scalars(select(User).where(User.email == "admin@example.com")).one()
        token = tokens.create_token(db.session, admin, label="benchmark")
        db.session.commit()
        return Installation(
            app=app,
            admin=admin.get_id(),
            token=token,
            words=words_of(contacts, deliveries),
            is_on_postgresql=db.engine.dialect.name == "postgresql",
        )


def words_of(contacts: int, deliveries: int) -> dict[str, Any]:
    today, middle = utcnow(), db.session.scalar(select(Delivery.id).where(Delivery.id > deliveries // 2).limit(1))
    days = {"old": 300, "next_day": 299, "ten_days": 290, "thirty_days": 270, "lately": 2}
    return {name: (today - timedelta(days=number)).date().isoformat() for name, number in days.items()} | {
        "rare": db.session.scalar(select(func.max(Campaign.id))),
        "first": 30,
        "middle": middle,
        "delivery": db.session.scalar(select(Delivery.webhook_id).where(Delivery.id == middle)),
        "contact": contacts // 2,
    }


def make_database(*, contacts: int, deliveries: int) -> None:
    now, company = utcnow(), make_company()
    campaigns = [{"company_id": company.id, "name": f"Campanha {number}"} for number in range(KINDS)]
    people = [
        {"company_id": company.id, "name": f"Dono {number}", "email": f"dono{number}@example.com", "created_at": now}
        for number in range(KINDS)
    ]
    with db.engine.begin() as connection:
        connection.execute(insert(Campaign), campaigns)
        connection.execute(insert(User), people)
        connection.execute(update(Endpoint).values(url="https://crm.example.com/hook"))
    make_user(company, email="admin@example.com")
    fill(db.engine, {"company": company.id, "contacts": contacts, "deliveries": deliveries})


def fill(engine: Engine, given: dict[str, Any]) -> None:
    """Write all rows, and then the indexes, which takes a fraction of the time."""
    now, dialect = utcnow(), engine.dialect.name
    moments = {"now": now - timedelta(hours=1), "old": now - timedelta(days=365), "later": now + timedelta(days=1)}
    given = given | {"contact": 0, "behind": BEHIND, "body": BODY} | moments
    of_time = "CAST(:{} AS timestamptz)" if dialect == "postgresql" else ":{}"
    words = DIALECTS[dialect] | {f"time_{name}": of_time.format(name) for name in moments}
    with engine.begin() as connection, without_indexes(connection):
        for table, counted, rows in FILLING:
            statement = f"{COUNTING.format(count=given[counted])} INSERT INTO {table} {rows} FROM n".format(**words)
            asked = set(re.findall(r"(?<!:):(\w+)", statement))
            times = [bindparam(name, type_=UTCDateTime()) for name in asked & moments.keys()]
            connection.execute(text(statement).bindparams(*times), {name: given[name] for name in asked})
    if dialect == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("VACUUM ANALYZE"))  # as its own house-keeping does


@contextmanager
def without_indexes(connection: Connection) -> Iterator[None]:
    dialect = connection.dialect.name
    indexes = connection.execute(text(INDEXES[dialect])).all()
    if dialect == "sqlite":
        connection.execute(text("PRAGMA cache_size = -400000"))
    else:
        connection.execute(text("SET LOCAL session_replication_role = replica"))  # no look for what rows refer to
        connection.execute(text("SET LOCAL maintenance_work_mem = '256MB'"))
    for index in indexes:
        connection.execute(text(f"DROP INDEX {index[0]}"))
    yield
    for index in indexes:
        connection.exec_driver_sql(index[1].replace("%", "%%") if dialect == "postgresql" else index[1])
