"""Each act is done by one function of one room, whichever page, call or command asks for it.

The function refuses here, as no edge expects. An edge that did the act by itself would not hear of it.
"""

import html
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click
import pytest
from click.testing import CliRunner
from flask import Flask

from portal.api import NOUNS
from portal.cli import COMMANDS, cli
from portal.company import chat, crm_link, endpoint, inspector, testing
from portal.company.refusals import Refusal
from portal.contacts import assigning, campaigns, classifying, completing, doubts, merging, notes, saving, syncing
from portal.contacts import undoing as undoing_levels
from portal.database.db import db
from portal.deliveries import resending
from portal.importing import examining, undoing
from portal.models import ApiToken, Contact, Task, User
from portal.people import emails, links, second_factor, tokens, users
from portal.privacy import closing, erasing, retention
from portal.report import mailing
from portal.working_models import ImportedContact
from tests.api.conftest import Caller
from tests.factories import NOON, PASSWORD
from tests.privacy.test_closing import rows
from tests.system.test_foreign_numbers import furnish
from tests.views.conftest import Person

SENTENCE = "Nobody does that today."
URL = "http://127.0.0.1:4009/hook"


class Road(NamedTuple):
    """Who does an act, and how it is asked for. What stands in braces is what `furnish` gives."""

    act: Callable[..., Any]
    pages: Sequence[tuple[str, dict[str, str]]] = ()
    calls: Sequence[tuple[str, str, Any]] = ()
    commands: Sequence[str] = ()


ROADS: Mapping[str, Road] = {
    "save": Road(
        saving.save_checked,
        [("/contacts/new", {"name": "Eva", "campaign": "A", "owner": "{email}"})],
        [("POST", "/contacts", {"contact": {"name": "Eva"}}), ("POST", "/contacts", [{"contact": {"name": "Eva"}}])],
    ),
    "classify": Road(
        classifying.classify,
        [("/contacts/{contact}/level", {"level": "1"}), ("/triage/{contact}", {"level": "2"})],
        [("PUT", "/contacts/{contact}/interest-level", {"interest_level": 1})],
        ["classify {contact} 1"],
    ),
    "classify ticked": Road(
        classifying.classify_many, [("/contacts/classify", {"contact": "{contact}", "level": "1"})]
    ),
    "classify many": Road(classifying.start, [("/contacts/classify/all", {"level": "1"})]),
    "undo a level": Road(undoing_levels.undo, [("/contacts/undo", {"contact": "{contact}", "set_at": f"{NOON}"})]),
    "assign": Road(
        assigning.prepare,
        [
            ("/contacts/assign", {"owner": "{user}"}),
            ("/contacts/assign", {"owner": "{user}", "contact": "{contact}"}),
            ("/team/{user}/disable", {"heir": "{admin_id}"}),
        ],
        [("POST", "/contacts/assign", {"filter": {}, "owner": "{email}"})],
        ["contacts assign --level 2 --to-owner {email} --yes"],
    ),
    "send current": Road(
        syncing.send_current,
        [("/contacts/{contact}/send", {})],
        [("POST", "/contacts/{contact}/sync", None)],
        ["contacts send {contact}"],
    ),
    "send ticked": Road(syncing.send_current_of, [("/contacts/send", {"contact": "{contact}"})]),
    "send current of many": Road(
        completing.start,
        [("/sync/contacts", {})],
        [("POST", "/contacts/sync", {"filter": {}})],
        ["contacts send --level 2 --yes"],
    ),
    "sync": Road(syncing.start, [("/sync", {})], [("POST", "/sync", None)], ["sync --yes"]),
    "settle": Road(
        doubts.settle,
        [("/contacts/{contact}/settle", {}), ("/warnings", {"warning": "error_words", "seen_at": f"{NOON}"})],
        [("POST", "/warnings/settle", {"warning": "error_words"})],
        ["settle {contact}", "settle --warning error_words"],
    ),
    "note": Road(
        notes.write_note,
        [("/causes", {"cause": "timeout", "text": "x"})],
        [("PUT", "/causes/timeout/note", {"text": "x"})],
        ["causes note timeout x"],
    ),
    "merge": Road(
        merging.merge,
        [("/contacts/{contact}/merge", {"other": "{other}"})],
        [("POST", "/contacts/{contact}/merge", {"contact_id": 2})],
        ["contacts merge {contact} {other} --yes"],
    ),
    "erase": Road(
        erasing.erase_contact,
        [("/contacts/{contact}/erase", {})],
        [("DELETE", "/contacts/{contact}", None)],
        ["erase --contact {contact} --yes"],
    ),
    "change a campaign": Road(campaigns.change_campaign, [("/campaigns/{campaign}", {"name": "B"})]),
    "resend": Road(
        resending.resend,
        [("/deliveries/{webhook}/resend", {"confirmed": "yes"})],
        [("POST", "/deliveries/{webhook}/resend", None)],
        ["deliveries resend {webhook} --yes"],
    ),
    "resend many": Road(
        resending.start,
        [("/deliveries/resend", {})],
        [("POST", "/deliveries/resend", {"filter": {}})],
        ["deliveries resend --status failed --yes"],
    ),
    "set the address": Road(
        endpoint.set_address, [("/webhook", {"url": URL})], [("PUT", "/webhook", {"url": URL})], [f"webhook set {URL}"]
    ),
    "remove the address": Road(
        endpoint.remove_address,
        [("/webhook/remove", {})],
        [("PUT", "/webhook", {"url": None})],
        ["webhook remove --yes"],
    ),
    "test": Road(
        testing.send_test, [("/webhook/test", {"url": URL})], [("POST", "/webhook/test", None)], ["webhook test"]
    ),
    "pause": Road(endpoint.pause, [("/webhook/pause", {})], [("POST", "/webhook/pause", None)], ["webhook pause"]),
    "resume": Road(testing.resume, [("/webhook/resume", {})], [("POST", "/webhook/resume", None)], ["webhook resume"]),
    "rotate the secret": Road(
        endpoint.rotate_secret,
        [("/webhook/secret", {"rotate": "yes"})],
        [("POST", "/webhook/rotate-secret", None)],
        ["webhook rotate-secret"],
    ),
    "show the secret": Road(endpoint.show_secret, [("/webhook/secret", {})], [], ["webhook show --secret"]),
    "say where the CRM shows contacts": Road(crm_link.set_link, [("/webhook/link", {"pointer": "/id"})]),
    "set the chat": Road(chat.set_chat, [("/notices/chat", {"url": URL})]),
    "try the chat": Road(chat.take_trial, [("/notices/chat/test", {})]),
    "remove the chat": Road(chat.remove_chat, [("/notices/chat/remove", {})]),
    "open the inspector": Road(inspector.open_inspector, [("/inspector", {})]),
    "close the inspector": Road(inspector.close_inspector, [("/inspector/close", {})]),
    "clear the inspector": Road(inspector.clear, [("/inspector/clear", {})]),
    "undo an import": Road(undoing.start, [("/imports/{task}/undo", {})], [], ["undo {task} --yes"]),
    "read a file again": Road(examining.examine_again, [("/imports/{task}/examine", {})]),
    "make a token": Road(
        tokens.create_token,
        [("/tokens", {"user": "{user}", "label": "x", "scope": "read"})],
        [],
        ["token add --email {email} --label x"],
    ),
    "revoke a token": Road(tokens.revoke_token, [("/tokens/{token}/revoke", {})], [], ["token revoke {token}"]),
    "invite": Road(
        users.invite,
        [("/team/new", {"name": "Eva", "email": "eva@x.test", "role": "member"})],
        [],
        ["user add --company {company} --email eva@x.test --name Eva --role member"],
    ),
    "change a role": Road(users.change_role, [("/team/{user}/role", {"role": "admin"})]),
    "shut out": Road(users.disable, [("/team/{user}/disable", {})]),
    "let in again": Road(users.enable, [("/team/{user}/enable", {})]),
    "make a link": Road(links.issue_link, [("/team/{user}/link", {})]),
    "change an e-mail": Road(
        emails.change,
        [("/team/{user}/email", {"email": "novo@x.test"})],
        [],
        ["user change-email --email {their_email} --to novo@x.test"],
    ),
    "take the second factor off": Road(
        second_factor.turn_off,
        [("/team/{user}/second-factor/remove", {})],
        [],
        ["user reset-second-factor --email {their_email}"],
    ),
    "change the company": Road(users.change_company, [("/company", {"name": "B", "timezone": "UTC"})]),
    "close the company": Road(
        closing.close,
        [("/company/close", {"name": "{company}", "current": PASSWORD})],
        [],
        ["company close --company {company} --yes"],
    ),
    "keep for so long": Road(retention.keep_for, [("/privacy", dict.fromkeys(retention.PERIODS, "30"))]),
    "mail the report": Road(mailing.subscribe, [("/report/mail", {"every": "week"})]),
}
ONLY_PAGES = {
    *("account", "auth"),  # of oneself: who logs in, by what
    *("imports.upload", "imports.start", "imports.check", "imports.discard"),  # a file is looked at before it is begun
    *("bulk.assign_ticked", "notices.test", "inspector.receive", "contacts.edit"),
}
"""Views, or all of a blueprint, of what no call or command asks for, beside those of `ROADS`."""
ONLY_COMMANDS = {
    *("serve", "worker", "demo", "upgrade", "listen", "backup", "restore", "move", "purge", "doctor", "completion"),
    *("import", "report", "contacts list", "contacts show", "deliveries list", "deliveries show", "causes list"),
    *("company export", "user list", "token list"),
}
"""They read, or see to the whole installation; an import by command is tried beside the rooms."""


@pytest.fixture
def found(app: Flask) -> dict[str, Any]:
    found = furnish("Ours", URL)
    user, contact = db.session.get_one(User, found["user"]), db.session.get_one(Contact, found["contact"])
    user.password_hash, user.totp_secret = None, "sealed"
    task = db.session.get_one(Task, found["task"])
    saved = {"task_id": task.id, "contact_id": contact.id, "is_created": True, "saved_at": contact.updated_at}
    db.session.add(ImportedContact(**saved))
    db.session.commit()
    company, email = user.company.name, found["admin"].email
    more = {"email": email, "their_email": user.email, "company": company, "admin_id": found["admin"].id}
    return found | more


@pytest.fixture
def ask(app: Flask, found: dict[str, Any], instance: Path) -> Callable[[str, Any], str]:
    """Asks for an act by page, call or command. Returns all that is said."""
    admin, person = found["admin"], Person(app.test_client(), found["admin"])
    secret = tokens.create_token(db.session, admin, label="test")
    db.session.commit()
    caller = Caller(app, secret, found["company_id"], admin.id, admin.email)
    environ = {"PORTAL_INSTANCE": str(instance), "PORTAL_SECRET_KEY": "k" * 48, "LC_ALL": "C.UTF-8"}

    def ask(kind: str, asked: Any) -> str:
        if kind == "pages":
            path, form = asked
            data = {name: value.format(**found) for name, value in form.items()}
            return html.unescape(person.post(path.format(**found), data, follow_redirects=True).text)
        if kind == "calls":
            method, path, value = asked
            value = {**value, "owner": found["email"]} if value and "owner" in value else value
            with app.app_context():
                return caller.call(method, path.format(**found), **({"json": value} if value else {})).text
        words = [word.format(**found) for word in asked.split(" ")]
        return CliRunner().invoke(cli, words, env=environ).output

    return ask


def refuse(act: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a refusal in the place of the function, by whatever name a module knows it."""

    class NotToday(Refusal):
        code, words = "conflict", SENTENCE

    def not_today(*_given: object, **_options: object) -> None:
        raise NotToday

    for module in [module for name, module in sys.modules.items() if name.startswith("portal")]:
        for known in [name for name, value in vars(module).items() if value is act]:
            monkeypatch.setattr(module, known, not_today)


@pytest.mark.parametrize("name", ROADS)
def test_every_edge_asks_the_room(
    found: dict[str, Any], ask: Callable[[str, Any], str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    every_command()  # a module that is imported later would not hear of it
    road, before = ROADS[name], stored()
    refuse(road.act, monkeypatch)
    for kind in ("pages", "calls", "commands"):
        for asked in getattr(road, kind):
            assert SENTENCE in ask(kind, asked), asked
            assert stored() == before, asked


def stored() -> dict[str, set[str]]:
    """Every row but what says that a token was used, or a page looked at."""
    db.session.rollback()
    with db.engine.connect() as connection:
        found = rows(connection)
    del found[ApiToken.__tablename__]
    return {table: {row for row in kept if "'delivery.viewed'" not in row} for table, kept in found.items()}


def every_command() -> set[str]:
    """`contacts send` and the like."""
    names, context = set(), click.Context(cli)
    for name in COMMANDS:
        command = cli.get_command(context, name)
        inner = [f"{name} {each}" for each in command.commands] if isinstance(command, click.Group) else [name]
        names.update(inner)
    return names


def test_no_act_is_missing(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if (rule.methods or set()) - {"GET", "HEAD", "OPTIONS"}]
    match = app.url_map.bind("").match
    some = dict.fromkeys(("contact", "user", "campaign", "task", "token", "webhook", "other"), 1)
    pages = {match(path.format(**some), "POST")[0] for road in ROADS.values() for path, _ in road.pages}
    calls = {
        match(f"/api/v1{path}".format(**some), method)[0] for road in ROADS.values() for method, path, _ in road.calls
    }
    assert {rule.endpoint for rule in rules if rule.rule.startswith("/api/")} == calls
    others = {rule.endpoint for rule in rules if not rule.rule.startswith("/api/")} - pages
    assert {name for name in others if not {name, name.partition(".")[0]} & ONLY_PAGES} == set()
    given = {
        name for road in ROADS.values() for words in road.commands for name in every_command() if words.startswith(name)
    }
    assert every_command() - given == ONLY_COMMANDS
    assert len(NOUNS) == len({name.split(".")[1] for name in calls} | {"report"})
