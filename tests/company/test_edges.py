"""Every act on the webhook by page, API and command: the same refusal, guard, limit, audit entry and result."""

import html
import json
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select, update

from portal import outbox
from portal.cli import cli
from portal.company import asking, endpoint
from portal.company.refusals import ChangedMeanwhile, HeaderRefused, NoAddress, NotDelivered, TooManyTests
from portal.database.db import db
from portal.demo.server import Receiver, Reply
from portal.models import Attempt, AuditEntry, Company, Delivery, Endpoint
from portal.people import tokens
from portal.rules.reasons import explain_address
from portal.runtime import runtime
from tests import factories
from tests.views.conftest import Person

PATHS = {
    "set": ("PUT", "/webhook"),
    "remove": ("PUT", "/webhook"),
    "test": ("POST", "/webhook/test"),
    "pause": ("POST", "/webhook/pause"),
    "resume": ("POST", "/webhook/resume"),
    "rotate": ("POST", "/webhook/rotate-secret"),
}
PAGES = {
    "set": "/webhook",
    "remove": "/webhook/remove",
    "test": "/webhook/test",
    "pause": "/webhook/pause",
    "resume": "/webhook/resume",
    "rotate": "/webhook/secret",
    "show": "/webhook/secret",
}
COMMANDS = {"rotate": ["rotate-secret"], "show": ["show", "--secret"]}
Header = tuple[str, str] | None
EDGES = ("page", "api", "command")


@dataclass
class Installation:
    """A company whose webhook is reached over every edge, in English."""

    app: Flask
    company: Company
    token: str
    person: Person
    environ: dict[str, str]

    def act(self, edge: str, act: str, url: str | None = None, header: Header = None) -> tuple[bool, str]:
        """Whether it was done, and everything that was said."""
        db.session.commit()
        done, said = getattr(self, f"_by_{edge}")(act, url, header)
        db.session.expire_all()
        return done, said

    def _by_page(self, act: str, url: str | None, header: Header) -> tuple[bool, str]:
        data = {"url": url or endpoint_of(self).url or ""} if act in ("set", "test") else {}
        if act == "rotate":
            data["rotate"] = "yes"
        if header:
            data |= {"header_kind": "other", "header_name": header[0], "header_value": header[1]}
        answer = self.person.post(PAGES[act], data, follow_redirects=True)
        is_done = answer.status_code == 200 and "did not work" not in answer.text
        return is_done, html.unescape(answer.text)

    def _by_api(self, act: str, url: str | None, header: Header) -> tuple[bool, str]:
        method, path = PATHS[act]
        headers = {"Authorization": f"Bearer {self.token}", "Accept-Language": "en"}
        value: dict[str, Any] = {"url": url} if act in ("set", "test", "remove") else {}
        if header:
            value["header"] = {"name": header[0], "value": header[1]}
        with self.app.app_context():
            answer = self.app.test_client().open(
                f"/api/v1{path}", method=method, headers=headers, **({"json": value} if value else {})
            )
        return answer.status_code == 200, json.dumps(answer.json, ensure_ascii=False)

    def _by_command(self, act: str, url: str | None, header: Header) -> tuple[bool, str]:
        words = ["webhook", *COMMANDS.get(act, [act]), *([url] if url else [])]
        options = ["--header-name", header[0], "--header-file", "-"] if header else []
        result = CliRunner().invoke(cli, words + options, env=self.environ, input=header[1] if header else None)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code == 0, result.output


@pytest.fixture
def installed(app: Flask, instance: Path) -> Installation:
    company = factories.make_company()
    user = factories.make_user(company)
    user.locale = "en"
    token = tokens.create_token(db.session, user, label="test")
    db.session.commit()
    environ = {
        "PORTAL_INSTANCE": str(instance),
        "PORTAL_SECRET_KEY": "k" * 48,
        "PORTAL_ALLOWED_NETWORKS": factories.LOOPBACK,
        "PORTAL_DEADLINE": "2",
        "PORTAL_CONNECT_TIMEOUT": "1",
        "LC_ALL": "C.UTF-8",
    }
    return Installation(app, company, token, Person(app.test_client(), user), environ)


def endpoint_of(installed: Installation) -> Endpoint:
    return factories.endpoint_of(installed.company)


def acts_of() -> list[tuple[str, str | None]]:
    """What the audit log holds of the edges' acts."""
    query = select(AuditEntry.action, AuditEntry.subject).where(
        AuditEntry.action.like("webhook.%"), AuditEntry.actor != "test"
    )
    return [(action, subject) for action, subject in db.session.execute(query.order_by(AuditEntry.id))]


def in_english(app: Flask, make: Callable[[], str]) -> str:
    with app.test_request_context(), force_locale("en"):
        return make()


@pytest.mark.parametrize("edge", EDGES)
def test_acts_leave_the_same_state_and_the_same_audit_entries(
    installed: Installation, receiver: Receiver, edge: str
) -> None:
    url = receiver.url + "hook"
    states = []
    for act, given, header in (
        ("set", url, ("X-Api-Key", "a key of ours")),
        ("set", url, None),
        ("test", url, None),
        ("pause", None, None),
        ("pause", None, None),
        ("resume", None, None),
        ("resume", None, None),
        ("rotate", None, None),
        ("remove", None, None),
        ("remove", None, None),
    ):
        assert installed.act(edge, act, given, header)[0], act
        states.append((endpoint_of(installed).url, endpoint_of(installed).state))
    assert states == [(url, "active")] * 3 + [(url, "paused")] * 2 + [(url, "active")] * 3 + [(None, "active")] * 2
    assert len(receiver.received) == 2  # the test, and the test of the resume: what is active needs none
    looked = ("webhook.address_checked", url)
    assert acts_of() == [
        looked,
        ("webhook.url_set", url),
        ("webhook.header_set", "X-Api-Key"),
        looked,
        looked,
        ("webhook.paused", None),
        looked,
        ("webhook.resumed", None),
        ("webhook.secret_rotated", None),
        ("webhook.url_removed", None),
        ("webhook.header_removed", "X-Api-Key"),
    ]
    actors = set(db.session.scalars(select(AuditEntry.actor).where(AuditEntry.action.like("webhook.%"))))
    assert actors == {"console" if edge == "command" else installed.person.email}


@pytest.mark.parametrize(
    ("edge", "act"),
    [(edge, act) for edge in EDGES for act in ("pause", "resume", "test") if (edge, act) != ("page", "test")],
)
def test_without_an_address_there_is_nothing_to_do(installed: Installation, edge: str, act: str) -> None:
    done, said = installed.act(edge, act)
    assert not done
    assert in_english(installed.app, lambda: NoAddress().sentence) in said
    assert (acts_of(), db.session.query(Delivery).count()) == ([], 0)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("act", ["set", "test"])
def test_a_refused_address_is_explained(installed: Installation, edge: str, act: str) -> None:
    done, said = installed.act(edge, act, "http://10.0.0.1/hook")
    assert not done
    assert in_english(installed.app, lambda: explain_address("not_public")) in said
    assert (acts_of(), endpoint_of(installed).url, db.session.query(Delivery).count()) == ([], None, 0)


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("act", ["set", "test"])
def test_a_refused_header_is_explained(installed: Installation, receiver: Receiver, edge: str, act: str) -> None:
    done, said = installed.act(edge, act, receiver.url, ("Content-Length", "1"))
    assert not done
    assert in_english(installed.app, lambda: HeaderRefused("name", "reserved_header").sentence) in said
    assert (acts_of(), endpoint_of(installed).url, receiver.received) == ([], None, [])


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("act", ["set", "test"])
def test_advice_is_given(installed: Installation, receiver: Receiver, edge: str, act: str) -> None:
    _, said = installed.act(edge, act, receiver.url + "webhook-test/9f")
    assert "This is n8n’s test URL" in said


@pytest.mark.parametrize("act", ["set", "test", "resume"])
@pytest.mark.parametrize("first", ["set", "test"])
@pytest.mark.parametrize(("one", "other"), [(a, b) for a in EDGES for b in EDGES])
def test_one_limit_counts_the_addresses_of_every_edge_and_act(
    installed: Installation,
    receiver: Receiver,
    monkeypatch: pytest.MonkeyPatch,
    one: str,
    other: str,
    first: str,
    act: str,
) -> None:
    factories.set_url(installed.company, receiver.url)
    endpoint_of(installed).state = "failing"
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 2)  # the address of above is one
    assert installed.act(one, first, receiver.url)[0]
    done, said = installed.act(other, act, receiver.url + "new" if act != "resume" else None)
    assert not done
    assert in_english(installed.app, lambda: TooManyTests(2, wait_seconds=60).sentence) in said
    assert (len(receiver.received), endpoint_of(installed).state) == (int(first == "test"), "failing")
    assert endpoint_of(installed).url == receiver.url


@pytest.mark.parametrize("edge", EDGES)
@pytest.mark.parametrize("act", ["set", "test"])
def test_a_name_that_leads_inwards_is_counted_and_told_without_its_address(
    installed: Installation, monkeypatch: pytest.MonkeyPatch, edge: str, act: str
) -> None:
    """Whether there is such a name can be learned, a few times a minute and on record; where it leads cannot."""

    def resolve(host: str, port: int, **_more: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.77.88.99", port))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(asking, "MAX_A_MINUTE", 1)
    url = "http://intranet.example.com/hook"
    done, said = installed.act(edge, act, url)
    assert not done
    assert in_english(installed.app, lambda: explain_address("not_public")) in said
    assert "10.77" not in said
    assert acts_of() == [("webhook.address_checked", url)]
    done, said = installed.act(edge, act, url)
    assert in_english(installed.app, lambda: TooManyTests(1, wait_seconds=60).sentence) in said
    assert (done, len(acts_of())) == (False, 1)


@pytest.mark.parametrize("edge", EDGES)
def test_nothing_is_resumed_when_the_test_fails(installed: Installation, receiver: Receiver, edge: str) -> None:
    factories.set_url(installed.company, receiver.url)
    endpoint_of(installed).state = "failing"
    receiver.reply = Reply(500, b"still broken")
    done, said = installed.act(edge, "resume")
    assert not done
    test = db.session.query(Delivery).one()
    outcome = Attempt(reason="server_error", status_code=500, request_sent=True)
    explained = in_english(installed.app, lambda: runtime().explain(outcome))
    kept = in_english(installed.app, lambda: str(NotDelivered.words)).partition(": ")[2]
    for sentence in (kept, explained.seen, explained.rule, explained.advice):  # a page says why in a place of its own
        assert sentence.casefold() in said.casefold()
    assert (test.trigger, endpoint_of(installed).state) == ("test", "failing")
    assert acts_of() == [("webhook.address_checked", receiver.url)]


@pytest.mark.parametrize("change", [{"url": "http://127.0.0.1:9999/"}, {"state": "paused", "paused_reason": "manual"}])
@pytest.mark.parametrize("edge", EDGES)
def test_nothing_is_resumed_that_changed_during_the_test(
    installed: Installation, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, edge: str, change: dict[str, str]
) -> None:
    factories.set_url(installed.company, receiver.url)
    endpoint_of(installed).state = "failing"
    send = outbox.send

    def send_while_somebody_changes_it(*given: Any) -> Any:
        with db.engine.begin() as connection:
            connection.execute(update(Endpoint).values(change))
        return send(*given)

    monkeypatch.setattr(outbox, "send", send_while_somebody_changes_it)
    done, said = installed.act(edge, "resume")
    assert not done
    assert in_english(installed.app, lambda: ChangedMeanwhile().sentence) in said
    assert endpoint_of(installed).state != "active"
    assert acts_of() == [("webhook.address_checked", receiver.url)]


@pytest.mark.parametrize("edge", ["page", "command"])
def test_who_looks_at_the_key_is_written_down(installed: Installation, edge: str) -> None:
    _, said = installed.act(edge, "show")
    assert endpoint.read_secret(endpoint_of(installed), runtime().vault) in said
    assert acts_of() == [("webhook.secret_shown", None)]
