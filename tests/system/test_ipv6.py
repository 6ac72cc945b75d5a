"""The portal on IPv6: listened on, written in links, posted to, and no way past the guard."""

import re
import urllib.error
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest

from tests.cli.conftest import Start, environ, start  # noqa: F401  # its fixtures
from tests.cli.test_serve import get
from tests.postgres import free_port


@pytest.fixture
def base(start: Start) -> tuple[str, str]:  # noqa: F811
    """A portal at `http://[::1]:port`, with its base address and the link that sets it up."""
    port = free_port()
    base = f"http://[::1]:{port}"
    running = start("serve", "--host", "::1", "--port", str(port), "--no-worker", PORTAL_BASE_URL=base)
    return base, running.wait_for(rf"once: ({re.escape(base)}/setup/\S+)")[1]


def test_who_comes_by_ipv6_sets_the_portal_up_and_is_logged_in(base: tuple[str, str]) -> None:
    address, link = base
    browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    page = browser.open(link, timeout=60).read().decode()
    token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page)
    assert token
    values = {
        "csrf_token": token[1], "company": "A", "name": "Ana", "email": "ana@example.com",
        "password": "correct horse battery staple", "password_again": "correct horse battery staple",
    }  # fmt: skip
    request = urllib.request.Request(link, urllib.parse.urlencode(values).encode(), {"Origin": address})
    answer = browser.open(request, timeout=60)
    assert answer.status == 200
    assert answer.url.startswith(f"{address}/")
    assert browser.open(f"{address}/contacts", timeout=60).url == f"{address}/contacts", "the cookie came back"


def test_another_name_than_its_own_is_refused(base: tuple[str, str]) -> None:
    address, _ = base
    request = urllib.request.Request(f"{address}/login", headers={"Host": "[2001:db8::1]"})
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=60)
    assert refused.value.code == 400
    refused.value.close()
    assert get(f"{address}/healthz")[0] == 200
