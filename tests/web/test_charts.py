"""The chart of deliveries by day: drawn to be seen and to be read."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest

from portal.deliveries.log import DayCount
from portal.web.charts import day_starts, draw, round_up, stack
from tests.factories import NOON


def test_a_day_may_have_23_hours():
    starts = day_starts(
        datetime(2026, 3, 10, tzinfo=UTC), ZoneInfo("America/New_York"), since=NOON - timedelta(days=99)
    )
    lengths = {later - earlier for earlier, later in pairwise(starts)}
    assert lengths == {timedelta(hours=23), timedelta(hours=24)}
    assert len(starts) == 31


@pytest.mark.parametrize(("age", "drawn"), [(timedelta(days=2), 2), (timedelta(hours=1), 1), (timedelta(0), 1)])
def test_a_day_that_is_not_known_whole_is_left_out_but_for_the_newest(age, drawn):
    starts = day_starts(NOON, ZoneInfo("UTC"), since=NOON - age)
    assert len(starts) == drawn + 1
    assert starts[-1] == NOON.replace(hour=0) + timedelta(days=1)


def test_bars_stand_on_each_other_within_the_plot_and_one_failure_is_seen():
    chart = draw([DayCount(NOON, 499, 1), DayCount(NOON, 0, 0), DayCount(NOON, 3, 0)])
    assert chart is not None
    delivered, failed = chart.plot.columns[0].segments
    assert (chart.plot.top, chart.delivered, chart.failed) == (600, 502, 1)
    assert failed.height == 3.0
    assert failed.y >= 0
    assert failed.y + failed.height == pytest.approx(delivered.y)
    assert chart.plot.columns[-1].x + chart.plot.columns[-1].width <= 100


def test_a_failure_is_seen_above_a_column_that_fills_the_plot():
    drawn = stack([{"delivered": 999, "failed": 1}], top=1000)
    assert drawn is not None
    delivered, failed = drawn.columns[0].segments
    assert (failed.y, failed.height) == (0.0, 3.0)
    assert (delivered.y, delivered.height) == (3.0, 97.0)


def test_few_columns_are_no_wall_and_stand_in_the_middle_of_their_places():
    drawn = stack([{"delivered": 1}, {"delivered": 2}])
    assert drawn is not None
    assert [(column.width, column.middle) for column in drawn.columns] == [(12.0, 25.0), (12.0, 75.0)]


def test_what_waits_stands_between():
    chart = draw([DayCount(NOON, 3, 1, waiting=6)])
    assert chart is not None
    assert [segment.kind for segment in chart.plot.columns[0].segments] == ["delivered", "waiting", "failed"]
    assert (chart.plot.top, chart.waiting) == (10, 6)


def test_nothing_is_drawn_of_nothing():
    assert draw([DayCount(NOON, 0, 0)]) is None


@pytest.mark.parametrize(("number", "top"), [(1, 2), (2, 2), (3, 4), (9, 10), (10, 10), (11, 20), (101, 200)])
def test_the_scale_ends_at_a_round_number(number, top):
    assert round_up(number) == top
