"""A client that openapi-python-client makes of the OpenAPI document works on every call."""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from flask import Flask

from portal.database.db import db
from portal.models import Company, Contact
from tests import factories
from tests.api.conftest import Caller
from tests.company.test_outages import break_down

pytestmark = pytest.mark.slow
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T[\d:.]+(Z|\+00:00)$")
PACKAGE = "generated_portal_client"


@pytest.fixture
def client(app: Flask, api: Caller, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The generated client, which calls the application in this process."""
    document, config = tmp_path / "openapi.json", tmp_path / "config.json"
    document.write_text(json.dumps(api.get("/openapi.json").json))
    config.write_text(json.dumps({"post_hooks": []}))
    made = subprocess.run(
        [
            *(sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"),
            *("--path", document, "--output-path", tmp_path / PACKAGE, "--config", config),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stdout + made.stderr
    monkeypatch.syspath_prepend(tmp_path)
    transport = httpx.WSGITransport(app=app.wsgi_app)
    kind = importlib.import_module(f"{PACKAGE}.client").AuthenticatedClient
    yield kind(base_url="http://localhost", token=api.token, httpx_args={"transport": transport})
    for name in [name for name in sys.modules if name.startswith(PACKAGE)]:
        del sys.modules[name]


def calls() -> set[str]:
    """The names of all that the client can call."""
    found = importlib.import_module(f"{PACKAGE}.api")
    tags = [f"{PACKAGE}.api.{each.name}" for each in pkgutil.iter_modules(found.__path__)]
    return {
        f"{tag.rpartition('.')[2]}.{each.name}"
        for tag in tags
        for each in pkgutil.iter_modules(importlib.import_module(tag).__path__)
    }


def plain(value: Any) -> Any:
    """The value with its times as such: a client writes them in another way."""
    if isinstance(value, dict):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return datetime.fromisoformat(value) if isinstance(value, str) and TIME.match(value) else value


def test_every_call_of_a_generated_client_is_understood_both_ways(
    client: Any, api: Caller, contact_id: int, delivery_id: str, open_database: Callable[[], Any]
) -> None:
    models = importlib.import_module(f"{PACKAGE}.models")
    tried: set[str] = set()

    def call(name: str, *path: Any, **given: Any) -> Any:
        tried.add(name)
        answer = importlib.import_module(f"{PACKAGE}.api.{name}").sync_detailed(*path, client=client, **given)
        assert answer.status_code in (200, 202, 204), (name, answer.content)
        if answer.status_code != 204:
            assert plain(answer.parsed.to_dict()) == plain(json.loads(answer.content)), name
        return answer.parsed

    with open_database():
        company = db.session.get_one(Company, api.company_id)
        other_id = factories.make_contact(company, name="Maria S.").id
        job_id = factories.make_bulk_classification(db.session.get_one(Contact, contact_id)).id

    contact = call("contacts.get_contact", contact_id)
    page = call("contacts.list_contacts", search="Maria", sync=models.ListContactsSync.WAITING)
    assert [item.contact.id for item in page.items] == [contact_id]
    item = models.ContactItem.from_dict(contact.to_dict())
    call("contacts.save_contacts", body=item, idempotency_key="once")
    assert [each.created for each in call("contacts.save_contacts", body=[item, item]).results] == [False, False]
    level = models.Level.from_dict({"interest_level": 3})
    assert call("contacts.classify_contact", contact_id, body=level).previous_level == 2
    call("contacts.send_contact", contact_id)
    call("contacts.merge_contacts", contact_id, body=models.Merge(contact_id=other_id))
    assert call("deliveries.list_deliveries", contact_id=contact_id).items[-1].id == delivery_id
    assert call("deliveries.get_delivery", delivery_id).attempts == []
    call("deliveries.resend_delivery", delivery_id)
    wanted = models.Resend.from_dict({"filter": {}, "dry_run": True})
    call("deliveries.resend_deliveries", body=wanted)
    call("jobs.get_job", job_id)
    call("sync.bring_in_sync", body=models.Sync(dry_run=True))
    call("sync.settle_warnings", body=models.Settle(contact_id=contact_id))
    call("webhook.get_webhook")
    call("webhook.test_webhook", body=models.TestUrl())
    call("webhook.pause_webhook")
    call("webhook.resume_webhook")
    call("webhook.rotate_secret")
    call("webhook.set_webhook", body=models.Url(url=api.get("/webhook").json["url"]))
    with open_database():
        break_down(db.session.get_one(Company, api.company_id), waiting=1)
    everybody = models.SendCurrent.from_dict({"filter": {"level": "3"}, "dry_run": True})
    assert call("contacts.send_contacts", body=everybody).count == 0
    everybody.dry_run = False
    assert call("contacts.send_contacts", body=everybody).kind == "send_current"
    (outage,) = call("webhook.list_outages", limit=1).items
    assert [each.id for each in call("sync.get_report").outages] == [outage.id]
    call("sync.list_causes")
    assert call("sync.write_cause_note", "timeout", body=models.NewNote(text="ticket 123")).note.text == "ticket 123"
    moved = models.Assign.from_dict({"filter": {}, "owner": api.email})
    assert call("jobs.assign_contacts", body=moved).kind == "assign"
    call("contacts.erase_contact", contact_id)
    assert tried == calls()
