"""How long a session lasts, which days and pages an address may name, how much a request brings: to the last unit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask, session
from flask_login import login_user

from portal.models import User
from portal.web import asked, bodies, origin, redirects, sessions
from tests.factories import NOON, make_company, make_user

SECOND, MINUTE, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)


def at(moment: datetime) -> time_machine.travel:
    return time_machine.travel(moment, tick=False)


@pytest.fixture
def user(app: Flask) -> User:
    return make_user(make_company())


def test_a_session_a_proof_and_a_draft_end_to_the_second(app: Flask, user: User) -> None:
    other = make_user(user.company)
    with app.test_request_context():
        with at(NOON):
            sessions.begin(user)
            secret = sessions.keep_draft("JBSWY3DPEHPK3PXP")
        for age, is_over, draft in (
            (15 * MINUTE, False, secret),
            (15 * MINUTE + SECOND, False, None),
            (7 * DAY - SECOND, False, None),
            (7 * DAY, True, None),
        ):
            with at(NOON + age):
                assert (sessions.is_over(), sessions.kept_draft()) == (is_over, draft)
        with at(NOON):
            login_user(other)
            assert sessions.kept_draft() is None
            sessions.begin_proof(user)
        assert "_user_id" not in session
        for age, found in ((5 * MINUTE, user), (5 * MINUTE + SECOND, None)):
            with at(NOON + age):
                assert sessions.proven_user() == found


def test_a_session_is_found_by_all_of_what_names_it(user: User) -> None:
    whole = user.get_id()
    wrong = ("", "x", f"{user.id}", f"{whole}1", f"{user.id + 1}.{whole.partition('.')[2]}")
    assert [sessions.find_user(name) for name in (whole, *wrong)] == [user, *[None] * 5]


@pytest.mark.parametrize(
    ("text", "later", "moment"),
    [
        ("2026-03-10", 0, "2026-03-10T03:00:00+00:00"),
        ("2026-03-10", 1, "2026-03-11T03:00:00+00:00"),
        ("0001-12-31", 0, "0002-01-01T03:06:28+00:00"),
        ("0002-01-02", 0, "0002-01-02T03:06:28+00:00"),
        ("9998-12-30", 0, "9998-12-30T03:00:00+00:00"),
        ("9998-12-31", 1, "9998-12-31T03:00:00+00:00"),
        ("9999-12-31", 1, None),
        *((text, 0, None) for text in ("", None, "2026-02-29", "10/03/2026", "2026-03-10T00:00")),
    ],
)
def test_a_day_begins_where_its_reader_is(app: Flask, text: str | None, later: int, moment: str | None) -> None:
    with app.test_request_context():
        found = asked.read_day(text, days_later=later)
    assert found == (datetime.fromisoformat(moment) if moment else None)


def test_a_moment_of_a_form_has_a_zone() -> None:
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    given = ("2026-03-10T09:00:00-03:00", "2026-03-10T12:00:00", "x", "0001-01-01T00:00:00+05:00")
    assert [asked.read_moment(text) for text in given] == [noon, None, None, None]


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({"Origin": "https://x.test", "Referer": "https://y.test/"}, ("Origin", "https://x.test")),
        ({"Origin": "null", "Referer": "https://y.test:81/a/b?c=//d"}, ("Referer", "https://y.test:81")),
        ({"Referer": "y.test/a"}, ("Referer", "")),
        ({}, ("Referer", "")),
    ],
)
def test_the_origin_of_a_form_is_named_by_one_header(
    app: Flask, headers: dict[str, str], named: tuple[str, str]
) -> None:
    with app.test_request_context(headers=headers):
        assert origin.named_page() == named


def test_only_a_path_of_this_host_is_gone_back_to() -> None:
    given = {"/": True, "/contacts?a=1": True, "/é": True}
    given |= dict.fromkeys(("", "x", "//x.test", "/\\x.test", "/a b", "/a\n", "/\u202e", "https://x.test/"), False)
    assert {target: redirects.is_local(target) for target in given} == given
    assert redirects.is_local(None) is False


def test_a_page_is_one_that_a_browser_can_open(app: Flask) -> None:
    pages = {"/contacts": True, "/contacts?level=3": True, "/nowhere": False, "/logout": False, "//x.test": False}
    with app.test_request_context("/"):
        assert {target: redirects.page_at(target) == target for target in pages} == pages
    with app.test_request_context("/", base_url="http://localhost/portal"):
        assert [redirects.page_at(target) for target in ("/contacts", "/portal/contacts", "/portalx")] == [
            None,
            "/portal/contacts",
            None,
        ]


KIB, MIB = 1024, 1024 * 1024
CALL: dict[str, Any] = {"REQUEST_METHOD": "POST", "PATH_INFO": "/api/v1/contacts", "CONTENT_LENGTH": f"{512 * KIB + 1}"}
TOKEN = {"HTTP_AUTHORIZATION": "Bearer cat_x"}


@pytest.mark.parametrize(
    ("head", "most"),
    [
        (CALL | TOKEN, 8 * MIB),
        (CALL | TOKEN | {"HTTP_AUTHORIZATION": "BEARER CAT_x"}, 8 * MIB),
        (CALL | TOKEN | {"CONTENT_LENGTH": f"{512 * KIB}"}, 512 * KIB),
        (CALL | TOKEN | {"CONTENT_LENGTH": ""}, 8 * MIB),
        (CALL | TOKEN | {"REQUEST_METHOD": "GET"}, 512 * KIB),
        (CALL | TOKEN | {"PATH_INFO": "/nowhere"}, 512 * KIB),
        (CALL | {"HTTP_AUTHORIZATION": "Bearer x"}, 512 * KIB),
        (CALL, 512 * KIB),
        (CALL | TOKEN | {"PATH_INFO": "/imports"}, 512 * KIB),
        (CALL | {"PATH_INFO": "/inspector/x"}, MIB),
    ],
)
def test_a_request_brings_as_much_as_its_head_permits(app: Flask, head: dict[str, Any], most: int) -> None:
    assert bodies.limit_of(app, head) == most
