"""Pages, their cursors, and the numbers of rows."""

from types import SimpleNamespace

import pytest

from portal.database.paging import InvalidCursor, cut_page, read_cursor, row_number

ROWS = [SimpleNamespace(id=number) for number in (9, 7, 4)]


def test_a_page_ends_where_the_next_one_begins() -> None:
    page = cut_page(ROWS, limit=2)
    assert (page.items, page.next_cursor) == (ROWS[:2], "7")
    assert read_cursor("7") == 7


def test_the_last_page_has_no_cursor() -> None:
    assert cut_page(ROWS, limit=3).next_cursor is None
    assert cut_page([], limit=3).next_cursor is None


@pytest.mark.parametrize("text", ["", "x", "-1", "+1", " 1", "1_0", "²", "٣", "9" * 19])
def test_what_no_row_can_have_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match="no row's number"):
        row_number(text)
    with pytest.raises(InvalidCursor):
        read_cursor(text)
