"""People with a browser: a company with an admin and a member, and an admin of another company."""

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from itsdangerous import URLSafeTimedSerializer
from werkzeug.test import TestResponse

from portal import clock
from portal.database.db import db
from portal.models import Company, User
from tests.factories import make_company, make_user
from tests.views.browser import chromium, page, site

__all__ = ["chromium", "page", "site"]  # fixtures of a real browser


class Person:
    """Somebody at a browser, who sends forms with the session's token, as a browser does."""

    def __init__(self, client: FlaskClient, user: User | None) -> None:
        self.client = client
        self.id = user.id if user else None
        self.email = user.email if user else None
        if user is not None:
            with client.session_transaction() as session:
                session["_user_id"], session["_fresh"] = user.get_id(), True
                session["since"] = int(clock.utcnow().timestamp())

    def get(self, url: str, **options: Any) -> TestResponse:
        return self.open(url, method="GET", **options)

    def post(self, url: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        data = {"csrf_token": self.token(), **(data or {})}
        return self.open(url, method="POST", data=data, **options)

    def open(self, url: str, **options: Any) -> TestResponse:
        """A request in a context of its own, as on a server; the test's transaction ends first, so that none waits."""
        db.session.commit()
        db.session.expire_all()
        with self.client.application.app_context():
            return self.client.open(url, **options)

    def token(self) -> str:
        """What a form carries in this session, made as Flask-WTF makes it: to ask for a page takes far longer."""
        with self.client.session_transaction() as session:
            raw = session.setdefault("csrf_token", secrets.token_hex(20))
        return URLSafeTimedSerializer(self.client.application.secret_key, salt="wtf-csrf-token").dumps(raw)


@pytest.fixture
def person(app: Flask) -> Callable[[User | None], Person]:
    return lambda user=None: Person(app.test_client(), user)


@pytest.fixture
def company(app: Flask) -> Company:
    return make_company()


@pytest.fixture
def admin(company: Company, person: Callable[[User | None], Person]) -> Person:
    return person(make_user(company, role="admin", name="Ana"))


@pytest.fixture
def member(company: Company, person: Callable[[User | None], Person]) -> Person:
    return person(make_user(company, role="member", name="João"))


@pytest.fixture
def stranger(app: Flask, person: Callable[[User | None], Person]) -> Person:
    return person(make_user(make_company("Outra Empresa"), role="admin", name="Vera"))


@pytest.fixture
def nobody(person: Callable[[User | None], Person]) -> Person:
    return person(None)
