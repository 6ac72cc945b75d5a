import signal
import urllib.request
from io import StringIO
from pathlib import Path

import pytest
from flask import Flask

from portal.cli.listen import read_key
from portal.company.endpoint import new_secret
from portal.database.db import db
from portal.demo.server import Receiver
from tests.cli.conftest import STOP_SECONDS, Run, Running, Start
from tests.factories import make_company, secret_of
from tests.programs import be_new

ADDRESS = r"Listening on (http://127\.0\.0\.1:\d+/)"


def listen(start: Start, *options: str) -> tuple[Running, str]:
    running = start("listen", "--port", "0", *options)
    return running, running.wait_for(ADDRESS)[1]


def post(url: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read()


def test_listen_shows_the_body_and_verifies_the_signature(app: Flask, start: Start, run: Run) -> None:
    secret = secret_of(make_company())
    db.session.rollback()
    running, url = listen(start, "--secret", secret)
    assert run("webhook", "test", url).exit_code == 0
    running.wait_for("signature valid")
    running.wait_for('"name": "Contato Teste"')
    running.wait_for("webhook-id: msg_")


@pytest.mark.parametrize("way", ["file", "environment"])
def test_the_key_stays_off_the_list_of_processes(app: Flask, start: Start, run: Run, tmp_path: Path, way: str) -> None:
    secret = secret_of(make_company())
    db.session.rollback()
    (tmp_path / "key").write_text(f"{secret}\n")
    options = ("listen", "--port", "0", *(("--secret-file", str(tmp_path / "key")) if way == "file" else ()))
    running = start(*options, act=be_new, **({"WEBHOOK_SECRET": secret} if way == "environment" else {}))
    url = running.wait_for(ADDRESS)[1]
    assert run("webhook", "test", url).exit_code == 0
    running.wait_for("signature valid")
    assert secret not in Path(f"/proc/{running.process.pid}/cmdline").read_text()


def test_a_key_that_is_given_twice_or_is_none_is_refused(run: Run, tmp_path: Path) -> None:
    (tmp_path / "key").write_text("no key")
    given = ("listen", "--port", "0", "--secret-file", tmp_path / "key")
    assert "given twice" in run(*given, WEBHOOK_SECRET=new_secret()).stderr
    assert run(*given).exit_code == 2
    assert run(*given[:-1], tmp_path / "none").exit_code == 2


def test_listen_tells_a_signature_of_another_key(app: Flask, start: Start, run: Run) -> None:
    make_company()
    running, url = listen(start, "--secret", new_secret())
    run("webhook", "test", url)
    running.wait_for("signature invalid")


def test_listen_answers_as_it_is_told(start: Start) -> None:
    running, url = listen(start, "--status", "202", "--body", "Aceito", "--content-type", "text/html")
    assert post(url, b"{}") == (202, "text/html", b"Aceito")
    running.wait_for(r"POST /  2 bytes  signature unchecked  answered 202")


def test_listen_fails_as_often_as_it_is_told(start: Start) -> None:
    _running, url = listen(start, "--fail-rate", "1")
    assert post(url, b"{}")[0] == 500


def test_listen_shows_nothing_that_commands_the_terminal(start: Start) -> None:
    running, url = listen(start)
    post(url, b"\x1b[2J\xc2\x9b31m text")
    running.wait_for("31m text")
    assert "\x1b" not in running.output
    assert "\x9b" not in running.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_listen_stops_when_it_is_told(start: Start, number: int) -> None:
    running, _url = listen(start)
    code, took = running.stop(number)
    assert code == 0
    assert took < STOP_SECONDS
    assert "Traceback" not in running.output


@pytest.mark.parametrize("option", [("--status", "99"), ("--fail-rate", "2"), ("--secret", "x")], ids=" ".join)
def test_listen_refuses_what_it_cannot_do(start: Start, option: tuple[str, str]) -> None:
    running = start("listen", *option)
    assert running.process.wait(60) == 2
    running.wait_for("Error: ")


def test_listen_on_a_port_in_use_is_one_sentence(start: Start, receiver: Receiver) -> None:
    running = start("listen", "--port", str(receiver.port))
    assert running.process.wait(60) == 1
    running.wait_for("Error: Port .* cannot be listened on")


def test_the_key_in_a_file_is_what_stands_in_it_without_the_space_around_it() -> None:
    assert read_key(None, StringIO(" whsec_x\r\n")) == "whsec_x"
    assert read_key("whsec_y", None) == "whsec_y"
