"""Receivers that others wrote, as they are installed."""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from flask import Flask

from portal.rules.clues import find_clue
from tests import factories
from tests.system.conftest import free_port

pytestmark = pytest.mark.slow

HOOKS = [
    {"id": "lead", "execute-command": "/bin/true", "response-message": "lead received"},
    {
        "id": "ruled",
        "execute-command": "/bin/true",
        "trigger-rule": {"match": {"type": "value", "value": "x", "parameter": {"source": "header", "name": "X-Key"}}},
    },
    {"id": "accepted", "execute-command": "/bin/true", "success-http-response-code": 202},
]


@pytest.fixture
def hooks(tmp_path: Path) -> Iterator[str]:
    """Debian's `webhook`, and its address."""
    (tmp_path / "hooks.json").write_text(json.dumps(HOOKS))
    port = free_port()
    command = ["webhook", "-hooks", str(tmp_path / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    for _ in range(200):
        try:
            requests.get(url, timeout=1)
            break
        except requests.ConnectionError:
            time.sleep(0.05)
    yield f"{url}/hooks"
    process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("hook", "status", "reason", "clue"),
    [
        ("lead", 200, "ok_text", None),
        ("ruled", 200, "ok_text", "hook_rules"),
        ("accepted", 202, "status_2xx", None),
        ("none", 404, "client_error", None),
    ],
)
def test_debians_webhook_is_judged_by_what_it_answers(
    app: Flask, hooks: str, hook: str, status: int, reason: str, clue: str | None
) -> None:
    company = factories.make_company()
    sent = factories.send_test(company, f"{hooks}/{hook}")
    assert (sent.outcome.status_code, sent.outcome.reason) == (status, reason)
    found = find_clue(sent.outcome)
    assert (found.code if found else None) == clue
