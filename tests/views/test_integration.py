"""The integration page: true of this installation, whole as the manual, and its code runs as it stands."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from portal import clock
from portal.rules.payload import encode_body, sample_payload
from portal.rules.verdict import judge
from portal.views.integration import read_snippets
from portal.webhook import WebhookRequest, sign
from tests.factories import NOON, endpoint_of, send_test, set_url
from tests.postgres import free_port

ROOT = Path(__file__).parent.parent.parent
SECRET = "whsec_" + "c2VjcmV0" * 6
REQUEST = WebhookRequest(url="http://x/", webhook_id="msg_1", body=encode_body(sample_payload()), secrets=(SECRET,))


def paths_of(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of the sample's fields; lists are fields, what is in them is not."""
    for name, inner in value.items():
        if isinstance(inner, dict):
            yield from paths_of(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def test_every_field_of_the_body_is_described_in_its_order(member):
    listed = re.findall(r'<th scope="row"><code>([\w.]+)</code>', member.get("/integration").text)
    assert listed == [*paths_of(sample_payload()), *sample_payload()["messages"][0]]


def test_the_sample_is_the_one_a_test_sends(member):
    page = member.get("/integration").text
    exact = re.search(r'id="exemplo-bytes"[^>]*>(.*?)</pre>', page, re.DOTALL)
    assert exact
    assert exact[1].replace("&#34;", '"') == encode_body(sample_payload()).decode()


def test_code_is_shown_as_it_stands(member):
    page = member.get("/integration").text
    assert len(read_snippets()) == 7
    for code in read_snippets().values():
        assert code.strip().splitlines()[-1].replace('"', "&#34;").replace(">", "&gt;") in page


def test_members_read_it_and_see_the_host_but_not_the_whole_address(member, company):
    set_url(company, "http://127.0.0.1:8999/secret-path")
    page = member.get("/integration").text
    assert "127.0.0.1" in page
    assert "secret-path" not in page
    assert 'href="/webhook' not in page


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"url": None}, "a sua empresa não tem uma URL de destino"),
        ({"state": "paused", "paused_reason": "manual"}, "Aqui o envio está em pausa"),
        ({"state": "failing"}, "Aqui o destino não está recebendo"),
        ({"last_success_at": NOON}, "Aqui o destino confirmou entregas"),
        ({}, "Aqui nenhuma entrega foi confirmada ainda"),
    ],
)
def test_the_questions_are_answered_for_this_company(admin, company, receiver, facts, words):
    set_url(company, receiver.url)
    for name, value in facts.items():
        setattr(endpoint_of(company), name, value)
    page = admin.get("/integration").text
    assert words in page
    assert 'href="/webhook"' in page


@pytest.mark.parametrize("name", ["verify.php", "verify.py"])
def test_the_readme_holds_the_same_code(name):
    assert read_snippets()[name] in (ROOT / "docs" / "receiving.md").read_text()


def test_the_php_receiver_is_the_one_of_the_manual_and_counts_as_delivered(tmp_path):
    with php_server(tmp_path, read_snippets()["receive.php"]) as url:
        status, answer = post(url, {})
    assert answer == b"Webhook recebido."
    assert judge(status, answer, content_type="text/html").delivered


def test_the_php_check_goes_before_the_receiver_and_lets_only_our_signatures_through(tmp_path):
    code = read_snippets()["verify.php"] + "?>" + read_snippets()["receive.php"]
    headers = sign(REQUEST.webhook_id, REQUEST.body, REQUEST.secrets, at=clock.utcnow())
    with php_server(tmp_path, code) as url:
        assert post(url, headers)[0] == 200
        for wrong in ({}, headers | {"webhook-id": "msg_2"}, headers | {"webhook-timestamp": "1600000000"}):
            assert post(url, wrong)[0] == 401


def test_the_python_check_takes_our_signatures_and_no_others():
    names: dict[str, Any] = {}
    exec(read_snippets()["verify.py"], names)
    headers = sign(REQUEST.webhook_id, REQUEST.body, REQUEST.secrets, at=clock.utcnow())
    assert names["contact_of"](REQUEST.body, headers, SECRET)["name"] == "Contato Teste"
    assert names["contact_of"](REQUEST.body, headers | {"webhook-id": "msg_2"}, SECRET) is None


def run_node(program: str, *arguments: str) -> str:
    return subprocess.run(["node", "-e", program, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize(
    ("changed", "accepted"),
    [({}, True), ({"webhook-id": "msg_2"}, False), ({"webhook-timestamp": "1"}, False),
     ({"webhook-signature": "v1,é"}, False), ({"webhook-signature": None}, False)],
)  # fmt: skip
def test_the_node_check_takes_our_signatures_and_no_others(changed, accepted):
    headers = sign(REQUEST.webhook_id, REQUEST.body, REQUEST.secrets, at=clock.utcnow()) | changed
    given = json.dumps({name: value for name, value in headers.items() if value is not None})
    program = read_snippets()["verify.js"] + (
        "const [body, headers, secret] = process.argv.slice(1);"
        "console.log(isFromPortal(Buffer.from(body), JSON.parse(headers), secret));"
    )
    assert run_node(program, REQUEST.body.decode(), given, SECRET).strip() == str(accepted).lower()


def test_the_node_receiver_counts_as_delivered_and_survives_what_it_cannot_read(tmp_path):
    port = free_port()
    (tmp_path / "receive.js").write_text(read_snippets()["receive.js"])
    with serving(["node", str(tmp_path / "receive.js")], PORT=str(port)):
        url = f"http://127.0.0.1:{port}/"
        assert post(url, {}, b"not JSON")[0] == 400
        assert post(url, {}) == (200, b"OK")


def test_the_sheet_receiver_writes_a_row_in_which_nothing_is_a_formula():
    payload = sample_payload()
    payload["contact"]["name"] = "=IMPORTXML(1)"
    program = (
        "let rows = [];"
        "const SpreadsheetApp = {getActiveSpreadsheet: () => ({getSheets: () => [{appendRow: (r) => rows.push(r)}]})};"
        "const ContentService = {createTextOutput: (text) => text};"
        + read_snippets()["receive.gs"]
        + "const answer = doPost({postData: {contents: process.argv[1]}});"
        "console.log(JSON.stringify([answer, rows[0].slice(1)]));"
    )
    answer, row = json.loads(run_node(program, encode_body(payload).decode()))
    assert answer == "OK"
    assert row == [0, "'=IMPORTXML(1)", 2, "'Empresa Teste", "'Teste", "'teste@empresateste.com", None,
                   "'Usuário Teste", "'Campanha Teste"]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "command", "path", "answer"),
    [
        ("receive.php", ["php", "-S", "127.0.0.1:{port}", "{file}"], "", b"Webhook recebido."),
        ("receive.py", [sys.executable, "-m", "flask", "--app", "{file}", "run", "--port", "{port}"], "webhook", b"OK"),
        ("receive.js", ["node", "{file}"], "", b"OK"),
    ],
)  # fmt: skip
def test_a_receiver_run_as_the_page_says_takes_the_portals_own_test(
    app, company, tmp_path, name, command, path, answer
):
    (tmp_path / name).write_text(read_snippets()[name])
    port = str(free_port())
    filled = [part.format(port=port, file=tmp_path / name) for part in command]
    with serving(filled, PORT=port):
        wait_until_open(int(port))
        sent = send_test(company, f"http://127.0.0.1:{port}/{path}")
    assert (sent.outcome.delivered, sent.outcome.response_body) == (True, answer)


def wait_until_open(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("the receiver did not start")


@contextmanager
def serving(command: list[str], **environ: str) -> Iterator[None]:
    program = shutil.which(command[0])
    assert program, f"{command[0]} is not installed"
    server = subprocess.Popen(
        [program, *command[1:]], env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        server.terminate()
        server.wait()


@contextmanager
def php_server(folder: Path, code: str) -> Iterator[str]:
    (folder / "index.php").write_text(code)
    port = free_port()
    with serving(["php", "-S", f"127.0.0.1:{port}", "-t", str(folder)], WEBHOOK_SECRET=SECRET):
        yield f"http://127.0.0.1:{port}/"


def post(url: str, headers: dict[str, str], body: bytes = REQUEST.body) -> tuple[int, bytes]:
    """Status and body; a server that is just starting is asked again."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the server did not start")


def test_the_api_s_pages_have_the_menu_for_whoever_is_logged_in(member, nobody):
    for url in ("/api/docs", "/api/docs/contacts"):
        assert 'id="navegacao"' in member.get(url).text
        assert 'id="navegacao"' not in nobody.get(url).text
