"""What answers tell browsers: where a page may take anything from, who may frame it, and who else gets its cookies."""

import pytest
from flask import Response, session

from portal.views.account import remember_language
from portal.web.headers import CONTENT_SECURITY_POLICY
from tests.conftest import MakeApp

FROM_NOWHERE, FROM_US = ["'none'"], ["'self'"]


def test_a_page_takes_nothing_from_elsewhere_and_stands_in_no_frame() -> None:
    written = [part.split() for part in CONTENT_SECURITY_POLICY.split(";")]
    policy = {name: sources for name, *sources in written}
    assert len(policy) == len(written), "of a directive that stands twice only the first counts"
    shut = dict.fromkeys(("default-src", "object-src", "base-uri", "frame-ancestors"), FROM_NOWHERE)
    own = ("script-src", "style-src", "font-src", "connect-src", "manifest-src", "form-action")
    assert policy == shut | dict.fromkeys(own, FROM_US) | {"img-src": ["'self'", "data:"]}


@pytest.mark.parametrize(("base_url", "more"), [(None, set()), ("https://portal.example.com", {"Secure"})])
def test_every_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    make_app: MakeApp, base_url: str | None, more: set[str]
) -> None:
    app = make_app(base_url=base_url)
    with app.test_request_context(base_url=base_url):
        answer = remember_language(Response(), "en")
        session["since"] = 1
        app.session_interface.save_session(app, session, answer)  # type: ignore[arg-type]
    cookies = [line.split("; ") for line in answer.headers.getlist("Set-Cookie")]
    assert [name.partition("=")[0].removeprefix("__Host-") for name, *_ in cookies] == ["language", "session"]
    (_, *language), (_, *own) = cookies
    assert set(own) == {"HttpOnly", "SameSite=Lax", "Path=/"} | more
    kept = [fact for fact in language if not fact.startswith(("Expires=", "Max-Age="))]
    assert (set(kept), "Max-Age=31536000" in language) == (set(own), True)
