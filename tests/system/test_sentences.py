"""One cause, one sentence: on pages, by API, command, log, mail and support file, in both languages.

Each cause is had from a real socket or server. What is expected is what the room says of the attempt; every edge has to
say exactly that.
"""

import logging
import re
import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask

from portal.cli import cli
from portal.company import asking
from portal.database.db import db
from portal.egress.advice import advise
from portal.egress.authorities import read_authorities
from portal.i18n import speaking
from portal.models import Attempt, Company, Endpoint, User
from portal.notices.telling import Teller
from portal.people import tokens
from portal.rules.clues import find_clue
from portal.rules.reasons import Explanation, explain_attempt
from portal.runtime import runtime
from tests.api.conftest import Caller
from tests.authority import Authority
from tests.conftest import URL, MakeApp
from tests.egress import causes
from tests.egress.test_clues import ROWS, Row, serving
from tests.factories import LOOPBACK, make_company, make_user, send_test
from tests.notices.conftest import MailHost, mail_host, start_mail
from tests.views.conftest import Person
from tests.views.test_address_advice import KINDS

__all__ = ["mail_host", "start_mail"]  # fixtures

pytestmark = pytest.mark.slow

STATUSES = (201, 302, 403, 405, 410, 419, 429, 501, 502, 504, 522)
LANGUAGES = {"pt_BR": "pt-BR", "en": "en"}

Open = Callable[[Authority], AbstractContextManager[str]]


@dataclass(frozen=True)
class Cause:
    """How to have it, and by which codes it is known: the reason, then the clue or the warning."""

    name: str
    open: Open
    codes: tuple[str, ...]


def answering(row: Row) -> Open:
    return lambda _authority: serving(row)


def first_of_each() -> Iterator[Row]:
    seen: set[tuple[str, bool]] = set()
    for row in ROWS:
        if (key := (row.code, row.status == 200)) not in seen:
            seen.add(key)
            yield row


CAUSES = [
    *(Cause(each.name, each.open, (each.reason,)) for each in causes.CAUSES),
    *(Cause(f"{row.code} {row.status}", answering(row), (row.code,)) for row in first_of_each()),
    *(Cause(f"status {status}", answering(Row("", status)), ()) for status in STATUSES),
    Cause("error in JSON", answering(Row("", 200, (), '{"error": "x"}')), ("error_in_json",)),
    Cause("words of an error", answering(Row("", 200, (), "Error: x")), ("error_words",)),
    Cause("broken JSON", answering(Row("", 200, (), '{"a":')), ("invalid_json",)),
]


@pytest.fixture
def app(
    make_app: MakeApp, authority: Authority, mail_host: MailHost, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Flask]:
    """An application that knows the authority, gives up soon, and finds every name here."""

    def getaddrinfo(host: str, port: int, *_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    settings = {"ca_file": read_authorities(str(authority.file)), "connect_timeout": 0.4, "deadline": 2.0}
    app = make_app(smtp_url=mail_host.address, mail_from="portal@example.com", **settings)
    with app.app_context():
        yield app


@dataclass
class World:
    """A company whose admin has a browser, a token, a terminal and a mailbox."""

    app: Flask
    company: Company
    admin: User
    browser: Person
    api: Caller
    mail: MailHost
    folder: Path
    log: pytest.LogCaptureFixture

    def speak(self, language: str) -> None:
        db.session.query(Company).update({"locale": language})
        db.session.query(User).update({"locale": language})
        db.session.commit()

    def call(self, method: str, path: str, language: str, **request: Any) -> Any:
        """The API's answer, in a context of its own, as on a server."""
        db.session.commit()
        with self.app.app_context():
            return self.api.call(method, path, headers={"Accept-Language": LANGUAGES[language]}, **request).json

    def command(self, *arguments: str) -> str:
        db.session.commit()
        names = {"PORTAL_INSTANCE": str(self.folder), "PORTAL_SECRET_KEY": "k" * 48}
        names |= {"PORTAL_ALLOWED_NETWORKS": LOOPBACK, "PORTAL_CONNECT_TIMEOUT": "0.4", "PORTAL_DEADLINE": "2"}
        return CliRunner().invoke(cli, arguments, env=names).output

    def tell(self, attempt: Attempt) -> tuple[str, str]:
        """The line in the log and the mail about an endpoint that fails by this attempt."""
        facts = {"state": "failing", "last_failed_delivery_id": attempt.delivery_id, "consecutive_failures": 9}
        db.session.query(Endpoint).update(facts | {"notified_state": "active", "notified_at": None, "url": URL})
        db.session.commit()
        self.log.clear()
        means = runtime()
        Teller(db.engine, means.settings, partial(speaking, self.app), means.vault, means.egress).tell_due()
        lines = [record.getMessage() for record in self.log.records if record.name.startswith("portal.notices")]
        return lines[0], self.mail.messages[-1].get_content()


@pytest.fixture
def world(app: Flask, instance: Path, mail_host: MailHost, caplog: pytest.LogCaptureFixture) -> World:
    company = make_company(url=URL)
    admin = make_user(company, email="admin@example.com")
    token = tokens.create_token(db.session, admin, label="test")
    db.session.commit()
    logging.getLogger("portal").propagate = True
    api = Caller(app, token, company.id, admin.id, admin.email)
    return World(app, company, admin, Person(app.test_client(), admin), api, mail_host, instance, caplog)


def plain(text: str) -> str:
    """What a reader sees: no tags, no line ends."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())


def words_of(app: Flask, attempt: Attempt, language: str) -> Explanation:
    with speaking(app, language, "America/Sao_Paulo"):
        return explain_attempt(attempt, runtime().settings.limits)


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_every_edge_says_the_same_about_a_cause(cause: Cause, world: World, authority: Authority) -> None:
    with cause.open(authority) as url:
        webhook_id = send_test(world.company, url).webhook_id
        live = {language: world.call("POST", "/webhook/test", language, json={"url": url}) for language in LANGUAGES}
    attempt = db.session.query(Attempt).order_by(Attempt.id).first()
    assert attempt is not None
    clue = find_clue(attempt)
    told_by = {attempt.reason, attempt.warning, clue.code if clue else None}
    assert set(cause.codes) <= told_by
    for language in LANGUAGES:
        words = words_of(world.app, attempt, language)
        sentences = [words.seen, words.rule, words.advice]
        for edge, text in read_everywhere(world, webhook_id, attempt, language).items():
            missing = [each for each in sentences if plain(each) not in text]
            assert not missing, f"{edge} in {language}"
        assert all(each in live[language]["message"] for each in sentences)
        assert live[language]["offer"] == words.offer
    assert all(plain(each) in plain(world.command("deliveries", "show", webhook_id)) for each in sentences)


def read_everywhere(world: World, webhook_id: str, attempt: Attempt, language: str) -> dict[str, str]:
    """What each edge says in a language about the attempt, as a reader sees it."""
    world.speak(language)
    shown = {
        "delivery": world.browser.get(f"/deliveries/{webhook_id}").text,
        "test": world.browser.get(f"/webhook?test={webhook_id}").text,
        "support file": world.browser.get(f"/deliveries/{webhook_id}/support.txt").text,
    }
    shown["API"] = world.call("GET", f"/deliveries/{webhook_id}", language)["attempts"][0]["message"]
    if not attempt.reason.startswith("ok_"):
        shown["log"], shown["mail"] = world.tell(attempt)
    return {edge: plain(text) for edge, text in shown.items()}


def test_a_test_with_a_warning_says_so_in_its_headline(world: World, authority: Authority) -> None:
    with serving(Row("", 200, (), '{"error": "x"}')) as url:
        page = world.browser.post("/webhook/test", {"url": url}, follow_redirects=True).text
    assert "Respondeu 200, com um aviso: a resposta indica um erro" in plain(page)


def test_no_two_causes_are_told_by_the_same_sentences(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the codes differ, so do the words: nobody is sent the wrong way by a general sentence."""
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 1000)  # there are more causes
    told: dict[str, str] = {}
    for row in first_of_each():
        with serving(row) as url:
            outcome = send_test(world.company, url).outcome
        message = explain_attempt(outcome, runtime().settings.limits).message
        assert told.setdefault(message, row.code) == row.code


ADDRESSES = {code: url for url, code in reversed(KINDS) if code} | {"local": "http://127.0.0.1:9999/hook"}
"""An address of each kind that the portal sends to here."""


@pytest.mark.parametrize("code", ADDRESSES)
def test_every_edge_gives_the_same_advice_about_an_address(code: str, world: World) -> None:
    url = ADDRESSES[code]
    for language in LANGUAGES:
        with speaking(world.app, language, "UTC"):
            (sentence,) = (plain(each.sentence) for each in advise(url))
        world.speak(language)
        world.browser.post("/webhook", {"url": url})
        assert sentence in plain(world.browser.get("/webhook").text)
        saved = world.call("PUT", "/webhook", language, json={"url": url})
        assert [each["message"] for each in saved["advice"] if each["code"] == code] == [sentence]
        tested = world.call("POST", "/webhook/test", language, json={"url": url})
        assert [each["message"] for each in tested["advice"] if each["code"] == code] == [sentence]
    for arguments in (("webhook", "set", url), ("webhook", "test", url), ("doctor",)):
        assert sentence in plain(world.command(*arguments)), arguments
