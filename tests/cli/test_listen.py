import signal
import urllib.request

import pytest
from flask import Flask

from portal.company.endpoint import new_secret
from portal.database.db import db
from portal.demo.server import Receiver
from tests.cli.conftest import Run, Running, Start
from tests.factories import make_company, secret_of

ADDRESS = r"Listening on (http://127\.0\.0\.1:\d+/)"


def listen(start: Start, *options: str) -> tuple[Running, str]:
    running = start("listen", "--port", "0", *options)
    return running, running.wait_for(ADDRESS)[1]


def post(url: str, body: bytes) -> tuple[int, str, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=10) as answer:
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
    assert took < 2
    assert "Traceback" not in running.output


@pytest.mark.parametrize("option", [("--status", "99"), ("--fail-rate", "2"), ("--secret", "x")], ids=" ".join)
def test_listen_refuses_what_it_cannot_do(start: Start, option: tuple[str, str]) -> None:
    running = start("listen", *option)
    assert running.process.wait(20) == 2
    running.wait_for("Error: ")


def test_listen_on_a_port_in_use_is_one_sentence(start: Start, receiver: Receiver) -> None:
    running = start("listen", "--port", str(receiver.port))
    assert running.process.wait(20) == 1
    running.wait_for("Error: Port .* cannot be listened on")
