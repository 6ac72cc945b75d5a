"""The OpenAPI document tells the truth: requests made up from it, right and wrong ones, get the answers it promises."""

from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis.config import SchemathesisConfig

from portal.egress import Egress
from tests.api.conftest import Caller

EXAMPLES = 25

schema = schemathesis.pytest.from_fixture("documented_api")


@pytest.fixture
def documented_api(app: Flask, api: Caller, delivery_id: str) -> Any:
    """The API as its document describes it; no name resolves, so that nothing leaves the machine."""
    runtime = app.extensions["portal"]
    egress = Egress(runtime.egress.policy, resolve=lambda host, port: [])
    app.extensions["portal"] = replace(runtime, egress=egress)
    config = SchemathesisConfig()
    yield schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)
    egress.close()


@schema.parametrize()
@settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_the_api_answers_as_documented(case: schemathesis.Case, api: Caller) -> None:
    case.call_and_validate(headers={"Authorization": f"Bearer {api.token}"})
