"""php-fpm behind nginx, from apt."""

import contextlib
import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.receivers.running import Case, Place, free_port, listening

HERE = Path(__file__).parent
POOL = """
[global]
error_log = {work}/fpm.log
[www]
{user}
listen = {work}/fpm.sock
listen.mode = 0666
pm = static
pm.max_children = 4
php_flag[display_errors] = on
php_flag[html_errors] = on
php_value[error_reporting] = 32767
"""


@contextlib.contextmanager
def running(place: Place) -> Iterator[tuple[str, Sequence[Case]]]:
    """Its name with its version, and the cases."""
    programs = sorted(Path("/usr/sbin").glob("php-fpm*"))
    if not programs or not shutil.which("nginx"):
        raise SystemExit("php: apt-get install nginx php-fpm")
    work, port, tls, client = place.work, free_port(), free_port(), free_port()
    root = work / "php"
    shutil.copytree(HERE / "php", root)
    (root / "index.html").write_text("<!doctype html><title>Site</title>")
    (work / "users").write_text("crm:{PLAIN}secret\n")
    is_root = getpass.getuser() == "root"
    (work / "fpm.conf").write_text(POOL.format(work=work, user="user = www-data\ngroup = www-data" if is_root else ""))
    facts = {"work": work, "root": root, "port": port, "tls": tls, "client": client, "closed": free_port()}
    facts |= {"certificate": place.authority.key_file("hook.test"), "authority": place.authority.file}
    (work / "nginx.conf").write_text((HERE / "nginx.conf").read_text().format(**facts))
    fpm = subprocess.Popen([programs[-1], "--nodaemonize", "--fpm-config", work / "fpm.conf"])
    try:
        while not (work / "fpm.sock").exists() and fpm.poll() is None:
            time.sleep(0.1)
        with listening(["nginx", "-e", str(work / "nginx.log"), "-c", str(work / "nginx.conf")], port):
            version = subprocess.run(["nginx", "-v"], capture_output=True, text=True, check=True).stderr.split("/")[-1]
            yield f"{programs[-1].name} behind nginx {version.strip()}", cases(port, tls, client)
    finally:
        fpm.terminate()
        fpm.wait(20)


def cases(port: int, tls: int, client: int) -> list[Case]:
    at = f"http://hook.test:{port}"
    return [
        Case('`echo "OK"`, labelled text/html', f"{at}/ok.php", "ok_text"),
        Case("says nothing", f"{at}/empty.php", "ok_empty"),
        Case("`json_encode`", f"{at}/json.php", "ok_json"),
        Case("a warning of PHP before OK", f"{at}/warning.php", "html_page", "php_warning", "display_errors"),
        Case("the same, as text", f"{at}/warning_text.php", "ok_text", "php_warning", "fala em erro"),
        Case("a fatal error with status 200", f"{at}/fatal.php", "html_page", "php_error", "parou com um erro"),
        Case("a fatal error that is hidden", f"{at}/fatal_hidden.php", "server_error", "", "do lado dele"),
        Case("`die` about its database", f"{at}/die.php", "ok_text", "error_words", "fala em erro"),
        Case("a script that is not there", f"{at}/none.php", "client_error", "", "Não existe nada nesta URL"),
        Case("a page of the site", f"{at}/index.html", "client_error", "", "não aceita dados enviados"),
        Case("`client_max_body_size`", f"{at}/small", "client_error", "body_too_long", "client_max_body_size"),
        Case("redirect to the same with a slash", f"{at}/moved", "redirect", "redirect_slash", f"{at}/moved/"),
        Case("redirect to https", f"{at}/secure", "redirect", "redirect_https", "só atende por https"),
        Case("redirect to a log-in", f"{at}/login-first", "redirect", "redirect_login", "tela de login"),
        Case("Basic authentication", f"{at}/basic", "client_error", "basic_key", "usuário e senha"),
        Case("502: nothing behind it", f"{at}/down", "server_error", "", "servidor de entrada do destino"),
        Case("504: the script takes too long", f"{at}/slow.php", "server_error", "", "servidor de entrada do destino"),
        Case("503", f"{at}/busy", "server_error", "", "fora do ar"),
        Case("444: closed without an answer", f"{at}/closed", "connection_failed", "", "sem uma resposta da web"),
        Case("http to the port of https", f"http://hook.test:{tls}/", "client_error", "https_wanted", "troque http://"),
        Case("https", f"https://hook.test:{tls}/", "ok_text"),
        Case("https, by another name", f"https://crm.test:{tls}/", "tls_wrong_name", "", "é de outro nome"),
        Case("https to the port of http", f"https://hook.test:{port}/", "tls_missing", "", "não fala https"),
        Case(
            "a client certificate demanded",
            f"https://hook.test:{client}/",
            "client_error",
            "client_certificate_wanted",
            "certificado de cliente",
        ),
    ]
