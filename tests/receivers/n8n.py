"""n8n, from npm: it wants the Node.js that its own release names, a compiler, and cdn.sheetjs.com."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from typing import Any

import requests

from tests.receivers.running import Case, Place, free_port, install, listening


def workflow(name: str, **parameters: Any) -> dict[str, Any]:
    """A workflow that begins with a webhook."""
    parameters = {"httpMethod": "POST", "path": name, "options": {}} | parameters
    node = {"id": name, "name": "Webhook", "type": "n8n-nodes-base.webhook", "typeVersion": 2, "position": [0, 0]}
    facts = {"id": f"flow{name}", "name": name, "active": True, "connections": {}, "settings": {}}
    return facts | {"nodes": [node | {"webhookId": name, "parameters": parameters}]}


WORKFLOWS = [
    workflow("immediately"),
    workflow("created", options={"responseCode": {"values": {"responseCode": 201}}}),
    workflow("text", options={"responseData": "OK"}),
]


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    folder, port = install(place, "n8n@1"), free_port()
    package = folder / "node_modules" / "n8n"
    version = json.loads((package / "package.json").read_text())["version"]
    names = {"N8N_USER_FOLDER": str(place.work), "N8N_PORT": str(port), "N8N_LISTEN_ADDRESS": "127.0.0.1"}
    names |= {"N8N_DIAGNOSTICS_ENABLED": "false", "N8N_RUNNERS_ENABLED": "false", "N8N_LOG_LEVEL": "error"}
    env, command = os.environ | names, ["node", str(package / "bin" / "n8n")]
    (place.work / "workflows.json").write_text(json.dumps(WORKFLOWS))
    for step in (
        ["import:workflow", f"--input={place.work / 'workflows.json'}"],
        ["update:workflow", "--all", "--active=true"],
    ):
        subprocess.run([*command, *step], env=env, check=True, stdout=subprocess.DEVNULL)
    at = f"http://hook.test:{port}"
    with listening([*command, "start"], port, env=env, seconds=240):
        wait_until_ready(f"http://127.0.0.1:{port}/webhook/text")
        yield (
            f"n8n {version}",
            [
                Case("responds immediately", f"{at}/webhook/immediately", "ok_json"),
                Case("responds with data of its own", f"{at}/webhook/text", "ok_text"),
                Case("201 in the webhook node", f"{at}/webhook/created", "status_2xx", "", "criou um registro"),
                Case(
                    "a path that is not active", f"{at}/webhook/none", "client_error", "n8n_inactive", "ative o fluxo"
                ),
                Case("the test address", f"{at}/webhook-test/text", "client_error", "n8n_inactive", "URL de produção"),
            ],
        )


def wait_until_ready(url: str) -> None:
    """It listens before its workflows are active."""
    for _ in range(240):
        if requests.post(url, json={}, timeout=10).status_code == 200:
            return
        time.sleep(0.5)
