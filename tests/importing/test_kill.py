"""kill -9 in the middle of an import, for real: the next worker goes on, and nothing is there twice."""

import os
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from portal.clock import utcnow
from portal.database.db import db
from portal.models import Classification, Contact, Delivery, Task
from portal.tasks import store
from portal.worker.task_runner import LEASE, TaskRunner
from tests.factories import make_company, make_import

ROOT = Path(__file__).parent.parent.parent

WORKER = """
import os, signal, sys
from portal import create_app
from portal.database.db import db
from portal.importing import chunks
from portal.tasks import store
from portal.worker.task_runner import TaskRunner

chunks.CHUNK_ROWS = 10
wanted, record, seen = sys.argv[1], store.record, []

def watched(connection, held, done):
    seen.append(done)
    if len(seen) == 4 and wanted == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    record(connection, held, done)
    if len(seen) == 4 and wanted == "after":
        os.kill(os.getpid(), signal.SIGKILL)

store.record = watched
with create_app().app_context():
    TaskRunner(db.engine, on_due=lambda: None).run_one()
"""


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["before", "after"])
def test_kill_9_between_the_rows_and_the_commit(app, instance, receiver, moment):
    company = make_company(url=receiver.url)
    content = "Nome,E-mail,Nível\n" + "".join(f"Pessoa {n},p{n}@example.com,{n % 3 + 1}\n" for n in range(95))
    task = make_import(company, content.encode())
    store.start(db.session, task)
    db.session.commit()
    environment = {"PORTAL_INSTANCE": str(instance), "PORTAL_SECRET_KEY": "k" * 48, "PYTHONPATH": str(ROOT)}
    killed = subprocess.run([sys.executable, "-c", WORKER, moment], env=os.environ | environment, timeout=60)
    assert killed.returncode == -signal.SIGKILL
    assert db.session.query(Contact).count() == db.session.query(Delivery).count() == 30
    db.session.commit()
    with time_machine.travel(utcnow() + LEASE + timedelta(seconds=1)):
        assert TaskRunner(db.engine, on_due=lambda: None).run_one()
    done = db.session.query(Task).populate_existing().one()
    assert (done.status, done.counts) == ("done", {"created": 95, "classified": 95, "sent": 95})
    for table in (Contact, Delivery, Classification):
        assert db.session.query(table).count() == 95
