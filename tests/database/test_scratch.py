"""What is tried on a database of its own."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert
from sqlalchemy.exc import IntegrityError

from portal.database.scratch import scratch_engine


def test_no_error_quotes_what_was_to_be_kept():
    tables = MetaData()
    number = Table("number", tables, Column("value", Integer, unique=True))
    engine = scratch_engine(tables)
    with pytest.raises(IntegrityError) as caught, engine.begin() as connection:
        connection.execute(insert(number), [{"value": 4711}, {"value": 4711}])
    assert "4711" not in str(caught.value)
    with engine.begin() as connection:
        assert connection.execute(number.select()).all() == []
    engine.dispose()
