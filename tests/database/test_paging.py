"""Pages, their cursors, and the numbers of rows."""

from types import SimpleNamespace

import pytest
from flask import Flask
from sqlalchemy import select

from portal.database import paging
from portal.database.db import db
from portal.database.paging import InvalidCursor, cut_page, read_cursor, row_number
from portal.models import Company
from tests.factories import make_company

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


@pytest.mark.parametrize(
    ("read", "place", "shown", "ends"),
    [
        ([5, 4, 3], {}, [5, 4], ("4", None)),
        ([5, 4], {}, [5, 4], (None, None)),
        ([3, 2, 1], {"cursor": "4"}, [3, 2], ("2", "3")),
        ([1], {"cursor": "2"}, [1], (None, "1")),
        ([], {"cursor": "1"}, [], (None, None)),
        ([6, 7, 8], {"before": "5"}, [7, 6], ("6", "7")),
        ([6, 7], {"before": "5"}, [7, 6], ("6", None)),
        ([], {"before": "9"}, [], (None, None)),
    ],
)
def test_a_page_says_where_the_next_and_the_one_before_begin(
    read: list[int], place: dict[str, str], shown: list[int], ends: tuple[str | None, str | None]
) -> None:
    page = paging.cut_page([SimpleNamespace(id=number) for number in read], limit=2, **place)
    assert [row.id for row in page.items] == shown
    assert (page.next_cursor, page.previous_cursor) == ends


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ({}, [5, 4]),
        ({"cursor": "4"}, [3, 2]),
        ({"cursor": "2"}, [1]),
        ({"before": "2"}, [4, 3]),
        ({"before": "4"}, [5]),
        ({"cursor": "9", "before": "1"}, [3, 2]),
    ],
)
def test_a_page_holds_the_newest_of_what_is_behind_its_place(
    app: Flask, place: dict[str, str], shown: list[int]
) -> None:
    ids = [make_company(f"Empresa {number}").id for number in range(5)]
    begun = {name: str(ids[0] + int(number) - 1) for name, number in place.items()}
    page = paging.read_page(db.session, select(Company), Company.id, limit=2, **begun)
    assert [row.id - ids[0] + 1 for row in page.items] == shown
    assert [paging.count_rows(db.session, select(Company), most=most) for most in (None, 3, 9)] == [5, 3, 5]


def test_a_number_has_as_many_digits_as_a_row_can_have() -> None:
    assert paging.row_number("9" * 18) == 10**18 - 1
    with pytest.raises(paging.InvalidCursor, match=f"^{'9' * 19}$"):
        paging.read_cursor("9" * 19)
    with pytest.raises(paging.InvalidCursor, match=f"^{'x' * 40}$"):
        paging.read_cursor("x" * 41)
