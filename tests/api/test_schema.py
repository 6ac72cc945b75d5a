"""The OpenAPI document tells the truth: requests made up from it, right and wrong ones, get the answers it promises."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig

from portal.egress import Egress
from tests.api.conftest import Caller
from tests.api.test_access import api_rules
from tests.examples import examples

EXAMPLES = 25
load_all_checks()
ALL_CHECKS = CHECKS.get_all()

WITH_RULES = [
    ("POST", "/api/v1/contacts"),  # a number has to be known, a new contact has a name
    ("PUT", "/api/v1/webhook"),  # the address policy
    ("POST", "/api/v1/webhook/test"),
    ("POST", "/api/v1/webhook/resume"),  # there is an address, and the test is delivered
    ("POST", "/api/v1/warnings/settle"),  # something is named
    ("POST", "/api/v1/contacts/{contact_id}/merge"),  # a whole number is written without a fraction
    ("POST", "/api/v1/contacts/sync"),
    ("POST", "/api/v1/contacts/assign"),  # who gets them is named, and known
    ("POST", "/api/v1/deliveries/resend"),  # a whole number is written without a fraction
    ("GET", "/api/v1/contacts"),  # the cursor comes from a page
    ("GET", "/api/v1/deliveries"),
    ("GET", "/api/v1/outages"),
    ("GET", "/api/v1/report"),  # a span ends after it began, and is at most a year
]
"""Operations with rules that no schema says: 422 is right there for what the schema admits."""


def rule_beyond_the_schema(method: str, path: str) -> dict[str, Any]:
    statuses = ["2xx", "403", "404", "409", "422", "429"]
    return {"include-name": f"{method} {path}", "checks": {"positive_data_acceptance": {"expected-statuses": statuses}}}


@cache
def read_document(app: Flask) -> schemathesis.BaseSchema:
    """Once for all tests that one application serves: it is the same for each, and so is what is made up from it."""
    config = SchemathesisConfig.from_dict({"operations": [rule_beyond_the_schema(*each) for each in WITH_RULES]})
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, config=config)


@pytest.fixture
def document(app: Flask, api: Caller, delivery_id: str) -> Iterator[schemathesis.BaseSchema]:
    """The API as its document describes it; no name resolves, so that nothing leaves the machine."""
    runtime = app.extensions["portal"]
    egress = Egress(runtime.egress.policy, resolve=lambda host, port: [])
    app.extensions["portal"] = replace(runtime, egress=egress)
    yield read_document(app)
    app.extensions["portal"] = runtime
    egress.close()


OPERATIONS = [
    ("POST", "/api/v1/contacts"),
    ("GET", "/api/v1/contacts"),
    ("GET", "/api/v1/contacts/{contact_id}"),
    ("DELETE", "/api/v1/contacts/{contact_id}"),
    ("PUT", "/api/v1/contacts/{contact_id}/interest-level"),
    ("POST", "/api/v1/contacts/{contact_id}/sync"),
    ("POST", "/api/v1/contacts/{contact_id}/merge"),
    ("GET", "/api/v1/webhook"),
    ("PUT", "/api/v1/webhook"),
    ("POST", "/api/v1/webhook/test"),
    ("POST", "/api/v1/webhook/pause"),
    ("POST", "/api/v1/webhook/resume"),
    ("POST", "/api/v1/webhook/rotate-secret"),
    ("POST", "/api/v1/deliveries/resend"),
    ("GET", "/api/v1/jobs/{job_id}"),
    ("GET", "/api/v1/deliveries"),
    ("GET", "/api/v1/deliveries/{delivery_id}"),
    ("POST", "/api/v1/deliveries/{delivery_id}/resend"),
    ("POST", "/api/v1/sync"),
    ("POST", "/api/v1/contacts/sync"),
    ("POST", "/api/v1/contacts/assign"),
    ("GET", "/api/v1/causes"),
    ("PUT", "/api/v1/causes/{cause}/note"),
    ("POST", "/api/v1/warnings/settle"),
    ("GET", "/api/v1/outages"),
    ("GET", "/api/v1/report"),
]


def test_the_document_names_every_route(app: Flask, document: schemathesis.BaseSchema) -> None:
    documented = {
        (operation.method.upper(), operation.path)
        for operation in (result.ok() for result in document.get_all_operations())
    }
    assert documented == set(OPERATIONS)
    assert len(documented) == len(api_rules(app))


@pytest.mark.slow
@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_the_api_answers_as_documented(
    document: schemathesis.BaseSchema, api: Caller, method: str, path: str, mode: GenerationMode
) -> None:
    @given(case=document[path][method].as_strategy(generation_mode=mode))
    @settings(max_examples=examples(EXAMPLES), suppress_health_check=list(HealthCheck))
    def check(case: schemathesis.Case) -> None:
        assume(all(value not in ([], {}, None) for value in (case.query or {}).values()))  # it would not be sent
        headers = {"Authorization": f"Bearer {api.token}", "Accept-Encoding": "identity"}
        case.call_and_validate(checks=ALL_CHECKS, headers=headers)

    check()
