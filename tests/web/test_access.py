"""Whom an address admits, what may write, and whose clock a page goes by: its reader's, else the company's."""

from contextlib import nullcontext

import pytest
from flask import Flask, session
from sqlalchemy import update
from sqlalchemy.exc import DBAPIError

from portal.clock import utcnow
from portal.database.db import db
from portal.i18n import reader_zone
from portal.models import Company
from portal.web import access
from tests.factories import make_company, make_user


@pytest.mark.parametrize(("own", "shown"), [("Europe/Lisbon", "Europe/Lisbon"), (None, "America/Manaus")])
def test_the_zone_of_a_page_is_its_readers(app: Flask, own: str | None, shown: str) -> None:
    company = make_company()
    company.timezone = "America/Manaus"
    user = make_user(company)
    user.timezone = own
    with app.test_request_context():
        session["since"] = utcnow().timestamp()
        assert access.load_user(f"{user.id}.{user.session_version}") is user
        assert reader_zone().key == shown


@pytest.mark.parametrize(
    ("method", "writes"), [("GET", False), ("HEAD", False), ("OPTIONS", False), ("POST", True), ("DELETE", True)]
)
def test_what_only_reads_writes_nothing(app: Flask, method: str, writes: bool) -> None:
    make_company("Nova")
    assert access.keep_reads_from_writing in app.before_request_funcs[None]
    with app.test_request_context(method=method):
        access.keep_reads_from_writing()
        with nullcontext() if writes else pytest.raises(DBAPIError):
            db.session.execute(update(Company).values(name="Outra"))
        access.end_reading(None)
    assert db.session.query(Company.name).scalar() == "Nova"


@pytest.mark.parametrize("options", [{}, {"access": "everybody"}])
def test_an_address_says_whom_it_admits(options: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="'/here' must say whom it admits"):
        access.Pages("here", __name__).get("/here", **options)


def test_two_addresses_of_a_view_admit_the_same() -> None:
    def look() -> str:
        return ""

    pages = access.Pages("here", __name__)
    pages.get("/one", access="admin")(look)
    pages.get("/two", access="admin")(look)
    with pytest.raises(ValueError, match="'/three' admits 'public', and another address of the same view 'admin'"):
        pages.get("/three", access="public")(look)
