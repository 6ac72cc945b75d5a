"""A Google Apps Script web app, played by two receivers under Google's names: the hop to its answer, as it goes."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from portal.rules.reasons import LEAVING_DOUBT
from portal.webhook import Outcome, WebhookRequest, post
from tests.authority import Authority
from tests.egress.conftest import DEADLINE, MakeEgress
from tests.egress.hostile import Act, HostileReceiver, always_ok, answers, is_silent, whole

SECRET = "whsec_" + "A" * 44
HEADER = ("X-Api-Key", "a key of the script")
LATE = "late"
"""What a name resolves to after all time is over."""
Played = tuple[Outcome, list[bytes], list[bytes]]
Play = Callable[..., Played]


@pytest.fixture
def play(make_egress: MakeEgress, authority: Authority) -> Play:
    """Post to the script, which points to the answer; what came of it, and what each of the two was asked."""

    def play(answer: Act, *, addresses: dict[str, str] | None = None, **options: Any) -> Played:
        found = addresses or {}

        def resolve(host: str, port: int) -> list[str]:
            address = found.get(host, "127.0.0.1")
            if address == LATE:
                time.sleep(2 * DEADLINE)
            return [address] if address else []

        options |= {"ca_file": str(authority.file), "resolve": resolve}
        egress = make_egress(**options)
        with HostileReceiver(answer, tls=authority.context("script.googleusercontent.com")) as second:
            location = second.url("/macros/echo?user_content_key=k", host="script.googleusercontent.com").encode()
            points = answers(whole(b"", b"Location: " + location, status=b"HTTP/1.1 302 Moved Temporarily"))
            with HostileReceiver(points, tls=authority.context("script.google.com")) as first:
                url = first.url("/macros/s/x/exec", host="script.google.com")
                request = WebhookRequest(url=url, webhook_id="msg_1", body=b"{}", secrets=(SECRET,), header=HEADER)
                return post(request, egress), first.requests, second.requests

    return play


def test_the_answer_is_fetched_by_get_with_nothing_of_ours(play: Play) -> None:
    outcome, asked, fetched = play(always_ok)
    assert (outcome.reason, outcome.status_code) == ("ok_text", 200)
    assert len(asked) == len(fetched) == 1
    assert asked[0].startswith(b"POST ")
    assert fetched[0].startswith(b"GET /macros/echo?user_content_key=k HTTP/1.1\r\n")
    assert fetched[0].endswith(b"\r\n\r\n")
    assert not any(word in fetched[0].lower() for word in (b"webhook-", b"content-", b"msg_1"))


def test_a_second_redirect_is_not_followed(play: Play) -> None:
    outcome, asked, fetched = play(
        answers(whole(b"", b"Location: https://script.google.com/", status=b"HTTP/1.1 302 X"))
    )
    assert (outcome.reason, outcome.status_code) == ("redirect", 302)
    assert (len(asked), len(fetched)) == (1, 1)


def test_an_answer_at_a_private_address_is_not_fetched(play: Play) -> None:
    outcome, _, fetched = play(always_ok, addresses={"script.googleusercontent.com": "10.0.0.5"})
    assert outcome.reason == "blocked_address"
    assert fetched == []


@pytest.mark.parametrize(("address", "reason"), [("127.0.0.9", "incomplete"), ("", "incomplete"), (LATE, "timeout")])
def test_what_keeps_the_answer_away_is_never_told_as_if_nothing_had_been_sent(
    play: Play, address: str, reason: str
) -> None:
    """Nobody listens there; the name does not resolve; it does too late."""
    outcome, asked, _ = play(always_ok, addresses={"script.googleusercontent.com": address}, connect_timeout=DEADLINE)
    assert (len(asked), outcome.reason, outcome.request_sent) == (1, reason, True)
    assert outcome.reason in LEAVING_DOUBT


@pytest.mark.alone
def test_both_share_one_deadline(play: Play) -> None:
    begun = time.monotonic()
    outcome, _, _ = play(is_silent, deadline=DEADLINE)
    assert outcome.reason == "timeout"
    assert time.monotonic() - begun < 2 * DEADLINE


def test_the_script_may_have_got_what_has_no_answer(play: Play) -> None:
    outcome, asked, _ = play(always_ok, addresses={"script.googleusercontent.com": "10.0.0.5"})
    assert len(asked) == 1
    assert outcome.request_sent
