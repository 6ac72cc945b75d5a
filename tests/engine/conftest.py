"""The engine's tests run on SQLite files and on PostgreSQL where the database matters."""

import pytest
from flask import Flask

from portal.models import Company
from tests import factories

URL = "http://127.0.0.1:9999/hook"
"""An address that nothing is sent to."""

BOTH = pytest.mark.parametrize("database_url", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database_url(request: pytest.FixtureRequest) -> str:
    name = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue({"sqlite": "sqlite_url", "postgresql": "postgres_url"}[name]))


@pytest.fixture
def company(app: Flask) -> Company:
    return factories.make_company(url=URL)
