"""Django's own server, from PyPI, as it is developed with and as it is deployed."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.receivers.running import Case, Place, free_port, listening


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    folder = place.installed / "django"
    if not folder.is_dir():
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(folder), "django"]
        subprocess.run(pip, check=True)
    env = {name: value for name, value in os.environ.items() if name != "DEBUG"} | {"PYTHONPATH": str(folder)}
    ask = [sys.executable, "-c", "import django; print(django.__version__)"]
    version = subprocess.run(ask, env=env, capture_output=True, text=True, check=True).stdout.strip()
    site, live, debug = str(Path(__file__).with_name("django_site.py")), free_port(), free_port()

    def command(port: int) -> list[str]:
        return [sys.executable, site, "runserver", "--noreload", f"127.0.0.1:{port}"]

    with listening(command(live), live, env=env), listening(command(debug), debug, env=env | {"DEBUG": "1"}):
        yield f"Django {version}", cases(live, debug)


def cases(live: int, debug: int) -> list[Case]:
    at = f"http://hook.test:{live}"
    return [
        Case("`HttpResponse('OK')`", f"{at}/ok/", "ok_text"),
        Case("`JsonResponse(...)`", f"{at}/json/", "ok_json"),
        Case("without @csrf_exempt", f"{at}/csrf/", "client_error", "django_csrf", "@csrf_exempt"),
        Case("the same, DEBUG", f"http://hook.test:{debug}/csrf/", "client_error", "django_csrf", "@csrf_exempt"),
        Case(
            "a name that is no ALLOWED_HOSTS",
            f"http://crm.test:{live}/ok/",
            "client_error",
            "host_refused",
            "ALLOWED_HOSTS",
        ),
        Case("the same, DEBUG", f"http://crm.test:{debug}/ok/", "client_error", "host_refused", "ALLOWED_HOSTS"),
        Case("without the slash at the end", f"{at}/ok", "redirect", "redirect_slash", f"{at}/ok/"),
        Case("`@login_required`", f"{at}/members/", "redirect", "redirect_login", "tela de login"),
        Case("`@require_GET`", f"{at}/get/", "client_error", "", "não aceita dados enviados"),
        Case("the view throws", f"{at}/crash/", "server_error", "", "do lado dele"),
        Case("the same, DEBUG", f"http://hook.test:{debug}/crash/", "server_error", "", "do lado dele"),
        Case("no such view", f"{at}/none/", "client_error", "", "Não existe nada nesta URL"),
    ]
