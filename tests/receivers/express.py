"""Express, from npm."""

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.receivers.running import Case, Place, free_port, install, listening


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    folder, port = install(place, "express@5"), free_port()
    version = json.loads((folder / "node_modules" / "express" / "package.json").read_text())["version"]
    command = ["node", str(Path(__file__).with_name("express.js")), str(port)]
    env = os.environ | {"NODE_PATH": str(folder / "node_modules")}
    at = f"http://hook.test:{port}"
    with listening(command, port, env=env):
        yield (
            f"Express {version}",
            [
                Case("`res.send('OK')`", f"{at}/ok", "ok_text"),
                Case("`res.json(...)`", f"{at}/json", "ok_json"),
                Case("`res.end()`", f"{at}/empty", "ok_empty"),
                Case("`res.sendStatus(200)`", f"{at}/status", "ok_text"),
                Case("`res.json({error})`", f"{at}/error", "ok_json", "error_in_json", "indica um erro"),
                Case("`res.send('<h1>...')`", f"{at}/page", "html_page", "", "página HTML"),
                Case("201", f"{at}/created", "status_2xx", "", "criou um registro"),
                Case("`sendStatus(204)`", f"{at}/no-content", "status_2xx", "", "código 204"),
                Case("no such route", f"{at}/missing", "client_error", "", "Não existe nada nesta URL"),
                Case("the handler throws", f"{at}/crash", "server_error", "", "do lado dele"),
                Case("`express.json({limit})`", f"{at}/small", "client_error", "body_too_long", "bytes"),
                Case("redirect to the same with a slash", f"{at}/moved", "redirect", "redirect_slash", f"{at}/moved/"),
                Case("redirect to a log-in", f"{at}/private", "redirect", "redirect_login", "tela de login"),
                Case("401, Bearer", f"{at}/key", "client_error", "bearer_key", "Bearer"),
                Case("never answers", f"{at}/silent", "timeout", "", "em 3 segundos"),
            ],
        )
