"""Node-RED, from npm."""

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.receivers.running import Case, Place, free_port, install, listening, wait_until_found

SETTINGS = (
    "module.exports = {uiHost: '127.0.0.1', flowFile: 'flows.json', credentialSecret: false, httpAdminRoot: false};"
)


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    folder, port = install(place, "node-red@4"), free_port()
    version = json.loads((folder / "node_modules" / "node-red" / "package.json").read_text())["version"]
    home = place.work / "node-red"
    home.mkdir()
    shutil.copy(Path(__file__).with_name("flows.json"), home)
    (home / "settings.js").write_text(SETTINGS)
    red = folder / "node_modules" / "node-red" / "red.js"
    command = ["node", str(red), "--userDir", str(home), "--port", str(port)]
    at = f"http://hook.test:{port}"
    with listening(command, port, cwd=home):
        wait_until_found(f"http://127.0.0.1:{port}/get-only")
        yield (
            f"Node-RED {version}",
            [
                Case("a function sets the payload to OK", f"{at}/ok", "ok_text"),
                Case("answers with what it got", f"{at}/echo", "ok_json"),
                Case("201 in the response node", f"{at}/created", "status_2xx", "", "criou um registro"),
                Case("a flow without a response node", f"{at}/no-response", "timeout", "", "em 3 segundos"),
                Case("a function that throws", f"{at}/crash", "timeout", "", "em 3 segundos"),
                Case("a node for GET only", f"{at}/get-only", "client_error", "", "Não existe nada nesta URL"),
                Case("no such flow", f"{at}/none", "client_error", "", "Não existe nada nesta URL"),
            ],
        )
