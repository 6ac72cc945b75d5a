"""Saving, classifying and bringing in sync: whichever edge asks, the room does it, with the same guards and entries."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Flask
from flask_babel import force_locale

from portal.cli import cli
from portal.company.refusals import NoAddress
from portal.contacts import saving, syncing
from portal.database.db import db
from portal.importing.findings import read_findings
from portal.models import AuditEntry, Campaign, Classification, Company, Contact, Delivery, Task, User
from portal.people import tokens
from portal.tasks import store
from tests.api.conftest import Caller
from tests.conftest import URL
from tests.factories import LOOPBACK, do_tasks, make_company, make_contact, make_import, make_user
from tests.views.conftest import Person

TOO_EARLY = "0001-01-01T00:00:00"
"""A date that only the room refuses: it has the form of one, and no time zone has that day."""


@dataclass
class World:
    """A company with an admin, who has a browser, a token and a terminal."""

    company: Company
    admin: User
    browser: Person
    api: Caller
    folder: Path
    calls: list[str]
    """Who asked the room to write contacts or to begin a sync."""

    def command(self, *arguments: object) -> Result:
        db.session.commit()
        names = {"PORTAL_INSTANCE": str(self.folder), "PORTAL_SECRET_KEY": "k" * 48, "LC_ALL": "C.UTF-8"}
        environ = names | {"PORTAL_ALLOWED_NETWORKS": LOOPBACK}
        return CliRunner().invoke(cli, [str(each) for each in arguments], env=environ)

    def file(self, item: dict[str, Any]) -> Path:
        path = self.folder / "contacts.jsonl"
        path.write_text(json.dumps(item) + "\n")
        return path

    def import_(self, item: dict[str, Any]) -> Task:
        task = make_import(self.company, (json.dumps(item) + "\n").encode(), user_id=self.admin.id)
        store.start(db.session, task)
        return do_tasks()

    def count(self, table: type[Any]) -> int:
        db.session.expire_all()
        number = db.session.query(table).count()
        db.session.commit()
        return number


@pytest.fixture
def world(app: Flask, instance: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    company = make_company(url=URL)
    admin = make_user(company, email="admin@example.com")
    token = tokens.create_token(db.session, admin, label="test")
    db.session.commit()
    api = Caller(app, token, company.id, admin.id, admin.email)
    world = World(company, admin, Person(app.test_client(), admin), api, instance, [])
    write_batch, prepare = saving.write_batch, syncing.prepare

    def writing(session: Any, *given: Any, actor: Any, **named: Any) -> None:
        if session.get_bind().engine is db.engine:  # no rehearsal
            world.calls.append(actor.email)
        write_batch(session, *given, actor=actor, **named)

    def preparing(session: Any, actor: Any, contact_ids: Any) -> Task:
        world.calls.append(actor.email)
        return prepare(session, actor, contact_ids)

    monkeypatch.setattr(saving, "write_batch", writing)
    monkeypatch.setattr(syncing, "prepare", preparing)
    db.session.query(AuditEntry).delete()
    db.session.commit()
    return world


def entries() -> list[tuple[str, str, str | None]]:
    rows = db.session.query(AuditEntry).order_by(AuditEntry.id)
    return [(row.actor, row.action, row.subject) for row in rows]


Edge = Callable[..., Any]


def save_by_page(world: World, facts: dict[str, Any]) -> str:
    form = {"campaign": "Geral", "owner": world.admin.email} | facts
    return world.browser.post("/contacts/new", form).text


def save_by_api(world: World, facts: dict[str, Any]) -> str:
    return str(world.api.post("/contacts", {"contact": facts}).get_data(as_text=True))


def save_by_command(world: World, facts: dict[str, Any]) -> str:
    return str(world.command("import", world.file({"contact": facts})).output)


def save_by_task(world: World, facts: dict[str, Any]) -> str:
    task = world.import_({"contact": facts})
    return " ".join(finding.problem for finding in read_findings(db.engine, task.id))


SAVING = [save_by_page, save_by_api, save_by_command, save_by_task]


@pytest.mark.parametrize("save", SAVING)
def test_every_edge_saves_a_contact_by_the_room(world: World, save: Edge) -> None:
    save(world, {"name": "Ana", "email": "ana@x.example", "invite_date": "2026-01-12T10:00:00"})
    save(world, {"name": "Ana Lima", "email": "ana@x.example"})
    contact = db.session.query(Contact).one()
    assert (contact.name, contact.search_name, contact.owner_id) == ("Ana Lima", "ana lima", world.admin.id)
    assert (contact.campaign.name, contact.invite_date.isoformat()) == ("Geral", "2026-01-12T13:00:00+00:00")
    assert len(world.calls) == 2


@pytest.mark.parametrize(
    ("save", "words"),
    list(zip(SAVING, ["Esta data não é válida.", "not_a_date", "is not a date", "not_a_date"], strict=True)),
)
def test_every_edge_refuses_the_same_date(world: World, save: Edge, words: str) -> None:
    assert words in save(world, {"name": "Ana", "invite_date": TOO_EARLY})
    is_file = save in (save_by_command, save_by_task)  # of a file's row the rest is kept
    assert [contact.invite_date for contact in db.session.query(Contact)] == [None] * is_file


def test_a_campaign_has_one_name_at_every_edge(world: World) -> None:
    name = "Verão 2026"
    save_by_page(world, {"name": "Ana", "campaign": f"  {name} "})
    for given in (f"{name} ", "Verão\u00a0 2026\u200b", name):
        assert world.api.post("/contacts", {"contact": {"name": given}, "campaign": {"name": given}}).status_code == 200
        task = world.import_({"contact": {"name": "Rui"}, "campaign": {"name": given}})
        assert task.counts["created" if given == f"{name} " else "unchanged"] == 1
    world.command("import", world.file({"contact": {"name": "Bia"}}), "--campaign", f" {name} ")
    assert [each.name for each in db.session.query(Campaign).order_by(Campaign.id)] == [name]
    asked = world.api.get("/contacts", query_string={"campaign": f"{name}  ", "search": "bia"}).get_json()
    assert [each["contact"]["name"] for each in asked["items"]] == ["Bia"]


def classify_by_row(world: World, contact: Contact, level: str) -> int:
    return world.browser.post(f"/contacts/{contact.id}/level", {"level": level}).status_code


def classify_ticked(world: World, contact: Contact, level: str) -> int:
    return world.browser.post("/contacts/classify", {"contact": contact.id, "level": level}).status_code


def classify_all(world: World, contact: Contact, level: str) -> int:
    form = {"level": level, "newest_id": contact.id}
    status = world.browser.post("/contacts/classify/all?search=maria", form).status_code
    do_tasks()
    return status


def classify_by_api(world: World, contact: Contact, level: str) -> int:
    value = {"interest_level": int(level) if level.isdecimal() else level}
    return world.api.put(f"/contacts/{contact.id}/interest-level", value).status_code


def save_level_by_api(world: World, contact: Contact, level: str) -> int:
    facts = {"id": contact.id, "interest_level": int(level) if level.isdecimal() else level}
    return world.api.post("/contacts", {"contact": facts}).status_code


def classify_by_command(world: World, contact: Contact, level: str) -> int:
    return world.command("classify", contact.id, level).exit_code


def import_level(world: World, contact: Contact, level: str) -> int:
    facts = {"id": contact.id, "interest_level": int(level) if level.isdecimal() else level}
    return world.command("import", world.file({"contact": facts})).exit_code


BROWSER = [classify_by_row, classify_ticked, classify_all]
CLASSIFYING = [*BROWSER, classify_by_api, save_level_by_api, classify_by_command, import_level]


@pytest.fixture
def contact(world: World) -> Contact:
    contact = make_contact(world.company, name="Maria")
    world.calls.clear()
    return contact


@pytest.mark.parametrize("classify", CLASSIFYING)
def test_every_edge_classifies_by_the_room(world: World, contact: Contact, classify: Edge) -> None:
    for _ in range(2):  # the same level again is nothing new
        classify(world, contact, "2")
    is_console = classify in (classify_by_command, import_level)
    actor = "console" if is_console else world.admin.email
    assert world.calls == [actor] * 2
    (row,) = db.session.query(Classification)
    assert (row.old_level, row.new_level, row.actor) == (None, 2, actor)
    (delivery,) = db.session.query(Delivery)
    assert (delivery.trigger, delivery.actor, delivery.interest_level) == ("classification", actor, 2)
    assert json.loads(delivery.body or b"")["contact"]["interest_level"] == 2
    acts = {classify_all: ("contacts.classified", "1"), import_level: ("contacts.imported", "contacts.jsonl")}
    assert entries() == ([(actor, *acts[classify])] * 2 if classify in acts else [])


@pytest.mark.parametrize("classify", CLASSIFYING)
def test_without_an_address_every_edge_records_and_sends_nothing(
    world: World, contact: Contact, classify: Edge
) -> None:
    world.browser.post("/webhook/remove")
    classify(world, contact, "2")
    assert (world.count(Classification), world.count(Delivery)) == (1, 0)


@pytest.mark.parametrize("classify", CLASSIFYING)
@pytest.mark.parametrize("level", ["4", "x"])
def test_every_edge_refuses_an_unknown_level(world: World, contact: Contact, classify: Edge, level: str) -> None:
    status = classify(world, contact, level)
    assert status in (400, 422, 2) or classify is import_level  # of a file's row the rest is kept
    assert (world.count(Classification), world.count(Delivery)) == (0, 0)
    assert world.count(Task) == (classify is import_level)


@pytest.mark.parametrize("classify", [*BROWSER, classify_by_api, save_level_by_api])
def test_no_edge_classifies_a_contact_of_another_company(world: World, contact: Contact, classify: Edge) -> None:
    other = make_contact(make_company("Outra", url=URL), name="Maria")
    db.session.delete(db.session.get_one(Contact, contact.id))
    db.session.commit()
    classify(world, other, "2")
    assert (world.count(Classification), world.count(Delivery)) == (0, 0)


def sync_by_page(world: World) -> str:
    return world.browser.post("/sync", follow_redirects=True).text


def sync_by_api(world: World) -> str:
    return str(world.api.post("/sync").json)


def sync_by_command(world: World) -> str:
    return str(world.command("sync", "--yes").output)


SYNCING = pytest.mark.parametrize("sync", [sync_by_page, sync_by_api, sync_by_command])


@SYNCING
def test_every_edge_brings_in_sync_by_one_task(world: World, contact: Contact, sync: Edge) -> None:
    contact.interest_level = 3
    db.session.commit()
    for _ in range(2):  # asked again, it is the task that is under way
        sync(world)
    actor = "console" if sync is sync_by_command else world.admin.email
    assert world.calls == [actor]
    assert entries() == [(actor, "contacts.synced", "1")]
    assert do_tasks().counts == {"sent": 1}
    (delivery,) = db.session.query(Delivery)
    assert (delivery.trigger, delivery.actor, delivery.interest_level) == ("sync", actor, 3)


@SYNCING
def test_every_edge_refuses_to_sync_without_an_address(world: World, contact: Contact, sync: Edge) -> None:
    contact.interest_level = 3
    world.browser.post("/webhook/remove")
    db.session.query(AuditEntry).delete()
    db.session.commit()
    with force_locale("en" if sync is sync_by_command else "pt_BR"):
        refusal = str(NoAddress.words)
    assert refusal in sync(world)
    assert (world.count(Task), entries(), world.calls) == (0, [], [])


@SYNCING
def test_what_needs_nothing_leaves_no_entry(world: World, contact: Contact, sync: Edge) -> None:
    sync(world)
    do_tasks()
    assert (entries(), world.count(Delivery)) == ([], 0)


def test_the_command_asks_before_it_syncs_and_counts_beforehand(world: World, contact: Contact) -> None:
    contact.interest_level = 3
    assert world.command("sync", "--dry-run").output == "1 contacts would be sent.\n"
    assert json.loads(world.command("sync", "--dry-run", "--json").stdout) == {"count": 1}
    refused = world.command("sync")  # nobody answers
    assert (refused.exit_code, world.count(Task)) == (1, 0)
    done = world.command("sync", "--yes", "--json")
    assert (json.loads(done.stdout)["total"], world.count(Task)) == (1, 1)


def test_a_search_for_what_does_not_exist_classifies_nobody(world: World, contact: Contact) -> None:
    for query in ("level=9", "campaign=999", "owner=x", "sync=nonsense"):
        assert "newest_id" not in world.browser.get(f"/contacts/classify/all?{query}").text
        world.browser.post(f"/contacts/classify/all?{query}", {"level": "1", "newest_id": contact.id})
        assert "O filtro pede algo que não existe" in world.browser.get(f"/contacts?{query}").text
        assert not world.api.get(f"/contacts?{query}").json.get("items")
    assert world.count(Task) == 0
