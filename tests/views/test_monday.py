"""The five questions of a Monday, each answered at home or by one click from there."""

import re
import time
from collections.abc import Iterator

import pytest
from flask import Flask
from playwright.sync_api import Page, expect

from portal.database.db import db
from portal.demo.server import Reply
from portal.models import Delivery
from portal.rules.retry import parse_schedule
from tests.conftest import MakeApp
from tests.factories import make_company, make_contact, make_delivery
from tests.views.browser import NARROW, WIDE, Site

LONG_SECONDS = 60


@pytest.fixture
def app(make_app: MakeApp) -> Iterator[Flask]:
    app = make_app(retry_schedule=parse_schedule("0s,1s" + ",1h" * 7))
    with app.app_context():
        yield app


@pytest.fixture
def weekend(site: Site) -> None:
    """The receiver was away and is back; then it answered one delivery with a page of errors."""
    company = make_company("Acme Prospecção")
    site.receiver.reply = Reply(503, b"", "text/plain")
    for number in range(6):
        make_delivery(make_contact(company, name=f"Paula {number}"), 3)
    wait_for("503", lambda: site.receiver.received)
    time.sleep(1)
    site.receiver.reply = Reply(200, b"OK")
    wait_for("arrival", lambda: db.session.query(Delivery).filter_by(status="delivered").count() == 6)
    site.receiver.reply = Reply(500, b"Fatal error", "text/plain")
    make_delivery(make_contact(company, name="Zuleica"), 2)
    wait_for("second failure", lambda: db.session.query(Delivery).filter_by(status="pending", attempt_count=2).count())


def wait_for(what: str, is_so) -> None:
    end = time.monotonic() + LONG_SECONDS
    while not is_so():
        assert time.monotonic() < end, what
        db.session.rollback()
        time.sleep(0.1)
    db.session.rollback()


@pytest.mark.slow(30)
@pytest.mark.usefixtures("weekend")
def test_each_question_is_one_click_from_home(page: Page) -> None:
    for viewport in (WIDE, NARROW):
        page.set_viewport_size(viewport)
        walk(page)


def walk(page: Page) -> None:
    heading = page.get_by_role("heading", level=1)
    # Did it fail over the weekend? Home says so; a click shows what waited.
    page.goto("/")
    outage = page.locator(".outage")
    expect(outage).to_contain_text("HTTP 503")
    expect(outage).to_contain_text("todas chegaram")
    outage.get_by_role("link").click()
    expect(page.get_by_text(re.compile("^[1-6] entregas?$"))).to_be_visible()
    # Who didn't arrive?
    page.goto("/")
    expect(page.get_by_role("heading", name="1 contato não chegou ao seu CRM.")).to_be_visible()
    page.get_by_role("link", name="1 contato", exact=True).click()
    expect(page.get_by_role("link", name="Zuleica")).to_be_visible()
    # Why?
    page.goto("/")
    page.get_by_role("link", name="Todos os motivos").click()
    expect(heading).to_have_text("Motivos")
    expect(page.get_by_text("HTTP 500").first).to_be_visible()
    # What is the month so far?
    page.goto("/")
    page.get_by_role("link", name="Relatório: o mês até agora").click()
    expect(page.get_by_text("6 contatos de nível alto")).to_be_visible()
    # What's left to classify?
    page.goto("/")
    page.get_by_role("link", name="Faltam 3 contatos a classificar").click()
    expect(heading).to_have_text("Ana Souza")
