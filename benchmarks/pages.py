"""How long the server takes for pages and API calls with a long log: 1,000,000 deliveries and 100,000 contacts, beside
the same installation with 1000 of each.

    python benchmarks/pages.py [--contacts N] [--deliveries N] [--times N] [--postgres] [--keep FOLDER] [--only TEXT]

Both databases are made in a temporary folder, or in a throw-away PostgreSQL (`--keep` makes SQLite's once and uses them
again); every contact of the long log was classified many times. 500 contacts have a level that the CRM does not know:
half of them failed, half wait for a retry. An admin asks for each page in turn, of one database and then of the other;
shown are the median and the 95th of a hundred, in milliseconds. On SQLite that is CPU, all of which is spent here and
which other work on the machine disturbs less; on PostgreSQL it is the clock. What misses the goal is marked: 1.2 times
the small installation, and 25 ms.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, create_engine, func, insert, select, text, update

from portal import create_app
from portal.clock import utcnow
from portal.config import Settings
from portal.contacts.reaching import note_repeats
from portal.database.db import db
from portal.database.upgrading import upgrade_schema
from portal.models import Attempt, Campaign, Classification, Contact, Delivery, Endpoint, User
from portal.outbox import note_arrivals
from portal.outbox.queue import store_bodies
from portal.people import tokens
from tests.factories import make_company, make_user
from tests.postgres import throwaway_postgres

CHUNK = 10_000
SMALL = 1000
BEHIND = 500
GOAL_RATIO, GOAL_MS = 1.2, 25
BODY = b'{"contact":{"name":"Maria"}}' + b" " * 600
LOG_FILTERS = (
    "",
    "status=failed",
    "status=pending",
    "level=3",
    "campaign=3",
    "owner=4",
    "reason=timeout",
    "reason=gone",
    "trigger=test",
    "trigger=sync",
    "status=delivered&reason=gone",
    "campaign=3&level=2",
    "campaign={rare}",
    "owner={rare}",
    "since={old}",
    "until={old}",
    "since={old}&until={old}",
    "search=pessoa+42",
    "search=pessoa+421",
    "search=nobody",
    "cursor={middle}",
)
CONTACT_FILTERS = (
    "",
    "search=pessoa+421",
    "search=nobody",
    "campaign=3",
    "campaign={rare}",
    "owner=4",
    "owner={rare}",
    "level=2",
    "level=none",
    "campaign=3&level=2&sync=in_sync",
    "sync=in_sync",
    "sync=waiting",
    "sync=out_of_sync",
    "sync=never_sent",
    "cursor={contact}",
)
REPORTED = ("next_day", "ten_days", "thirty_days")
PAGES = (
    "/",
    *(f"/deliveries?{each}" for each in LOG_FILTERS),
    "/deliveries/{delivery}",
    "/deliveries/resend?status=failed",
    "/sync",
    "/webhook",
    "/report?month=2020-01",
    *("/report?since={old}&until={" + each + "}" for each in REPORTED),
    *("/api/v1/report?since={old}T00:00:00Z&until={" + each + "}T00:00:00Z" for each in REPORTED),
    *(f"/contacts?{each}" for each in CONTACT_FILTERS),
    "/contacts/{contact}",
    *(f"/api/v1/deliveries?limit=20&{each}" for each in LOG_FILTERS if "since" not in each),
    "/api/v1/deliveries?limit=20&since={old}T00:00:00Z&until={old}T23:59:59Z",
    "/api/v1/deliveries/{delivery}",
    *(f"/api/v1/contacts?limit=20&{each}" for each in CONTACT_FILTERS),
    "/api/v1/contacts/{contact}",
)


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A portal with its log, who asks it, and what its addresses' placeholders mean."""

    app: Flask
    admin: str
    token: str
    words: dict[str, Any]
    clock: Callable[[], float]


def fill(engine: Engine, company_id: int, *, contacts: int, deliveries: int) -> None:
    """Contacts of ten campaigns and people, and their deliveries over the last year, the newest of some not arrived.

    An eleventh campaign and person have none.
    """
    now = utcnow()
    with engine.begin() as connection:
        shared = {"company_id": company_id}
        connection.execute(insert(Campaign), [shared | {"name": f"Campanha {number}"} for number in range(11)])
        people = [
            shared | {"name": f"Dono {number}", "email": f"dono{number}@example.com", "created_at": now}
            for number in range(11)
        ]
        connection.execute(insert(User), people)
    for start in range(0, contacts, CHUNK):
        rows = [contact(number, company_id, number >= contacts - BEHIND, now) for number in range(start, start + CHUNK)]
        with engine.begin() as connection:
            connection.execute(insert(Contact), rows[: contacts - start])
    for start in range(0, deliveries, CHUNK):
        numbers = range(start, min(start + CHUNK, deliveries))
        rows = [delivery(number, company_id, contacts, deliveries, now) for number in numbers]
        with engine.begin() as connection:
            connection.execute(insert(Delivery), rows)
            store_bodies(connection, [{"webhook_id": row["webhook_id"], "body": BODY} for row in rows])
            connection.execute(
                insert(Attempt), [attempt(number + 1, row) for number, row in zip(numbers, rows, strict=True)]
            )
            connection.execute(insert(Classification), [classification(row) for row in rows])
        print(f"\r{numbers[-1] + 1} deliveries", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)
    for start in range(1, contacts + 1, CHUNK):
        numbers = range(start, min(start + CHUNK, contacts + 1))
        with engine.begin() as connection:
            note_repeats(connection, numbers)
            note_arrivals(connection, numbers)


def contact(number: int, company_id: int, is_behind: bool, now: datetime) -> dict[str, Any]:
    name = f"Pessoa {number}"
    return {
        "company_id": company_id,
        "campaign_id": number % 10 + 1,
        "owner_id": number % 10 + 1,
        "name": name,
        "search_name": name.lower(),
        "search_text": f"{name.lower()}\npessoa{number}@example.com\npessoa-{number}",
        "email": f"pessoa{number}@example.com",
        "linkedin_public_id": f"pessoa-{number}",
        "interest_level": number % 3 + 1,
        "delivered_level": None if is_behind else number % 3 + 1,
        "classified_at": now - timedelta(hours=1),
        "skills": [],
        "experiences": [],
        "created_at": now,
        "updated_at": now,
    }


def delivery(number: int, company_id: int, contacts: int, deliveries: int, now: datetime) -> dict[str, Any]:
    of_contact = number % contacts
    made_at = now - timedelta(days=365) * (1 - number / deliveries)
    is_stuck = of_contact >= contacts - BEHIND and number >= deliveries - contacts
    status = ("failed" if number % 2 else "pending") if is_stuck else "superseded" if number % 50 == 7 else "delivered"
    arrived = status == "delivered"
    return {
        "webhook_id": f"msg_{secrets.token_hex(16)}",
        "company_id": company_id,
        "contact_id": of_contact + 1,
        "campaign_id": of_contact % 10 + 1,
        "owner_id": of_contact % 10 + 1,
        "trigger": "classification",
        "next_trigger": "classification",
        "actor": "ana@example.com",
        "interest_level": of_contact % 3 + 1,
        "previous_level": None,
        "status": status,
        "reason": "ok_json" if arrived else "timeout",
        "attempt_count": 1,
        "tries": 1,
        "next_attempt_at": now + timedelta(minutes=number % 60) if status == "pending" else None,
        "created_at": made_at,
        "delivered_at": made_at if arrived else None,
    }


def classification(row: dict[str, Any]) -> dict[str, Any]:
    """What a delivery tells of."""
    same = ("company_id", "contact_id", "campaign_id", "owner_id", "actor", "created_at")
    shared = {name: row[name] for name in same}
    return shared | {"old_level": row["previous_level"], "new_level": row["interest_level"]}


def attempt(delivery_id: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "delivery_id": delivery_id,
        "number": 1,
        "trigger": "classification",
        "started_at": row["created_at"],
        "duration_ms": 80,
        "url": "https://crm.example.com/hook",
        "reason": row["reason"],
        "status_code": 200 if row["delivered_at"] else None,
        "request_sent": True,
    }


def make_database(app: Flask, *, contacts: int, deliveries: int) -> None:
    with app.app_context():
        upgrade_schema(db.engine, backups=Path("unused"), now=utcnow())
        if db.session.scalar(select(func.count()).select_from(Contact)):
            return
        company = make_company()
        make_user(company, email="admin@example.com")
        fill(db.engine, company.id, contacts=contacts, deliveries=deliveries)
        with db.engine.begin() as connection:
            connection.execute(update(Endpoint).values(url="https://crm.example.com/hook"))
        if db.engine.dialect.name == "postgresql":
            with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.execute(text("VACUUM ANALYZE"))  # as its own house-keeping does


def install(instance: Path, database_url: str, **sizes: int) -> Installation:
    """A portal on this database, which is filled when it is empty."""
    instance.mkdir(parents=True, exist_ok=True)
    app = create_app(Settings(instance=instance, database_url=database_url, secret_key="k" * 48))
    make_database(app, **sizes)
    with app.app_context():
        admin = db.session.scalars(select(User).where(User.email == "admin@example.com")).one()
        middle = db.session.scalars(select(Delivery.id).order_by(Delivery.id).offset(sizes["deliveries"] // 2)).first()
        words = {
            "old": (utcnow() - timedelta(days=300)).date().isoformat(),
            "next_day": (utcnow() - timedelta(days=299)).date().isoformat(),
            "ten_days": (utcnow() - timedelta(days=290)).date().isoformat(),
            "thirty_days": (utcnow() - timedelta(days=270)).date().isoformat(),
            "rare": db.session.scalar(select(func.max(Campaign.id))),
            "middle": middle,
            "delivery": db.session.scalar(select(Delivery.webhook_id).where(Delivery.id == middle)),
            "contact": sizes["contacts"] // 2,
        }
        token = tokens.create_token(db.session, admin, label="benchmark")
        db.session.commit()
        return Installation(
            app=app,
            admin=admin.get_id(),
            token=token,
            words=words,
            clock=time.perf_counter if db.engine.dialect.name == "postgresql" else time.thread_time,
        )


def log_in(at: Installation) -> FlaskClient:
    client = at.app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"], session["since"] = at.admin, True, int(utcnow().timestamp())
    return client


def ask(at: Installation, client: FlaskClient, page: str) -> float:
    """Milliseconds that the answer took."""
    url = page.format(**at.words)
    headers = {"Authorization": f"Bearer {at.token}"} if url.startswith("/api/") else {}
    started = at.clock()
    answer = client.get(url, headers=headers)
    took = (at.clock() - started) * 1000
    assert answer.status_code == 200, (url, answer.status_code)
    return took


def measure(both: tuple[Installation, Installation], page: str, times: int) -> list[list[float]]:
    """The milliseconds of each answer of the small installation, and of the large one, asked in turn."""
    clients = [log_in(at) for at in both]
    for at, client in zip(both, clients, strict=True):
        ask(at, client, page)
    rounds = [[ask(at, client, page) for at, client in zip(both, clients, strict=True)] for _ in range(times)]
    return [list(each) for each in zip(*rounds, strict=True)]


def line_of(page: str, small: list[float], large: list[float]) -> str:
    low, high = ((statistics.median(each), statistics.quantiles(each, n=20)[-1]) for each in (small, large))
    ratio = high[1] / low[1]
    mark = "!" if ratio > GOAL_RATIO or high[1] > GOAL_MS else " "
    return f"{low[0]:7.1f} {low[1]:6.1f} {high[0]:8.1f} {high[1]:6.1f} {ratio:6.2f} {mark} {page}"


@contextmanager
def database_urls(folder: Path, *, on_postgresql: bool) -> Iterator[tuple[str, str]]:
    """Where the small and the large installation keep their data."""
    if not on_postgresql:
        yield f"sqlite:///{folder / 'small' / 'portal.db'}", f"sqlite:///{folder / 'large' / 'portal.db'}"
        return
    with throwaway_postgres() as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text("CREATE DATABASE small"))
        engine.dispose()
        yield url.removesuffix("postgres") + "small", url


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--postgres", action="store_true", help="a throw-away PostgreSQL instead of SQLite")
    parser.add_argument("--keep", type=Path, help="where the SQLite files are kept and found again")
    parser.add_argument("--only", default="", help="only pages whose address holds this")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.keep or Path(temporary)
        with database_urls(folder, on_postgresql=given.postgres) as (small, large):
            both = (
                install(folder / "small", small, contacts=SMALL, deliveries=SMALL),
                install(folder / "large", large, contacts=given.contacts, deliveries=given.deliveries),
            )
            print(f"{'small p50':>7} {'p95':>4} {'large p50':>8} {'p95':>4} {'ratio':>6}")
            for page in PAGES:
                if given.only in page:
                    print(line_of(page, *measure(both, page, given.times)), flush=True)


if __name__ == "__main__":
    main()
