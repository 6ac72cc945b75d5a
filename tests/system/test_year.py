"""A small year: after its upgrades, erasures, restore and move, the receiver's ledger and the database agree."""

from pathlib import Path

import pytest

from tests.system.year import ERASE_AT, LEAST_DAYS, UPGRADES, Year

DELIVERIES = 300
"""What a build has the time for; `python -m tests.system.year` does more."""


@pytest.mark.slow(30)
def test_after_a_year_the_ledger_and_the_database_agree_and_no_erased_word_is_left(
    tmp_path: Path, postgres_url: str
) -> None:
    books = Year(tmp_path, postgres_url, deliveries=DELIVERIES, days=LEAST_DAYS).run()
    print(books)
    assert books.faults == []
    assert books.committed >= DELIVERIES
    assert books.posts > books.refused > 0
    assert (books.upgrades, books.erased) == (UPGRADES, len(ERASE_AT))
    assert min(books.purged, books.gone_by_restore, books.again_after_restore, books.held_over_move) > 0
