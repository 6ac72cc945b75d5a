"""Dates as people and programs of three languages write them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from portal.importing.dates import read_date

BRASILIA = timezone(timedelta(hours=-3))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("12 Mar 2024", datetime(2024, 3, 12)),
        ("1 fev 2024", datetime(2024, 2, 1)),
        ("12 de dezembro de 2024", datetime(2024, 12, 12)),
        ("17 de jun. de 2024", datetime(2024, 6, 17)),
        ("1º de março de 2024", datetime(2024, 3, 1)),
        ("5 de septiembre de 2024", datetime(2024, 9, 5)),
        ("quinta-feira, 12 de março de 2024 às 14h30", datetime(2024, 3, 12, 14, 30)),
        ("mar, 12 mar 2024", datetime(2024, 3, 12)),
        ("mar. 2 abr. 2024", datetime(2024, 4, 2)),
        ("Mar 12, 2024", datetime(2024, 3, 12)),
        ("March 5th, 2024", datetime(2024, 3, 5)),
        ("12-Mar-24", datetime(2024, 3, 12)),
        ("12/mar/1998", datetime(1998, 3, 12)),
        ("12/03/2024", datetime(2024, 3, 12)),
        ("12/03/24", datetime(2024, 3, 12)),
        ("03/15/2024", datetime(2024, 3, 15)),
        ("12/03/2024 14:30", datetime(2024, 3, 12, 14, 30)),
        ("12/03/2024 2:30 PM", datetime(2024, 3, 12, 14, 30)),
        ("12/03/2024 12:05 a.m.", datetime(2024, 3, 12, 0, 5)),
        ("12/03/2024, 7 pm", datetime(2024, 3, 12, 19)),
        ("12.03.2024, 14:30:05", datetime(2024, 3, 12, 14, 30, 5)),
        ("2024/03/12", datetime(2024, 3, 12)),
        ("2024-03-12", datetime(2024, 3, 12)),
        ("2024-03-12 14:30", datetime(2024, 3, 12, 14, 30)),
        ("2024-03-12T14:30:00Z", datetime(2024, 3, 12, 14, 30, tzinfo=UTC)),
        ("2024-05-01T10:00:00.000Z", datetime(2024, 5, 1, 10, tzinfo=UTC)),
        ("2024-03-12 14:30:00 UTC", datetime(2024, 3, 12, 14, 30, tzinfo=UTC)),
        ("2024-03-12 14:30:00 -0300", datetime(2024, 3, 12, 14, 30, tzinfo=BRASILIA)),
        ("12/03/2024 14:30 GMT-3", datetime(2024, 3, 12, 14, 30, tzinfo=BRASILIA)),
        ("Tue Mar 12 2024 10:00:00 GMT-0300 (Horário Padrão de Brasília)", datetime(2024, 3, 12, 10, tzinfo=BRASILIA)),
        ("Tue, 12 Mar 2024 10:00:00 GMT", datetime(2024, 3, 12, 10, tzinfo=UTC)),
        ("45363", datetime(2024, 3, 12)),
        ("45363,5", datetime(2024, 3, 12, 12)),
        ("20240312", datetime(2024, 3, 12)),
        ("1709640000", datetime(2024, 3, 5, 12, tzinfo=UTC)),
        ("1709640000000", datetime(2024, 3, 5, 12, tzinfo=UTC)),
    ],
)
def test_dates_are_read_as_people_write_them(text, expected):
    assert read_date(text) == expected
    assert (read_date(text) or expected).tzinfo == expected.tzinfo


def test_the_month_may_come_first():
    assert read_date("03/04/2024", month_first=True) == datetime(2024, 3, 4)
    assert read_date("15/03/2024", month_first=True) == datetime(2024, 3, 15)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "ontem",
            "31/02/2024",
            "12 Foo 2024",
            "12345",
            "20241301",
            "11988887777",
            "1234567890123456",
            "99999",
            "2024-13-01",
            "10.0.0.1",
            "11 99999 0000",
            "12 mar",
        ),
        *("25:00 12/03/2024", "12/03/2024 14 PM", "R$ 12/03/2024", "1/2/3", "12/03/2024 " * 9, "2 days ago"),
    ],
)
def test_what_is_no_date_is_none(text):
    assert read_date(text) is None
