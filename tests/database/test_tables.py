"""Headers come back as they were, and are written as any other JSON is."""

import json

from flask import Flask
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import literal, select
from sqlalchemy.dialects import sqlite

from portal.database.db import db
from portal.database.tables import Headers
from tests.conftest import BOTH

ODD = [["Content-Type", 'text/"html"'], ["x-açaí", "é\\\n\t\x01 \U0001f600"], ["set-cookie", ""]]


@BOTH
def test_headers_come_back_as_they_were(app: Flask) -> None:
    assert db.session.execute(select(literal(ODD, Headers()))).scalar_one() == ODD
    assert db.session.execute(select(literal([], Headers()))).scalar_one() == []


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(), st.text())))
def test_headers_are_written_as_any_json(headers: list[tuple[str, str]]) -> None:
    write = Headers().bind_processor(sqlite.dialect())
    assert write(headers) == json.dumps(headers)
