"""How commands behave towards whoever types them: where there is no portal, when they are mistyped, and in scripts."""

import json
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from flask import Flask
from sqlalchemy import delete

from portal.cli import COMMANDS, cli
from portal.cli.console import NOBODY
from portal.clock import utcnow
from portal.config.known import KNOWN
from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Contact, Delivery
from portal.people.tokens import create_token
from portal.working_models import WorkerHeartbeat
from tests.cli.conftest import Run
from tests.cli.test_commands import ALL
from tests.conftest import URL
from tests.factories import make_company, make_contact, make_delivery, make_user, mark_delivered
from tests.programs import Program, be_portal, end_of, run_portal
from tests.test_config import WRONG_VALUES, refusal

MAKERS = [("serve",), ("demo",), ("upgrade",), ("restore",), ("user", "add")]
WITHOUT_A_PORTAL = [("listen",), ("completion",)]
ARGUMENTS = {
    ("backup",): ["copy.db"],
    ("causes", "note"): ["gone", "ticket 123"],
    ("classify",): ["1", "2"],
    ("company", "close"): ["--company", "Sai", "--yes"],
    ("company", "export"): ["data.zip"],
    ("contacts", "assign"): ["--owner", "a@b.example", "--to-campaign", "Q1", "--yes"],
    ("contacts", "show"): ["1"],
    ("contacts", "merge"): ["1", "2"],
    ("contacts", "send"): ["1"],
    ("deliveries", "resend"): ["--status", "failed", "--yes"],
    ("deliveries", "show"): ["msg_1"],
    ("erase",): ["--contact", "1"],
    ("import",): ["contacts.csv"],
    ("move",): ["--to-file", "address.txt"],
    ("settle",): ["1"],
    ("token", "add"): ["--email", "a@b.example", "--label", "x"],
    ("token", "revoke"): ["1"],
    ("undo",): ["1"],
    ("user", "change-email"): ["--email", "a@b.example", "--to", "c@d.example"],
    ("user", "reset-second-factor"): ["--email", "a@b.example"],
    ("webhook", "set"): [URL],
}


def run_in(folder: Path, *arguments: str, **more: str) -> Result:
    environ = {"PORTAL_INSTANCE": str(folder / "instance")} | more
    return CliRunner().invoke(cli, arguments, env=environ)


@pytest.mark.parametrize("path", [path for path in ALL if path not in MAKERS + WITHOUT_A_PORTAL], ids=" ".join)
def test_where_there_is_no_portal_a_command_says_so_and_creates_nothing(
    path: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "contacts.csv").write_text("Name\nAna\n")
    (tmp_path / "address.txt").write_text("postgresql://postgres@127.0.0.1:1/none")
    result = run_in(tmp_path, *path, *ARGUMENTS.get(path, []))
    assert result.exit_code == 1
    assert "There is no portal here: " in result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["address.txt", "contacts.csv"]


def test_a_database_without_its_key_is_no_portal_either(sqlite_url: str, instance: Path) -> None:
    result = CliRunner().invoke(cli, ["webhook", "show"], env={"PORTAL_INSTANCE": str(instance)})
    assert result.exit_code == 1
    assert str(instance / "secret.key") in result.stderr
    assert not (instance / "secret.key").exists()


def test_with_a_database_elsewhere_no_folder_is_needed(app: Flask, instance: Path, tmp_path: Path) -> None:
    make_company("Alfa", url=URL)
    elsewhere = {"PORTAL_DATABASE_URL": f"sqlite:///{instance / 'portal.db'}", "PORTAL_SECRET_KEY": "k" * 48}
    result = run_in(tmp_path / "new", "webhook", "show", **elsewhere)
    assert (result.exit_code, URL in result.output) == (0, True)
    assert "does not exist: the database" in run_in(tmp_path / "new", "doctor", **elsewhere).output
    assert not (tmp_path / "new").exists()


def test_the_first_user_makes_the_portal(tmp_path: Path) -> None:
    add = ["user", "add", "--name", "Ana", "--email", "ana@x.example", "--role", "admin"]
    assert run_in(tmp_path, *add).exit_code == 1  # of no company
    assert not (tmp_path / "instance").exists()
    assert run_in(tmp_path, *add, "--company", "Alfa").exit_code == 0
    assert "ana@x.example" in run_in(tmp_path, "user", "list").output


@pytest.mark.parametrize(
    ("typed", "meant"), [(["deliverys"], "deliveries"), (["webhook", "shw"], "show"), (["doctor", "--jsn"], "--json")]
)
def test_what_is_mistyped_gets_a_hint(run: Run, typed: list[str], meant: str) -> None:
    result = run(*typed)
    assert result.exit_code == 2
    assert "Did you mean" in result.stderr
    assert meant in result.stderr.partition("Did you mean")[2]


@pytest.mark.parametrize(
    ("typed", "code", "exit_code"),
    [
        (["webhook", "show", "--json", "--company", "Beta"], "failed", 1),
        (["webhook", "test", "--json"], "webhook_unset", 1),
        (["sync", "--json"], "webhook_unset", 1),
        (["webhook", "show", "--json", "--nonsense"], "usage", 2),
        (["deliveries", "list", "--json", "--cursor", "x"], "failed", 1),
        (["nonsense", "--json"], "usage", 2),
    ],
)
def test_with_json_a_failure_is_json(app: Flask, run: Run, typed: list[str], code: str, exit_code: int) -> None:
    make_company("Alfa")
    result = run(*typed)
    error = json.loads(result.stdout)["error"]
    assert (error["code"], result.exit_code, result.stderr) == (code, exit_code, "")
    assert error["message"]


def test_with_json_no_portal_has_a_code_of_its_own(tmp_path: Path) -> None:
    result = run_in(tmp_path, "webhook", "show", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "no_portal"


def test_with_json_trouble_with_the_database_has_the_code_that_the_api_gives_it(run: Run) -> None:
    result = run("report", "--json", PORTAL_DATABASE_URL="postgresql://portal@127.0.0.1:9/portal")
    assert json.loads(result.stdout)["error"]["code"] == "database_away"


def test_a_question_that_nobody_answers_is_json_too(app: Flask, run: Run) -> None:
    make_contact(make_company("Alfa", url=URL)).interest_level = 3
    db.session.commit()
    result = run("sync", "--json")
    assert json.loads(result.stdout)["error"]["code"] == "not_confirmed"
    assert result.exit_code == 1


def test_a_run_speaks_one_language(app: Flask, run: Run) -> None:
    make_company("Alfa")
    result = run("webhook", "set", "http://10.0.0.1/hook", LC_ALL="pt_BR.UTF-8", LANG="pt_BR.UTF-8")
    assert result.stderr == run("webhook", "set", "http://10.0.0.1/hook").stderr
    assert "internal or reserved network" in result.stderr


def test_people_are_listed_with_their_state(app: Flask, run: Run) -> None:
    company = make_company("Alfa")
    make_user(company, role="admin", email="ana@x.example", name="Ana")
    make_user(company, role=None, email="rui@x.example", name="Rui\x1b[2J")
    make_user(company, role="member", email="caio@x.example", name="Caio").password_hash = None
    db.session.commit()
    make_user(make_company("Beta"), role="admin", email="bia@x.example")
    found = json.loads(run("user", "list", "--company", "Alfa", "--json").stdout)["items"]
    assert [(each["email"], each["role"], each["state"]) for each in found] == [
        ("ana@x.example", "admin", "active"),
        ("caio@x.example", "member", "invited"),
        ("rui@x.example", None, "without_login"),
    ]
    shown = run("user", "list", "--company", "Alfa").stdout
    assert len(shown.splitlines()) == 3
    assert "\x1b" not in shown


WRONG_USES = [
    (["contacts", "send"], "Give either the number of a contact or a filter"),
    (["contacts", "send", "1", "--level", "2"], "Give either the number of a contact or a filter"),
    (["contacts", "assign", "--to-campaign", "Q1"], "Give a filter"),
    (["deliveries", "resend"], "Give either ids of deliveries or a filter"),
    (["deliveries", "resend", "msg_1", "--status", "failed"], "Give either ids of deliveries or a filter"),
    (["settle"], "Give a contact's number, or --warning."),
    (["settle", "abc"], "'abc' is not a valid whole number."),
    (["listen", "--port", "abc"], "'abc' is not a valid whole number."),
    (["listen", "--delay", "abc"], "'abc' is not a valid number."),
    (["webhook", "set", URL, "--header-name", "X-Key"], "--header-name and --header-file belong together."),
    (["webhook", "test", "--header-name", "X-Key"], "--header-name and --header-file belong together."),
]


@pytest.mark.parametrize(("typed", "sentence"), WRONG_USES, ids=lambda value: " ".join(value)[:60])
def test_wrong_use_is_told_before_anything_is_opened(tmp_path: Path, typed: list[str], sentence: str) -> None:
    result = run_in(tmp_path, *typed)
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage: ")
    assert sentence in result.stderr


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["lines", "json"])
@pytest.mark.parametrize(
    "asked",
    [
        "contacts list",
        "contacts show",
        "deliveries list",
        "deliveries show",
        "causes list",
        "user list",
        "token list",
        "report",
    ],
)
def test_what_is_read_is_printed_once_reading_has_ended(
    app: Flask, run: Run, monkeypatch: pytest.MonkeyPatch, asked: str, as_json: list[str]
) -> None:
    company = make_company("Alfa", url=URL)
    delivery = mark_delivered(make_delivery(make_contact(company)), warning="source_code")
    create_token(db.session, make_user(company), label="CRM")
    ids = {"contacts show": [delivery.contact_id], "deliveries show": [delivery.webhook_id]}.get(asked, [])
    db.session.commit()
    states = []
    monkeypatch.setattr(click, "echo", lambda *_args, **_options: states.append(db.session().in_transaction()))
    run(*asked.split(), *ids, *as_json)
    assert states
    assert not any(states)


def test_names_cannot_command_the_terminal(app: Flask, run: Run) -> None:
    make_delivery(make_contact(make_company("Alfa", url=URL), name="Rui\x1b[2J"))
    db.session.commit()
    shown = run("deliveries", "list").stdout
    assert "Rui" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_the_portal(run: Run, shell: str) -> None:
    assert f"_PORTAL_COMPLETE={shell}_complete" in run("completion", shell).stdout


def complete(*words: str) -> list[str]:
    typed = " ".join(["portal", *words])
    asked = {"_PORTAL_COMPLETE": "bash_complete", "COMP_WORDS": typed, "COMP_CWORD": str(len(words))}
    return [line.partition(",")[2] for line in run_portal(asked).stdout.splitlines()]


@pytest.mark.slow
def test_a_shell_completes_commands_and_options() -> None:
    assert set(complete("")) == set(COMMANDS)
    assert complete("deliveries", "re") == ["resend"]
    assert complete("webhook", "show", "--js") == ["--json"]


@pytest.mark.parametrize("name", KNOWN)
def test_every_command_says_the_same_of_a_setting_that_cannot_be_used(tmp_path: Path, name: str) -> None:
    value, sentence = next(
        (value, sentence) for value in WRONG_VALUES[1:] if (sentence := refusal(tmp_path / "other", name, value))
    )
    for command in ("serve", "worker", "upgrade", "doctor", "purge"):
        result = run_in(tmp_path, command, **{name: value})
        assert result.exit_code == 1, command
        assert sentence in result.output, command
    assert not (tmp_path / "instance").exists()


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--json"]])
def test_an_output_without_room_is_told(
    app: Flask, environ: dict[str, str], tmp_path: Path, options: list[str]
) -> None:
    contact_id = make_contact(make_company()).id
    said = tmp_path / "said"
    for arguments in (["contacts", "list"], ["classify", str(contact_id), "3"]):
        full = end_of(Path("/dev/full"))
        program = Program(be_portal, *arguments, *options, environ=environ, out=full, err=end_of(said))
        assert program.wait(60) == 1
    line = (
        "Error: What is printed or written has no room (No space left on device). What was saved before stays saved.\n"
    )
    assert said.read_text() == line * 2
    db.session.expire_all()
    assert db.session.get_one(Contact, contact_id).interest_level == 3


@pytest.mark.parametrize("is_served", [False, True])
def test_what_waits_for_a_worker_says_when_none_is_there(
    app: Flask, receiver: Receiver, run: Run, tmp_path: Path, is_served: bool
) -> None:
    company = make_company(url=receiver.url)
    make_user(company)
    first, second, third = (make_contact(company, current_company=str(number)) for number in range(3))
    failed = make_delivery(third)
    failed.status, failed.next_attempt_at = "failed", None
    first_id, second_id, failed_id = first.id, second.id, failed.webhook_id
    if is_served:
        db.session.add(WorkerHeartbeat(worker="w", seen_at=utcnow()))
    db.session.commit()
    (file := tmp_path / "contacts.csv").write_text("Nome,Nível\nAna,3\n")
    for arguments in (
        ["deliveries", "resend", failed_id, "--yes"],
        ["deliveries", "list"],
        ["deliveries", "show", failed_id],
        ["classify", first_id, 3],
        ["classify", second_id, 3, "--json"],
        ["import", file],
        ["undo", 1, "--yes"],
        ["contacts", "assign", "--level", 3, "--to-campaign", "Geral", "--yes"],
        ["webhook", "set", receiver.url],
        ["webhook", "resume"],
        ["webhook", "set", receiver.url, "--other-crm"],
    ):
        result = run(*arguments)
        assert (result.exit_code, NOBODY in result.stderr) == (0, not is_served), (arguments, result.output)
        if arguments[1] in ("resend", "resume"):
            assert ("It leaves now." in result.stdout, "not running" in result.stdout) == (is_served, not is_served)
    assert NOBODY not in run("classify", first_id, 3).stderr  # nothing has come to wait
    db.session.execute(delete(Delivery))
    db.session.commit()
    for arguments in (
        ["contacts", "send", first_id],
        ["contacts", "send", "--level", 3, "--yes", "--json"],
        ["sync", "--yes"],
    ):
        result = run(*arguments)
        assert (result.exit_code, NOBODY in result.stderr) == (0, not is_served), (arguments, result.output)
    assert NOBODY not in run("webhook", "remove", "--yes").stderr
