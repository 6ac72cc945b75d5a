"""Every status that the OpenAPI document promises is given, to a request that provokes it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import time_machine
from flask import Flask
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from portal import clock
from portal.api.protocol import access, idempotency
from portal.api.protocol.access import RateLimit
from portal.database.db import db
from portal.models import Company
from portal.web.bodies import CALL_BYTES
from tests import factories
from tests.api.conftest import Caller, check_problem
from tests.api.test_schema import OPERATIONS

GOOD = {
    "saveContacts": {"contact": {"name": "Ana", "linkedin_public_id": "ana"}},
    "classifyContact": {"interest_level": 3},
    "setWebhook": {"url": "http://127.0.0.1:9999/hook"},
    "testWebhook": {},
    "resendDeliveries": {"filter": {}, "dry_run": False},
    "bringInSync": {},
    "sendContacts": {"filter": {}},
    "mergeContacts": {"contact_id": 2},
    "settleWarnings": {"contact_id": 1},
    "assignContacts": {"filter": {}, "campaign": "1"},
    "writeCauseNote": {"text": "Ticket 123"},
}
"""Bodies that are accepted."""
BAD = {
    "saveContacts": {"contact": {"name": 1}},
    "classifyContact": {"interest_level": 4},
    "mergeContacts": {"contact_id": "2"},
    "settleWarnings": {"warning": "unknown"},
    "assignContacts": {"filter": {}, "owner": "nobody@example.com"},
    "writeCauseNote": {"text": 1},
    "setWebhook": {"url": "javascript:alert(1)"},
    "testWebhook": {"url": "javascript:alert(1)"},
    "resendDeliveries": {"filter": {}, "dry_run": "yes"},
    "bringInSync": {"dry_run": "yes"},
    "sendContacts": {"filter": {}, "dry_run": "yes"},
    "listContacts": {"query_string": "level=9"},
    "listDeliveries": {"query_string": "limit=0"},
    "getDelivery": {"query_string": "attempts_before=0"},
    "listOutages": {"query_string": "cursor=x"},
    "getReport": {"query_string": "since=2020-01-01T00:00:00Z"},
}
"""Bodies that are refused, and queries."""
COUNTED = ("resendDeliveries", "bringInSync", "sendContacts", "assignContacts")
"""Operations that answer 200 when they only count."""
UNKNOWN = {"cause": "none", "contact_id": 999, "delivery_id": "msg_0", "job_id": 999}


LATE = ("200", "202", "204", "409")
"""Answers that leave things otherwise than they were: tried after the others, in this order."""


@dataclass(frozen=True)
class Call:
    """One operation of the API, in a company with a contact, a delivery and a webhook that works."""

    name: str
    method: str
    path: str
    api: Caller
    member: Caller
    ids: dict[str, Any]
    patch: pytest.MonkeyPatch

    def __call__(self, *, caller: Caller | None = None, **request: Any) -> TestResponse:
        path = self.path.removeprefix("/api/v1").format(**request.pop("ids", self.ids))
        if self.name in GOOD and not {"data", "json"} & set(request):
            request["json"] = GOOD[self.name]
        return (caller or self.api).call(self.method, path, **request)

    def raw(self, data: bytes, content_type: str = "application/json") -> TestResponse:
        return self(data=data, content_type=content_type)

    def ok(self) -> TestResponse:
        return self(json=GOOD[self.name] | {"dry_run": True}) if self.name in COUNTED else self()

    def unchanged(self) -> TestResponse:
        with time_machine.travel(clock.utcnow(), tick=False):  # what is due is due now, at every moment
            return self(headers={"If-None-Match": self().headers["ETag"]})

    def refused(self) -> TestResponse:
        return self(**(BAD[self.name] if self.method == "GET" else {"json": BAD[self.name]}))

    def conflict(self) -> TestResponse:
        """Saving meets its own key, merging the same contact, assigning nobody; everything else lacks an address."""
        if self.name == "saveContacts":
            self.patch.setattr(idempotency, "begin", raising(idempotency.KeyUnderWay()))
            return self(headers={"Idempotency-Key": "k"})
        if self.name == "assignContacts":
            return self(json={"filter": {}})
        if self.name == "mergeContacts":
            return self(json={"contact_id": self.ids["contact_id"]})
        with self.api.app.app_context():
            endpoint = factories.endpoint_of(db.session.get_one(Company, self.api.company_id))
            endpoint.url = None
            db.session.commit()
        return self()

    def limited(self) -> TestResponse:
        self.patch.setattr(RateLimit, "take", lambda *_given: 1.5)
        return self()

    def failing(self, error: Exception) -> TestResponse:
        """With this fault in the midst of the request."""
        self.api.app.config["PROPAGATE_EXCEPTIONS"] = False
        self.patch.setattr(access, "authenticate", raising(error))
        return self()


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_given: Any, **_more: Any) -> None:
        raise error

    return fail


ANSWERS: dict[str, Callable[[Call], TestResponse]] = {
    "200": Call.ok,
    "202": Call.__call__,
    "204": Call.__call__,
    "304": Call.unchanged,
    "400": lambda call: call.raw(b"{"),
    "401": lambda call: call(headers={"Authorization": "Bearer x"}),
    "403": lambda call: call(caller=call.member),
    "404": lambda call: call(ids=UNKNOWN),
    "409": Call.conflict,
    "413": lambda call: call.raw(b" " * (CALL_BYTES + 1)),
    "415": lambda call: call.raw(b"{}", "text/plain"),
    "422": Call.refused,
    "429": Call.limited,
    "500": lambda call: call.failing(RuntimeError("a fault of ours")),
    "503": lambda call: call.failing(OperationalError("SELECT", {}, Exception("database is locked"))),
}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_documented_answer_is_given(
    app: Flask,
    api: Caller,
    member: Caller,
    contact_id: int,
    delivery_id: str,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    path: str,
) -> None:
    document: dict[str, Any] = app.test_client().get("/api/v1/openapi.json").json  # type: ignore[assignment]
    operation = document["paths"][path][method.lower()]
    with app.app_context():
        factories.make_contact(db.session.get_one(Company, api.company_id))
        job_id = factories.make_import(db.session.get_one(Company, api.company_id)).id
    ids = {"cause": "timeout", "contact_id": contact_id, "delivery_id": delivery_id, "job_id": job_id}
    for status in sorted(operation["responses"], key=lambda each: (each in LATE, each)):
        with monkeypatch.context() as patch:
            call = Call(operation["operationId"], method, path, api, member, ids, patch)
            answer = ANSWERS[status](call)
        assert str(answer.status_code) == status, answer.get_data(as_text=True)
        if status >= "400":
            check_problem(answer, int(status), answer.json["code"])  # type: ignore[index]
