"""What is kept for a while, and may be much."""

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, insert
from sqlalchemy.exc import IntegrityError

from portal.database.scratch import MARKS, MOST_RECENT, Numbers, scratch_engine


def test_numbers_are_kept_beyond_those_in_memory():
    kept = Numbers()
    keys = [number * 7919 - 2**62 for number in range(MOST_RECENT * 2 + 5)]
    for place, key in enumerate(keys, 1):
        kept[key] = place
    assert [kept[key] for key in keys] == [*range(1, len(keys) + 1)]
    kept[keys[0]] = 0
    assert kept[keys[0]] == 0, "the last that was set"
    assert [kept[keys[1] + MARKS], kept[5]] == [0, 0], "absent, with a mark of another and with none"


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
