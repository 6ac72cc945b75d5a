"""Cells of a table of contacts that do not hold what their column does."""

import pytest

from portal.contacts.table import UnreadableCell, item_of


@pytest.mark.parametrize("path", ["id", "interest_level"])
@pytest.mark.parametrize("cell", ["٣", "²", "-1", "1.5", "x", "a1"])
def test_a_number_is_written_in_ascii_digits(path: str, cell: str) -> None:
    with pytest.raises(UnreadableCell):
        item_of({path: cell})


@pytest.mark.parametrize("path", ["skills", "experiences", "messages"])
@pytest.mark.parametrize("cell", ["{}", "3", '"x"', "null", "[", "x"])
def test_a_list_is_one_of_json(path: str, cell: str) -> None:
    with pytest.raises(UnreadableCell) as caught:
        item_of({path: cell})
    assert caught.value.field == path
