"""The example that carries contacts on to a CRM creates and updates them in each, and never says OK untruly."""

import importlib.util
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from flask.testing import FlaskClient

from portal import clock
from portal.rules.payload import encode_body, sample_payload
from portal.rules.signing import sign

SECRET = "whsec_" + "c2VjcmV0" * 6
TOKEN = "token-of-the-crm"
FORWARD = Path(__file__).parents[2] / "docs" / "forward.py"

People = dict[str, dict[str, Any]]
"""The people of a CRM, by e-mail."""
Answer = tuple[int, Any]


def hubspot(people: People, method: str, url: str, body: Any, headers: Any) -> Answer:
    parts = urlsplit(url)
    if headers["Authorization"] != f"Bearer {TOKEN}":
        return 401, {"status": "error", "category": "INVALID_AUTHENTICATION"}
    known = {"email", "firstname", "jobtitle", "company", "phone", "interest_level"}
    if not set(body["properties"]) <= known or None in body["properties"].values():
        return 400, {"status": "error", "message": "Property values were not valid"}
    if method == "POST" and parts.path == "/crm/v3/objects/contacts":
        email = body["properties"]["email"]
        if email in people:
            return 409, {"status": "error", "message": "Contact already exists"}
        people[email] = body["properties"]
        return 201, {"id": "51"}
    email = unquote(parts.path.removeprefix("/crm/v3/objects/contacts/"))
    if method != "PATCH" or parse_qs(parts.query) != {"idProperty": ["email"]} or email not in people:
        return 404, {"status": "error", "message": "resource not found"}
    people[email] |= body["properties"]
    return 200, {"id": "51"}


def pipedrive(people: People, method: str, url: str, body: Any, headers: Any) -> Answer:
    parts, numbers = urlsplit(url), list(people)
    if headers["x-api-token"] != TOKEN:
        return 401, {"success": False, "error": "unauthorized access"}
    if method == "GET" and parts.path == "/api/v2/persons/search":
        query = {name: value for name, (value,) in parse_qs(parts.query).items()}
        assert query.pop("limit") == "1"
        email = query.pop("term")
        assert query == {"fields": "email", "exact_match": "true"}
        found = [{"item": {"id": numbers.index(email) + 1}}] if email in people else []
        return 200, {"success": True, "data": {"items": found}}
    if not set(body) <= {"name", "emails", "phones", "custom_fields"}:
        return 400, {"success": False, "error": "unknown field"}
    if method == "POST" and parts.path == "/api/v2/persons":
        people[body["emails"][0]["value"]] = body
        return 201, {"success": True, "data": {"id": len(people)}}
    if method == "PATCH" and (number := re.fullmatch(r"/api/v2/persons/(\d+)", parts.path)):
        people[numbers[int(number[1]) - 1]] |= body
        return 200, {"success": True, "data": {"id": int(number[1])}}
    return 404, {"success": False}


def rd_station(people: People, method: str, url: str, body: Any, headers: Any) -> Answer:
    email = unquote(urlsplit(url).path.removeprefix("/platform/contacts/email:"))
    if headers["Authorization"] != f"Bearer {TOKEN}":
        return 401, {"errors": [{"error_type": "UNAUTHORIZED"}]}
    if method != "PATCH" or not set(body) <= {"name", "job_title", "mobile_phone", "cf_interest_level"}:
        return 400, {"errors": [{"error_type": "BAD_REQUEST"}]}
    people[email] = people.get(email, {}) | body
    return 200, {"uuid": "5408c5a3"}


CRMS: dict[str, Callable[..., Answer]] = {"hubspot": hubspot, "pipedrive": pipedrive, "rd_station": rd_station}


class Crm:
    """A stand-in that refuses what the CRM's documentation does not have; `answer` is given in its place, when set."""

    def __init__(self, name: str) -> None:
        self.people: People = {}
        self.answer: Answer | None = None
        crm = self

        class Handler(BaseHTTPRequestHandler):
            def handle_any(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                status, answer = crm.answer or CRMS[name](crm.people, self.command, self.path, body, self.headers)
                data = json.dumps(answer).encode()
                self.send_response(status)
                if 300 <= status < 400:
                    self.send_header("Location", "https://example.com/")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PATCH = handle_any

            def log_message(self, *_args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)


@pytest.fixture(params=CRMS)
def crm(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Crm]:
    crm = Crm(request.param)
    thread = threading.Thread(target=crm.server.serve_forever, args=(0.05,))
    thread.start()
    url = f"http://127.0.0.1:{crm.server.server_address[1]}"
    settings = {"CRM": request.param, "CRM_URL": url, "CRM_TOKEN": TOKEN, "PIPEDRIVE_LEVEL_FIELD": "9f1b"}
    for name, value in (settings | {"WEBHOOK_SECRET": SECRET}).items():
        monkeypatch.setenv(name, value)
    yield crm
    crm.server.shutdown()
    thread.join()
    crm.server.server_close()


@pytest.fixture
def forward() -> FlaskClient:
    spec = importlib.util.spec_from_file_location("forward", FORWARD)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    client: FlaskClient = module.app.test_client()
    return client


def send(client: FlaskClient, *, secret: str = SECRET, **facts: Any) -> Any:
    payload = sample_payload()
    known = {"id": 7, "email": "mariana+li@moinho.example", "phone": None, "interest_level": 3}
    body = encode_body(payload | {"contact": payload["contact"] | known | facts})
    return client.post("/", data=body, headers=sign("msg_1", body, (secret,), at=clock.utcnow()))


def test_a_contact_is_created_once_then_updated_and_nothing_known_is_emptied(crm: Crm, forward: FlaskClient) -> None:
    assert send(forward, phone="+55 41 99999-0000", interest_level=1).status_code == 200
    assert send(forward, name="Mariana D.").status_code == 200
    ((email, person),) = crm.people.items()
    told = json.dumps(person)
    assert email == "mariana+li@moinho.example"
    assert "Mariana D." in told
    assert "+55 41 99999-0000" in told
    assert "high" in told
    assert "low" not in told


def test_whatever_the_crm_does_not_take_is_no_ok(crm: Crm, forward: FlaskClient) -> None:
    for status in (302, 400, 401, 404, 409, 429, 500):
        crm.answer = status, {"message": "não deu"}
        assert send(forward).status_code == 502, status
    crm.server.server_close()


def test_a_crm_that_is_away_is_no_ok(crm: Crm, forward: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRM_URL", "http://127.0.0.1:9")
    assert send(forward).status_code == 502


def test_strangers_and_people_without_an_email_do_not_pass_and_a_test_touches_nobody(
    crm: Crm, forward: FlaskClient
) -> None:
    assert send(forward, secret="whsec_" + "b3RoZXJz" * 6).status_code == 401
    assert send(forward, email=None).status_code == 422
    assert send(forward, id=0).status_code == 200
    assert crm.people == {}
