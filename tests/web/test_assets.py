"""The files the pages need come from the portal itself, small, and stay in the browser until they change."""

import gzip
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import brotli
import pytest
from flask import Flask, url_for
from flask.testing import FlaskClient

from portal.web import assets

PORTAL = Path(assets.__file__).parent.parent
STATIC = PORTAL / "static"


@pytest.fixture
def client() -> Iterator[FlaskClient]:
    app = Flask("assets", static_folder=None)
    assets.init_assets(app, STATIC)
    with app.test_request_context():
        yield app.test_client()


def address(filename: str) -> str:
    return url_for("static", filename=filename)


@pytest.mark.parametrize(
    ("asked", "given", "decode"),
    [
        ("gzip, deflate, br, zstd", "br", brotli.decompress),
        ("gzip", "gzip", gzip.decompress),
        ("", None, bytes),
        ("br;q=0, identity", None, bytes),
    ],
)
def test_a_style_sheet_is_compressed_as_the_browser_asks(client, asked, given, decode):
    answer = client.get(address("app.css"), headers={"Accept-Encoding": asked})
    assert answer.headers.get("Content-Encoding") == given
    assert decode(answer.data) == (STATIC / "app.css").read_bytes()
    assert answer.content_type == "text/css; charset=utf-8"
    assert "Accept-Encoding" in answer.vary


def test_the_large_style_sheet_is_compressed_once(client, monkeypatch):
    calls = []
    monkeypatch.setattr(assets.brotli, "compress", lambda body, **_: calls.append(len(body)) or b"small")
    assets._encode.cache_clear()
    for _ in range(3):
        assert client.get(address("vendor/tabler.min.css"), headers={"Accept-Encoding": "br"}).data == b"small"
    assets._encode.cache_clear()
    assert len(calls) == 1


def test_all_that_a_first_page_loads_is_under_150_kb(client):
    names = ["theme.js", "app.js", "app.css", "favicon.svg", "vendor/htmx.min.js", "vendor/tabler.min.css"]
    names.append("vendor/inter-latin-wght-normal.woff2")
    sizes = [len(client.get(address(name), headers={"Accept-Encoding": "br"}).data) for name in names]
    assert sum(sizes) < 150_000


def test_the_current_address_is_kept_for_a_year(client):
    cached = client.get(address("app.js")).headers["Cache-Control"]
    assert cached == "public, max-age=31536000, immutable"


def test_an_address_of_another_release_is_served_but_not_kept(client):
    answer = client.get("/static/0123456789abcdef/app.js")
    assert answer.data == (STATIC / "app.js").read_bytes()
    assert answer.headers["Cache-Control"] == "no-cache"


def test_a_file_the_browser_has_is_not_sent_again(client):
    tag = client.get(address("app.js")).headers["ETag"]
    answer = client.get(address("app.js"), headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


def test_the_address_changes_with_any_byte_or_name():
    seen = {assets.digest_of(files) for files in ({"a": b"1"}, {"a": b"2"}, {"b": b"1"}, {"a": b"", "b": b"1"})}
    assert [len(digest) for digest in seen] == [16] * 4


@pytest.mark.parametrize("path", ["../models.py", "..%2fmodels.py", "vendor", "vendor/", "missing.css", ""])
def test_nothing_outside_the_folder_is_served(client, path):
    assert client.get(f"/static/0123456789abcdef/{path}").status_code == 404


def test_vendored_files_are_the_ones_their_list_names():
    listed = re.findall(r"\| `([\w.-]+)` \|.*`([0-9a-f]{64})` \|", (STATIC / "vendor/VERSIONS.md").read_text())
    found = {p.name for p in (STATIC / "vendor").iterdir() if p.is_file() and p.name != "VERSIONS.md"}
    assert {name for name, _ in listed} == found
    for name, digest in listed:
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest


def test_style_sheets_ask_for_nothing_from_elsewhere():
    for sheet in STATIC.rglob("*.css"):
        for target in re.findall(r"(?:url\(|@import\s+)[\"']?([^\"')]+)", sheet.read_text()):
            assert target.startswith(("data:image/", "vendor/")), f"{sheet.name}: {target}"


@pytest.mark.parametrize("template", sorted((PORTAL / "templates").rglob("*.html")), ids=lambda path: path.name)
def test_templates_hold_no_inline_script_style_or_handler(template):
    text = template.read_text()
    assert not re.search(r"\sstyle=|<style|\son[a-z]+=|javascript:|<script(?![^>]*\ssrc=)", text)
    assert not re.search(r"(?:src|action)=[\"']?(?:https?:)?//", text)


def test_every_icon_a_template_draws_exists():
    drawn = set(re.findall(r"  '([\w-]+)': '<", (PORTAL / "templates/_icons.html").read_text()))
    for template in (PORTAL / "templates").rglob("*.html"):
        wanted = set(re.findall(r"icon\('([\w-]+)'", template.read_text()))
        assert wanted <= drawn, f"{template.name}: {wanted - drawn}"
