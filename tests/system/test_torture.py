"""No input of a permitted size keeps a thread busy for a second: on pages, in calls, files and commands."""

import re
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any

import pytest
from flask import Flask

from portal.database.db import db
from portal.people import tokens
from portal.web.bodies import CALL_BYTES, FORM_BYTES
from tests.cli.conftest import Run, environ, run
from tests.factories import make_company, make_contact, make_user
from tests.views.conftest import Person, admin, company, person

__all__ = ["admin", "company", "environ", "person", "run"]

pytestmark = pytest.mark.slow

MOST_CPU_SECONDS = 1.0
FIELD = FORM_BYTES - 20_000
"""A field that fills its form."""
QUERY = 60_000
"""A field of an address: a longer head is cut."""

PIECES = ["a", " ", "a@", "<", "%25", "\ufdfa", "http://"]


def filled(piece: str, size: int) -> str:
    """So many bytes of the same, with an end that no pattern expects."""
    return piece * (size // len(piece.encode())) + "\x7f"


FIELDS = {
    "/login": ("email", "password"),
    "/forgotten": ("email",),
    "/contacts/new": ("name", "email", "linkedin_public_id", "campaign", "messages"),
    "/contacts/1/edit": ("name", "email", "linkedin_public_id", "invite_date", "messages"),
    "/team/new": ("name", "email"),
    "/tokens": ("label", "last_day"),
    "/webhook": ("url", "header_name", "header_value"),
    "/webhook/test": ("url", "header_value"),
    "/account/password": ("current", "password"),
    "/contacts": ("search", "campaign", "cursor"),
    "/deliveries": ("search", "contact", "since"),
    "/deliveries.csv": ("search",),
    "/audit": ("actor", "since"),
    "/team": ("search",),
    "/causes": ("text", "cause"),
    "/webhook/link": ("pointer", "template"),
    "/notices/chat": ("url",),
    "/report": ("month", "since", "until", "campaign", "owner"),
    "/triage": ("search", "campaign", "reached", "after"),
    "/contacts/assign": ("campaign", "owner", "contact", "reached"),
    "/contacts/1/merge": ("other",),
    "/company": ("name", "timezone"),
    "/campaigns/1": ("name", "description"),
}
"""Fields that are searched, checked or taken apart, each alone as long as it may be."""


def slow_ones(calls: Iterator[tuple[str, Callable[[], int]]]) -> list[str]:
    """The calls that failed or took too much work, twice: once may be what else the machine does."""
    found = []
    for name, call in calls:
        took, status = work_of(call)
        if took >= MOST_CPU_SECONDS:
            took = min(took, work_of(call)[0])
        if took >= MOST_CPU_SECONDS or status == 500:
            found.append(f"{name}: {status}, {took:.2f} s")
    return found


def work_of(call: Callable[[], int]) -> tuple[float, int]:
    """What the call takes of the processor, and its status."""
    started = time.process_time()
    status = call()
    return time.process_time() - started, status


@pytest.mark.parametrize("path", FIELDS)
def test_pages(admin: Person, company: Any, path: str) -> None:
    for number in range(20):
        make_contact(company, name=f"Ana {number}")
    db.session.commit()
    token = {"csrf_token": admin.token()}

    def calls() -> Iterator[tuple[str, Callable[[], int]]]:
        for name, piece in product(FIELDS[path], PIECES):
            long, longer = {name: filled(piece, QUERY)}, token | {name: filled(piece, FIELD // 3)}
            yield f"GET {name} {piece!r}", partial(status_of, admin, path, method="GET", query_string=long)
            yield f"POST {name} {piece!r}", partial(status_of, admin, path, method="POST", data=longer)

    assert slow_ones(calls()) == []


def status_of(admin: Person, path: str, **request: Any) -> int:
    return admin.open(path, **request).status_code


def nested(piece: bytes, end: bytes = b"") -> bytes:
    return piece * ((CALL_BYTES - 100) // (len(piece) + len(end))) + end * (
        (CALL_BYTES - 100) // (len(piece) + len(end))
    )


LONG = CALL_BYTES - 2000
CALLS: dict[str, Callable[[], bytes]] = {
    "brackets": lambda: nested(b"[", b"]"),
    "braces": lambda: nested(b'{"a":'),
    "digits": lambda: b'{"contact": {"id": ' + b"9" * LONG + b"}}",
    "an exponent": lambda: b'{"contact": {"id": 1e' + b"9" * LONG + b"}}",
    "escapes": lambda: b'{"contact": {"name": "' + b"\\u0000" * (LONG // 6) + b'"}}',
    "one long name": lambda: b'{"contact": {"name": "' + b"a" * LONG + b'"}}',
    "one long e-mail": lambda: b'{"contact": {"name": "A", "email": "' + b"a@" * (LONG // 2) + b'"}}',
    "one long id": lambda: b'{"contact": {"name": "A", "linkedin_public_id": "' + b"%25" * (LONG // 3) + b'"}}',
    "spaces": lambda: b" " * LONG + b"{}",
    "many unknown fields": lambda: b"{" + b",".join(b'"%07d":1' % number for number in range(LONG // 12)) + b"}",
    "many numbers": lambda: b"[" + b"1," * (LONG // 2) + b"1]",
    "many messages": lambda: (
        b'{"contact": {"name": "A"}, "messages": [' + b'{"text": "a"},' * (LONG // 14) + b'{"text": "a"}]}'
    ),
    "faults in every message": lambda: (
        b"[" + b",".join([b'{"contact": {"name": "A"}, "messages": [' + b'{"x": 1},' * 800 + b"1]}"] * 1000) + b"]"
    ),
    "a thousand with one fault each": lambda: (
        b"[" + b",".join(b'{"contact": {"name": "' + b"\xcc\x81" * 3900 + b'"}}' for _ in range(1000)) + b"]"
    ),
}


@pytest.mark.parametrize("case", CALLS)
def test_calls(app: Flask, case: str) -> None:
    token = tokens.create_token(db.session, make_user(make_company()), label="test")
    db.session.commit()
    body, client = CALLS[case](), app.test_client()
    assert len(body) <= CALL_BYTES
    headers = {"Authorization": f"Bearer {token}"}

    def call(method: str, path: str) -> int:
        return client.open(
            f"/api/v1{path}", method=method, data=body, content_type="application/json", headers=headers
        ).status_code

    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/v1/")]
    calls = (
        (f"{method} {path}", lambda method=method, path=path: call(method, path))
        for rule in rules
        for method in {"POST", "PUT"} & (rule.methods or set())
        for path in [re.sub(r"<[^>]+>", "1", rule.rule.removeprefix("/api/v1"))]
    )
    assert slow_ones(calls) == []


COMMANDS: dict[str, tuple[str, ...]] = {
    "an e-mail": ("user", "add", "--company", "X", "--name", "A", "--role", "admin", "--email", "{}"),
    "a name": ("user", "add", "--company", "X", "--email", "a@x.test", "--role", "admin", "--name", "{}"),
    "a company": ("webhook", "show", "--company", "{}"),
    "an address": ("webhook", "set", "{}"),
    "a search": ("contacts", "list", "--search", "{}"),
    "a label": ("token", "add", "--email", "a@x.test", "--label", "{}"),
    "a cursor": ("deliveries", "list", "--cursor", "{}"),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_commands(app: Flask, run: Run, case: str) -> None:
    """An argument of a command is at most 128 KiB long on Linux."""
    make_company("X")
    db.session.commit()
    calls = (
        (
            f"{case} {piece!r}",
            lambda piece=piece: run(*(part.format(filled(piece, 120_000)) for part in COMMANDS[case])).exit_code,
        )
        for piece in PIECES
    )
    assert slow_ones(calls) == []
