"""Headers and moments come back as they were, and are written as SQLAlchemy writes them."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, literal, select
from sqlalchemy.dialects import postgresql, sqlite

from portal.database.db import db
from portal.database.tables import Headers, PublicId, UTCDateTime, last_six
from tests.conftest import BOTH

ODD = [["Content-Type", 'text/"html"'], ["x-açaí", "é\\\n\t\x01 \U0001f600"], ["set-cookie", ""]]


@BOTH
def test_headers_come_back_as_they_were(app: Flask) -> None:
    assert db.session.execute(select(literal(ODD, Headers()))).scalar_one() == ODD
    assert db.session.execute(select(literal([], Headers()))).scalar_one() == []


@given(st.lists(st.tuples(st.text(), st.text())))
def test_headers_are_written_as_any_json(headers: list[tuple[str, str]]) -> None:
    write = Headers().bind_processor(sqlite.dialect())
    assert write(headers) == json.dumps(headers)


@BOTH
def test_a_moment_of_any_zone_comes_back_in_utc(app: Flask) -> None:
    west = datetime(2026, 3, 10, 23, 30, 0, 5, tzinfo=timezone(timedelta(hours=-3)))
    for moment in (west, west.astimezone(UTC)):
        read = db.session.execute(select(literal(moment, UTCDateTime()))).scalar_one()
        assert (read, read.utcoffset()) == (moment, timedelta(0))
    assert db.session.execute(select(literal(None, UTCDateTime()))).scalar_one() is None


moments = st.datetimes(timezones=st.just(UTC))


@given(st.lists(moments))
def test_sqlite_keeps_a_moment_as_a_number_and_orders_all_of_them(given: list[datetime]) -> None:
    type_, dialect = UTCDateTime(), sqlite.dialect()
    write, read = type_.bind_processor(dialect), type_.result_processor(dialect, None)
    numbers = [write(moment) for moment in given]
    assert [read(number) for number in numbers] == given
    assert [read(number) for number in sorted(numbers)] == sorted(given)
    assert write(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC)) == 1_000_005


@BOTH
def test_a_moment_is_what_it_is_also_in_the_text_of_a_statement(app: Flask) -> None:
    moment = datetime(2026, 3, 10, 23, 30, 0, 5, tzinfo=UTC)
    said = select(literal(moment, UTCDateTime(), literal_execute=True) == literal(moment, UTCDateTime()))
    assert db.session.execute(said).scalar_one()


@pytest.mark.parametrize("dialect", [sqlite.dialect(), postgresql.dialect()])
def test_a_moment_without_a_zone_is_refused(dialect: sqlite.dialect | postgresql.dialect) -> None:
    moment = datetime(2026, 3, 10, 12, 0)
    with pytest.raises(ValueError, match="a time without a zone cannot be stored"):
        UTCDateTime().process_bind_param(moment, dialect)
    write = sqlite.dialect().type_descriptor(UTCDateTime()).bind_processor(sqlite.dialect())
    with pytest.raises(ValueError, match="a time without a zone cannot be stored"):
        write(moment)


WHOLE = f"msg_{'0a1b2c3d' * 4}"
NO_IDS = ("msg_7", WHOLE.upper(), WHOLE[:-1], f"{WHOLE}_1", f"msg_{' ' * 32}", f"{WHOLE}\n")


@BOTH
def test_an_id_comes_back_as_it_was_and_takes_sixteen_bytes_on_sqlite(app: Flask) -> None:
    for public_id in (WHOLE, *NO_IDS):
        assert db.session.execute(select(literal(public_id, PublicId()))).scalar_one() == public_id
    assert db.session.execute(select(literal(None, PublicId()))).scalar_one() is None
    kept = db.session.execute(select(func.length(literal(WHOLE, PublicId())))).scalar_one()
    assert kept == (16 if db.engine.dialect.name == "sqlite" else 36)


@BOTH
def test_the_last_six_digits_of_an_id_are_those_that_people_read(app: Flask) -> None:
    assert db.session.execute(select(last_six(literal(WHOLE, PublicId())))).scalar_one() == WHOLE[-6:]
