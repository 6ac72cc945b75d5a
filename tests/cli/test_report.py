"""`portal report`."""

import json

import pytest
from flask import Flask

from tests.cli.conftest import Run
from tests.conftest import URL
from tests.factories import make_company, make_contact, make_delivery, mark_delivered


def test_it_says_what_the_page_says_and_counts_for_programs(app: Flask, run: Run) -> None:
    company = make_company(url=URL)
    mark_delivered(make_delivery(make_contact(company), 3))
    make_delivery(make_contact(company), 3)
    said = run("report").stdout
    assert ": 2 contacts of high interest; 1 in the CRM, 1 not." in said
    assert "From classification to CRM: less than a second (median)." in said
    report = json.loads(run("report", "--campaign", "Geral", "--json").stdout)
    assert report["levels"][0] == {"level": 3, "contacts": 2, "in_crm": 1, "with_warning": 0, "missing": 1}


@pytest.mark.parametrize("asked", [("--campaign", "Nenhuma"), ("--since", "2020-01-01"), ("--until", "soon")])
def test_what_cannot_be_is_refused(app: Flask, run: Run, asked: tuple[str, str]) -> None:
    make_company()
    refused = run("report", *asked)
    assert refused.exit_code != 0
    assert ("'soon' is no time such as 2026-01-31" in refused.stderr) == ("soon" in asked)
