"""Several web processes and workers on one database: every delivery is sent once."""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy.orm import Session

from portal.company import endpoint
from portal.contacts.classifying import classify
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company
from portal.people import tokens
from portal.working_models import WorkerHeartbeat
from tests import factories
from tests.cli.conftest import Running
from tests.conftest import running_worker
from tests.system.faults.conftest import attempts_of, make_deliveries, statuses, wait_until

pytestmark = pytest.mark.slow

DELIVERIES = int(os.environ.get("SCALE_OUT_DELIVERIES", "1500"))
"""By hand, more: SCALE_OUT_DELIVERIES=5000."""
COMPANIES = 5
READY, ADDRESS = "The worker is ready", r"The portal is at (http://127\.0\.0\.1:\d+)"

Start = Callable[..., Running]


@pytest.fixture
def start(app: Flask, tmp_path: Path) -> Iterator[Start]:
    """Start commands of the portal on the test's database; what still runs at the end is killed."""
    settings, started = app.extensions["portal"].settings, []
    environ = {
        "PORTAL_INSTANCE": str(settings.instance),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
    }

    def start(*arguments: str) -> Running:
        started.append(Running(arguments, environ, tmp_path))
        return started[-1]

    yield start
    for running in started:
        running.close()


def fill(url: str) -> list[int]:
    ids = []
    for number in range(COMPANIES):
        ids += make_deliveries(factories.make_company(f"Empresa {number}", url=url), DELIVERIES // COMPANIES)
    db.session.remove()
    db.engine.dispose()
    return ids


def check_each_was_sent_once(ids: list[int], receiver: Receiver, running: list[Running], *, also: int = 0) -> None:
    total = len(ids) + also
    wait_until(lambda: statuses() == {"delivered": total}, seconds=60 + total / 20)
    assert len(receiver.received) == total
    assert len({post.headers["webhook-id"] for post in receiver.received}) == total
    assert attempts_of(ids[0]) == [("ok_text", False)]
    for each in running:
        assert each.stop()[0] == 0
        assert "ERROR" not in each.output, each.output
    assert db.session.query(WorkerHeartbeat).count() == 0


@pytest.mark.slow(30)
def test_three_workers_on_one_sqlite_file_send_each_delivery_once(app: Flask, receiver: Receiver, start: Start) -> None:
    ids = fill(receiver.url)
    running = [start("worker") for _ in range(3)]
    check_each_was_sent_once(ids, receiver, running)


@pytest.mark.slow(40)
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_four_webs_and_two_workers_on_one_postgresql_send_each_delivery_once(
    app: Flask, receiver: Receiver, start: Start
) -> None:
    ids = fill(receiver.url)
    company = factories.make_company("Empresa 0")
    token = tokens.create_token(db.session, factories.make_user(company), label="test")
    contacts = [factories.make_contact(company).id for _ in range(40)]
    db.session.commit()
    db.session.remove()
    webs = [start("serve", "--no-worker", "--port", "0") for _ in range(4)]
    workers = [start("worker") for _ in range(2)]
    addresses = [web.wait_for(ADDRESS, timeout=60)[1] for web in webs]
    for number, contact_id in enumerate(contacts):
        answer = requests.put(
            f"{addresses[number % 4]}/api/v1/contacts/{contact_id}/interest-level",
            json={"interest_level": 3},
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
        )
        assert answer.status_code == 200, answer.text
    check_each_was_sent_once(ids, receiver, [*workers, *webs], also=len(contacts))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_classification_that_crosses_the_removal_of_the_address_ends_cancelled(
    app: Flask, company: Company, receiver: Receiver
) -> None:
    """Only where two may write at a time: each sees the database without the other's change."""
    contact_id = factories.make_contact(company).id
    db.session.rollback()
    with running_worker(app):
        time.sleep(0.7)  # it has looked after everything that it looks after at its start
        with Session(db.engine) as classifying:
            made = classify(classifying, factories.actor_of(company), contact_id, 3).delivery_id
            assert made is not None
            endpoint.remove_address(db.session, factories.actor_of(company))
            db.session.commit()
            classifying.commit()
        wait_until(lambda: statuses() == {"cancelled": 1}, seconds=20)
    assert receiver.received == []
