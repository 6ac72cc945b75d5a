"""What each call answers, whole, with its headers, and every value in every row that it changes.

tests/data/written holds it; tests/views/written.py says how it is written anew.
"""

import json
from typing import Any

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from portal.database.db import db
from portal.models import User
from portal.people import tokens
from tests.api.conftest import Caller
from tests.factories import NOON, do_tasks
from tests.views.written import changes, check, furnish, rows, varied

CALLS = {
    "reads": [
        "GET /contacts",
        "GET /contacts?level=3&limit=1",
        "GET /contacts?owner=me&state=in_sync",
        "GET /contacts?campaign=Feira&search=zoe&replied=true&sync=what",
        "GET /contacts?warning=error_words",
        "GET /contacts?import={t_imported}&limit=2",
        "GET /contacts?limit=0&cursor=x&level=7&import=x",
        "GET /contacts/{zoe}",
        "GET /contacts/999",
        "GET /jobs/{t_imported}",
        "GET /jobs/{t_classified}",
        "GET /jobs/999",
        "GET /webhook",
        "GET /outages",
        "GET /report",
        "GET /report?since=2026-03-01T00:00:00Z&until=2026-04-01T00:00:00Z&campaign=Feira&owner=joao@x.test",
        "GET /report?since=ontem",
        "GET /deliveries?limit=2",
        "GET /deliveries?status=failed&level=1",
        "GET /deliveries?contact_id={rui}&trigger=classification&reason=ok_empty&warning=error_words",
        "GET /deliveries?status=what&since=x&outage_id=1&outstanding=true",
        "GET /deliveries/{d_delivered}",
        "GET /deliveries/{d_purged}",
        "GET /deliveries/msg_nothing",
        "GET /causes",
        "GET /nothing",
        "PATCH /contacts",
    ],
    "acts": [
        'POST /contacts {"contact": {"name": "Nova", "interest_level": 3, "skills": [{"skill": "A"}]},'
        ' "campaign": {"name": "Outra"}, "contact_owner": {"email": "joao@x.test"}}',
        'POST /contacts [{"contact": {"name": "Rui", "linkedin_public_id": "rui", "email": "arro"}}, {"contact": {}}]',
        'POST /contacts {"contact": {"name": "A", "interest_level": 9, "what": 1}, "messages": [{"date": "x"}]}',
        "POST /contacts {",
        "POST /contacts []",
        'PUT /contacts/{iris}/interest-level {"interest_level": 3}',
        'PUT /contacts/{iris}/interest-level {"interest_level": 3}',
        'PUT /contacts/{iris}/interest-level {"interest_level": 5}',
        'PUT /contacts/999/interest-level {"interest_level": null}',
        "POST /contacts/{zoe}/sync",
        'POST /contacts/sync {"filter": {"search": "rui"}, "dry_run": true}',
        'POST /contacts/sync {"filter": {"owner": "me"}}',
        'POST /contacts/assign {"filter": {"search": "iris"}, "owner": "joao@x.test", "campaign": "Geral"}',
        'POST /contacts/assign {"filter": {}, "owner": "ninguem@x.test"}',
        'POST /contacts/assign {"filter": {"level": 2}, "dry_run": true}',
        'POST /contacts/{rui}/merge {"contact_id": {zoe}}',
        'POST /contacts/{rui}/merge {"contact_id": {sa}}',
        "DELETE /contacts/{iris}",
        "DELETE /contacts/{iris}",
        "POST /deliveries/{d_warned}/resend",
        "POST /deliveries/{d_purged}/resend",
        'POST /deliveries/{d_warned}/resend {"confirmed": true}',
        'POST /deliveries/resend {"filter": {"status": "cancelled"}, "dry_run": true}',
        'POST /deliveries/resend {"filter": {"status": "cancelled"}}',
        'POST /deliveries/resend {"filter": {"status": "cancelled"}, "include": ["older", "what"]}',
        'POST /sync {"dry_run": true}',
        "POST /sync",
        'PUT /causes/server_error/note {"text": "Ligar"}',
        'PUT /causes/server_error/note {"text": ""}',
        'PUT /causes/nothing/note {"text": "x"}',
        'POST /warnings/settle {"warning": "error_words"}',
        'POST /warnings/settle {"warning": "what"}',
        "POST /webhook/pause",
        "POST /webhook/pause",
        'PUT /webhook {"url": "http://127.0.0.1:9999/novo", "header": {"name": "X-Key", "value": "v"}}',
        'PUT /webhook {"url": "http://127.0.0.1:9999/outro", "header": {"name": "Host", "value": "v"}}',
        'PUT /webhook {"url": "ftp:x"}',
        "POST /webhook/test {}",
        "POST /webhook/resume",
        "POST /webhook/rotate-secret",
        'PUT /webhook {"url": null}',
        "POST /webhook/test",
    ],
}
"""Method, path and body of each call; one after the other, on one company."""
HEADERS = {"Allow", "Date", "Content-Length", "Vary", "Server", "ETag"}
"""Those that depend on the rest of the answer, or on no code of the portal's."""


def told(answer: TestResponse) -> list[str]:
    """The answer's status, its headers and what it says, value by value."""
    headers = [f"{name}: {value}" for name, value in sorted(answer.headers) if name not in HEADERS]
    said = json.dumps(answer.json, ensure_ascii=False, indent=1) if answer.is_json and answer.data else answer.text
    lines = [line.strip() for line in varied(said).splitlines() if line.strip() not in ("{", "}", "},", "[", "]", "],")]
    return [f"{answer.status_code} {', '.join(headers)}", *lines]


@pytest.mark.parametrize("name", CALLS)
@time_machine.travel(NOON, tick=False)
def test_what_a_call_answers_and_does_is_written_down(app: Flask, name: str) -> None:
    with app.app_context():
        known = furnish()
        user = db.session.get_one(User, int(known["admin"]))
        token = tokens.create_token(db.session, user, label="test")
        db.session.commit()
        api, held = Caller(app, token, user.company_id, user.id, str(user.email)), rows()
    found: dict[str, list[str]] = {}
    for number, call in enumerate(CALLS[name]):
        answer = send(api, call, known)
        with app.app_context():
            do_tasks()
            before, held = held, rows()
        found[f"{number + 1} {call}"] = [*told(answer), *changes(before, held)]
    check(f"calls_{name}", found)


def send(api: Caller, call: str, known: dict[str, str]) -> TestResponse:
    for key, value in known.items():
        call = call.replace(f"{{{key}}}", value)
    method, path, *body = call.split(" ", 2)
    more: dict[str, Any] = {"data": body[0], "content_type": "application/json"} if body else {}
    return api.call(method, path, **more)
