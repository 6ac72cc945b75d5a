"""A file is named by the day on which it was taken, as the company's clock shows it."""

from datetime import UTC, datetime

import pytest
import time_machine
from flask import Flask

from portal.database.db import db
from tests.factories import make_company, make_user
from tests.views.conftest import Person

FILES = {
    "/contacts.csv": "contatos-{}.csv",
    "/deliveries.csv": "entregas-{}.csv",
    "/report/report.csv": "relatorio-{}.csv",
    "/audit/audit.csv": "auditoria-{}.csv",
    "/company/data.zip": "dados-{}.zip",
}


@pytest.mark.parametrize(("zone", "day"), [("America/Sao_Paulo", "2026-03-09"), ("Asia/Tokyo", "2026-03-10")])
@pytest.mark.parametrize("path", FILES)
def test_a_file_is_of_the_company_s_day(app: Flask, path: str, zone: str, day: str) -> None:
    with time_machine.travel(datetime(2026, 3, 10, 2, 59, tzinfo=UTC), tick=False):
        company = make_company()
        company.timezone = zone
        answer = Person(app.test_client(), make_user(company)).get(path)
        db.session.remove()
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{FILES[path].format(day)}"'
