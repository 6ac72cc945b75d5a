"""A real browser on the served portal, with its worker and a receiver; what its console says is kept."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from flask import Flask
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright
from werkzeug.serving import make_server

from portal.database.db import db
from portal.demo.server import Receiver
from tests.conftest import running_worker
from tests.factories import PASSWORD, make_company, make_contact, make_user

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
TIMEOUT_MS = 20_000
"""What a busy machine may take for whatever a page is waited for."""
expect.set_options(timeout=TIMEOUT_MS)
WIDE, NARROW = {"width": 1280, "height": 800}, {"width": 390, "height": 844}
NARROWEST = {"width": 320, "height": 640}  # a page of 1280 at four times its size (WCAG 1.4.10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=ARGUMENTS)
        yield opened
        opened.close()


@dataclass
class Site:
    """The portal, served, with its worker and a receiver."""

    url: str
    receiver: Receiver
    admin_email: str = ""


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on a free port, with a worker; its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        with running_worker(app):
            yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(app: Flask, receiver: Receiver) -> Iterator[Site]:
    company = make_company("Acme Prospecção", url=receiver.url)
    admin = make_user(company, name="Mariana", email="mariana@example.com")
    for name in ("Ana Souza", "Bruno Lima", "Carla Nunes"):
        make_contact(
            company,
            name=name,
            role="Diretora",
            current_company_link="https://example.com",
            skills=[{"skill": "Vendas", "endorsements": 3}],
        )
    db.session.commit()
    with served(app) as url:
        yield Site(url, receiver, admin.email)


class Watched:
    """A page whose console and requests are kept: at the end there must have been nothing to complain of."""

    def __init__(self, chromium: Browser, site: Site, **options: object) -> None:
        self.context = chromium.new_context(locale="pt-BR", base_url=site.url, **options)
        self.context.set_default_timeout(TIMEOUT_MS)
        self.page = self.context.new_page()
        self.complaints: list[str] = []
        self.page.on("console", lambda message: self.complaints.append(f"{message.type}: {message.text}"))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._check(request.url, site.url))

    def _check(self, url: str, own: str) -> None:
        if not url.startswith((own, "data:")):
            self.complaints.append(f"asked for {url}")

    def log_in(self, email: str) -> Page:
        self.page.goto("/login")
        expect(self.page.get_by_label("E-mail")).to_be_focused()  # a browser complains of who is sooner than the page
        self.page.get_by_label("E-mail").fill(email)
        self.page.get_by_label("Senha").fill(PASSWORD)
        self.page.get_by_role("button", name="Entrar").click()
        expect(self.page.get_by_role("heading", level=1)).to_be_visible()
        return self.page

    def close(self) -> None:
        self.context.cookies()  # what the browser said until now is there when it answers
        complaints = list(self.complaints)  # what is under way is cut off by the end, which is no fault of the page
        self.context.close()
        assert not complaints, complaints


@pytest.fixture
def page(chromium: Browser, site: Site) -> Iterator[Page]:
    watched = Watched(chromium, site, viewport=WIDE)
    yield watched.log_in(site.admin_email)
    watched.close()


def row(page: Page, name: str) -> Locator:
    return page.get_by_role("row").filter(has_text=name)
