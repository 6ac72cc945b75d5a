"""Callers of the API: an admin, a member, a stranger from another company, each with a token, none with a cookie."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from portal.database.db import db
from portal.demo.server import Receiver
from portal.models import Company, Contact
from portal.people import tokens
from tests import factories
from tests.conftest import MakeApp

BESIDE = ("sync", "warning", "data_changed", "crm_url")
"""What an answer says of a contact beside its body."""


@dataclass(frozen=True)
class Caller:
    """Sends requests with a token; the application's context is not open meanwhile, as in production."""

    app: Flask
    token: str
    company_id: int
    user_id: int
    email: str

    def call(self, method: str, path: str, **request: Any) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"} | request.pop("headers", {})
        return self.app.test_client().open(f"/api/v1{path}", method=method, headers=headers, **request)

    def get(self, path: str, **request: Any) -> TestResponse:
        return self.call("GET", path, **request)

    def put(self, path: str, value: Any, **request: Any) -> TestResponse:
        return self.call("PUT", path, json=value, **request)

    def post(self, path: str, value: Any = None, **request: Any) -> TestResponse:
        return self.call("POST", path, **(request if value is None else {"json": value, **request}))


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application without an open context."""
    return make_app()


@pytest.fixture
def open_database(app: Flask) -> Callable[[], Any]:
    """The application's context, for what a test arranges or looks at behind the API's back."""

    @contextmanager
    def open_() -> Iterator[None]:
        with app.app_context():
            yield

    return open_


def make_caller(app: Flask, company_name: str, *, role: str) -> Caller:
    with app.app_context():
        company = factories.make_company(company_name)
        user = factories.make_user(company, role=role)
        token = tokens.create_token(db.session, user, label="test")
        db.session.commit()
        return Caller(app, token, company.id, user.id, user.email)


@pytest.fixture
def api(app: Flask) -> Caller:
    """An admin of the company."""
    return make_caller(app, "Vendas Exemplo", role="admin")


@pytest.fixture
def member(app: Flask, api: Caller) -> Caller:
    """A member of the same company."""
    return make_caller(app, "Vendas Exemplo", role="member")


@pytest.fixture
def stranger(app: Flask) -> Caller:
    """An admin of another company."""
    return make_caller(app, "Outra Empresa", role="admin")


@pytest.fixture
def contact_id(api: Caller, open_database: Callable[[], Any]) -> int:
    with open_database():
        return factories.make_contact(db.session.get_one(Company, api.company_id), name="Maria Souza").id


@pytest.fixture
def hook(api: Caller, receiver: Receiver, open_database: Callable[[], Any]) -> Receiver:
    """The receiver, configured as the company's webhook."""
    with open_database():
        factories.set_url(db.session.get_one(Company, api.company_id), receiver.url)
    return receiver


@pytest.fixture
def delivery_id(hook: Receiver, contact_id: int, open_database: Callable[[], Any]) -> str:
    """A delivery that is due and that no worker takes."""
    with open_database():
        return factories.make_delivery(db.session.get_one(Contact, contact_id), 2).webhook_id


def check_problem(response: TestResponse, status: int, code: str) -> dict[str, Any]:
    """The problem's members, when the answer is that problem in the form of RFC 9457."""
    assert response.status_code == status, response.get_data(as_text=True)
    assert response.content_type == "application/problem+json"
    problem: dict[str, Any] = response.json  # type: ignore[assignment]
    assert problem["status"] == status
    assert problem["code"] == code
    assert {"type", "title", "detail"} <= set(problem)
    return problem


def field_errors(problem: dict[str, Any]) -> dict[str, str]:
    """The codes by path; every one of them has a sentence."""
    assert all(error["message"] for error in problem["errors"])
    return {error["path"]: error["code"] for error in problem["errors"]}


@pytest.fixture
def data_sample() -> dict[str, Any]:
    """The source document's sample."""
    sample: dict[str, Any] = json.loads((Path(__file__).parent.parent / "data" / "sample_body.json").read_text())
    return sample
