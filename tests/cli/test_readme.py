"""The README makes only true claims: its code runs, and what it lists exists."""

import os
import re
import subprocess
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
from portal.webhook import WebhookRequest, sign
from tests.postgres import free_port

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
RECEIVING = (ROOT / "docs" / "receiving.md").read_text()
SECRET = "whsec_" + "c2VjcmV0" * 6
REQUEST = WebhookRequest(url="http://x/", webhook_id="msg_1", body=encode_body(sample_payload()), secrets=(SECRET,))


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", README + RECEIVING, re.DOTALL)
    assert found
    return found[1]


@contextmanager
def php_server(folder: Path) -> Iterator[str]:
    (folder / "index.php").write_text(block("php") + "echo 'OK';")
    port = free_port()
    server = subprocess.Popen(
        ["php", "-S", f"127.0.0.1:{port}", "-t", folder], env=os.environ | {"WEBHOOK_SECRET": SECRET},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        server.terminate()
        server.wait()


def post(url: str, headers: dict[str, str]) -> int:
    """The status; a server that is just starting is asked again."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(urllib.request.Request(url, REQUEST.body, headers), timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except urllib.error.URLError:
            time.sleep(0.05)
    raise AssertionError("the PHP server did not start")


def test_the_php_example_takes_our_signatures_and_no_others(tmp_path: Path) -> None:
    headers = sign(REQUEST.webhook_id, REQUEST.body, REQUEST.secrets, at=clock.utcnow())
    with php_server(tmp_path) as url:
        assert post(url, headers) == 200
        assert post(url, headers | {"webhook-id": "msg_2"}) == 401
        assert post(url, headers | {"webhook-timestamp": "1600000000"}) == 401
        assert post(url, {}) == 401


def test_the_python_example_takes_our_signatures_and_no_others() -> None:
    names: dict[str, Any] = {}
    exec(block("python"), names)
    headers = sign(REQUEST.webhook_id, REQUEST.body, REQUEST.secrets, at=clock.utcnow())
    assert names["contact_of"](REQUEST.body, headers, SECRET)["name"] == "Contato Teste"
    assert names["contact_of"](REQUEST.body, headers | {"webhook-id": "msg_2"}, SECRET) is None


def test_the_example_body_has_the_keys_of_the_real_one_in_their_order() -> None:
    keys = re.findall(r'"(\w+)":', block("json"))
    assert keys == re.findall(r'"(\w+)":', encode_body(_with_one_item_each(sample_payload())).decode())


def _with_one_item_each(payload: dict[str, Any]) -> dict[str, Any]:
    contact = payload["contact"]
    lists = {name: contact[name][:1] for name in ("skills", "experiences")}
    return payload | {"contact": contact | lists, "messages": payload["messages"][:1]}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) < 200


@pytest.mark.parametrize("path", re.findall(r"`(portal/[\w./]+)`|\]\((?!http)([\w./]+)\)", README))
def test_every_named_file_exists(path: tuple[str, str]) -> None:
    assert (ROOT / "".join(path)).exists()


@pytest.mark.parametrize("target", re.findall(r"make (\w+)", README))
def test_every_named_make_target_exists(target: str) -> None:
    assert re.search(rf"^{target}:.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
