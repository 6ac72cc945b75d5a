"""What the CRM took with words of an error is not called in sync until somebody looked there."""

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from portal import clock
from portal.contacts import doubts, merging
from portal.contacts.filtering import ContactFilter, select_contacts
from portal.contacts.standing import SHOWN_STATES, SYNC_STATES, standings_of
from portal.database.db import db
from portal.deliveries.filtering import DeliveryFilter, select_deliveries
from portal.demo.server import Receiver, Reply
from portal.models import Company, Contact, Delivery
from portal.rules.verdict import WARNINGS
from tests.conftest import BOTH, MakeApp, running_worker
from tests.contacts.test_edges import World, entries, world
from tests.factories import (
    NOON,
    actor_of,
    classify_contact,
    commit_contact,
    make_company,
    make_contact,
    make_delivery,
    make_user,
    mark_delivered,
)
from tests.views.conftest import Person
from tests.worker.test_dispatcher import wait_until

__all__ = ["world"]  # a fixture


def received(company: Company, warning: str | None, level: int = 2) -> Contact:
    contact = make_contact(company)
    mark_delivered(make_delivery(contact, level), warning=warning)
    return contact


def shown(company: Company) -> dict[int, str]:
    contacts = db.session.scalars(select(Contact).where(Contact.company_id == company.id)).all()
    return {key: standing.shown for key, standing in standings_of(db.session, contacts).items()}


def test_of_nobody_no_warning_is_open(company: Company) -> None:
    delivery = mark_delivered(make_delivery(make_contact(company)), warning="error_words")
    delivery.contact_id = None  # as of a test, or of somebody who was erased
    db.session.flush()
    db.session.refresh(delivery)
    assert not doubts.is_open(db.session, delivery)


@BOTH
def test_only_words_of_an_error_take_in_sync_away(company: Company) -> None:
    made = {warning: received(company, warning).id for warning in (*WARNINGS, None)}
    expected = dict.fromkeys(("error_in_json", "source_code", "error_words"), "with_warning")
    assert shown(company) == {key: expected.get(str(warning), "in_sync") for warning, key in made.items()}
    contact = db.session.get_one(Contact, made["error_words"])
    classify_contact(contact, 3)  # what waits is more than what was said to the last
    assert shown(company)[contact.id] == "waiting"


@BOTH
def test_each_contact_is_found_by_what_it_is_shown_as_and_by_nothing_else(company: Company) -> None:
    for warning in (*WARNINGS, None):
        classify_contact(received(company, warning), None)
        received(company, warning)
    classify_contact(make_contact(company), 1)
    make_contact(company)
    removed = make_contact(company)
    make_delivery(removed, 2)
    classify_contact(removed, None)
    assert shown(company)[removed.id] == "waiting"
    everybody = shown(company)
    for state in SHOWN_STATES:
        found = db.session.scalars(select_contacts(company.id, ContactFilter(state=state))).all()
        assert {contact.id for contact in found} == {key for key, word in everybody.items() if word == state}
    by_sync = [db.session.scalars(select_contacts(company.id, ContactFilter(sync=sync))).all() for sync in SYNC_STATES]
    assert sum(map(len, by_sync)) == len(everybody)


@BOTH
def test_the_next_answer_says_what_the_contact_is_shown_as(make_app: MakeApp, receiver: Receiver) -> None:
    app = make_app()
    with app.app_context():
        company = make_company(url=receiver.url)
        contact = make_contact(company)
        with running_worker(app):
            for number, (body, warning) in enumerate([(b"Erro ao salvar", "error_words"), (b"OK", None)], 1):
                receiver.reply = Reply(200, body)
                classify_contact(contact, number)
                wait_until(lambda told=(warning, number): warning_and_level(contact) == told)


def warning_and_level(contact: Contact) -> tuple[str | None, int | None]:
    found = commit_contact(contact.company_id, contact.id)
    db.session.refresh(found)
    facts = found.delivered_warning, found.delivered_level
    db.session.commit()
    return facts


@BOTH
def test_what_came_after_the_look_stays_open(company: Company) -> None:
    seen = received(company, "error_words")
    later = received(company, "error_words")
    delivery = db.session.scalars(select(Delivery).where(Delivery.contact_id == later.id)).one()
    seen_at = clock.utcnow()
    delivery.delivered_at = seen_at + timedelta(microseconds=1)
    db.session.scalars(select(Delivery).where(Delivery.contact_id == seen.id)).one().delivered_at = seen_at
    db.session.commit()
    assert doubts.settle(db.session, actor_of(company), warning="error_words", seen_at=seen_at) == 1
    db.session.commit()
    assert shown(company) == {seen.id: "in_sync", later.id: "with_warning"}


def test_doubts_are_told_by_kind_with_the_newest_answer(company: Company) -> None:
    received(company, "error_in_json")
    received(company, "invalid_json")
    received(make_company("Outra", url="http://127.0.0.1:9999/"), "error_words")
    newest = [received(company, "error_words") for _ in range(2)][-1]
    delivery = db.session.scalars(select(Delivery).where(Delivery.contact_id == newest.id)).one()
    found = doubts.doubts_of(db.session, company.id)
    assert [(doubt.warning, doubt.contacts) for doubt in found] == [("error_words", 2), ("error_in_json", 1)]
    assert found[0].delivery_id == delivery.id
    assert doubts.is_open(db.session, delivery)
    doubts.settle(db.session, actor_of(company), contact_id=newest.id)
    db.session.commit()
    db.session.expire_all()
    assert not doubts.is_open(db.session, delivery)


# --- edges


Settle = Callable[[World, Contact], str]


def settle_one_by_page(world: World, contact: Contact) -> str:
    return world.browser.post(f"/contacts/{contact.id}/settle", follow_redirects=True).text


def settle_kind_by_page(world: World, contact: Contact) -> str:
    form = {"warning": "error_words", "seen_at": clock.utcnow().isoformat()}
    return world.browser.post("/warnings", form, follow_redirects=True).text


def settle_one_by_api(world: World, contact: Contact) -> str:
    return world.api.post("/warnings/settle", {"contact_id": contact.id}).text


def settle_kind_by_api(world: World, contact: Contact) -> str:
    return world.api.post("/warnings/settle", {"warning": "error_words"}).text


def settle_one_by_command(world: World, contact: Contact) -> str:
    return world.command("settle", contact.id).output


def settle_kind_by_command(world: World, contact: Contact) -> str:
    return world.command("settle", "--warning", "error_words").output


ONE = [settle_one_by_page, settle_one_by_api, settle_one_by_command]
KIND = [settle_kind_by_page, settle_kind_by_api, settle_kind_by_command]


@pytest.mark.parametrize("settle", ONE + KIND)
def test_every_edge_settles_and_writes_it_down_once(world: World, settle: Settle) -> None:
    contact, other = received(world.company, "error_words"), received(world.company, "error_in_json")
    for _ in range(2):
        settle(world, contact)
    assert shown(world.company) == {contact.id: "in_sync", other.id: "with_warning"}
    actor = "console" if "command" in settle.__name__ else world.admin.email
    act = ("warning.settled", str(contact.id)) if settle in ONE else ("warnings.settled", "1 error_words")
    assert entries() == [(actor, *act)]


def test_call_and_command_say_the_same_to_programs(world: World) -> None:
    said_by_call, said_by_command = received(world.company, "error_words"), received(world.company, "error_words")
    said = json.loads(world.command("settle", said_by_command.id, "--json").stdout)
    assert said == world.api.post("/warnings/settle", {"contact_id": said_by_call.id}).json == {"count": 1}


@pytest.mark.parametrize("settle", ONE[:2])
def test_no_edge_settles_for_another_company(world: World, settle: Settle) -> None:
    other = make_company("Outra", url="http://127.0.0.1:9999/")
    settle(world, received(other, "error_words"))
    assert set(shown(other).values()) == {"with_warning"}


def test_no_edge_settles_what_does_not_exist(world: World) -> None:
    nobody = 99999
    assert world.browser.post(f"/contacts/{nobody}/settle").status_code == 404
    refused = world.api.post("/warnings/settle", {"contact_id": nobody})
    assert (refused.status_code, refused.json["errors"][0]["code"]) == (422, "unknown")
    command = world.command("settle", nobody)
    assert (command.exit_code, f"has no contact {nobody}" in command.output) == (1, True)


def test_a_member_only_looks(world: World, app: Flask) -> None:
    received(world.company, "error_words")
    member = Person(app.test_client(), make_user(world.company, role="member"))
    assert "Conferi no CRM" not in member.get("/warnings").text
    assert member.post("/warnings", {"warning": "error_words", "seen_at": NOON.isoformat()}).status_code == 403
    assert "Conferi no CRM" in world.browser.get("/warnings").text


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"warning": "x"},
        *({"warning": "error_words", "seen_at": at} for at in ("ontem", "0001-01-01T00:00:00+14:00")),
    ],
)
def test_a_form_that_the_page_did_not_write_is_refused(world: World, form: dict[str, str]) -> None:
    assert world.browser.post("/warnings", form).status_code == 400


def test_an_empty_call_and_an_empty_command_settle_nothing(world: World) -> None:
    contact = received(world.company, "error_words")
    assert world.api.post("/warnings/settle", {}).status_code == 422
    assert world.command("settle").exit_code == 2
    assert shown(world.company) == {contact.id: "with_warning"}


def test_the_warning_is_told_and_filtered_everywhere(world: World) -> None:
    contact, quiet = received(world.company, "error_words"), received(world.company, None)
    item = world.api.get(f"/contacts/{contact.id}").json
    assert (item["sync"], item["warning"]) == ("in_sync", "error_words")
    assert world.api.get(f"/contacts/{quiet.id}").json["warning"] is None
    for path, key in (("/contacts?warning=error_words", "contact"), ("/deliveries?warning=error_words", "")):
        (found,) = world.api.get(path).json["items"]
        assert (found[key]["id"] if key else found["contact_id"]) == contact.id
    assert world.command("deliveries", "list", "--warning", "error_words").output.count("msg_") == 1
    assert world.browser.get("/deliveries?warning=error_words").text.count("<tr data-row") == 1
    assert world.browser.get("/contacts?state=with_warning").text.count("<tr data-row") == 1
    for page in ("/", f"/contacts/{contact.id}", "/contacts"):
        assert "com aviso" in world.browser.get(page).text
    settle_one_by_page(world, contact)
    assert "com aviso" not in world.browser.get("/").text


@BOTH
def test_open_answers_are_those_why_contacts_are_shown_with_a_warning(company: Company) -> None:
    """Not what was settled, what a newer answer replaced, what another warning said, nor what tells of a merged one."""
    still_open = [received(company, warning).id for warning in ("error_words", "error_in_json")]
    received(company, "invalid_json")
    doubts.settle(db.session, actor_of(company), contact_id=received(company, "error_words").id)
    answered_well = received(company, "error_words")
    mark_delivered(make_delivery(answered_well, 3))
    moves_on = received(company, "error_words")
    classify_contact(moves_on, 3)
    kept = received(company, None)
    merging.merge(db.session, actor_of(company), kept.id, received(company, "error_words").id)
    received(make_company("Outra", url="http://127.0.0.1:9999/"), "error_words")
    db.session.commit()
    wanted = DeliveryFilter(outstanding="warning")
    found = db.session.scalars(select_deliveries(db.session, company.id, wanted)).all()
    assert sorted(delivery.contact_id for delivery in found) == still_open
    assert [(doubt.contacts, doubt.deliveries) for doubt in doubts.doubts_of(db.session, company.id)] == [(1, 1)] * 2


def test_a_warning_whose_delivery_was_purged_has_nothing_to_send_again(world: World) -> None:
    contact = received(world.company, "error_words")
    assert "Reenviar 1 entrega" in world.browser.get("/warnings").text
    db.session.delete(db.session.scalars(select(Delivery).where(Delivery.contact_id == contact.id)).one())
    db.session.commit()
    page = world.browser.get("/warnings").text
    assert "1 contato" in page
    assert "Reenviar" not in page
    assert "Ver as respostas" not in page


def test_every_edge_lists_open_warnings_alone(world: World) -> None:
    contact = received(world.company, "error_words")
    settle_one_by_page(world, received(world.company, "error_words"))
    (item,) = world.api.get("/deliveries?outstanding=warning").json["items"]
    assert item["contact_id"] == contact.id
    assert world.command("deliveries", "list", "--open-warning").output.count("msg_") == 1
    page = world.browser.get("/deliveries?outstanding=warning&warning=error_words").text
    assert page.count("<tr data-row") == 1
    assert "Avisos em aberto</strong>" in page
    answer = world.api.post("/deliveries/resend", {"filter": {"outstanding": "warning"}, "dry_run": True}).json
    assert (answer["count"], answer["left_out"]["delivered"]) == (0, 1)  # it has it: only who means that sends it again


def test_the_open_warning_is_that_of_what_the_crm_took_last_not_of_what_was_made_last(company: Company) -> None:
    contact = make_contact(company)
    newer = [mark_delivered(make_delivery(contact, level)) for level in (1, 2)][1]
    again = received(company, "source_code")
    older = db.session.query(Delivery).filter_by(contact_id=contact.id, interest_level=1).one()
    older.warning = contact.delivered_warning = "source_code"
    older.delivered_at = newer.delivered_at + timedelta(minutes=1)
    db.session.commit()
    assert (doubts.is_open(db.session, older), doubts.is_open(db.session, newer)) == (True, False)
    newest = db.session.query(Delivery).filter_by(contact_id=again.id).one()
    assert doubts.is_open(db.session, newest)
