"""How long `POST /contacts` takes for 1000 contacts, against the importer's batch, and how long others wait meanwhile.

    python -m benchmarks.saving [--postgres]

The contacts carry a level and a webhook each. The goals: at most 1.5 times what the batch takes for the same contacts,
and no other writer waits for more than 0.5 s.
"""

import argparse
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask
from sqlalchemy import update
from sqlalchemy.orm import Session

from benchmarks.ending import run_until_told
from portal import create_app
from portal.audit import Actor
from portal.clock import utcnow
from portal.company import endpoint
from portal.config import Settings
from portal.contacts.checking import check_item
from portal.contacts.saving import save_batch
from portal.database.db import db
from portal.database.upgrading import upgrade_schema
from portal.models import Company, User
from portal.people import tokens
from tests.factories import make_company, make_user
from tests.postgres import throwaway_postgres

CONTACTS = 1000
ROUNDS = 5
MAX_RATIO, MAX_WAIT_SECONDS = 1.5, 0.5


def make_items(name: str) -> list[dict[str, Any]]:
    return [
        {
            "contact": {
                "name": f"João {number}",
                "linkedin_public_id": f"{name}-{number}",
                "email": f"{name}{number}@example.com",
                "current_company": f"Açúcar, Café & Cia {number % 50}",
                "role": "Gerente de Vendas",
                "invite_date": "2026-01-12 10:00:00",
                "interest_level": number % 3 + 1,
            },
            "campaign": {"name": "Grande"},
        }
        for number in range(CONTACTS)
    ]


def save_by_batch(company: Company, user: User, name: str) -> float:
    """The seconds that the importer's batch takes, from what it has read to the end of its commit."""
    given = make_items(name)
    begun = time.perf_counter()
    items = [check_item(item, ZoneInfo(company.timezone)) for item in given]
    save_batch(db.session, Actor(company.id, user.email), items, default_owner=user)
    db.session.commit()
    return time.perf_counter() - begun


def save_by_api(app: Flask, token: str, name: str) -> float:
    """The seconds that the call takes, from the first byte of the request to the last of the answer."""
    body = json.dumps(make_items(name))
    headers = {"Authorization": f"Bearer {token}"}
    begun = time.perf_counter()
    answer = app.test_client().post("/api/v1/contacts", data=body, content_type="application/json", headers=headers)
    took = time.perf_counter() - begun
    assert answer.status_code == 200, answer.text
    return took


class Waits(list[float]):
    """How long each write of somebody else took."""

    @contextmanager
    def measured(self, user_id: int) -> Iterator[None]:
        stop = threading.Event()
        engine = db.engine

        def write() -> None:
            while not stop.wait(0.005):
                begun = time.perf_counter()
                with Session(engine) as session:
                    session.execute(update(User).where(User.id == user_id).values(name="Ana"))
                    session.commit()
                self.append(time.perf_counter() - begun)

        writer = threading.Thread(target=write)
        writer.start()
        try:
            yield
        finally:
            stop.set()
            writer.join()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--postgres", action="store_true")
    server = throwaway_postgres(fsync=True) if parser.parse_args().postgres else nullcontext(None)
    with tempfile.TemporaryDirectory() as folder, server as url:
        instance = Path(folder)
        url = url or f"sqlite:///{instance / 'portal.db'}"
        app = create_app(Settings(instance=instance, database_url=url, secret_key="k" * 48))
        with app.app_context():
            upgrade_schema(db.engine, backups=instance, now=utcnow())
            company = make_company()
            user, other = make_user(company), make_user(company)
            endpoint.get_endpoint(db.session, company.id).url = "http://127.0.0.1:9/"
            token = tokens.create_token(db.session, user, label="benchmark")
            db.session.commit()
            by_batch = min(save_by_batch(company, user, f"batch{each}") for each in range(ROUNDS))
            by_api = min(save_by_api(app, token, f"api{each}") for each in range(ROUNDS))
            waits = Waits()
            with waits.measured(other.id):
                save_by_api(app, token, "watched")
            print(f"{CONTACTS} contacts on {db.engine.dialect.name}: batch {by_batch:.3f} s, API {by_api:.3f} s")
            print(f"ratio {by_api / by_batch:.2f} (at most {MAX_RATIO})")
            print(f"another writer waited {max(waits):.3f} s at most (goal {MAX_WAIT_SECONDS}), of {len(waits)} writes")
            db.session.remove()
            db.engine.dispose()
    sys.exit(by_api / by_batch > MAX_RATIO or max(waits) > MAX_WAIT_SECONDS)


if __name__ == "__main__":
    run_until_told(main)
