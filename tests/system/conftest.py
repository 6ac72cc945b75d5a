"""The portal as its user runs it: `portal serve` in a process of its own, with a real receiver."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from flask import Flask
from sqlalchemy.orm import selectinload

from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Delivery
from tests import factories
from tests.postgres import free_port
from tests.programs import ROOT, Act, Program, be_crashing, be_portal, end_of, run_portal

CRASH_FOLDER = Path(__file__).parent / "crash_points"


class Portal:
    """One installation in a folder, with its processes."""

    def __init__(self, instance: Path, **settings: str) -> None:
        self.instance = instance
        self.port = free_port()
        self.environment = {
            "PORTAL_INSTANCE": str(instance),
            "PORTAL_SECRET_KEY": "k" * 48,
            "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
            "PORTAL_RETRY_SCHEDULE": "0s,1s,1s",
            "PORTAL_DEADLINE": "2",
            "PORTAL_CONNECT_TIMEOUT": "1",
            "LANG": "C.UTF-8",
            **settings,
        }
        self.process: Program | None = None

    def serve(self, *, crash_at: str | None = None, ready: bool = True) -> None:
        act, environ = self.crashing(crash_at)
        log = end_of(self.instance / "serve.log")
        self.process = Program(act, "serve", "--port", str(self.port), environ=environ, out=log)
        if ready:
            self.wait_until_ready()

    def crashing(self, crash_at: str | None) -> tuple[Act, dict[str, str]]:
        if crash_at is None:
            return be_portal, self.environment
        crash = {"CRASH_AT": crash_at, "CRASH_FLAG": str(self.instance / "crashed")}
        return be_crashing, self.environment | crash | {"PYTHONPATH": f"{CRASH_FOLDER}{os.pathsep}{ROOT}"}

    def wait_until_ready(self) -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=1):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        raise AssertionError(f"the portal did not start: {(self.instance / 'serve.log').read_text()[-2000:]}")

    def run(self, *arguments: str, crash_at: str | None = None) -> subprocess.CompletedProcess[str]:
        """One command of the console, to its end."""
        act, environ = self.crashing(crash_at)
        return run_portal(environ, *arguments, act=act)

    def wait_for_death(self) -> None:
        assert self.process is not None
        assert self.process.wait(60) == -signal.SIGKILL

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def kill(self) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(60)


@pytest.fixture
def portal(app: Flask, receiver: Receiver, instance: Path, database_url: str) -> Iterator[Portal]:
    """An installation with a company and an address, not yet served."""
    factories.make_company(url=receiver.url)
    db.session.remove()
    portal = Portal(instance, PORTAL_DATABASE_URL=database_url)
    yield portal
    portal.kill()


def wait_for_status(delivery_id: int, status: str, *, seconds: float = 60) -> Delivery:
    """The delivery with its attempts, once it has this status; no transaction is left open to keep workers out."""
    end = time.monotonic() + seconds
    while True:
        db.session.remove()
        delivery = db.session.get_one(Delivery, delivery_id, options=[selectinload(Delivery.attempts)])
        db.session.remove()
        if delivery.status == status:
            return delivery
        assert time.monotonic() < end, f"the delivery is {delivery.status}, not {status}"
        time.sleep(0.05)


def only_delivery() -> Delivery:
    db.session.remove()
    delivery = db.session.query(Delivery).one()
    db.session.remove()
    return delivery
