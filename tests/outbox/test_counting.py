"""Attempts are counted by how long they took; the bounds stand in the names of a metric, and may not move."""

import pytest
from sqlalchemy import select

from portal.database.db import db
from portal.models import Company
from portal.outbox import counting
from portal.outbox.counting import BOUNDS_MS, LONGER, NO_TIME, bound_of, count_attempts
from portal.working_models import AttemptCount
from tests.outbox.stock import in_worker
from tests.worker.test_shares import answered, make_claim


def test_the_bounds_are_those_that_the_metric_was_published_with() -> None:
    assert BOUNDS_MS == (50, 100, 250, 500, 1000, 2500, 5000, 10_000)


@pytest.mark.parametrize(
    ("took", "bound"),
    [(None, NO_TIME), (0, 50), (50, 50), (51, 100), (1000, 1000), (1001, 2500), (10_000, 10_000), (10_001, LONGER)],
)
def test_a_duration_counts_under_the_smallest_bound_that_it_does_not_exceed(took: int | None, bound: int) -> None:
    assert bound_of(took) == bound


def test_each_who_counts_takes_one_of_sixteen_parts_by_chance(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(counting, "randbelow", lambda parts: asked.append(parts) or 7)
    claim = make_claim(1, company_id=company.id)
    ends = [
        (claim, answered(seconds, reason, None), status)
        for seconds, reason, status in (
            (0.02, "timeout", "pending"),
            (0.03, "timeout", "pending"),
            (9, "gone", "failed"),
        )
    ]
    counted = (AttemptCount.status, AttemptCount.reason, AttemptCount.up_to_ms, AttemptCount.part)
    expected = [("failed", "gone", 10_000, 7, 1, 9000), ("pending", "timeout", 50, 7, 2, 50)]
    for times in (1, 2):
        in_worker(lambda connection: count_attempts(connection, [*ends, (claim._replace(is_test=True), *ends[0][1:])]))
        found = db.session.execute(
            select(*counted, AttemptCount.number, AttemptCount.total_ms).order_by(*counted)
        ).all()
        assert [tuple(row) for row in found] == [(*row[:4], row[4] * times, row[5] * times) for row in expected]
    assert asked == [16, 16]
