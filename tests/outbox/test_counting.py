"""Attempts are counted by how long they took; the bounds stand in the names of a metric, and may not move."""

import pytest

from portal.outbox.counting import BOUNDS_MS, LONGER, NO_TIME, bound_of


def test_the_bounds_are_those_that_the_metric_was_published_with() -> None:
    assert BOUNDS_MS == (50, 100, 250, 500, 1000, 2500, 5000, 10_000)


@pytest.mark.parametrize(
    ("took", "bound"),
    [(None, NO_TIME), (0, 50), (50, 50), (51, 100), (1000, 1000), (1001, 2500), (10_000, 10_000), (10_001, LONGER)],
)
def test_a_duration_counts_under_the_smallest_bound_that_it_does_not_exceed(took: int | None, bound: int) -> None:
    assert bound_of(took) == bound
