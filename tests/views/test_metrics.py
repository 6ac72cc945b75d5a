"""What Prometheus reads, and who may read it."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import update

from portal.clock import utcnow
from portal.database.db import db
from portal.deliveries.figures import SILENT_AFTER, count_workers
from portal.demo.server import Receiver
from portal.models import Delivery
from portal.runtime import runtime
from portal.working_models import WorkerHeartbeat
from tests.conftest import BOTH, MakeApp, running_worker
from tests.factories import classify_contact, endpoint_of, make_company, make_contact, make_delivery, send_test

TOKEN = "t" * 16
DOCS = Path(__file__).parents[2] / "docs" / "monitoring.md"


def scrape(app: Flask, **options) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    db.session.rollback()
    with app.app_context():
        answer = app.test_client().get("/metrics", **options)
    assert answer.status_code == 200, answer.text
    families = text_string_to_metric_families(answer.text)
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


@pytest.mark.slow
@BOTH
def test_attempts_are_counted_by_what_came_of_them(app: Flask) -> None:
    with Receiver(answers=iter([(500,), (200, b"OK"), (404,)])) as receiver:
        company = make_company(url=receiver.url)
        contact, other = make_contact(company), make_contact(company)
        with running_worker(app):
            classify_contact(contact, 3)
            assert receiver.wait_for(2)
            classify_contact(other, 1)
            assert receiver.wait_for(4)
        send_test(company, receiver.url)
    samples = scrape(app)
    assert value(samples, "portal_deliveries_total", status="pending", reason="server_error") == 1
    assert value(samples, "portal_deliveries_total", status="pending", reason="client_error") == 1
    assert value(samples, "portal_deliveries_total", status="delivered", reason="ok_text") == 2
    assert value(samples, "portal_attempt_duration_seconds_count") == 4
    assert value(samples, "portal_attempt_duration_seconds_bucket", le="+Inf") == 4
    assert 0 < value(samples, "portal_attempt_duration_seconds_sum") < 20


@BOTH
def test_what_waits_and_where_it_is_to_go(app: Flask) -> None:
    make_company("Sem URL")
    paused = make_company("Em pausa", url="http://127.0.0.1:9099/")
    company = make_company(url="http://127.0.0.1:9099/")
    for each in (paused, company):
        make_delivery(make_contact(each))
    endpoint_of(paused).state = "paused"
    long_ago = utcnow() - timedelta(minutes=10)
    db.session.execute(update(Delivery).values(next_attempt_at=long_ago))
    later = make_delivery(make_contact(company))
    later.next_attempt_at = utcnow() + timedelta(hours=1)
    db.session.add(WorkerHeartbeat(worker="a", seen_at=utcnow()))
    db.session.add(WorkerHeartbeat(worker="dead", seen_at=long_ago))
    db.session.commit()
    samples = scrape(app)
    assert value(samples, "portal_outbox_due") == 1
    assert 600 <= value(samples, "portal_outbox_oldest_due_seconds") < 660
    states = {
        state: value(samples, "portal_endpoints", state=state) for state in ("unset", "active", "failing", "paused")
    }
    assert states == {"unset": 1, "active": 1, "failing": 0, "paused": 1}
    assert value(samples, "portal_workers") == 1


def test_without_a_token_only_this_machine_reads(app: Flask) -> None:
    client = app.test_client()
    assert client.get("/metrics").status_code == 200
    assert client.get("/metrics", environ_base={"REMOTE_ADDR": "192.0.2.7"}).status_code == 403


def test_a_proxy_on_this_machine_does_not_open_it_to_others(make_app: MakeApp) -> None:
    client = make_app(base_url="http://portal.example").test_client()
    assert client.get("/metrics", headers={"Host": "portal.example"}).status_code == 403
    behind = make_app(proxy_hops=1).test_client()
    assert behind.get("/metrics", headers={"X-Forwarded-For": "192.0.2.7"}).status_code == 403


@pytest.mark.parametrize("given", ["", "Bearer wrong", f"Basic {TOKEN}", "Bearer", f"Bearer {TOKEN} "])
def test_with_a_token_nobody_else_reads_wherever_they_are(make_app: MakeApp, given: str) -> None:
    client = make_app(metrics_token=TOKEN).test_client()
    answer = client.get("/metrics", headers={"Authorization": given} if given else {})
    assert answer.status_code == 401
    assert "portal_" not in answer.text


def test_with_the_token_it_is_read_from_anywhere(make_app: MakeApp) -> None:
    client = make_app(metrics_token=TOKEN).test_client()
    headers = {"Authorization": f"Bearer {TOKEN}"}
    answer = client.get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.7"})
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")


def test_readyz_says_what_is_missing(app: Flask) -> None:
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.json["worker"], answer.json["schema"]) == (503, False, True)
    with app.app_context():
        db.session.add(WorkerHeartbeat(worker="a", seen_at=utcnow()))
        db.session.commit()
    assert app.test_client().get("/readyz").json == {
        "ready": True, "database": True, "schema": True, "writable": True, "worker": True, "trouble": None,
        "oldest_due_seconds": 0.0, "last_backup_at": None,
    }  # fmt: skip


def test_readyz_says_when_the_last_backup_was_made(app: Flask, instance: Path) -> None:
    (instance / "backups").mkdir()
    file = instance / "backups" / "nightly-2026-01-01.db"
    file.touch()
    os.utime(file, (1767240000, 1767240000))
    assert app.test_client().get("/readyz").json["last_backup_at"] == "2026-01-01T04:00:00+00:00"


def test_a_worker_that_was_silent_for_a_minute_is_none(app: Flask) -> None:
    seen_at = utcnow()
    db.session.add(WorkerHeartbeat(worker="a", seen_at=seen_at))
    db.session.commit()
    moments = (seen_at + SILENT_AFTER - timedelta(microseconds=1), seen_at + SILENT_AFTER)
    assert [count_workers(db.session, now=moment) for moment in moments] == [1, 0]


def test_the_docs_name_every_metric_and_no_other(app: Flask) -> None:
    with app.app_context():
        kept = runtime().settings.backups
    kept.mkdir(parents=True, exist_ok=True)
    (kept / "nightly-2026-03-10.db").touch()
    shown = re.findall(r"^# TYPE (\w+)", app.test_client().get("/metrics").text, re.MULTILINE)
    assert sorted(shown) == sorted(re.findall(r"^\| `(portal_\w+)", DOCS.read_text("utf-8"), re.MULTILINE))
