"""How long the server takes for the pages that a long log could slow down: 100,000 contacts, 1,000,000 deliveries.

    python benchmarks/pages.py [--contacts N] [--deliveries N] [--behind N] [--postgres] [--keep FOLDER]

A database is made in a temporary folder (`--keep` makes it once and uses it again); every contact was classified
many times. `--behind` contacts have a level that the CRM does not know: half of them failed, half wait for a retry.
Each page is asked for a few times by an admin; the medians are shown, by the clock and of the CPU (with SQLite: all of
it), which other work on the machine disturbs less. The goal for home and the log is 25 ms.
"""

import argparse
import secrets
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

from flask import Flask
from sqlalchemy import Engine, func, insert, select, text, update

from portal import create_app
from portal.clock import utcnow
from portal.config import Settings
from portal.db import db
from portal.migrating import upgrade_schema
from portal.models import Attempt, Campaign, Contact, Delivery, Endpoint, User
from tests.factories import make_company, make_user
from tests.postgres import throwaway_postgres

CHUNK = 10_000
BODY = b'{"contact":{"name":"Maria"}}' + b" " * 600
PAGES = (
    "/",
    "/deliveries",
    "/deliveries?status=failed",
    "/deliveries?status=pending",
    "/deliveries?level=3",
    "/deliveries?reason=timeout",
    "/deliveries?reason=gone",
    "/deliveries?trigger=test",
    "/deliveries?campaign=3&level=2",
    "/deliveries?since={old}&until={old}",
    "/deliveries?search=pessoa+4242",
    "/deliveries?search=nobody",
    "/deliveries?cursor={middle}",
    "/deliveries/resend?status=failed",
    "/sync",
    "/webhook",
    "/contacts",
    "/contacts?sync=in_sync",
    "/contacts?sync=waiting",
    "/contacts?sync=out_of_sync",
    "/contacts?sync=never_sent",
)


def fill(engine: Engine, company_id: int, *, contacts: int, deliveries: int, behind: int) -> None:
    """Contacts of ten campaigns and people, and their deliveries over the last year, the newest of some not arrived."""
    now = utcnow()
    with engine.begin() as connection:
        shared = {"company_id": company_id}
        connection.execute(insert(Campaign), [shared | {"name": f"Campanha {number}"} for number in range(10)])
        people = [
            shared | {"name": f"Dono {number}", "email": f"dono{number}@example.com", "created_at": now}
            for number in range(10)
        ]
        connection.execute(insert(User), people)
    for start in range(0, contacts, CHUNK):
        rows = [contact(number, company_id, number >= contacts - behind, now) for number in range(start, start + CHUNK)]
        with engine.begin() as connection:
            connection.execute(insert(Contact), rows[: contacts - start])
    for start in range(0, deliveries, CHUNK):
        numbers = range(start, min(start + CHUNK, deliveries))
        rows = [delivery(number, company_id, contacts, deliveries, behind, now) for number in numbers]
        with engine.begin() as connection:
            connection.execute(insert(Delivery), rows)
            connection.execute(
                insert(Attempt), [attempt(number + 1, row) for number, row in zip(numbers, rows, strict=True)]
            )
        print(f"\r{numbers[-1] + 1} deliveries", end="", flush=True, file=sys.stderr)
    print(file=sys.stderr)


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


def delivery(
    number: int, company_id: int, contacts: int, deliveries: int, behind: int, now: datetime
) -> dict[str, Any]:
    of_contact = number % contacts
    made_at = now - timedelta(days=365) * (1 - number / deliveries)
    is_stuck = of_contact >= contacts - behind and number >= deliveries - contacts
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
        "body": BODY,
    }


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
        "request_headers": [["Content-Type", "application/json"]],
        "response_headers": [],
    }


def measure(app: Flask, session_id: str, url: str, times: int) -> tuple[list[float], list[float], int]:
    """Milliseconds of each answer, by the clock and of this thread's CPU, and the size of the last in bytes."""
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"], session["since"] = session_id, True, int(utcnow().timestamp())
    took, cpu = [], []
    for _ in range(times):
        started, started_cpu = time.perf_counter(), time.thread_time()
        answer = client.get(url)
        took.append((time.perf_counter() - started) * 1000)
        cpu.append((time.thread_time() - started_cpu) * 1000)
        assert answer.status_code == 200, (url, answer.status_code)
    return took, cpu, len(answer.data)


def make_database(app: Flask, **sizes: int) -> None:
    with app.app_context():
        upgrade_schema(db.engine, backups=Path("unused"), now=utcnow())
        if db.session.scalar(select(func.count()).select_from(Contact)):
            return
        company = make_company()
        make_user(company, email="admin@example.com")
        fill(db.engine, company.id, **sizes)
        with db.engine.begin() as connection:
            connection.execute(update(Endpoint).values(url="https://crm.example.com/hook"))
            if connection.dialect.name == "postgresql":
                connection.execute(text("ANALYZE"))  # as its own housekeeping does


def addresses() -> Iterator[str]:
    old = (utcnow() - timedelta(days=300)).date().isoformat()
    middle = db.session.scalar(select(func.max(Delivery.id))) // 2
    yield from (url.format(old=old, middle=middle) for url in PAGES)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=100_000)
    parser.add_argument("--deliveries", type=int, default=1_000_000)
    parser.add_argument("--behind", type=int, default=500)
    parser.add_argument("--times", type=int, default=7)
    parser.add_argument("--postgres", action="store_true", help="a throw-away PostgreSQL instead of SQLite")
    parser.add_argument("--keep", type=Path, help="where the SQLite file is kept and found again")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, throwaway_postgres() if given.postgres else nullcontext() as url:
        instance = given.keep or Path(folder)
        instance.mkdir(exist_ok=True)
        url = url or f"sqlite:///{instance / 'portal.db'}"
        app = create_app(Settings(instance=instance, database_url=url, secret_key="k" * 48))
        make_database(app, contacts=given.contacts, deliveries=given.deliveries, behind=given.behind)
        with app.app_context():
            admin = db.session.scalars(select(User).where(User.email == "admin@example.com")).one().get_id()
            urls = list(addresses())
        for page in urls:
            took, cpu, size = measure(app, admin, page, given.times)
            times = f"{statistics.median(took):8.1f} ms, {statistics.median(cpu):6.1f} of them CPU here"
            print(f"{times}  {size / 1000:6.1f} kB  {page}")


if __name__ == "__main__":
    main()
