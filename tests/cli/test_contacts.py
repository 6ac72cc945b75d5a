"""`portal contacts`."""

import json

import pytest
from flask import Flask

from portal.contacts.filtering import NAMES
from portal.database.db import db
from portal.models import Contact, Delivery
from tests.cli.conftest import Run
from tests.conftest import URL
from tests.factories import classify_contact, do_tasks, make_company, make_contact, make_delivery, mark_delivered, save


def test_contacts_are_listed_by_name_a_page_at_a_time(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    for name in ("Carla", "Ana", "Bia"):
        make_contact(company, name=name)
    make_contact(make_company("Outra"), name="Zeca")
    first = run("contacts", "list", "--company", company.name, "--limit", "2")
    assert [name in line for name, line in zip(("Ana", "Bia"), first.stdout.splitlines(), strict=True)] == [True, True]
    cursor = first.stderr.split()[-1]
    assert "Carla" in run("contacts", "list", "--company", company.name, "--cursor", cursor).stdout


def test_an_open_warning_stands_in_the_line(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    mark_delivered(make_delivery(make_contact(company, name="Ana")), warning="source_code")
    mark_delivered(make_delivery(make_contact(company, name="Bia")))
    db.session.commit()
    first, second = run("contacts", "list").stdout.splitlines()
    assert ("in_sync, warning" in first, "warning" in second) == (True, False)


def test_they_are_narrowed_as_the_page_does(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    classify_contact(make_contact(company, name="Ana"), 3)
    make_contact(company, name="Bia")
    found = json.loads(run("contacts", "list", "--level", "3", "--sync", "waiting", "--json").stdout)
    assert [(each["contact"]["name"], each["sync"]) for each in found["items"]] == [("Ana", "waiting")]
    help_ = run("contacts", "list", "--help").stdout
    assert all(f"--{name.replace('_', '-')}" in help_ for name in NAMES)


@pytest.mark.parametrize("asked", [("--campaign", "Nenhuma"), ("--level", "9")])
def test_what_does_not_exist_is_refused(app: Flask, run: Run, asked: tuple[str, str]) -> None:
    make_company()
    result = run("contacts", "list", *asked)
    assert (result.exit_code, asked[1] in result.stderr) == (2, True)


def test_one_is_shown_with_its_thread(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    message = {"sender_name": "Ana", "message": "Oi\x1b[2J", "date": "2026-01-10T12:00:00Z", "pending_message": False}
    contact = save(company, {"contact": {"name": "Rui", "role": "CTO"}, "messages": [message]})
    shown = run("contacts", "show", str(contact.id)).stdout
    assert all(text in shown for text in ("Rui", "role: CTO", "Ana: Oi"))
    assert "\x1b" not in shown
    assert json.loads(run("contacts", "show", str(contact.id), "--json").stdout)["contact"]["name"] == "Rui"


def test_a_contact_of_another_company_is_not_shown(app: Flask, run: Run) -> None:
    company, other = make_company(), make_company("Outra")
    contact = make_contact(other, name="Zeca")
    result = run("contacts", "show", str(contact.id), "--company", company.name)
    assert (result.exit_code, result.stderr) == (1, f"Error: {company.name} has no contact {contact.id}.\n")


def test_the_data_of_now_are_sent_by_command_once(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    contact = make_contact(company, name="Ana")
    assert "A contact without a level is not sent" in run("contacts", "send", str(contact.id)).stderr
    mark_delivered(make_delivery(contact))
    assert "nothing is sent" in run("contacts", "send", str(contact.id)).stdout
    save(company, {"contact": {"id": contact.id, "role": "CTO"}})
    assert "in_sync, data_changed" in run("contacts", "list").stdout
    sent = json.loads(run("contacts", "send", str(contact.id), "--json").stdout)["delivery_id"]
    assert json.loads(run("contacts", "send", str(contact.id), "--json").stdout)["delivery_id"] is None
    db.session.expire_all()
    assert [row.trigger for row in db.session.query(Delivery).filter_by(webhook_id=sent)] == ["sync"]


def test_the_data_of_now_of_all_that_match_are_counted_and_sent_by_command(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    contacts = [make_contact(company, name=name) for name in ("Ana", "Rui", "Zoe")]
    for contact in contacts:
        mark_delivered(make_delivery(contact))
        save(company, {"contact": {"id": contact.id, "role": "CTO"}})
    classify_contact(contacts[0], None)
    wanted = ("contacts", "send", "--state", "data_changed")
    counted = run(*wanted, "--dry-run")
    assert (counted.stdout, counted.stderr) == ("2 contacts would be sent.\n", "Left out: 1 without a level.\n")
    assert json.loads(run(*wanted, "--search", "rui", "--dry-run", "--json").stdout) == {"count": 1}
    assert "Send 2 contacts?" in run(*wanted).stderr
    assert run("contacts", "send").exit_code == run("contacts", "send", "1", "--level", "2").exit_code == 2
    assert "has no campaign" in run("contacts", "send", "--campaign", "Nenhuma").stderr
    assert "a worker sends 2 contacts." in run(*wanted, "--yes").stdout
    do_tasks()
    assert db.session.query(Delivery).filter_by(trigger="sync").count() == 2
    db.session.commit()
    assert "nothing is sent" in run(*wanted, "--yes").stdout


def test_two_are_merged_by_command_which_asks_first(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    kept, other = make_contact(company, name="Ana").id, make_contact(company, name="Ana L.").id
    assert run("contacts", "merge", str(kept), str(other)).exit_code == 1
    assert run("contacts", "merge", str(kept), "99", "--yes").exit_code == 1
    assert run("contacts", "merge", str(kept), str(kept), "--yes").exit_code == 1
    assert run("contacts", "merge", str(kept), str(other), "--yes").exit_code == 0
    db.session.expire_all()
    assert [row.id for row in db.session.query(Contact)] == [kept]


def test_a_merge_says_how_many_messages_had_no_room(app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.contacts.threads.MAX_ITEMS", 1)
    company = make_company(url=URL)
    kept, other = (
        save(company, {"contact": {"name": name}, "messages": [{"message": name}]}).id for name in ("Ana", "Ana L.")
    )
    db.session.commit()
    assert "had no room (1)" in run("contacts", "merge", str(kept), str(other), "--yes").stderr
