"""The cable is pulled while a backlog drains, and put back."""

import os
import subprocess
import sys

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.database.db import db
from portal.models import Attempt, Company
from tests.system.faults.cut_network import DELIVERIES

pytestmark = pytest.mark.slow

CONCURRENCY = 8


def test_a_network_that_is_cut_and_mended_loses_nothing(app: Flask, company: Company) -> None:
    settings = app.extensions["portal"].settings
    db.session.remove()
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")} | {
        "PORTAL_INSTANCE": str(settings.instance),
        "PORTAL_DATABASE_URL": settings.database_url,
        "PORTAL_SECRET_KEY": settings.secret_key,
        "PORTAL_ALLOWED_NETWORKS": "127.0.0.0/8",
        "PORTAL_RETRY_SCHEDULE": "0s" + ",1s" * 9,
        "PORTAL_DEADLINE": "2",
        "PORTAL_CONNECT_TIMEOUT": "1",
        "PORTAL_ENDPOINT_CONCURRENCY": str(CONCURRENCY),
    }
    command = [sys.executable, "-m", "tests.system.faults.cut_network"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]
    where, different, posts = done.stdout.rsplit(maxsplit=2)
    print(where)
    assert int(different) == DELIVERIES
    assert int(posts) - DELIVERIES <= CONCURRENCY, "more came twice than were on their way when the network was cut"
    reasons = set(db.session.scalars(select(Attempt.reason)))
    assert "ok_text" in reasons
    assert reasons - {"ok_text"} <= {
        *("connection_failed", "connection_refused", "not_connected", "unreachable", "timeout", "incomplete")
    }
    sent = db.session.scalar(select(func.count()).select_from(Attempt).where(Attempt.request_sent))
    assert int(posts) <= sent, "a post has no attempt"
