"""Who may call what: tokens, roles, companies; and that nothing but a token counts."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy import select, update

from portal import clock
from portal.api.protocol.access import needed_scope
from portal.database.db import db
from portal.models import SCOPES, ApiToken, Company, User
from tests import factories
from tests.api.conftest import Caller, check_problem
from tests.company.test_outages import break_down

READS = ["/contacts", "/contacts/1", "/webhook", "/deliveries", "/deliveries/msg_1", "/outages", "/report", "/causes"]
WRITES = [
    ("POST", "/contacts"),
    ("PUT", "/contacts/1/interest-level"),
    ("POST", "/contacts/1/sync"),
    ("PUT", "/webhook"),
    ("DELETE", "/contacts/1"),
    ("POST", "/contacts/1/merge"),
    ("POST", "/webhook/test"),
    ("POST", "/webhook/pause"),
    ("POST", "/webhook/resume"),
    ("POST", "/webhook/rotate-secret"),
    ("POST", "/deliveries/msg_1/resend"),
    ("POST", "/sync"),
    ("POST", "/contacts/sync"),
    ("POST", "/warnings/settle"),
    ("POST", "/contacts/assign"),
    ("PUT", "/causes/timeout/note"),
    ("POST", "/deliveries/resend"),
    ("GET", "/jobs/1"),
]
ALL = [("GET", path) for path in READS] + WRITES
FOR_ADMINS = WRITES[3:]


def api_rules(app: Flask) -> set[tuple[str, str]]:
    return {
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/v1/") and not rule.rule.endswith("openapi.json")
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_these_are_all_routes(app: Flask) -> None:
    assert len(api_rules(app)) == len(ALL)


def test_every_route_says_who_may_call_it(app: Flask) -> None:
    views = [view for name, view in app.view_functions.items() if name.startswith("api.")]
    assert {view.access for view in views} == {"member", "admin"}  # type: ignore[attr-defined]


@pytest.mark.parametrize(("method", "path"), ALL)
def test_without_a_token_nothing_is_answered(app: Flask, method: str, path: str) -> None:
    response = app.test_client().open(f"/api/v1{path}", method=method, json={})
    check_problem(response, 401, "missing_token")
    assert response.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), ALL)
def test_a_log_in_by_cookie_does_not_count(app: Flask, api: Caller, method: str, path: str) -> None:
    client = app.test_client()
    with client.session_transaction() as session:
        session["_user_id"], session["_fresh"] = f"{api.user_id}.2", True
        session["since"] = int(clock.utcnow().timestamp())
    check_problem(client.open(f"/api/v1{path}", method=method, data={"url": "x"}), 401, "missing_token")


@pytest.mark.parametrize(
    "token",
    ["", "cat", "cat_", "cat_x_y", "Bearer", "cat_000000000000_" + "x" * 43, "\xe9", "a=b", "cat_" + "9" * 5000],
)
def test_a_token_that_was_never_given_out_is_refused(app: Flask, token: str) -> None:
    response = app.test_client().get("/api/v1/webhook", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 401


def test_the_right_lookup_with_a_wrong_secret_is_refused(api: Caller) -> None:
    wrong = {"Authorization": f"Bearer {api.token[:-1]}{'a' if api.token[-1] != 'a' else 'b'}"}
    check_problem(api.get("/webhook", headers=wrong), 401, "invalid_token")


def test_another_scheme_is_refused(api: Caller) -> None:
    check_problem(api.get("/webhook", headers={"Authorization": f"Basic {api.token}"}), 401, "missing_token")


@pytest.mark.parametrize(
    ("model", "values"),
    [(ApiToken, {"revoked_at": factories.NOON}), (User, {"disabled_at": factories.NOON}), (User, {"role": None})],
)
def test_a_token_stops_working_at_once(
    api: Caller, open_database: Callable[[], Any], model: Any, values: dict[str, Any]
) -> None:
    assert api.get("/webhook").status_code == 200
    with open_database():
        db.session.execute(update(model).values(**values))
        db.session.commit()
    check_problem(api.get("/webhook"), 401, "invalid_token")


@pytest.mark.parametrize(("method", "path"), FOR_ADMINS)
def test_a_member_may_not_administer(member: Caller, method: str, path: str) -> None:
    check_problem(member.call(method, path, json={"url": "https://example.com/"}), 403, "forbidden")


SCOPE_OF = {case: "read" if case[0] == "GET" else "manage" if case in FOR_ADMINS else "classify" for case in ALL}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize(("method", "path"), ALL)
def test_a_token_may_do_what_its_scope_includes(
    api: Caller, open_database: Callable[[], Any], method: str, path: str, scope: str
) -> None:
    with open_database():
        db.session.execute(update(ApiToken).values(scope=scope))
        db.session.commit()
    response = api.call(method, path, json={})
    needed = SCOPE_OF[method, path]
    if SCOPES.index(needed) <= SCOPES.index(scope):
        assert response.status_code not in (401, 403)
        return
    problem = check_problem(response, 403, "scope_missing")
    assert problem["scope"] == needed
    assert needed in problem["detail"]
    assert f'error="insufficient_scope", scope="{needed}"' in response.headers["WWW-Authenticate"]


def test_scopes_do_not_make_an_admin_of_a_member(member: Caller) -> None:
    check_problem(member.post("/webhook/pause"), 403, "forbidden")


@pytest.mark.parametrize(("hour", "status"), [(2, 200), (3, 401)], ids=["its last hour", "the hour after"])
def test_a_token_is_good_until_the_end_of_its_last_day_in_the_companys_zone(
    api: Caller, open_database: Callable[[], Any], hour: int, status: int
) -> None:
    """São Paulo is three hours behind UTC."""
    with open_database():
        db.session.execute(update(ApiToken).values(last_day=date(2030, 6, 10)))
        db.session.commit()
    with time_machine.travel(datetime(2030, 6, 11, hour, tzinfo=UTC), tick=False):
        response = api.get("/webhook")
    assert response.status_code == status
    if status == 401:
        check_problem(response, 401, "token_over")


@pytest.mark.parametrize("path", ["/contacts", "/webhook", "/deliveries", "/outages", "/report"])
def test_a_member_may_read(member: Caller, path: str) -> None:
    assert member.get(path).status_code == 200


def test_another_companys_things_are_not_found(stranger: Caller, contact_id: int, delivery_id: str) -> None:
    check_problem(stranger.get(f"/contacts/{contact_id}"), 404, "not_found")
    check_problem(stranger.put(f"/contacts/{contact_id}/interest-level", {"interest_level": 1}), 404, "not_found")
    check_problem(stranger.call("DELETE", f"/contacts/{contact_id}"), 404, "not_found")
    check_problem(stranger.get(f"/deliveries/{delivery_id}"), 404, "not_found")
    check_problem(stranger.post(f"/deliveries/{delivery_id}/resend"), 404, "not_found")
    assert stranger.get("/deliveries").json == {"items": [], "next_cursor": None}
    check_problem(stranger.get(f"/deliveries?contact_id={contact_id}"), 422, "invalid_fields")


def test_another_companys_things_are_not_counted(
    api: Caller, stranger: Caller, delivery_id: str, open_database: Callable[[], Any]
) -> None:
    with open_database():
        company = db.session.get_one(Company, api.company_id)
        break_down(company, waiting=1)
        factories.make_contact(company).interest_level = 2
        db.session.commit()
    for caller, is_its_own in ((api, True), (stranger, False)):
        assert bool(caller.get("/outages").json["items"]) is is_its_own  # type: ignore[index]
        report: Any = caller.get("/report").json
        assert any(level["contacts"] for level in report["levels"]) is is_its_own
        assert bool(report["outages"]) is is_its_own
        count: Any = caller.post("/contacts/sync", {"filter": {}, "dry_run": True}).json
        assert (count["count"] > 0) is is_its_own


def test_another_companys_contact_cannot_be_changed_by_its_number(stranger: Caller, contact_id: int) -> None:
    response = stranger.post("/contacts", {"contact": {"id": contact_id, "name": "Eve"}})
    assert check_problem(response, 422, "invalid_fields")["errors"][0]["code"] == "unknown"


def last_used(open_database: Callable[[], Any]) -> Any:
    with open_database():
        return db.session.scalars(select(ApiToken.last_used_at)).one()


def test_the_use_of_a_token_is_recorded_by_reads_too(api: Caller, open_database: Callable[[], Any]) -> None:
    assert last_used(open_database) is None
    api.get("/webhook")
    assert clock.utcnow() - last_used(open_database) < timedelta(minutes=1)


@pytest.mark.parametrize(
    ("later", "is_recorded"), [(timedelta(minutes=1, microseconds=-1), False), (timedelta(minutes=1), True)]
)
def test_the_use_of_a_token_is_recorded_once_a_minute(
    api: Caller, open_database: Callable[[], Any], later: timedelta, is_recorded: bool
) -> None:
    for moment in (factories.NOON, factories.NOON + later):
        with time_machine.travel(moment, tick=False):
            api.get("/webhook")
    assert last_used(open_database) == factories.NOON + (later if is_recorded else timedelta(0))


@pytest.mark.parametrize(
    ("access", "method", "scope"),
    [
        *((access, method, "read") for access in ("member", "admin") for method in ("GET", "HEAD", "OPTIONS")),
        *(("member", method, "classify") for method in ("POST", "PUT", "DELETE")),
        *(("admin", method, "manage") for method in ("POST", "PUT", "DELETE")),
    ],
)
def test_a_token_must_be_good_for_what_the_call_does(access: str, method: str, scope: str) -> None:
    assert needed_scope(access, method) == scope


def test_an_answer_sets_no_cookie_and_allows_no_other_origin(api: Caller) -> None:
    response = api.get("/webhook", headers={"Origin": "https://evil.example"})
    assert "Set-Cookie" not in response.headers
    assert not [name for name in dict(response.headers) if name.lower().startswith("access-control")]


def test_a_preflight_needs_a_token_like_everything(app: Flask) -> None:
    check_problem(app.test_client().options("/api/v1/webhook"), 401, "missing_token")


@pytest.mark.parametrize("method", ["GET", "DELETE", "PATCH"])
def test_a_number_that_no_row_can_have_is_no_address(api: Caller, method: str) -> None:
    check_problem(api.call(method, f"/contacts/{10**19}"), 404, "not_found")


@pytest.mark.parametrize("said", [None, "", "everybody", "public"])
def test_a_route_that_does_not_say_whom_it_admits_admits_nobody(
    app: Flask, api: Caller, monkeypatch: pytest.MonkeyPatch, said: str | None
) -> None:
    (name,) = (name for name in app.view_functions if name.endswith(".get_webhook"))
    monkeypatch.setattr(app.view_functions[name], "access", said)
    check_problem(api.get("/webhook"), 403, "forbidden")
