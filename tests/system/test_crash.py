"""Sixty kills while people classify and a backlog drains: nothing is lost, nothing comes twice without a reason."""

from pathlib import Path

import pytest

from tests.system.crash import RECOVERY_SECONDS, crash

pytestmark = pytest.mark.slow

KILLS = {"sqlite": 20, "postgresql": 40}
"""What a build has the time for; `python -m tests.system.crash --kills 1000` does more."""
CONCURRENCY = {"sqlite": 4, "postgresql": 8}
"""Posts to one endpoint at a time: no death repeats more of one endpoint than that."""
SEED = 20260310
SLOWNESS_SECONDS = 6
"""What a busy machine may add to the recovery."""


@pytest.mark.slow(50)
@pytest.mark.parametrize("database", KILLS)
def test_no_kill_loses_a_delivery_or_repeats_one_without_saying_so(
    request: pytest.FixtureRequest, instance: Path, database: str
) -> None:
    url = request.getfixturevalue("sqlite_url" if database == "sqlite" else "postgres_url")
    books = crash(instance, url, kills=KILLS[database], seed=SEED, concurrency=CONCURRENCY[database])
    print(books)
    assert books.faults == []
    assert books.committed > books.kills
    assert books.recovery_seconds < RECOVERY_SECONDS + SLOWNESS_SECONDS
