import http.cookiejar
import os
import re
import urllib.parse
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import select

from portal.contacts.body import payload_of
from portal.database.db import db
from portal.demo.receiver import FIRST_REPLIES, LOST_CONTACT, TAKEN, choose_reply
from portal.demo.sample import CAMPAIGNS, TEAM, sample_items
from portal.models import Contact
from portal.rules.verdict import DELIVERED_REASONS, judge
from tests.cli.conftest import STOP_SECONDS, Start
from tests.factories import make_company, save_many

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)


def log_in(address: str, email: str, password: str) -> urllib.request.OpenerDirector:
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    with browser.open(f"{address}/login", timeout=60) as answer:
        token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', answer.read().decode())
    assert token
    form = urllib.parse.urlencode({"csrf_token": token[1], "email": email, "password": password}).encode()
    with browser.open(f"{address}/login", form, timeout=60) as answer:
        assert not answer.url.endswith("/login")
    return browser


def test_the_demo_shows_deliveries_at_once_and_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    running = start("demo", "--port", "0", TMPDIR=str(tmp_path))
    address = running.wait_for(r"Open +(http://\S+)")[1]
    password = running.wait_for(r"Password +(\S+)")[1]
    for status in ("200", "500", "202", "404"):
        running.wait_for(f"the receiver answered {status}")
    browser = log_in(address, TEAM[0][1], password)
    with browser.open(f"{address}/deliveries", timeout=60) as answer:
        page = answer.read().decode()
    assert "Mariana Duarte" in page
    assert list(tmp_path.glob("portal-demo-*"))
    code, took = running.stop()
    assert code == 0
    assert took < STOP_SECONDS
    assert not list(tmp_path.glob("portal-demo-*"))
    assert "Traceback" not in running.output


def test_the_demo_takes_no_setting_of_a_real_portal(start: Start, tmp_path: Path) -> None:
    running = start("demo", "--port", "0", TMPDIR=str(tmp_path), PORTAL_DATABASE_URL="postgresql://127.0.0.1:1/real")
    running.wait_for("the receiver answered")
    assert not os.listdir(tmp_path / "instance")


def test_the_sample_has_thirty_contacts_that_fill_every_field(app: Flask) -> None:
    company = make_company()
    assert all(result.created for result in save_many(company, sample_items(NOW)))
    contacts = db.session.scalars(select(Contact)).all()
    assert len(contacts) == 30
    bodies = [payload_of(contact) for contact in contacts]
    assert {body["campaign"]["name"] for body in bodies} == set(CAMPAIGNS)
    filled = {name for body in bodies for name, value in body["contact"].items() if value}
    assert filled == set(bodies[0]["contact"]) - {"interest_level"}
    assert {len(body["messages"]) for body in bodies} == {1, 2, 3}


def test_the_samples_addresses_belong_to_nobody() -> None:
    for item in sample_items(NOW):
        assert item["contact_owner"]["email"].endswith(".example")
        assert (item["contact"]["email"] or ".example").endswith(".example")
        assert item["contact"]["current_company_link"].endswith(".example")


def test_the_samples_dates_follow_each_other() -> None:
    for item in sample_items(NOW):
        facts = item["contact"]
        dates = [facts["collect_date"], facts["invite_date"], facts["accept_date"]]
        dates += [message["date"] for message in item["messages"]]
        assert dates == sorted(dates)
        assert dates[-1] < NOW


@pytest.mark.parametrize("digit", range(10))
def test_the_receiver_takes_every_delivery_in_the_end_but_one_contacts(digit: int) -> None:
    for contact_id in (digit, digit + 10):
        reply = choose_reply(contact_id, is_first=False)
        verdict = judge(reply.status, reply.body, content_type=reply.content_type)
        assert (verdict.reason in DELIVERED_REASONS) == (contact_id != LOST_CONTACT)


def test_the_receiver_fails_in_several_ways() -> None:
    reasons = {judge(reply.status, reply.body, content_type=None).reason for reply in FIRST_REPLIES.values()}
    assert {"server_error", "status_2xx", "html_page", "ok_json"} == reasons
    assert judge(TAKEN.status, TAKEN.body, content_type=None).warning is None
