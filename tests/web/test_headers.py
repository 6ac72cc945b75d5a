"""What answers tell browsers: where a page may take anything from, who may frame it, and who else gets its cookies."""

import pytest
from flask import Flask, Response, session
from flask.sessions import SecureCookieSessionInterface

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


def test_nothing_is_made_to_sign_or_check_where_no_session_comes_in_and_none_goes_out(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    make = SecureCookieSessionInterface.get_signing_serializer
    monkeypatch.setattr(
        SecureCookieSessionInterface,
        "get_signing_serializer",
        lambda self, app: asked.append("signer") or make(self, app),
    )
    client = app.test_client(use_cookies=False)
    answers = [client.get(path) for path in ("/healthz", "/api/v1/contacts")]
    assert asked == []
    assert ["Cookie" in answer.headers.get("Vary", "") for answer in answers] == [True, True]
    assert client.get("/login").headers["Set-Cookie"]
    assert asked == ["signer"]


@pytest.mark.parametrize(
    ("scheme", "more"), [("http", {}), ("https", {"Strict-Transport-Security": "max-age=31536000"})]
)
def test_every_answer_is_kept_by_nobody_and_tells_no_other_site(app: Flask, scheme: str, more: dict[str, str]) -> None:
    for path in ("/login", "/nowhere"):
        answer = app.test_client().get(path, base_url=f"{scheme}://localhost")
        told = {name: value for name, value in answer.headers if name.startswith(("X-", "Referrer", "Cross", "Strict"))}
        same = dict.fromkeys(("Referrer-Policy", "Cross-Origin-Opener-Policy"), "same-origin")
        assert told == {"X-Content-Type-Options": "nosniff"} | same | more
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
