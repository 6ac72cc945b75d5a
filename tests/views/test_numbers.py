"""Every number that leads somewhere: the page that it leads to shows as many, and tests count nowhere."""

import re
from collections import Counter, deque
from collections.abc import Iterator
from datetime import timedelta
from functools import cache, partial
from html import unescape
from urllib.parse import urljoin

import pytest
from flask import Flask

from portal import clock
from portal.company.knowledge import begin_anew
from portal.contacts import merging
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import OPEN_STATUSES, Company, Delivery
from portal.people import tokens
from portal.privacy import erasing
from portal.runtime import runtime
from tests.conftest import URL, running_worker
from tests.deliveries.test_edges import settle
from tests.factories import (
    actor_of,
    endpoint_of,
    forget_body,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
    save,
    send_test,
    set_url,
)
from tests.views.conftest import Person
from tests.worker.test_dispatcher import wait_until

ROW = re.compile(r"<tr data-row")
NEXT = re.compile(r'<a class="btn" rel="next" href="([^"]+)"')
LINK = re.compile(r'<a\b[^>]*href="([^"]+)"[^>]*>(.*?)</a>', re.DOTALL)
NUMBER = re.compile(r"\b([\d.]+)\s+(?:contatos?|entregas?|avisos?|pessoas?|que correspondem|linhas?)\b")
PAGES = (
    *(
        "/",
        "/contacts",
        "/contacts?state=with_warning",
        "/warnings",
        "/causes",
        "/sync",
        "/sync/contacts",
        "/webhook",
        "/team",
        "/imports",
    ),
    *("/deliveries", "/deliveries?status=failed", "/deliveries?trigger=test", "/deliveries?level=2"),
    *("/deliveries?status=failed&reason=timeout", "/deliveries/resend?status=failed", "/contacts/classify/all"),
    *("/report", "/campaigns", "/triage", "/contacts/assign", "/contacts/doubles", "/deliveries?outstanding=warning"),
    *("/notices", "/privacy", "/integration"),
)


def fail(company: Company, reason: str, *, times: int = 1, level: int = 2, **facts: object) -> None:
    contact = make_contact(company)
    for number in range(times):
        settle(make_delivery(contact, 1 + (level + number) % 3), "failed", reason, **facts)


@pytest.fixture
def company(company: Company) -> Company:
    """Something of every state, more than a page of it, and tests of which each number would be too many."""
    set_url(company, URL)
    for _ in range(22):
        fail(company, "connection_refused")
    for _ in range(3):
        fail(company, "timeout", times=2, request_sent=True)
    for warning in (None, None, "error_words", "error_in_json", "error_words", "invalid_json"):
        mark_delivered(make_delivery(make_contact(company)), warning=warning)
    for status in ("superseded", "cancelled"):
        settle(make_delivery(make_contact(company)), status, "server_error", status_code=500, request_sent=True)
    for _ in range(2):
        waiting = settle(make_delivery(make_contact(company)), "pending", "server_error", status_code=500)
        waiting.next_attempt_at = clock.utcnow() + timedelta(hours=1)
    for _ in range(3):
        changed = make_contact(company)
        mark_delivered(make_delivery(changed))
        save(company, {"contact": {"id": changed.id, "role": "Sócia"}})
    make_contact(company)
    make_delivery(make_contact(company))
    purged = settle(make_delivery(make_contact(company)), "failed", "connection_refused")
    forget_body(purged)
    db.session.commit()
    for _ in range(4):
        send_test(company)
    return company


def rows_behind(admin: Person, url: str) -> int:
    """How many rows the list has, over all its pages."""
    count = 0
    while url:
        page = admin.get(url)
        assert page.status_code == 200, url
        count += len(ROW.findall(page.text))
        found = NEXT.search(page.text)
        url = urljoin(url, unescape(found[1])) if found else ""
    return count


def shown_at(admin: Person, url: str) -> int:
    """How many the page is about: its rows, or what its heading or its kinds say."""
    path = url.partition("?")[0]
    if path in ("/contacts", "/deliveries"):
        return rows_behind(admin, url)
    text = admin.get(url, follow_redirects=True).text
    if path == "/triage":
        left = re.search(r"Faltam? (\d+)", text)
        assert left, url
        return int(left[1])
    if path in ("/warnings", "/causes"):
        return sum(int(number) for number in re.findall(r'cause-side"><a[^>]*>(\d+) contato', text))
    heading = re.search(r"<h1>.*?(\d+)", text, re.DOTALL)
    assert heading, url
    return int(heading[1])


def numbers_on(page: str) -> list[tuple[str, int]]:
    """The addresses that numbers lead to, with these."""
    found = []
    for url, inner in LINK.findall(page.partition("<main")[2]):
        counted = re.search(r'class="(?:number-value|tabs-count)">\s*([\d.]+)', inner)
        words = " ".join(re.sub(r"<[^>]+>", " ", inner).split())
        counted = counted or re.fullmatch(r"([\d.]+)", words) or NUMBER.search(words)
        if counted:
            found.append((unescape(url), int(counted[1].replace(".", ""))))
    return found


@pytest.mark.slow
def test_every_number_that_is_a_link_leads_to_as_many(admin: Person, company: Company) -> None:
    numbers = {page: len(numbers_on(admin.get(page).text)) for page in PAGES}
    assert sum(numbers.values()) > 60
    assert all(numbers[page] for page in ("/", "/report", "/causes", "/warnings", "/campaigns", "/deliveries"))
    assert disagreements(admin) == []


def test_the_page_before_a_resend_accounts_for_all_that_match(admin: Person, company: Company) -> None:
    """29 failed: 22 go, 6 have a risk, and one has no body any more."""
    page = " ".join(re.sub(r"<[^>]+>", " ", admin.get("/deliveries/resend?status=failed").text).split())
    assert "Reenviar 29 entregas?" in page
    assert "22 ainda não chegaram ao CRM e vão sem ressalvas." in page
    told = [int(number) for number in re.findall(r"(\d+) (?:com um nível antigo|que pode)", page)]
    assert sum(told) == 6
    assert "Outra fica de fora" in page


def test_each_delivery_stands_in_one_tab_also_the_one_that_is_on_its_way(admin: Person, company: Company) -> None:
    assert 'status=sending"' not in admin.get("/").text
    make_delivery(make_contact(company)).status = "sending"
    db.session.commit()
    assert ("/deliveries?status=sending", 1) in numbers_on(admin.get("/").text)
    tabs = dict(numbers_on(admin.get("/deliveries").text))
    statuses = [count for url, count in tabs.items() if re.fullmatch(r"/deliveries\?status=\w+", url)]
    everything = db.session.query(Delivery).filter(Delivery.company_id == company.id, Delivery.trigger != "test")
    assert sum(statuses) == everything.count()


def test_tests_count_nowhere(admin: Person, company: Company) -> None:
    """Neither in tiles, chart, headline nor lists; the log has a tab for them."""
    assert db.session.query(Delivery).filter_by(trigger="test", status="failed").count() == 4
    home = admin.get("/").text
    assert re.search(r'status=failed">.*?number-value">29<', home, re.DOTALL)
    assert "29 falharam" in home
    assert rows_behind(admin, "/deliveries") == 22 + 6 + 6 + 3 + 2 + 2 + 1 + 1
    assert rows_behind(admin, "/deliveries?trigger=test") == 4
    assert "Teste" not in admin.get("/").text.partition('id="ultimas"')[2]
    assert admin.get("/metrics", environ_base={"REMOTE_ADDR": "127.0.0.1"}).text.count('status="failed"') == 0


def test_the_api_lists_tests_as_before(admin: Person, company: Company) -> None:
    user = make_user(company, email="api@example.com")
    token = tokens.create_token(db.session, user, label="test")
    db.session.commit()
    answer = admin.client.get("/api/v1/deliveries?trigger=test", headers={"Authorization": f"Bearer {token}"})
    assert len(answer.json["items"]) == 4


@pytest.mark.slow
@pytest.mark.parametrize("other_crm", [False, True])
def test_numbers_agree_on_every_page_that_links_lead_to(admin: Person, company: Company, *, other_crm: bool) -> None:
    """With contacts that were erased, merged or forgotten by the log, and all of it told to another CRM."""
    add_rare_states(company)
    if other_crm:
        begin_anew(db.session, actor_of(company))
        db.session.commit()
    shown: dict[str, int] = {}
    wrong, walked = [], 0
    for page, text in walk(admin, pages=120):
        walked += 1
        for url, number in numbers_on(text):
            target = urljoin(page, url)
            if target not in shown:
                shown[target] = shown_at(admin, target)
            if shown[target] != number:
                wrong.append(f"{page}: {number} leads to {target}, which shows {shown[target]}")
    assert wrong == []
    assert walked > 80
    assert len(shown) > 60


def add_rare_states(company: Company) -> None:
    actor = actor_of(company)
    erased, kept, merged, sending, lost = (make_contact(company) for _ in range(5))
    mark_delivered(make_delivery(erased))
    settle(make_delivery(erased, 3), "failed", "timeout")
    mark_delivered(make_delivery(kept))
    mark_delivered(make_delivery(merged, 1), warning="error_words")
    make_delivery(sending).status = "sending"
    settle(make_delivery(lost), "failed", "timeout")
    for warning, status in (("source_code", "failed"), ("error_words", "cancelled"), ("shape_changed", "superseded")):
        warned = make_contact(company)
        mark_delivered(make_delivery(warned), warning=warning)
        settle(make_delivery(warned, 3), status, "server_error", status_code=503)
    db.session.flush()
    db.session.query(Delivery).filter_by(contact_id=lost.id).delete()
    db.session.commit()
    merging.merge(db.session, actor, kept.id, merged.id)
    erasing.erase_contact(db.session, erased, actor, vault=runtime().vault)
    db.session.commit()


def walk(admin: Person, *, pages: int) -> Iterator[tuple[str, str]]:
    """The pages that links lead to from home, breadth first, of each kind of address no more than four."""
    seen, ahead, kinds = {"/"}, deque(["/"]), Counter[str]()
    for _ in range(pages):
        page = ahead.popleft()
        answer = admin.get(page, follow_redirects=True)
        assert answer.status_code == 200, page
        if answer.mimetype != "text/html":
            continue
        yield page, answer.text
        for href, _words in LINK.findall(answer.text.partition("<main")[2]):
            url = urljoin(page, unescape(href)).partition("#")[0]
            kind = re.sub(r"\d+|=[^&]*", "", url)
            if url.startswith("/") and url not in seen and kinds[kind] < 4:
                kinds[kind] += 1
                seen.add(url)
                ahead.append(url)


def disagreements(admin: Person) -> list[str]:
    """Where a number leads to more or fewer than it says, and where home, the log's tabs and the API differ."""
    wrong, show = [], cache(partial(shown_at, admin))
    for page in PAGES:
        for url, number in numbers_on(admin.get(page).text):
            if not url.startswith("/team") and (shown := show(urljoin(page, url))) != number:
                wrong.append(f"{page}: {number} leads to {url}, which shows {shown}")
    tabs = {url.partition("?")[2]: number for url, number in numbers_on(admin.get("/deliveries").text)}
    tiles = {url.partition("?")[2]: number for url, number in numbers_on(admin.get("/").text) if "?status" in url}
    assert len(tiles.keys() & tabs.keys()) > 3
    differing = [each for each in tiles.keys() & tabs.keys() if tiles[each] != tabs[each]]
    return wrong + [f"home says {tiles[each]} of {each}, the log {tabs[each]}" for each in differing]


@pytest.mark.slow
def test_all_numbers_agree_at_each_step_of_an_outage_and_its_end(app: Flask, admin: Person, company: Company) -> None:
    with Receiver() as receiver:
        receiver.reply = Reply(500)
        set_url(company, receiver.url)
        contacts = [make_contact(company) for _ in range(4)]
        for contact in contacts:
            make_delivery(contact)
        assert disagreements(admin) == []
        with running_worker(app):
            wait_until(lambda: state_now(company) == "failing")
        assert disagreements(admin) == [], "nothing moves while the pages are read"
        admin.post("/webhook/pause")
        make_delivery(contacts[0], 3)
        assert disagreements(admin) == []
        receiver.reply = Reply(200, b"Erro ao salvar")
        admin.post("/webhook/resume")
        with running_worker(app):
            wait_until(lambda: open_deliveries() == 0)
        assert disagreements(admin) == []
    assert "recebidos com aviso" in admin.get("/").text or "Conferir" in admin.get("/").text


def open_deliveries() -> int:
    db.session.rollback()
    count = db.session.query(Delivery).filter(Delivery.status.in_(OPEN_STATUSES)).count()
    db.session.rollback()  # or the worker would wait for the test
    return count


def state_now(company: Company) -> str:
    db.session.rollback()
    state = endpoint_of(company).state
    db.session.rollback()
    return state
