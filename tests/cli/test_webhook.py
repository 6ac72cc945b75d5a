import json
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select

from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import AuditEntry, Delivery
from portal.rules import reasons
from tests.cli.conftest import Run
from tests.factories import classify_contact, endpoint_of, explain, make_company, make_contact, secret_of


def test_set_saves_the_address_and_warns_about_http(app: Flask, run: Run) -> None:
    company = make_company()
    result = run("webhook", "set", "http://127.0.0.1:9000/hook")
    assert (result.exit_code, result.stdout) == (0, "Deliveries go to http://127.0.0.1:9000/hook.\n")
    assert result.stderr.startswith("Warning: ")
    db.session.rollback()
    assert endpoint_of(company).url == "http://127.0.0.1:9000/hook"


def test_set_saves_a_name_that_does_not_resolve_with_a_warning(app: Flask, run: Run) -> None:
    company = make_company()
    result = run("webhook", "set", "https://nowhere.invalid/hook")
    assert result.exit_code == 0
    assert result.stderr.startswith("Warning: ")
    db.session.rollback()
    assert endpoint_of(company).url == "https://nowhere.invalid/hook"


def test_set_refuses_a_private_address_in_the_pages_words(app: Flask, run: Run) -> None:
    company = make_company()
    result = run("webhook", "set", "http://10.0.0.1/hook")
    assert result.exit_code == 1
    with app.test_request_context(), force_locale("en"):
        assert result.stderr == f"Error: {reasons.explain_address('not_public')}\n"
    db.session.rollback()
    assert endpoint_of(company).url is None


def test_set_says_how_many_deliveries_wait(app: Flask, run: Run) -> None:
    company = make_company(url="http://127.0.0.1:9999/")
    classify_contact(make_contact(company), 2)
    assert "Waiting now: 1." in run("webhook", "set", "http://127.0.0.1:9000/").stdout


def test_a_company_that_does_not_exist_is_one_sentence(app: Flask, run: Run) -> None:
    make_company("Alfa")
    result = run("webhook", "show", "--company", "Beta")
    assert (result.exit_code, result.stderr) == (1, "Error: There is no company 'Beta'. There is: Alfa.\n")


def test_test_sends_to_the_address_that_is_set(app: Flask, run: Run, receiver: Receiver) -> None:
    make_company(url=receiver.url)
    result = run("webhook", "test")
    assert result.exit_code == 0
    assert receiver.wait_for(1)
    assert f"{receiver.url}: answered 200 in" in result.stdout
    delivery = db.session.scalars(select(Delivery)).one()
    assert (delivery.trigger, delivery.status, delivery.actor) == ("test", "delivered", "console")
    assert delivery.webhook_id in result.stdout


def test_test_of_an_empty_address_is_none_of_the_one_that_is_set(app: Flask, run: Run, receiver: Receiver) -> None:
    """As a script asks for that has lost its variable."""
    make_company(url=receiver.url)
    db.session.commit()
    assert run("webhook", "test", "").exit_code == 1
    assert receiver.received == []


def test_test_of_what_fails_says_why_and_ends_with_1(app: Flask, run: Run) -> None:
    make_company()
    with Receiver(status=202, body=b"Accepted") as receiver:
        result = run("webhook", "test", receiver.url)
    assert result.exit_code == 1
    with app.test_request_context(), force_locale("en"):
        words = explain("status_2xx", status_code=202)
    assert result.stdout.startswith(f"{words.title}: {words.message}\n")
    assert "Accepted" in result.stdout


def test_test_shows_nothing_that_commands_the_terminal(app: Flask, run: Run) -> None:
    make_company()
    with Receiver(body=b"\x1b[2Jgone") as receiver:
        result = run("webhook", "test", receiver.url)
    assert "\x1b" not in result.stdout
    assert "gone" in result.stdout


def test_test_without_any_address_says_so(app: Flask, run: Run) -> None:
    make_company()
    result = run("webhook", "test")
    assert result.exit_code == 1
    assert result.stderr == "Error: No destination URL is configured. Configure the webhook first.\n"


def test_test_with_another_key_than_the_stored_secrets_says_what_to_do(app: Flask, run: Run) -> None:
    make_company(url="http://127.0.0.1:9999/")
    result = run("webhook", "test", PORTAL_SECRET_KEY="x" * 48)
    assert result.exit_code == 1
    assert "Put back the secret.key" in result.stderr


def test_show_tells_where_deliveries_go(app: Flask, run: Run) -> None:
    make_company(url="http://127.0.0.1:9999/")
    result = run("webhook", "show")
    assert result.exit_code == 0
    assert "http://127.0.0.1:9999/" in result.stdout
    assert "active" in result.stdout


@pytest.mark.parametrize(
    ("reason", "removed", "again"),
    [
        ("manual", "unset; with an address it stays paused (manual)", "paused (manual)"),
        ("outage", "unset", "active"),
    ],
)
def test_show_without_an_address_tells_what_is_so_once_there_is_one(
    app: Flask, run: Run, reason: str, removed: str, again: str
) -> None:
    saved = endpoint_of(make_company(url="http://127.0.0.1:9999/"))
    saved.state, saved.paused_reason = "paused", reason
    db.session.commit()

    def shown() -> str:
        return state_in(run("webhook", "show").stdout)

    assert shown() == f"paused ({reason})"
    assert run("webhook", "remove").exit_code == 0
    assert shown() == removed
    assert run("webhook", "set", "http://127.0.0.1:9999/").exit_code == 0
    assert shown() == again


def state_in(stdout: str) -> str:
    (line,) = (line for line in stdout.splitlines() if line.startswith("State:"))
    return line.removeprefix("State:").strip()


def test_show_secret_prints_the_key_alone_and_is_audited(app: Flask, run: Run) -> None:
    company = make_company()
    result = run("webhook", "show", "--secret")
    assert result.stdout == secret_of(company) + "\n"
    assert db.session.scalars(select(AuditEntry.action)).one() == "webhook.secret_shown"


def test_show_speaks_json_in_the_apis_shape(app: Flask, run: Run) -> None:
    make_company(url="http://127.0.0.1:9000/")
    shape = json.loads(run("webhook", "show", "--json").stdout)
    assert (shape["url"], shape["state"], shape["waiting"]) == ("http://127.0.0.1:9000/", "active", 0)


def test_test_speaks_json_with_what_was_sent_and_answered(app: Flask, run: Run) -> None:
    make_company()
    with Receiver(status=202, body=b"Accepted") as receiver:
        result = run("webhook", "test", receiver.url, "--json")
    shape = json.loads(result.stdout)
    assert (result.exit_code, shape["delivered"], shape["reason"]) == (1, False, "status_2xx")
    assert shape["response"]["body"] == "Accepted"
    assert shape["delivery_id"].startswith("msg_")


def test_a_header_comes_from_a_file_and_is_shown_by_name(
    app: Flask, run: Run, receiver: Receiver, tmp_path: Path
) -> None:
    company = make_company()
    file = tmp_path / "key"
    file.write_text("s3cr3t-0123456789\n")
    options = ("--header-name", "X-Api-Key", "--header-file", file)
    assert run("webhook", "test", receiver.url, *options).exit_code == 0
    assert run("webhook", "set", receiver.url, *options).exit_code == 0
    assert run("webhook", "test").exit_code == 0
    assert [received.headers["X-Api-Key"] for received in receiver.received] == ["s3cr3t-0123456789"] * 2
    shown = run("webhook", "show").stdout
    assert "X-Api-Key" in shown
    assert "s3cr3t" not in shown
    assert run("webhook", "set", receiver.url, "--no-header").exit_code == 0
    db.session.rollback()
    assert endpoint_of(company).header_name is None


def test_a_header_without_its_file_is_refused(app: Flask, run: Run) -> None:
    make_company()
    result = run("webhook", "set", "http://127.0.0.1:9000/", "--header-name", "X-Api-Key")
    assert (result.exit_code, "belong together" in result.stderr) == (2, True)


def test_another_address_says_what_is_assumed_and_another_crm_knows_nobody(app: Flask, run: Run) -> None:
    contact = make_contact(make_company(url="http://127.0.0.1:9999/1"))
    contact.interest_level = contact.delivered_level = 2
    db.session.commit()
    assert "Contacts that were in sync still count so" in run("webhook", "set", "http://127.0.0.1:9999/2").stderr
    assert run("webhook", "set", "http://127.0.0.1:9999/2", "--other-crm").exit_code == 0
    db.session.expire_all()
    assert contact.delivered_level is None


def test_remove_asks_where_something_waits(app: Flask, run: Run) -> None:
    company = make_company(url="http://127.0.0.1:9000/hook")
    classify_contact(make_contact(company), level=3)
    db.session.commit()
    refused = run("webhook", "remove", stdin="n\n")
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "Cancel the deliveries that wait (1), and send nothing any more?" in refused.stderr
    db.session.rollback()
    assert endpoint_of(company).url is not None
    db.session.rollback()
    assert run("webhook", "remove", stdin="y\n").stdout == "Nothing is sent any more. Cancelled: 1.\n"


def test_remove_does_not_ask_where_nothing_waits_nor_with_yes(app: Flask, run: Run) -> None:
    company = make_company(url="http://127.0.0.1:9000/hook")
    assert run("webhook", "remove").stdout == "Nothing is sent any more. Cancelled: 0.\n"
    run("webhook", "set", "http://127.0.0.1:9000/hook")
    classify_contact(make_contact(company), level=3)
    db.session.commit()
    assert run("webhook", "remove", "--yes").stdout == "Nothing is sent any more. Cancelled: 1.\n"
