"""Makes the pictures in `docs/images`: the main pages of a portal with the demonstration's people, at a fixed moment.

The deliveries of the last hour are real, made by a worker to a local receiver; those of the days before are written
into the log, so that the chart has something to show. Run it with `make screenshots`.
"""

import struct
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from tempfile import TemporaryDirectory

import time_machine
from flask import Flask
from playwright.sync_api import Browser, Page, sync_playwright
from sqlalchemy import func, select
from werkzeug.serving import make_server

from portal import clock, create_app
from portal.cli.worker import run_worker
from portal.config import Settings
from portal.database.db import db
from portal.database.upgrading import upgrade_schema
from portal.demo.receiver import MoodyReceiver
from portal.demo.sample import TEAM, classify_contact, prepare
from portal.models import Delivery, DeliveryBody
from portal.rules.retry import parse_schedule

IMAGES = Path(__file__).parent / "images"
NOW = datetime(2026, 3, 10, 17, 10, tzinfo=UTC)
PASSWORD = "a password for pictures"  # noqa: S105 - of a portal that lives for a minute
LATER = {14: 3, 21: 2, 22: 3, 23: 1, 26: 2}
"""Contacts that are classified at the end, by id, with their level."""
SETTLE_SECONDS = 20
PICTURES = {
    # name: (address, width, height, scheme, language)
    "home": ("/", 1280, 800, "light", "pt-BR"),
    "home-dark": ("/", 1280, 800, "dark", "pt-BR"),
    "home-phone": ("/", 390, 844, "light", "pt-BR"),
    "report": ("/report", 1280, 800, "light", "pt-BR"),
    "causes": ("/causes", 1280, 800, "light", "pt-BR"),
    "triage-phone": ("/triage", 390, 844, "light", "pt-BR"),
    "contacts": ("/contacts", 1280, 800, "light", "pt-BR"),
    "deliveries": ("/deliveries", 1280, 800, "light", "pt-BR"),
    "delivery-failed": ("/deliveries/{failed}", 1280, 800, "light", "pt-BR"),
    "delivery-failed-dark": ("/deliveries/{failed}", 1280, 800, "dark", "pt-BR"),
}


def main() -> None:
    IMAGES.mkdir(exist_ok=True)
    with (
        TemporaryDirectory() as folder,
        MoodyReceiver(lambda *_: None) as receiver,
        time_machine.travel(NOW, tick=True),
        running(make_app(Path(folder)), receiver.url) as (address, names),
        sync_playwright() as playwright,
    ):
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=["--no-sandbox"])
        take_all(chromium, address, names)
        chromium.close()


def make_app(instance: Path) -> Flask:
    settings = Settings(
        instance=instance,
        database_url=f"sqlite:///{instance / 'portal.db'}",
        secret_key="pictures " * 8,
        allowed_networks=(ip_network("127.0.0.0/8"),),
        retry_schedule=parse_schedule("0s,1s,2s,2s,2s"),
    )
    app = create_app(settings)
    with app.app_context():
        upgrade_schema(db.engine, backups=instance, now=clock.utcnow())
    return app


@contextmanager
def running(app: Flask, receiver_url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The portal with its story told; its address, and what stands in the addresses of `PICTURES`."""
    prepare(app, url=receiver_url, password=PASSWORD)
    with app.app_context():
        write_history()
    stop = threading.Event()
    thread = threading.Thread(target=run_worker, args=(app, stop))
    thread.start()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", wait_until_settled(app)
    finally:
        server.shutdown()
        stop.set()
        thread.join()


def write_history() -> None:
    """Deliveries of the four weeks before, some of which failed."""
    first = db.session.scalars(select(Delivery).order_by(Delivery.id).limit(1)).one()
    shared = {name: getattr(first, name) for name in ("company_id", "campaign_id", "owner_id", "actor")}
    for day in range(28, 0, -1):
        when = NOW - timedelta(days=day)
        for number in range(0 if when.weekday() > 4 else 6 + day * 7 % 11):
            has_failed = day in (8, 12) and number % 3 == 0
            db.session.add(
                Delivery(
                    webhook_id=f"msg_{day:04x}{number:028x}",
                    trigger="classification",
                    next_trigger="retry",
                    interest_level=1 + number % 3,
                    status="failed" if has_failed else "delivered",
                    reason="server_error" if has_failed else "ok_json",
                    attempt_count=1,
                    tries=1,
                    created_at=when + timedelta(minutes=number),
                    delivered_at=None if has_failed else when + timedelta(minutes=number),
                    stored_body=DeliveryBody(content=first.body),
                    **shared,
                )
            )
    db.session.commit()


def wait_until_settled(app: Flask) -> dict[str, str]:
    """Let everything be tried to its end, then classify a few more, so that something is on its way."""
    open_count = select(func.count()).where(Delivery.status.in_(("pending", "sending")))
    with app.app_context():
        for _ in range(SETTLE_SECONDS * 10):
            time.sleep(0.1)
            if not db.session.scalar(open_count):
                break
            db.session.rollback()
        recent = Delivery.created_at > NOW - timedelta(minutes=1)
        failed = db.session.scalars(select(Delivery).where(Delivery.status == "failed", recent)).one()
        names = {"failed": failed.webhook_id}
        db.session.rollback()
    for contact_id, level in LATER.items():
        classify_contact(app, contact_id, level)
        time.sleep(0.2)
    return names


def take_all(chromium: Browser, address: str, names: dict[str, str]) -> None:
    for name, (path, width, height, scheme, language) in PICTURES.items():
        context = chromium.new_context(
            base_url=address,
            locale=language,
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
        )
        page = context.new_page()
        log_in(page)
        page.goto(path.format(**names))
        page.wait_for_timeout(300)
        (IMAGES / f"{name}.png").write_bytes(packed(page.screenshot()))
        context.close()


def log_in(page: Page) -> None:
    page.goto("/login")
    page.locator("[name=email]").fill(TEAM[0][1])
    page.locator("[name=password]").fill(PASSWORD)
    page.locator(".form-page [type=submit]").click()
    page.wait_for_url("**/")


def packed(png: bytes) -> bytes:
    """The same picture, its pixels compressed as far as they go: a browser does it in haste."""
    signature, place, pixels, before, after = png[:8], 8, b"", b"", b""
    while place < len(png):
        length = struct.unpack(">I", png[place : place + 4])[0]
        kind, chunk = png[place + 4 : place + 8], png[place : place + 12 + length]
        if kind == b"IDAT":
            pixels += chunk[8:-4]
        elif pixels:
            after += chunk
        else:
            before += chunk
        place += 12 + length
    data = zlib.compress(zlib.decompress(pixels), 9)
    checksum = zlib.crc32(b"IDAT" + data)
    return signature + before + struct.pack(">I", len(data)) + b"IDAT" + data + struct.pack(">I", checksum) + after


if __name__ == "__main__":
    main()
