"""Logging in with a real browser behind a real nginx: it works, or the page says what to set."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.authority import Authority
from tests.conftest import MakeApp
from tests.factories import PASSWORD, make_company, make_user
from tests.postgres import free_port
from tests.views.browser import served

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
CONFIGURATION = """
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {key_file}; ssl_certificate_key {key_file};
    location / {{ proxy_pass {upstream}; {headers} }}
  }}
}}
"""
PROTO = "proxy_set_header X-Forwarded-Proto https;"
NO_ORIGIN, NO_REFERER = 'proxy_set_header Origin "";', 'proxy_set_header Referer "";'
WORKS = {
    "host with its port": f"proxy_set_header Host $http_host; {PROTO}",
    "host without its port": f"proxy_set_header Host $host; {PROTO}",
    "host of the upstream": PROTO,
    "no referer": f"proxy_set_header Host $host; {PROTO} {NO_REFERER}",
    "no origin": f"proxy_set_header Host $host; {PROTO} {NO_ORIGIN}",
    "no scheme": "proxy_set_header Host $host;",
    "no referrer policy": f"{PROTO} proxy_hide_header Referrer-Policy; add_header Referrer-Policy no-referrer always;",
}


@contextmanager
def nginx(folder: Path, authority: Authority, *, port: int, upstream: str, headers: str) -> Iterator[str]:
    """In front of `upstream`, with TLS; its address."""
    assert NGINX, "nginx is not installed: see .ci/programs"
    key_file = authority.key_file("localhost")
    text = CONFIGURATION.format(folder=folder, port=port, upstream=upstream, headers=headers, key_file=key_file)
    (folder / "nginx.conf").write_text(text if os.geteuid() else f"user root;{text}")
    program = subprocess.Popen([NGINX, "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "start.log"])
    end = time.monotonic() + 60
    while not (folder / "pid").exists() and time.monotonic() < end:
        time.sleep(0.02)
    try:
        yield f"https://localhost:{port}"
    finally:
        program.terminate()
        program.wait(60)


@contextmanager
def logging_in(
    chromium: Browser, make_app: MakeApp, folder: Path, authority: Authority, headers: str, **settings: object
) -> Iterator[Page]:
    """Somebody has just sent the log-in's form behind such a proxy."""
    port = free_port()
    app = make_app(**({"base_url": f"https://localhost:{port}", "proxy_hops": 1} | settings))
    with app.app_context():
        email = make_user(make_company()).email
        with served(app) as upstream, nginx(folder, authority, port=port, upstream=upstream, headers=headers) as url:
            context = chromium.new_context(locale="pt-BR", base_url=url, ignore_https_errors=True)
            page = context.new_page()
            page.goto("/login?next=/contacts")
            page.get_by_label("E-mail").fill(email)
            page.get_by_label("Senha").fill(PASSWORD)
            page.get_by_role("button", name="Entrar").click()
            yield page
            context.close()


@pytest.mark.parametrize("headers", WORKS.values(), ids=WORKS)
def test_the_log_in_works(chromium, make_app, tmp_path, authority, headers):
    with logging_in(chromium, make_app, tmp_path, authority, headers) as page:
        expect(page.get_by_role("heading", name="Contatos", level=1)).to_be_visible()


@pytest.mark.parametrize("settings", [{"proxy_hops": 0}, {"proxy_hops": 0, "base_url": None}], ids=str)
def test_it_works_too_when_less_is_set(chromium, make_app, tmp_path, authority, settings):
    with logging_in(chromium, make_app, tmp_path, authority, WORKS["host without its port"], **settings) as page:
        expect(page.get_by_role("heading", name="Contatos", level=1)).to_be_visible()


def test_where_nothing_says_the_page_it_says_what_to_let_pass(chromium, make_app, tmp_path, authority):
    headers = f'proxy_set_header Host $host; {PROTO} {NO_ORIGIN} {NO_REFERER} proxy_set_header Sec-Fetch-Site "";'
    with logging_in(chromium, make_app, tmp_path, authority, headers) as page:
        expect(page.get_by_text("Nem Origin nem Referer chegaram ao portal")).to_be_visible()


def test_where_the_settings_are_wrong_it_names_them(chromium, make_app, tmp_path, authority):
    settings = {"base_url": "https://portal.example", "trusted_hosts": ("localhost",)}
    with logging_in(chromium, make_app, tmp_path, authority, PROTO, **settings) as page:
        expect(page.get_by_role("term").filter(has_text="PORTAL_BASE_URL")).to_be_visible()
        expect(page.get_by_role("link", name="https://portal.example")).to_be_visible()
