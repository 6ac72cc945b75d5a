"""The files of deploy/ for nginx and Caddy, but for ports and certificates as they stand, in front of the portal."""

import os
import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask import Flask
from sqlalchemy import select

from portal.cli.web import WebServer
from portal.database.db import db
from portal.models import Task
from portal.views.imports import MAX_UPLOAD_BYTES
from tests.authority import Authority
from tests.conftest import MakeApp
from tests.factories import PASSWORD, make_company, make_user
from tests.system.conftest import free_port

DEPLOY = Path(__file__).parent.parent.parent / "deploy"
PROGRAMS = f"{os.environ['PATH']}:/usr/sbin"
HOST = "localhost"
NGINX = """
daemon off; pid {folder}/pid; error_log {folder}/error.log; {user}
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  {site}
}}
"""
CADDY = "{{\n admin off\n auto_https disable_redirects\n storage file_system {folder}\n https_port {port}\n}}\n{site}"

pytestmark = pytest.mark.slow(9)


def nginx(folder: Path, *, port: int, upstream: int, path: str, key_file: Path) -> list[str | Path]:
    site = (DEPLOY / "nginx.conf").read_text().partition("\nserver {\n    listen 443")
    text = "server {\n    listen 443" + site[2].replace("portal.example.com", HOST)
    text = re.sub(r"listen \[::\]:443.*\n", "", text).replace("listen 443", f"listen 127.0.0.1:{port}")
    text = re.sub(r"/etc/letsencrypt/\S+\.pem", str(key_file), text).replace(":8000", f":{upstream}")
    text = text.replace("location / {", f"location {path}/ {{")
    user = "" if os.geteuid() else "user root;"
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, user=user, site=text))
    return ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "start.log"]


def caddy(folder: Path, *, port: int, upstream: int, path: str, key_file: Path) -> list[str | Path]:
    text = (DEPLOY / "Caddyfile").read_text().replace(":8000", f":{upstream}")
    text = text.replace("\nportal.example.com {\n", f"\n{HOST} {{\n\tbind 127.0.0.1\n\ttls {key_file} {key_file}\n")
    (folder / "Caddyfile").write_text(CADDY.format(folder=folder, port=port, site=text))
    return ["caddy", "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]


@contextmanager
def running(command: list[str | Path], folder: Path, port: int) -> Iterator[None]:
    program = shutil.which(command[0], path=PROGRAMS)
    assert program, f"{command[0]} is not installed: see .ci/programs"
    with (folder / "said").open("w") as said:
        process = subprocess.Popen([program, *command[1:]], stderr=said, env={"HOME": str(folder)})
    try:
        while not answers(port):
            assert process.poll() is None, (folder / "said").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(60)


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True


class Visitor(requests.Session):
    """Somebody with a browser, who trusts the proxy's authority."""

    def __init__(self, base: str, authority: Authority) -> None:
        super().__init__()
        self.base, self.verify, self.trust_env = base, str(authority.file), False

    def send_form(self, page: str, target: str, file: bytes | None = None, **fields: str) -> requests.Response:
        token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', self.get(f"{self.base}{page}").text)[0]
        headers = {"Origin": self.base.removesuffix("/portal"), "Referer": f"{self.base}{page}"}
        files = None if file is None else {"file": ("contacts.csv", file)}
        data = {"csrf_token": token, **fields}
        return self.post(f"{self.base}{target}", data=data, files=files, headers=headers, allow_redirects=False)


@pytest.fixture(params=["", "/portal"], ids=["host", "path"])
def path(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=[nginx, caddy], ids=["nginx", "caddy"])
def visitor(
    request: pytest.FixtureRequest, make_app: MakeApp, tmp_path: Path, authority: Authority, path: str
) -> Iterator[Visitor]:
    port = free_port()
    base = f"https://{HOST}:{port}{path}"
    app: Flask = make_app(base_url=base, proxy_hops=1)
    with app.app_context():
        make_user(make_company(), email="ana@example.com")
        server, stop = WebServer(app, host="127.0.0.1", port=0), threading.Event()
        thread = threading.Thread(target=server.run, args=(stop,))
        thread.start()
        command = request.param(tmp_path, port=port, upstream=server.port, path=path, key_file=authority.key_file(HOST))
        with running(command, tmp_path, port), Visitor(base, authority) as visitor:
            yield visitor
        stop.set()
        thread.join()
        server.finish(5)


def log_in(visitor: Visitor) -> requests.Response:
    return visitor.send_form("/login", "/login", email="ana@example.com", password=PASSWORD)


def test_people_log_in_with_tls_and_find_their_pages_below_the_path(visitor: Visitor, path: str) -> None:
    sent = log_in(visitor)
    assert (sent.status_code, sent.headers["Location"]) == (303, f"{path}/"), sent.text
    assert {(cookie.secure, cookie.path) for cookie in visitor.cookies} == {(True, path or "/")}
    home = visitor.get(f"{visitor.base}/")
    assets = re.findall(r'<(?:script src|link rel="stylesheet" href)="(\S+)"', home.text)
    assert assets
    assert {visitor.get(f"https://{visitor.base.split('/')[2]}{asset}").status_code for asset in assets} == {200}
    assert visitor.get(f"{visitor.base.removesuffix('/portal')}/metrics").status_code == 403


def test_a_file_as_large_as_may_be_arrives_and_a_larger_one_is_refused_in_the_portals_words(visitor: Visitor) -> None:
    log_in(visitor)
    row = b"Ana,ana@example.com\n"
    largest = b"Nome,E-mail\n" + row * ((MAX_UPLOAD_BYTES - 64 * 1024) // len(row) - 1)
    arrived = visitor.send_form("/imports", "/imports", largest)
    assert arrived.status_code == 303, arrived.text
    refused = visitor.send_form("/imports", "/imports", largest + bytes(8 * 1024**2))
    assert refused.status_code == 413
    assert "O que foi enviado é grande demais" in refused.text
    assert db.session.scalars(select(Task.status)).all() == ["waiting"]
